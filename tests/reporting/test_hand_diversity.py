"""Diversity of rows: what the functions on arrays say, and nothing from too few grasps."""

import numpy as np
import pytest
from benchmark_rows import OBJECTS, make_rows

from bghop.evaluation.diversity import cluster_diversity, mean_pairwise_distance_cm
from bghop.reporting.diversity import APART, CLUSTER_SIZE, ENTROPY, diversity_of


def joints_of(rows):
    return np.array([[row["joints_left"], row["joints_right"]] for row in rows]).reshape(
        -1, 2, 21, 3
    )


def test_numbers_are_those_of_the_functions_on_all_grasps_of_a_method():
    rows = make_rows(num=12)
    found = diversity_of(rows)
    assert list(found) == ["optimize@30", "optimize"]
    mine = [row for row in rows if row["method"] == "optimize"]
    present = np.ones((len(mine), 2), dtype=bool)
    expected = cluster_diversity(joints_of(mine), present)
    assert found["optimize"][ENTROPY] == expected.entropy_nats
    assert found["optimize"][CLUSTER_SIZE] == expected.cluster_size_cm
    apart = [
        mean_pairwise_distance_cm(joints_of(part), np.ones((len(part), 2), dtype=bool))
        for part in ([row for row in mine if row["object"] == entry[1]] for entry in OBJECTS)
    ]
    assert found["optimize"][APART].mean == pytest.approx(np.mean(apart))
    assert found["optimize"][APART].objects == 5


def test_few_hands_have_no_clusters_and_single_grasps_no_distance():
    rows = make_rows(objects=OBJECTS[:2], methods=("optimize",), num=3)
    assert diversity_of(rows)["optimize"][ENTROPY] is None
    assert diversity_of(rows)["optimize"][APART].objects == 2
    assert diversity_of(rows[2:4])["optimize"] == {ENTROPY: None, CLUSTER_SIZE: None, APART: None}


def test_an_absent_hand_is_left_out():
    rows = make_rows(objects=OBJECTS[:1], methods=("optimize",), num=2)
    for row in rows:
        row["joints_left"] = None
    right = joints_of([{"joints_left": row["joints_right"], **row} | {
        "joints_left": row["joints_right"]} for row in rows])[:, 1]  # fmt: skip
    expected = 100 * np.linalg.norm(right[0] - right[1], axis=-1).mean()
    assert diversity_of(rows)["optimize"][APART].mean == pytest.approx(expected)
