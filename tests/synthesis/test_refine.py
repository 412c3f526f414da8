"""Refinement: nearer to the surface, near the sample, and nothing moves that may not."""

from dataclasses import replace

import pytest
import torch

from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis import energy
from bghop.synthesis.optimize import OptimizeOptions, evaluate_terms
from bghop.synthesis.probe import Probe, observe
from bghop.synthesis.refine import RefineOptions, kept_where, palm_wish, refine, refine_hands, score
from bghop.synthesis.synthesize import object_load
from small_scenes_of_hands import palms_beside

FEW = RefineOptions(sdf_resolution=48)
HALF_X = 0.10


def with_present(hands: HandParameters, left: bool, right: bool) -> HandParameters:
    return replace(hands, present=torch.tensor([left, right]).expand(len(hands.present), 2))


def terms_of(probe: Probe, sdf: SdfGrid, hands: HandParameters) -> dict[str, torch.Tensor]:
    state = observe(probe, sdf, hands, probe.model.angles_from_pose(hands.pose))
    terms, _ = evaluate_terms(
        state, probe, object_load(sdf, friction=0.8), torch.ones(len(hands.pose), 2)
    )
    return terms


@pytest.mark.parametrize("here", [0, 1])
def test_an_absent_hand_adds_to_no_term(
    here: int, probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    hands = with_present(palms_beside(hand_model, HALF_X, 0.0), here == 0, here == 1)
    elsewhere = hands.T_object_hand.clone()
    elsewhere[:, 1 - here, :3, 3] = 0.01  # inside the object
    curled = hands.pose.clone()
    curled[:, 1 - here] = 0.4
    moved = replace(hands, T_object_hand=elsewhere, pose=curled)
    first, second = terms_of(probe, box_sdf, hands), terms_of(probe, box_sdf, moved)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, msg=name)
    both = terms_of(probe, box_sdf, palms_beside(hand_model, HALF_X, 0.0))
    assert float(first["pad_contact"]) == pytest.approx(float(both["pad_contact"]) / 2, rel=1e-3)
    assert float(first["posture"]) == pytest.approx(float(both["posture"]), rel=1e-4)


def test_hands_beside_the_object_come_into_contact_and_stay_near_the_sample(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    samples = palms_beside(hand_model, HALF_X, 0.008)
    before = score(probe, box_sdf, samples)
    found = refine(probe, box_sdf, samples)
    assert float(found.total) < float(before.total) - 1
    assert float(found.terms["pad_contact"]) < 0.5 * float(before.terms["pad_contact"])
    away = (hand_model.joints(found.hands) - hand_model.joints(samples)).norm(dim=-1)
    assert float(away.mean()) < 0.03
    assert float(away[..., 0].max()) < 0.02  # the wrists


def test_closeness_is_free_for_millimetres_and_then_grows(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    hands = palms_beside(hand_model, HALF_X, 0.02)
    state = observe(probe, box_sdf, hands, hand_model.angles_from_pose(hands.pose))
    joints = hand_model.joints(hands)
    values = [
        float(energy.closeness(state, joints + torch.tensor([0.0, 0.0, way]), joints))
        for way in (0.0, 0.002, 0.013, 0.023)
    ]
    assert values[:2] == [0.0, 0.0]
    assert values[2:] == pytest.approx([2.0, 8.0], rel=1e-3)  # both hands: 2 * (1 cm, 2 cm)^2


def test_hands_that_may_not_move_come_back_bit_for_bit(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    samples = palms_beside(hand_model, HALF_X, 0.005)
    free = torch.tensor([[True, False]])
    options = RefineOptions(optimize=OptimizeOptions(steps=5, prune_at=()))
    found = refine(probe, box_sdf, samples, free=free, options=options).hands
    for name in ("T_object_hand", "pose", "shape", "present"):
        assert torch.equal(getattr(found, name)[:, 1], getattr(samples, name)[:, 1]), name
    assert not torch.equal(found.T_object_hand[:, 0], samples.T_object_hand[:, 0])
    one = with_present(samples, True, False)
    found = refine(probe, box_sdf, one, options=options).hands
    assert torch.equal(found.T_object_hand[:, 1], one.T_object_hand[:, 1])
    assert found.present.tolist() == [[True, False]]


def test_a_palm_that_lies_on_the_surface_is_meant_to(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    near, far = (palms_beside(hand_model, HALF_X, gap) for gap in (0.0, 0.06))
    mixed = kept_where(near, far, torch.tensor([[True, False]]))
    wish, _ = palm_wish(probe, box_sdf, mixed)
    assert wish.tolist() == [[1.0, 0.0]]


def test_one_object_for_all_and_one_for_each_are_the_same(box_mesh: Mesh, hand_model: HandModel):
    hands = palms_beside(hand_model, HALF_X, 0.005, num=2)
    options = RefineOptions(sdf_resolution=48, optimize=OptimizeOptions(steps=4, prune_at=()))
    together = refine_hands([box_mesh], hands, hand_model, options=options)
    apart = refine_hands([box_mesh, box_mesh], hands, hand_model, options=options)
    torch.testing.assert_close(together.energy, apart.energy, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        together.hands.T_object_hand, apart.hands.T_object_hand, rtol=0, atol=1e-4
    )


def test_scoring_leaves_hands_as_they_are_and_tells_progress_of_nothing(
    box_mesh: Mesh, hand_model: HandModel
):
    hands = palms_beside(hand_model, HALF_X, 0.005, num=2)
    found = refine_hands([box_mesh], hands, hand_model, options=FEW, only_score=True)
    assert torch.equal(found.hands.T_object_hand, hands.T_object_hand)
    assert found.energy.shape == (2,)
    assert "closeness" not in found.terms
