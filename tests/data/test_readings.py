"""Hands that fit their object say in which reading their numbers are right, and in no other."""

from dataclasses import replace

import pytest
import torch

from bghop.data.augment import mirror_where
from bghop.data.objects import stack_objects
from bghop.data.objects_from_mesh import REACH, object_from_mesh
from bghop.data.readings import compare_readings, pad_misfits, readings_of_records, scaled
from bghop.hands.model import HandParameters
from knobs import grasp, knobs

NUM = 15


@pytest.fixture(scope="module")
def held(hand_model):
    hands = grasp(hand_model, NUM)
    thing = object_from_mesh("knobs", knobs(hand_model, hands))
    return hands, stack_objects([thing], reach=REACH)


@pytest.fixture(scope="module")
def mean_pose(hand_model):
    angles = torch.zeros(2, 15, 3)
    angles[..., 0] = 0.3
    return hand_model.pose_from_angles(angles)


def doubtful(hands, objects, model, mean_pose):
    index, joint = torch.zeros(NUM, dtype=torch.int64), torch.zeros(NUM)
    found = {
        name: pad_misfits(other, model, objects, index, joint)
        for name, other in readings_of_records(hands, mean_pose).items()
    }
    assumed = pad_misfits(hands, model, objects, index, joint)
    compared = compare_readings(assumed, found, hands.present)
    return {each.name: each for each in compared if each.doubtful}


def swapped(hands):
    return HandParameters(**{name: value.flip(1) for name, value in vars(hands).items()})


WRONG = {
    "left and right are swapped": lambda hands, mean: swapped(hands),
    "hands are mirrored": lambda hands, mean: mirror_where(hands, torch.ones(NUM).bool()),
    "places of hands are in millimetres": lambda hands, mean: scaled(hands, 1000.0),
    "places of hands were divided by 1000 once too often": lambda hands, mean: scaled(hands, 0.001),
    "poses have the mean pose once too often": lambda hands, mean: replace(
        hands, pose=hands.pose + mean
    ),
    "poses lack the mean pose": lambda hands, mean: replace(hands, pose=hands.pose - mean),
}


def test_right_hands_leave_no_doubt(held, hand_model, mean_pose):
    hands, objects = held
    assert doubtful(hands, objects, hand_model, mean_pose) == {}


@pytest.mark.parametrize("name", WRONG)
def test_the_mistake_that_was_made_is_the_one_that_is_named(held, hand_model, mean_pose, name):
    hands, objects = held
    found = doubtful(WRONG[name](hands, mean_pose), objects, hand_model, mean_pose)
    assert set(found) == {name}
    each = found[name]
    assert each.hands == 2 * NUM
    assert each.other_mm < 2 < each.assumed_mm
    assert "fit better so" in str(each)


def test_few_hands_decide_nothing_and_readings_that_change_nothing_are_left_out(
    held, hand_model, mean_pose
):
    hands, objects = held
    wrong = scaled(hands, 1000.0)
    few = replace(wrong, present=torch.arange(NUM)[:, None].expand(NUM, 2) < 4)
    assert doubtful(few, objects, hand_model, mean_pose) == {}
    index, joint = torch.zeros(NUM, dtype=torch.int64), torch.zeros(NUM)
    same = pad_misfits(hands, hand_model, objects, index, joint)
    # Some hands touch by chance in any reading.
    (found,) = compare_readings(
        pad_misfits(wrong, hand_model, objects, index, joint), {"right": same}, hands.present
    )
    assert found.doubtful
    assert not replace(found, tried=10 * found.hands + 1).doubtful
    assert compare_readings(same, {"nothing changes": same}, hands.present) == ()


def test_one_changed_side_is_compared_on_that_side_only(held, hand_model):
    hands, objects = held
    index, joint = torch.zeros(NUM, dtype=torch.int64), torch.zeros(NUM)
    T = hands.T_object_hand.clone()
    T[:, 0, :3, 3] += 0.02
    wrong = pad_misfits(replace(hands, T_object_hand=T), hand_model, objects, index, joint)
    right = pad_misfits(hands, hand_model, objects, index, joint)
    (found,) = compare_readings(wrong, {"left hands are elsewhere": right}, hands.present)
    assert (found.hands, found.closer) == (NUM, 1.0)


def test_depth_counts_three_times_and_nothing_more_than_three_centimetres(held, hand_model):
    hands, objects = held
    index, joint = torch.zeros(NUM, dtype=torch.int64), torch.zeros(NUM)
    misfit = pad_misfits(hands, hand_model, objects, index, joint)
    assert misfit[0].max() < 0.003
    far = pad_misfits(scaled(hands, 10.0), hand_model, objects, index, joint)
    assert torch.all(far == 0.03)
    rest = hand_model.vertices_rest[1]
    middle = torch.stack(
        [
            pad[(rest[pad] - rest[pad].mean(0)).norm(dim=-1).argmin()]
            for pad in hand_model.regions.pads
        ]
    )
    skin, _ = hand_model.skin(hands, vertices=middle)
    distance = objects.distance(index, joint, skin.flatten(1, 2)).view(NUM, 2, 5)
    inside = distance < 0
    assert inside.any()
    torch.testing.assert_close(misfit[inside], -3 * distance[inside])
    torch.testing.assert_close(misfit[~inside], distance[~inside])
