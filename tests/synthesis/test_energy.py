"""Energy terms: each is zero where nothing is wrong, and says which way is better."""

import pytest
import torch

from bghop.geometry.sdf import SdfGrid
from bghop.geometry.transforms import mirror_rigid, mirror_rotvec
from bghop.hands.joints import BONE_NAMES
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis import energy
from bghop.synthesis.energy import Weights, weighted_sum
from bghop.synthesis.optimize import evaluate_terms
from bghop.synthesis.probe import HandState, Probe, observe
from bghop.synthesis.synthesize import object_load
from small_scenes_of_hands import palms_beside

HALF_X = 0.10
WISH = torch.ones(1, 2)


def beside_box(model: HandModel, gap: float, *, num: int = 1) -> HandParameters:
    """Palms on the two x sides of the box with `gap` metres of air."""
    return palms_beside(model, HALF_X, gap, num=num)


def state_of(probe: Probe, sdf: SdfGrid, hands: HandParameters) -> HandState:
    return observe(probe, sdf, hands, probe.model.angles_from_pose(hands.pose))


def terms_of(probe: Probe, sdf: SdfGrid, hands: HandParameters) -> dict[str, torch.Tensor]:
    wish = torch.ones(len(hands.pose), 2)
    load = object_load(sdf, friction=0.8)
    return evaluate_terms(state_of(probe, sdf, hands), probe, load, wish)[0]


def test_hands_in_the_air_touch_nothing(probe: Probe, box_sdf: SdfGrid, hand_model: HandModel):
    terms = terms_of(probe, box_sdf, beside_box(hand_model, 0.10))
    for name in ("penetration", "bone_penetration", "hand_collision", "wrist_clearance"):
        assert float(terms[name]) == 0, name
    assert float(terms["force_closure"]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["pad_contact", "palm_contact"])
def test_contact_terms_fall_on_the_way_to_the_surface(
    name: str, probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    values = [
        float(terms_of(probe, box_sdf, beside_box(hand_model, gap))[name])
        for gap in (0.08, 0.05, 0.03, 0.02)
    ]
    assert values == sorted(values, reverse=True)


def test_deeper_is_worse_and_the_gradient_leads_out(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    hands = beside_box(hand_model, -0.01)
    T = hands.T_object_hand.clone().requires_grad_()
    moved = HandParameters(
        present=hands.present, T_object_hand=T, pose=hands.pose, shape=hands.shape
    )
    value = energy.penetration(state_of(probe, box_sdf, moved)).sum()
    (gradient,) = torch.autograd.grad(value, T)
    deeper = energy.penetration(state_of(probe, box_sdf, beside_box(hand_model, -0.02)))
    assert float(deeper) > float(value.detach()) > 0
    assert gradient[0, 0, 0, 3] > 0  # the left hand sits at -x: energy grows with x
    assert gradient[0, 1, 0, 3] < 0


def test_hands_in_one_place_collide_and_apart_they_do_not(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    hands = beside_box(hand_model, 0.0)
    together = HandParameters(
        present=hands.present, pose=hands.pose, shape=hands.shape,
        T_object_hand=hands.T_object_hand[:, :1].expand(1, 2, 4, 4),
    )  # fmt: skip
    crossing = energy.hand_collision(state_of(probe, box_sdf, together), probe.spheres)
    assert float(crossing) > 1
    assert float(energy.hand_collision(state_of(probe, box_sdf, hands), probe.spheres)) == 0


def test_a_rest_hand_is_free_of_itself_and_a_thumb_through_the_palm_is_not(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    hands = beside_box(hand_model, 0.05)
    assert float(energy.self_collision(state_of(probe, box_sdf, hands), probe.spheres)) < 0.05
    angles = hand_model.angles_from_pose(hands.pose).clone()
    angles[:, :, BONE_NAMES.index("thumb1") - 1, 0] = 1.5
    angles[:, :, BONE_NAMES.index("thumb2") - 1, 0] = 1.5
    bent = HandParameters(
        present=hands.present, T_object_hand=hands.T_object_hand,
        pose=hand_model.pose_from_angles(angles), shape=hands.shape,
    )  # fmt: skip
    assert float(energy.self_collision(state_of(probe, box_sdf, bent), probe.spheres)) > 0.3


def test_skin_around_a_thin_wall_is_not_deep_but_the_bone_is(probe: Probe, hand_model: HandModel):
    """A sheet of 1 mm through the hands: hardly any skin is inside, the bones are."""
    hands = beside_box(hand_model, 0.0)
    wall = torch.linspace(-0.3, 0.3, 121)
    values = (wall.abs() - 0.0005)[None, None, :].expand(121, 121, 121).contiguous()
    sdf = SdfGrid(values=values, origin=torch.full((3,), -0.3), spacing=0.005)
    state = state_of(probe, sdf, hands)
    assert float(energy.bone_penetration(state, probe.spheres)) > 1


def test_two_palms_hold_a_box_and_one_side_does_not(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    hands = beside_box(hand_model, 0.003)
    both = terms_of(probe, box_sdf, hands)["force_closure"]
    T = hands.T_object_hand.clone()
    T[:, 1, 0, 3] += 0.1
    single = HandParameters(
        present=hands.present, T_object_hand=T, pose=hands.pose, shape=hands.shape
    )
    assert float(both) < 0.05
    assert float(terms_of(probe, box_sdf, single)["force_closure"]) > 0.2


def test_forearm_through_the_object_is_seen(probe: Probe, box_sdf: SdfGrid, hand_model: HandModel):
    hands = beside_box(hand_model, 0.0)
    T = hands.T_object_hand.clone()
    T[..., :3, 3] = torch.tensor([0.0, 0.12, 0.0])  # wrists behind the box, arms through it
    through = HandParameters(
        present=hands.present, T_object_hand=T, pose=hands.pose, shape=hands.shape
    )
    assert float(terms_of(probe, box_sdf, through)["wrist_clearance"]) > 5


def test_posture_prefers_the_middle_to_the_ends(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    low, high = hand_model.anatomy.limits.unbind(-1)
    hands = beside_box(hand_model, 0.05)
    state = state_of(probe, box_sdf, hands)

    def value(angles: torch.Tensor) -> float:
        changed = HandState(**(vars(state) | {"angles": angles.expand(1, 2, 15, 3)}))
        return float(energy.posture(changed, hand_model.anatomy.limits))

    assert value((low + high) / 2) < value(high)
    assert value(torch.zeros_like(low)) < value(low)


def test_a_mirrored_scene_has_the_same_energy(
    probe: Probe, box_sdf: SdfGrid, hand_model: HandModel
):
    """The box is its own mirror image; hands are mirrored and change sides."""
    generator = torch.Generator().manual_seed(5)
    hands = beside_box(hand_model, 0.004, num=3)
    noise = 0.01 * torch.randn(3, 2, 3, generator=generator)
    T = hands.T_object_hand.clone()
    T[..., :3, 3] += noise
    pose = 0.3 * hand_model.random_poses(3, generator=generator)
    some = HandParameters(present=hands.present, T_object_hand=T, pose=pose, shape=hands.shape)
    mirrored = HandParameters(
        present=hands.present,
        T_object_hand=mirror_rigid(T).flip(1),
        pose=mirror_rotvec(pose).flip(1),
        shape=hands.shape,
    )
    ours, theirs = terms_of(probe, box_sdf, some), terms_of(probe, box_sdf, mirrored)
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=2e-3, rtol=2e-3, msg=name)


def test_the_gradient_is_the_slope(probe: Probe, box_sdf: SdfGrid, hand_model: HandModel):
    """Sum of all terms but force closure along a random direction, in double precision."""
    model = hand_model.to(dtype=torch.float64)
    sdf = box_sdf.to(dtype=torch.float64)
    from bghop.synthesis.probe import make_probe

    exact = make_probe(model)
    hands = beside_box(hand_model, 0.001)
    T = hands.T_object_hand.double()
    generator = torch.Generator().manual_seed(2)
    direction = torch.randn(1, 2, 15, 3, generator=generator).double()
    shift = torch.randn(1, 2, 3, generator=generator).double() * 0.02

    def value(step: torch.Tensor) -> torch.Tensor:
        moved = T.clone()
        moved[..., :3, 3] = T[..., :3, 3] + step * shift
        pose = model.pose_from_angles(0.05 + step * direction)
        parameters = HandParameters(
            present=hands.present, T_object_hand=moved, pose=pose, shape=hands.shape.double()
        )
        state = observe(exact, sdf, parameters, model.angles_from_pose(pose))
        parts = [
            energy.pad_contact(state), energy.palm_contact(state, WISH.double()),
            energy.penetration(state), energy.bone_penetration(state, exact.spheres),
            energy.self_collision(state, exact.spheres),
            energy.posture(state, model.anatomy.limits),
        ]  # fmt: skip
        return torch.stack(parts).sum()

    at = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(value(at), at)
    h = 1e-6
    numeric = (value(torch.tensor(h)) - value(torch.tensor(-h))) / (2 * h)
    torch.testing.assert_close(slope, numeric, rtol=1e-3, atol=1e-4)


def test_every_term_has_a_weight(probe: Probe, box_sdf: SdfGrid, hand_model: HandModel):
    terms = terms_of(probe, box_sdf, beside_box(hand_model, 0.0))
    assert set(terms) == set(vars(Weights())) - {"closeness"}  # there is no sample here
    only = Weights(**dict.fromkeys(terms, 0.0) | {"posture": 2.0})
    torch.testing.assert_close(weighted_sum(terms, only), 2 * terms["posture"])
