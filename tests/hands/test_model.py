from dataclasses import replace

import pytest
import torch

from bghop.errors import HandModelError
from bghop.geometry.rotations import matrix_from_rotvec, random_rotations
from bghop.geometry.transforms import mirror_rigid, mirror_rotvec, rigid
from bghop.hands.open_hand import load_open_hand


@pytest.fixture(scope="module")
def model():
    return load_open_hand()


def random_hands(model, num, seed=0):
    generator = torch.Generator().manual_seed(seed)
    R = random_rotations(2 * num, generator=generator).unflatten(0, (num, 2))
    return replace(
        model.rest_parameters(num),
        T_object_hand=rigid(R, torch.randn(num, 2, 3, generator=generator)),
        pose=model.random_poses(num, generator=generator),
        shape=torch.randn(num, 2, model.num_shape, generator=generator) * 0.3,
    )


def test_mirrored_parameters_give_mirrored_hands(model):
    hands = random_hands(model, 5)
    mirrored = replace(
        hands, T_object_hand=mirror_rigid(hands.T_object_hand).flip(1),
        pose=mirror_rotvec(hands.pose).flip(1), shape=hands.shape.flip(1),
    )  # fmt: skip
    posed, seen = model.pose_hands(hands), model.pose_hands(mirrored)
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for name in ("vertices_object", "joints_object"):
        torch.testing.assert_close(
            getattr(seen, name).flip(1) * flip, getattr(posed, name), atol=1e-6, rtol=0
        )


def test_rest_hands_are_exact_mirror_images(model):
    flip = torch.tensor([-1.0, 1.0, 1.0])
    assert torch.equal(model.vertices_rest[0], model.vertices_rest[1] * flip)
    assert torch.equal(model.joints_rest[0], model.joints_rest[1] * flip)
    assert torch.equal(model.surface.shape_directions[0], model.surface.shape_directions[1] * flip)
    assert torch.equal(model.anatomy.axes[0], mirror_rotvec(model.anatomy.axes[1]))
    for end in (model.capsules.start, model.capsules.end):
        assert torch.equal(end[0], end[1] * flip)


def test_equal_angles_are_mirror_images(model):
    angles = model.angles_from_pose(model.random_poses(4))[:, :1].expand(-1, 2, -1, -1)
    hands = replace(model.rest_parameters(4), pose=model.pose_from_angles(angles))
    joints = model.joints(hands)
    torch.testing.assert_close(joints[:, 0], joints[:, 1] * torch.tensor([-1.0, 1.0, 1.0]))


def test_angles_and_poses_are_inverse(model):
    pose = torch.randn(6, 2, 15, 3)
    torch.testing.assert_close(model.pose_from_angles(model.angles_from_pose(pose)), pose)


def test_clamp_ends_inside_and_leaves_the_inside_alone(model):
    wild = torch.randn(20, 2, 15, 3) * 2
    assert model.limit_violation(wild).max() > 0.5
    assert model.limit_violation(model.clamp(wild)).max() < 1e-5
    inside = model.random_poses(20)
    assert model.limit_violation(inside).max() < 1e-5
    torch.testing.assert_close(model.clamp(inside), inside, atol=1e-5, rtol=0)


def test_violation_is_the_excess_angle(model):
    high = model.anatomy.limits[..., 1]
    angles = torch.zeros(2, 15, 3)
    angles[1, 4, 0] = high[4, 0] + 0.25
    violation = model.limit_violation(model.pose_from_angles(angles))
    assert violation[1, 4, 0].item() == pytest.approx(0.25, abs=1e-6)
    assert violation.sum().item() == pytest.approx(0.25, abs=1e-5)


def test_rest_is_allowed(model):
    assert model.limit_violation(model.rest_parameters(1).pose).max() == 0


def test_joints_and_subsets_equal_the_full_hands(model):
    hands = random_hands(model, 3)
    posed = model.pose_hands(hands)
    torch.testing.assert_close(model.joints(hands), posed.joints_object)
    chosen = torch.tensor([5, 1600, 77])
    points, T = model.skin(hands, vertices=chosen)
    torch.testing.assert_close(points, posed.vertices_object[:, :, chosen])
    torch.testing.assert_close(T, posed.Ts_object_bone)


def test_rest_parameters_give_the_rest_hands(model):
    posed = model.pose_hands(model.rest_parameters())
    torch.testing.assert_close(posed.vertices_object, model.vertices_rest)
    torch.testing.assert_close(posed.joints_object, model.joints_rest)


def test_joint_directions_are_the_derivative_by_shape(model):
    step = torch.zeros(model.num_shape, 2, model.num_shape)
    step[torch.arange(model.num_shape), :, torch.arange(model.num_shape)] = 1.0
    hands = replace(model.rest_parameters(model.num_shape), shape=step)
    moved = (model.joints(hands) - model.joints_rest).transpose(0, 1)
    torch.testing.assert_close(moved, model.joint_shape_directions, atol=1e-6, rtol=0)


def test_wrong_number_of_shape_parameters(model):
    hands = replace(model.rest_parameters(1), shape=torch.zeros(1, 2, 3))
    with pytest.raises(HandModelError, match="shape has 3 numbers but the open hand takes 10"):
        model.pose_hands(hands)


def test_another_type_moves_everything_but_integers(model):
    double = model.to(dtype=torch.float64)
    assert double.pose_hands(double.rest_parameters(1)).vertices_object.dtype == torch.float64
    assert double.anatomy.limits.dtype == torch.float64
    assert double.faces.dtype == model.faces.dtype
    assert all(pad.dtype == torch.int64 for pad in double.regions.pads)


def test_second_derivatives_exist(model):
    pose = torch.zeros(1, 2, 15, 3, requires_grad=True)
    hands = replace(model.rest_parameters(1), pose=pose)
    joints = model.joints(hands)
    (first,) = torch.autograd.grad(joints.square().sum(), pose, create_graph=True)
    first.square().sum().backward()
    assert pose.grad is not None
    assert pose.grad.isfinite().all()


def test_bone_frames_carry_points(model):
    hands = random_hands(model, 2)
    T = model.pose_hands(hands).Ts_object_bone
    tips = model.joints(hands)[:, :, 8]  # index tip
    local = model.joint_shape_directions  # shape moves tip and joint
    rest = model.joints_rest[None] + torch.einsum("bhs,hsjx->bhjx", hands.shape, local)
    offset = rest[:, :, 8] - rest[:, :, 7]
    carried = (T[:, :, 6, :3, :3] @ offset[..., None])[..., 0] + T[:, :, 6, :3, 3]
    torch.testing.assert_close(carried, tips, atol=1e-6, rtol=0)


@pytest.mark.gpu
def test_runs_on_cuda(model):
    on_gpu = model.to(device="cuda")
    hands = random_hands(model, 3)
    moved = replace(
        on_gpu.rest_parameters(3), T_object_hand=hands.T_object_hand.cuda(),
        pose=hands.pose.cuda(), shape=hands.shape.cuda(),
    )  # fmt: skip
    torch.testing.assert_close(
        on_gpu.pose_hands(moved).vertices_object.cpu(),
        model.pose_hands(hands).vertices_object,
        atol=1e-5, rtol=0,
    )  # fmt: skip
    assert matrix_from_rotvec(moved.pose).is_cuda
