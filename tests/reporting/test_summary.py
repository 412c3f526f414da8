import numpy as np
import pytest
from benchmark_rows import OBJECTS, make_rows
from scipy.stats import bootstrap

from bghop.errors import ResultError
from bghop.reporting.intervals import Resampling, cluster_mean
from bghop.reporting.summary import select, summarize

QUICK = Resampling(num_resamples=200)


@pytest.fixture
def random():
    return np.random.default_rng(11)


def test_intervals_equal_those_of_scipy_on_objects_of_unequal_size(random):
    clusters = np.repeat(np.arange(12), random.integers(1, 9, size=12))
    values = random.normal(size=len(clusters)) + 0.5 * clusters
    found = cluster_mean(values, clusters, Resampling(num_resamples=3000, seed=4))
    counts, sums = np.bincount(clusters), np.bincount(clusters, weights=values)

    def pooled_mean(drawn, axis):
        return sums[drawn].sum(axis) / counts[drawn].sum(axis)

    theirs = bootstrap(
        (np.arange(12),), pooled_mean, n_resamples=3000, method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval  # fmt: skip
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)
    assert (found.n, found.objects) == (len(values), 12)


def test_with_one_row_an_object_the_interval_is_that_of_the_normal_law(random):
    values = random.normal(3.0, 2.0, size=400)
    found = cluster_mean(values, np.arange(400), Resampling(num_resamples=8000))
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)


def test_copies_of_rows_within_objects_add_no_certainty(random):
    values, clusters = random.normal(size=20), np.arange(20)
    once = cluster_mean(values, clusters)
    tenfold = cluster_mean(np.repeat(values, 10), np.repeat(clusters, 10))
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))
    independent = cluster_mean(np.repeat(values, 10), np.arange(200))
    assert independent.high - independent.low < 0.5 * (once.high - once.low)


def test_about_95_of_100_intervals_hold_the_truth(random):
    inside = 0
    for _ in range(300):
        clusters = np.repeat(np.arange(40), 4)
        values = random.normal(size=40)[clusters] + random.normal(size=160)
        found = cluster_mean(values, clusters, Resampling(num_resamples=400))
        inside += found.low <= 0 <= found.high
    assert 0.89 <= inside / 300 <= 0.98


def test_equal_values_have_an_interval_of_no_width_and_few_objects_have_none():
    same = cluster_mean(np.full(9, 0.1), np.arange(9))
    assert same.low == same.high == same.mean
    for num, known in ((1, False), (4, False), (5, True)):
        few = cluster_mean(np.array(10 * [0.0, 1.0]), np.arange(20) % num)
        assert few.mean == 0.5
        assert (few.low is not None) == (few.high is not None) == known


def test_missing_values_are_left_out_and_nothing_is_made_of_nothing():
    found = cluster_mean(np.array([1.0, np.nan, 3.0]), np.array([0, 1, 2]))
    assert (found.mean, found.n, found.objects) == (2.0, 2, 2)
    assert cluster_mean(np.full(3, np.nan), np.arange(3)) is None


def run(holds, *, name="mug", seed=0):
    """One run of as many candidates, best first, with these outcomes."""
    about = next(entry for entry in OBJECTS if entry[1] == name)
    rows = make_rows(objects=(about,), methods=("optimize",), seeds=(seed,), num=len(holds))
    for row, held in zip(rows, holds, strict=True):
        row |= {"hold": held, "hold_directions": None if held is None else 6 * held}
    return rows


def test_best_ranked_is_chosen_by_rank_and_verified_by_the_test():
    rows = run([False, False, True, True]) + run([False, False], name="pitcher")
    shuffled = [rows[k] for k in (3, 5, 0, 2, 4, 1)]
    best = [shuffled[k] for k in select(shuffled, "best-ranked")]
    assert [(row["object"], row["rank"]) for row in best] == [("mug", 0), ("pitcher", 0)]
    verified = [shuffled[k] for k in select(shuffled, "verified")]
    assert [(row["object"], row["rank"]) for row in verified] == [("mug", 2), ("pitcher", 0)]


def test_the_three_ways_to_choose_give_their_own_success():
    rows = run([False, True, True, True]) + run([True, False, False, False], name="pitcher")
    group = summarize(rows)[0].groups["all objects"]
    means = {name: each["hold"].mean for name, each in group.selections.items()}
    assert means == {"all": 0.5, "best-ranked": 0.5, "verified": 1.0}
    assert group.selections["best-ranked"]["hold"].n == 2
    assert group.lift_points.mean == pytest.approx((-75 + 75) / 2)


def test_the_lift_is_paired_within_runs_of_unequal_size():
    rows = run([True, False]) + run([True] + 7 * [False], name="pitcher")
    lift = summarize(rows)[0].groups["all objects"].lift_points
    assert lift.mean == pytest.approx((50 + 87.5) / 2)
    assert (lift.n, lift.objects) == (2, 2)


def test_runs_without_a_hold_test_have_no_verified_grasp():
    rows = run([None, None]) + run([False, True], name="pitcher")
    group = summarize(rows)[0].groups["all objects"]
    assert group.selections["verified"]["hold"].n == 1
    assert group.selections["all"]["hold"].n == 2
    nothing = summarize(run([None, None]))[0].groups["all objects"]
    assert nothing.selections["all"]["hold"] is None
    assert nothing.selections["all"]["depth"] is not None
    assert nothing.lift_points is None
    assert nothing.static.agreement is None


def test_removing_a_hand_costs_the_paired_difference():
    rows = run([True, True, True, False])
    for row, left, right in zip(rows, (0, 0, 1, 0), (0, 1, 1, 0), strict=True):
        row |= {"hold_without_left": bool(left), "hold_without_right": bool(right)}
    means = summarize(rows)[0].groups["all objects"].selections["all"]
    assert means["drop_left_points"].mean == 50
    assert means["drop_right_points"].mean == 25
    assert means["one_hand"].mean == 0.5
    # A hand alone is what is left when the other is removed.
    assert means["alone_left"] == means["without_right"]


def test_both_hands_are_the_deeper_one_and_the_sum_and_sides_are_compared_in_pairs():
    rows = run([True, True])
    for row, left, right in zip(rows, (1.0, 2.0), (4.0, 0.5), strict=True):
        row |= {"depth_left_mm": left, "depth_right_mm": right,
                "volume_left_cm3": left, "volume_right_cm3": right}  # fmt: skip
    group = summarize(rows)[0].groups["all objects"]
    assert group.selections["all"]["depth"].mean == 3.0
    assert group.selections["all"]["volume"].mean == 3.75
    assert group.left_minus_right["depth"].mean == -0.75


def test_a_single_hand_counts_for_both_and_is_in_no_pair():
    rows = run([True, True])
    for row, left in zip(rows, (1.0, None), strict=True):
        for name, value in (
            ("depth_{}_mm", 2.0),
            ("volume_{}_cm3", 0.4),
            ("contact_ratio_{}", 0.2),
        ):
            row[name.format("left")] = None if left is None else 2 * value
            row[name.format("right")] = value
    group = summarize(rows)[0].groups["all objects"]
    means = {name: group.selections["all"][name].mean for name in ("depth", "volume")}
    assert means == pytest.approx({"depth": 3.0, "volume": 0.8})
    assert group.selections["all"]["contact_ratio"].mean == pytest.approx((0.3 + 0.2) / 2)
    assert group.left_minus_right["depth"].n == 1


def test_swapping_the_hands_swaps_every_pair():
    rows = make_rows(methods=("optimize",))

    def swapped(row):
        other = {"left": "right", "right": "left"}
        return {
            "_".join(other.get(word, word) for word in key.split("_")): value
            for key, value in row.items()
        }

    one = summarize(rows, options=QUICK)[0].groups["all objects"]
    other = summarize([swapped(row) for row in rows], options=QUICK)[0].groups["all objects"]
    for name, estimate in one.left_minus_right.items():
        assert other.left_minus_right[name].mean == pytest.approx(-estimate.mean)
        assert other.left_minus_right[name].low == pytest.approx(-estimate.high, abs=1e-9)
    assert other.selections["all"]["depth"] == one.selections["all"]["depth"]
    assert other.selections["all"]["without_left"] == one.selections["all"]["without_right"]


def test_static_check_and_hold_test_are_counted_against_each_other():
    rows = run([True, True, False, False, None])
    for row, static in zip(rows, (True, False, True, False, True), strict=True):
        row["static"] = static
    found = summarize(rows)[0].groups["all objects"].static
    assert (found.both, found.static_only, found.hold_only, found.neither) == (1, 1, 1, 1)
    assert found.agreement.mean == 0.5


def test_groups_are_parts_of_all_objects():
    rows = make_rows(seeds=(0, 1))
    for method in summarize(rows, options=QUICK):
        counts = {name: each.selections["all"]["hold"].n for name, each in method.groups.items()}
        assert counts["all objects"] == counts["set ycb"] + counts["set furniture"] == 80
        assert counts["articulated"] + counts["not articulated"] == 80
        assert counts["over 20 cm"] == 64  # all but the mug
        assert all(counts[name] == each.grasps for name, each in method.groups.items())
        assert (method.groups["articulated"].objects, method.groups["over 20 cm"].objects) == (2, 4)
        assert sum(each.grasps for each in method.objects) == 80
        best = method.groups["all objects"].selections["best-ranked"]["hold"]
        assert (best.n, best.objects) == (10, 5)


def test_the_order_of_rows_does_not_matter_beyond_rounding(random):
    rows = make_rows(objects=OBJECTS[:3], num=4)
    shuffled = [rows[k] for k in random.permutation(len(rows))]
    one = {each.method: each for each in summarize(rows, options=QUICK)}
    other = {each.method: each for each in summarize(shuffled, options=QUICK)}
    for method, summary in one.items():
        for name, estimate in summary.groups["all objects"].selections["all"].items():
            again = other[method].groups["all objects"].selections["all"][name]
            assert again.mean == pytest.approx(estimate.mean), name
    assert summarize(rows, options=QUICK) == summarize(rows, options=QUICK)


def test_missing_rows_and_columns_are_named_with_a_remedy():
    with pytest.raises(ResultError, match="no grasps to summarise: give at least one"):
        summarize([])
    rows = make_rows()
    del rows[3]["hold_turned_deg"]
    with pytest.raises(ResultError, match="lack hold_turned_deg: run `bghop evaluate`"):
        summarize(rows)
