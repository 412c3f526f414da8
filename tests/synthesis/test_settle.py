"""Hands out of the object by the shortest way: nothing deep is left, nothing else is touched."""

from dataclasses import replace

import pytest
import torch

from bghop.geometry.sdf import SdfGrid
from bghop.geometry.transforms import mirror_rigid, mirror_rotvec
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis.probe import Probe
from bghop.synthesis.settle import FARTHEST, SLACK, settle
from small_scenes_of_hands import palms_beside

HALF_X = 0.10


def overlap(probe: Probe, sdf: SdfGrid, hands: HandParameters) -> torch.Tensor:
    """Metres that the deepest ball of each hand is in the object."""
    posed = probe.model.pose_hands(hands)
    centres = probe.spheres.centres_object(posed.Ts_object_bone)
    return -(sdf.distance(centres) - probe.spheres.radius).amin(-1)


def far(hand_model: HandModel) -> HandParameters:
    return palms_beside(hand_model, HALF_X, 0.08)


@pytest.mark.parametrize("gap", [0.01, -0.01, -0.04])
def test_no_ball_of_a_hand_stays_in_the_object(
    gap: float, probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    hands = palms_beside(hand_model, HALF_X, gap)
    assert float(overlap(probe, box_sdf, hands).max()) > 2 * SLACK
    found = settle(probe, box_sdf, hands)
    assert float(overlap(probe, box_sdf, found).max()) <= SLACK + 1e-6
    moved = (found.T_object_hand - hands.T_object_hand)[..., :3, 3].norm(dim=-1)
    assert float(moved.max()) <= FARTHEST + 1e-6
    assert torch.equal(found.T_object_hand[..., :3, :3], hands.T_object_hand[..., :3, :3])


def test_hands_that_are_outside_stay_bit_for_bit(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    hands = far(hand_model)
    found = settle(probe, box_sdf, hands)
    assert torch.equal(found.T_object_hand, hands.T_object_hand)
    assert torch.equal(found.pose, hands.pose)


def test_only_the_finger_that_is_inside_opens(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    """At 1 cm the rest pose has its thumb in the box and nothing else."""
    hands = palms_beside(hand_model, HALF_X, 0.01)
    found = settle(probe, box_sdf, hands)
    before, after = (hand_model.angles_from_pose(each.pose) for each in (hands, found))
    turned = (after - before).abs().amax(-1)[0]  # hand joint
    assert float(turned[:, :3].amax()) > 0.1
    assert float(turned[:, 3:].amax()) < 1e-4


def test_hands_that_may_not_move_and_absent_ones_stay_bit_for_bit(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    deep = palms_beside(hand_model, HALF_X, -0.03)
    found = settle(probe, box_sdf, deep, moving=torch.tensor([[True, False]]))
    assert torch.equal(found.T_object_hand[:, 1], deep.T_object_hand[:, 1])
    assert torch.equal(found.pose[:, 1], deep.pose[:, 1])
    assert not torch.equal(found.T_object_hand[:, 0], deep.T_object_hand[:, 0])
    alone = replace(deep, present=torch.tensor([[False, True]]))
    found = settle(probe, box_sdf, alone)
    assert torch.equal(found.T_object_hand[:, 0], deep.T_object_hand[:, 0])
    assert found.present.tolist() == [[False, True]]


def test_the_mirrored_hands_settle_to_the_mirror_image(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    """The box is its own mirror image; hands are mirrored and change sides."""

    def mirrored(hands: HandParameters) -> HandParameters:
        return replace(
            hands,
            T_object_hand=mirror_rigid(hands.T_object_hand).flip(1),
            pose=mirror_rotvec(hands.pose).flip(1),
        )

    near, deep = (palms_beside(hand_model, HALF_X, gap) for gap in (0.01, -0.03))
    mixed = replace(
        near,
        T_object_hand=torch.stack([near.T_object_hand[:, 0], deep.T_object_hand[:, 1]], dim=1),
    )
    first, second = settle(probe, box_sdf, mixed), settle(probe, box_sdf, mirrored(mixed))
    again = mirrored(second)
    torch.testing.assert_close(again.T_object_hand, first.T_object_hand, rtol=0, atol=1e-4)
    torch.testing.assert_close(again.pose, first.pose, rtol=0, atol=1e-4)
