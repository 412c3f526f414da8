"""How well scores tell grasps that hold from others: against closed forms and scipy."""

import numpy as np
import pytest
from benchmark_rows import make_rows
from scipy.stats import mannwhitneyu

from bghop.evaluation.ranking import score
from bghop.reporting.columns import order_columns
from bghop.reporting.ordering import pairs_in_order
from bghop.reporting.summary import summarize

ONE = np.zeros(6, dtype=np.int64)


def share(scores, held, groups=ONE, objects=None):
    values = np.array(scores, dtype=float), np.array(held, dtype=float)
    return pairs_in_order(*values, groups, groups if objects is None else objects)


def test_one_object_is_the_u_statistic_of_mann_and_whitney():
    random = np.random.default_rng(3)
    scores = np.round(random.normal(size=60), 1)  # with ties
    held = random.random(60) < 0.4
    found = share(scores, held, np.zeros(60, dtype=np.int64))
    u = mannwhitneyu(scores[~held], scores[held]).statistic
    assert found.n == held.sum() * (~held).sum()
    assert found.mean == pytest.approx(u / found.n)


def test_the_right_order_is_one_the_wrong_one_zero_and_ties_are_half():
    held = [1, 1, 1, 0, 0, 0]
    assert share([1, 2, 3, 4, 5, 6], held).mean == 1
    assert share([4, 5, 6, 1, 2, 3], held).mean == 0
    assert share([7] * 6, held).mean == 0.5


def test_pairs_are_formed_within_objects_only():
    """Scores that tell easy objects from hard ones and nothing else are chance."""
    groups = np.array([0, 0, 0, 1, 1, 1])
    found = share([1, 1, 1, 9, 9, 9], [1, 1, 0, 1, 0, 0], groups)
    assert (found.mean, found.n, found.objects) == (0.5, 4, 2)


def test_untested_grasps_and_missing_scores_make_no_pairs():
    held = [1, 0, np.nan, 0, 1, 0]
    assert share([1, 2, 0, np.nan, 3, 4], held).n == 2 * 2
    assert share([1] * 6, [1] * 6) is None
    assert share([np.nan] * 6, held) is None


def test_the_summary_orders_by_the_score_of_the_ranking():
    rows = make_rows(methods=("optimize",), seeds=(0, 1))
    columns = order_columns(rows)
    assert columns["score"].tolist() == [score(row["instability"], row["energy"]) for row in rows]
    for row in rows[:8]:
        row["energy"] = float("nan")
    assert order_columns(rows)["score"][:8].tolist() == [row["instability"] for row in rows[:8]]
    found = summarize(rows)[0].groups["all objects"].ordering
    held = np.array([row["hold"] for row in rows])
    names = np.array([row["object"] for row in rows])
    pairs = sum(held[names == name].sum() * (~held[names == name]).sum() for name in set(names))
    assert found["score"].n == pairs
    assert found["rank"].n < pairs  # of one run each, and there are two
    assert found["instability"].mean > 0.7  # the rows are made so
    assert found["instability"].low < found["instability"].mean < found["instability"].high
