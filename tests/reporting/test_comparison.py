import numpy as np
import pytest
from benchmark_rows import make_rows

from bghop.reporting.comparison import compare
from bghop.reporting.intervals import Resampling

QUICK = Resampling(num_resamples=400)


def by_method(rows, method):
    return [row for row in rows if row["method"] == method]


def test_a_method_against_a_copy_of_itself_differs_by_nothing():
    rows = make_rows(methods=("a",))
    copies = [row | {"method": "b"} for row in rows]
    (found,) = compare([*rows, *copies], reference="a", options=QUICK)
    for each in found.selections["all"].values():
        assert each.low == each.mean == each.high == 0


def test_pairing_removes_what_objects_have_in_common():
    rows = make_rows(methods=("a",))
    for index, row in enumerate(rows):
        row["depth_left_mm"] = row["depth_right_mm"] = float(row["size_cm"]) + 0.01 * (index % 3)
    deeper = [row | {"method": "b", "depth_left_mm": row["depth_left_mm"] + 0.5} for row in rows]
    (found,) = compare([*rows, *deeper], reference="a", options=QUICK)
    depth = found.selections["all"]["depth"]
    assert depth.mean == pytest.approx(0.5)
    # Depths of the objects differ by 19 mm, their differences not at all.
    assert depth.high - depth.low < 1e-9


def test_differences_are_those_of_the_means_over_shared_runs():
    rows = make_rows(methods=("a", "b"), seeds=(0, 1))
    lost = [row for row in rows if not (row["method"] == "a" and row["object"] == "mug")]
    (found,) = compare(lost, reference="a", options=QUICK)
    shared = [row for row in lost if row["object"] != "mug"]
    means = {m: np.mean([row["hold"] for row in by_method(shared, m)]) for m in "ab"}
    hold = found.selections["all"]["hold"]
    assert hold.mean == pytest.approx(means["b"] - means["a"])
    assert (hold.n, hold.objects) == (8, 4)


def test_methods_may_differ_in_their_number_of_grasps():
    rows = make_rows(methods=("a",), num=8)
    copies = [row | {"method": "b"} for row in rows for _ in range(2)]
    (found,) = compare([*rows, *copies], reference="a", options=QUICK)
    assert found.selections["all"]["depth"].mean == pytest.approx(0, abs=1e-12)


def test_nothing_tested_compares_nothing():
    (found,) = compare(make_rows(tested=False), reference="optimize", options=QUICK)
    assert found.selections["all"]["hold"] is None
    assert found.selections["all"]["depth"] is not None
