from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.fields.recover import RecoveredHands, recover_hands
from bghop.geometry.rotations import matrix_from_rotvec, random_rotations, rotation_angle
from bghop.geometry.transforms import mirror_rigid, mirror_rotvec, rigid
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.open_hand import load_open_hand

SPEC = GridSpec(frame="object")
MODEL = load_open_hand()


def random_hands(num: int, seed: int = 0, model: HandModel = MODEL) -> HandParameters:
    """Pairs anywhere inside the grid: placed by their joints' box."""
    generator = torch.Generator().manual_seed(seed)
    R = random_rotations(2 * num, generator=generator).unflatten(0, (num, 2))
    hands = replace(
        model.rest_parameters(num),
        pose=model.random_poses(num, generator=generator),
        T_object_hand=rigid(R, torch.zeros(num, 2, 3)),
    )
    joints = model.joints(hands)
    low, high = -0.28 - joints.amin(2), 0.28 - joints.amax(2)
    t = low + (high - low) * torch.rand(num, 2, 3, generator=generator)
    return replace(hands, T_object_hand=rigid(R, t))


def field_of(hands: HandParameters, sigma: float = 0.0, model: HandModel = MODEL) -> torch.Tensor:
    field = hand_field(model.joints(hands), SPEC, present=hands.present)
    return field + sigma * torch.randn(field.shape, generator=torch.Generator().manual_seed(7))


def joint_error(result: RecoveredHands, hands: HandParameters) -> torch.Tensor:
    return (result.joints_frame - MODEL.joints(hands)).norm(dim=-1)


def wrist_error_deg(result: RecoveredHands, hands: HandParameters) -> torch.Tensor:
    R, true = result.hands.T_object_hand[..., :3, :3], hands.T_object_hand[..., :3, :3]
    return torch.rad2deg(rotation_angle(R.mT @ true))


def test_exact_fields_give_the_hands_back():
    hands = random_hands(15)
    result = recover_hands(field_of(hands), SPEC, MODEL)
    assert result.hands.present.all()
    assert joint_error(result, hands).max() < 2e-5
    assert wrist_error_deg(result, hands).max() < 0.01
    assert torch.allclose(MODEL.joints(result.hands), result.joints_frame, atol=1e-6)


@pytest.mark.parametrize(("sigma", "limit"), [(0.01, 0.0025), (0.03, 0.008)])
def test_noise_is_averaged_over_the_joints(sigma, limit):
    hands = random_hands(15)
    result = recover_hands(field_of(hands, sigma), SPEC, MODEL)
    final = joint_error(result, hands)
    measured = (result.measured.joints_frame - MODEL.joints(hands)[..., 1:, :]).norm(dim=-1)
    assert final.mean() < limit
    assert final[..., 1:][result.measured.seen].mean() < 0.8 * measured[result.measured.seen].mean()


def test_error_grows_with_noise():
    hands = random_hands(8)
    means = [
        joint_error(recover_hands(field_of(hands, s), SPEC, MODEL), hands).mean().item()
        for s in (0.0, 0.005, 0.015, 0.04)
    ]
    assert means == sorted(means)


def test_angles_stay_close_to_the_limits_under_noise():
    result = recover_hands(field_of(random_hands(15), 0.03), SPEC, MODEL)
    assert MODEL.limit_violation(result.hands.pose).max() < 0.1


def test_an_absent_hand_stays_absent_and_neutral():
    hands = random_hands(3)
    present = torch.tensor([[True, False], [False, True], [False, False]])
    hands = replace(hands, present=present)
    for sigma in (0.0, 0.03):
        result = recover_hands(field_of(hands, sigma), SPEC, MODEL)
        assert torch.equal(result.hands.present, present)
        absent = ~present
        assert torch.equal(
            result.hands.T_object_hand[absent], torch.eye(4).expand(int(absent.sum()), 4, 4)
        )
        assert (result.hands.pose[absent] == 0).all()
        assert (result.wrist_covariance[absent] == 0).all()
        assert joint_error(result, hands)[present].mean() < 0.01


def test_each_hand_is_found_as_if_it_were_alone():
    hands = random_hands(6)
    field = field_of(hands, 0.01)
    together = recover_hands(field, SPEC, MODEL)
    one = recover_hands(field[4], SPEC, MODEL)
    assert one.joints_frame.shape == (2, 21, 3)
    assert torch.allclose(one.joints_frame, together.joints_frame[4], atol=1e-5)


def test_any_leading_batch_and_none():
    hands = random_hands(4)
    field = field_of(hands)
    result = recover_hands(field.unflatten(0, (2, 2)), SPEC, MODEL)
    assert result.hands.pose.shape == (2, 2, 2, 15, 3)
    assert result.measured.covariance.shape == (2, 2, 2, 20, 3, 3)
    assert recover_hands(field[0], SPEC, MODEL).hands.present.shape == (2,)
    assert recover_hands(field[:0], SPEC, MODEL).hands.present.shape == (0, 2)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(turn=st.tuples(*[st.floats(-3, 3)] * 3), shift=st.tuples(*[st.floats(-0.05, 0.05)] * 3))
def test_moving_the_hands_moves_the_result(turn, shift):
    """On exact fields; the grid itself does not turn, so this covers every orientation."""
    rest = MODEL.rest_parameters(1)
    pose = MODEL.random_poses(1, generator=torch.Generator().manual_seed(3))
    T = rigid(matrix_from_rotvec(torch.tensor(turn)), torch.tensor(shift)).expand(1, 2, 4, 4)
    hands = replace(rest, pose=pose, T_object_hand=T)
    result = recover_hands(field_of(hands), SPEC, MODEL)
    assert torch.allclose(result.hands.T_object_hand, T, atol=2e-5)


def test_a_mirrored_scene_gives_the_mirrored_hands():
    hands = random_hands(6)
    field = field_of(hands, 0.01)
    # Mirror in x = 0: the field's x axis turns round and the sides change places.
    mirrored = recover_hands(field.flip(1).flip(-3), SPEC, MODEL)
    plain = recover_hands(field, SPEC, MODEL)
    back_T = mirror_rigid(mirrored.hands.T_object_hand).flip(1)
    assert torch.allclose(back_T, plain.hands.T_object_hand, atol=1e-3)
    assert torch.allclose(
        MODEL.joints(
            replace(
                mirrored.hands,
                T_object_hand=back_T,
                pose=mirror_rotvec(mirrored.hands.pose).flip(1),
            )
        ),
        plain.joints_frame,
        atol=1e-3,
    )


def test_channels_in_the_wrong_order_are_not_taken_for_a_hand():
    """Order matters: swapping index and little channels must not fit."""
    hands = random_hands(4)
    field = field_of(hands)
    order = [0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 12, 13, 14, 15, 4, 5, 6, 7]
    result = recover_hands(field[:, :, order], SPEC, MODEL)
    assert joint_error(result, hands).mean() > 0.005


def test_known_shape_is_used_and_unknown_shape_is_estimated():
    generator = torch.Generator().manual_seed(5)
    hands = random_hands(8)
    shape = 0.5 * torch.randn(8, 2, MODEL.num_shape, generator=generator)
    hands = replace(hands, shape=shape)
    field = field_of(hands)
    ignored = joint_error(recover_hands(field, SPEC, MODEL), hands)
    known = joint_error(recover_hands(field, SPEC, MODEL, shape=shape), hands)
    free = recover_hands(field, SPEC, MODEL, estimate_shape=True)
    assert known.max() < 2e-5
    assert joint_error(free, hands).max() < 2e-4
    assert ignored.mean() > 100 * known.mean()
    assert torch.allclose(MODEL.joints(free.hands), free.joints_frame, atol=1e-5)


def test_a_finger_outside_the_grid_is_bounded_by_the_hand_model():
    """The wrist stays exact; unseen joints are marked and lie within reach of the seen ones."""
    hands = MODEL.rest_parameters(1)
    t = torch.tensor([[[-0.30, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    hands = replace(hands, T_object_hand=rigid(torch.eye(3).expand(1, 2, 3, 3), t))
    result = recover_hands(field_of(hands), SPEC, MODEL)
    assert joint_error(result, hands)[0, 1].max() < 2e-5
    left = replace(hands, T_object_hand=rigid(torch.eye(3).expand(1, 2, 3, 3), t - 0.22))
    outside = recover_hands(field_of(left), SPEC, MODEL)
    assert not outside.measured.seen[0, 0].all()
    seen = outside.measured.seen[0, 0]
    if outside.hands.present[0, 0]:
        assert joint_error(outside, left)[0, 0, 1:][seen].max() < 1e-4


def test_wrist_covariance_is_honest():
    hands = random_hands(40)
    result = recover_hands(field_of(hands, 0.01), SPEC, MODEL)
    T, true = result.hands.T_object_hand, hands.T_object_hand
    gap = (T[..., :3, :3].mT @ (true[..., :3, 3:] - T[..., :3, 3:])).squeeze(-1).double()
    covariance = result.wrist_covariance[..., 3:, 3:].double()
    squared = (gap[..., None, :] @ torch.linalg.solve(covariance, gap[..., None])).mean()
    assert 2.0 < squared < 4.5


def test_no_gradients_and_the_input_is_left_alone():
    field = field_of(random_hands(2)).requires_grad_()
    copy = field.detach().clone()
    result = recover_hands(field, SPEC, MODEL)
    assert not result.hands.pose.requires_grad
    assert torch.equal(field, copy)


def test_a_field_of_another_grid_is_refused():
    with pytest.raises(OptionError, match="pass the GridSpec"):
        recover_hands(torch.zeros(2, 20, 8, 8, 8), SPEC, MODEL)


def test_weak_dips_refine_a_hand_whose_joints_leave_the_grid():
    """Joints at the rim with fewer cells than `seen` asks for still place the fingers exactly."""
    hands = random_hands(40)
    joints = MODEL.joints(hands)
    shift = torch.zeros(40, 2, 3)
    shift[..., 0] = 0.33 - joints[..., 0].amax(-1)
    T = hands.T_object_hand.clone()
    T[..., :3, 3] += shift
    hands = replace(hands, T_object_hand=T)
    field = field_of(hands)
    result = recover_hands(field, SPEC, MODEL)
    free = (field < SPEC.truncation).flatten(-3).sum(-1)
    weak = (free >= 3) & ~result.measured.seen
    assert weak.sum() >= 5
    assert joint_error(result, hands)[..., 1:][weak].median() < 1e-3
