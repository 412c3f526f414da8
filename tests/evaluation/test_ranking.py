import pytest

from bghop.evaluation.metrics import GraspMetrics
from bghop.evaluation.ranking import Demands, faults, rank, score


def metrics(depth=(1.0, 1.0), volume=(0.2, 0.2), fingers=(4, 4), excess=(0.0, 0.0), between=0.0):
    return GraspMetrics(
        penetration_depth_mm=depth,
        intersection_volume_cm3=volume,
        contact_ratio=(0.2, 0.2),
        fingers_in_contact=fingers,
        limit_violation_deg=excess,
        hand_hand_depth_mm=between,
        hand_hand_volume_cm3=0.0,
        time_s=1.0,
    )


def test_a_good_grasp_has_no_fault():
    assert faults(metrics()) == ()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (metrics(depth=(3.2, 1.0)), "left hand 3.2 mm deep"),
        (metrics(volume=(0.2, 1.4)), "right hand 1.4 cm3 inside"),
        (metrics(fingers=(4, 2)), "right hand 2 fingers in contact"),
        (metrics(excess=(3.0, 0.0)), "left hand 3 deg over a limit"),
        (metrics(between=1.5), "hands 1.5 mm inside each other"),
    ],
)
def test_every_broken_demand_is_said_in_words(broken, words):
    assert faults(broken) == (words,)


def test_an_absent_hand_has_no_faults():
    one = metrics(depth=(None, 1.0), volume=(None, 0.1), fingers=(None, 3), excess=(None, 0.0))
    assert faults(one) == ()


def test_fewer_faults_come_first_then_lower_score():
    deep, bad, good, best = (
        metrics(depth=(9.0, 1.0)),
        metrics(depth=(9.0, 9.0)),
        metrics(),
        metrics(),
    )
    assert rank([deep, bad, good, best], [0.0, 0.1, 0.9, 0.5]) == [3, 2, 0, 1]


def test_equal_grasps_keep_their_order():
    assert rank([metrics()] * 3, [1.0, 1.0, 1.0]) == [0, 1, 2]


def test_stability_decides_and_energy_only_between_equals():
    assert score(0.01, 9.0) < score(0.05, 3.0)
    assert score(0.01, 3.0) < score(0.01, 4.0)
    assert score(0.01, None) == 0.01


def test_demands_can_be_changed():
    assert faults(metrics(), Demands(fingers_in_contact=5)) == (
        "left hand 4 fingers in contact",
        "right hand 4 fingers in contact",
    )
