import json

import numpy as np
import pytest

from bghop.evaluation.metrics import (
    GraspMetrics,
    contact_ratio,
    fingers_in_contact,
    limit_violation_deg,
    penetration_depth_mm,
    shared_volume_cm3,
)


class Solid:
    """A region in closed form that counts the questions."""

    def __init__(self, distance):
        self.distance = distance
        self.asked = 0

    def signed_distances(self, points):
        self.asked += len(points)
        return self.distance(points)

    def contains(self, points):
        return self.signed_distances(points) < 0


def ball(center, radius):
    return Solid(lambda points: np.linalg.norm(points - np.array(center), axis=-1) - radius)


def box(half):
    """About the origin."""

    def distance(points):
        excess = np.abs(points) - np.array(half)
        outside = np.linalg.norm(np.maximum(excess, 0), axis=-1)
        return outside + np.minimum(excess.max(-1), 0)

    return Solid(distance)


def all_voxels_cm3(first, second, lower, upper):
    """The definition itself: every voxel of the lattice."""
    axes = [
        (np.arange(np.floor(a * 1e3) - 1, np.ceil(b * 1e3) + 1) + 0.5) * 1e-3
        for a, b in zip(lower, upper, strict=True)
    ]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return float((first.contains(centres) & second.contains(centres)).sum()) * 1e-3


def lens_cm3(radius_a, radius_b, distance):
    """Volume that two balls share."""
    a, b, d = radius_a, radius_b, distance
    cubic = (a + b - d) ** 2 * (d * d + 2 * d * (a + b) - 3 * (a - b) ** 2)
    return np.pi * cubic / (12 * d) * 1e6


def some_metrics(**changes):
    values = {
        "penetration_depth_mm": (1.5, 2.25),
        "intersection_volume_cm3": (0.1, 0.3),
        "contact_ratio": (0.25, 0.5),
        "fingers_in_contact": (5, 3),
        "limit_violation_deg": (0.0, 1.0),
        "hand_hand_depth_mm": 0.0,
        "hand_hand_volume_cm3": 0.0,
        "time_s": 0.7,
    }
    return GraspMetrics(**(values | changes))


def test_depth_is_the_deepest_vertex_and_never_negative():
    points = np.array([[0.0, 0, 0.05], [0, 0, 0.037], [0, 0, 0.039]])
    assert penetration_depth_mm(ball((0, 0, 0), 0.04).distance(points)) == pytest.approx(3.0)
    assert penetration_depth_mm(np.array([0.001, 2.0])) == 0.0


def test_contact_ratio_counts_both_sides_of_the_surface_up_to_5_mm():
    distances = np.array([-0.006, -0.0049, 0.0, 0.0049, 0.0051, np.inf])
    assert contact_ratio(distances) == pytest.approx(3 / 6)


def test_a_finger_is_in_contact_when_one_vertex_of_its_pad_is_within_3_mm():
    distances = np.array([0.004, 0.0029, 0.0031, -0.0029, -0.0031, 0.0])
    pads = tuple(np.array(pad) for pad in ([0, 1], [2], [3], [4], [2, 4]))
    assert fingers_in_contact(distances, pads) == 2
    assert fingers_in_contact(distances, (np.array([], dtype=int),)) == 0


def test_limit_violation_is_the_largest_excess_in_degrees():
    limits = np.radians(np.array([[[-10.0, 20], [-5, 5], [0, 0]]]))
    assert limit_violation_deg(np.radians([[19.0, -5, 0]]), limits) == pytest.approx(0, abs=1e-9)
    assert limit_violation_deg(np.radians([[-13.0, 7, 0]]), limits) == pytest.approx(3)


@pytest.mark.parametrize("distance", [0.03, 0.05, 0.0575])
def test_two_balls_share_a_lens(distance):
    a, b = ball((0.0003, 0, 0), 0.04), ball((0.0003 + distance, 0, 0), 0.02)
    lower, upper = np.full(3, -0.05), np.full(3, 0.09)
    measured = shared_volume_cm3(a, b, lower, upper)
    # Voxels err by about a tenth of a cubic millimetre per square millimetre of surface.
    assert measured == pytest.approx(lens_cm3(0.04, 0.02, distance), abs=0.1)


def test_skipping_cells_changes_no_voxel():
    a, b = ball((0.011, -0.003, 0.002), 0.031), box((0.02, 0.05, 0.013))
    lower, upper = np.array([-0.02, -0.034, -0.013]), np.array([0.02, 0.028, 0.013])
    assert shared_volume_cm3(a, b, lower, upper) == pytest.approx(
        all_voxels_cm3(a, b, lower, upper), abs=1e-9
    )


def test_a_box_on_the_lattice_has_its_exact_volume_and_few_questions_are_asked():
    block, world = box((0.03, 0.02, 0.01)), ball((0, 0, 0), 1.0)
    volume = shared_volume_cm3(block, world, np.full(3, -0.05), np.full(3, 0.05))
    assert volume == pytest.approx(6 * 4 * 2, abs=1e-9)
    assert block.asked < 48_000 / 2  # against its voxels
    assert world.asked < 1000


def test_separate_solids_share_nothing():
    a, b = ball((0, 0, 0), 0.02), ball((0.05, 0, 0), 0.02)
    assert shared_volume_cm3(a, b, np.full(3, -0.1), np.full(3, 0.1)) == 0.0
    assert shared_volume_cm3(a, b, np.full(3, 0.1), np.full(3, -0.1)) == 0.0


def test_a_mirrored_scene_has_the_same_volume_to_the_voxel():
    a, b = ball((0.0123, 0.004, 0), 0.03), box((0.02, 0.02, 0.02))
    mirrored = ball((-0.0123, 0.004, 0), 0.03)
    lower, upper = np.full(3, -0.05), np.full(3, 0.05)
    assert shared_volume_cm3(a, b, lower, upper) == shared_volume_cm3(mirrored, b, lower, upper)


def test_json_has_sides_sums_where_they_mean_something_and_comes_back_equal():
    metrics = some_metrics()
    values = json.loads(json.dumps(metrics.to_json()))
    assert values["penetration_depth_mm"] == {"left": 1.5, "right": 2.25, "sum": 3.75}
    assert values["fingers_in_contact"]["sum"] == 8
    assert "sum" not in values["contact_ratio"]
    assert values["both_hands_in_contact"] is True
    assert GraspMetrics.from_json(values) == metrics


def test_an_absent_hand_is_none_and_is_not_in_contact():
    metrics = some_metrics(
        penetration_depth_mm=(None, 2.0),
        intersection_volume_cm3=(None, 0.3),
        contact_ratio=(None, 0.5),
        fingers_in_contact=(None, 3),
        limit_violation_deg=(None, 0.0),
    )
    assert not metrics.both_hands_in_contact
    assert metrics.to_json()["penetration_depth_mm"] == {"left": None, "right": 2.0, "sum": 2.0}
    assert GraspMetrics.from_json(json.loads(json.dumps(metrics.to_json()))) == metrics
