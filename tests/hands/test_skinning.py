from dataclasses import replace

import pytest
import torch
from scipy.spatial.transform import Rotation

from bghop.geometry.rotations import matrix_from_rotvec, random_rotations
from bghop.geometry.transforms import rigid, transform_points
from bghop.hands.joints import BONE_PARENTS
from bghop.hands.open_hand import load_open_hand
from bghop.hands.skinning import Skin, pose_bones, shared_shape, skin_points


@pytest.fixture(scope="module")
def model():
    return load_open_hand(dtype=torch.float64)


@pytest.fixture
def hands(model):
    generator = torch.Generator().manual_seed(0)
    rest = model.rest_parameters(3)
    R = random_rotations(6, generator=generator, dtype=torch.float64).unflatten(0, (3, 2))
    return replace(
        rest,
        T_object_hand=rigid(R, torch.randn(3, 2, 3, generator=generator, dtype=torch.float64)),
        pose=torch.randn(3, 2, 15, 3, generator=generator, dtype=torch.float64) * 0.5,
        shape=torch.randn(3, 2, model.num_shape, generator=generator, dtype=torch.float64) * 0.5,
    )


def one_bone_at_a_time(model, hands, row, side):
    """The definition: chain of 4x4 matrices by a loop, then a weighted sum per vertex."""
    shape = hands.shape[row, side]
    joints = model.bone_joints[side] + torch.einsum(
        "s,sjx->jx", shape, model.bone_joint_directions[side]
    )
    vertices = model.surface.template[side] + torch.einsum(
        "s,svx->vx", shape, model.surface.shape_directions[side]
    )
    T, moved = [hands.T_object_hand[row, side]], torch.zeros_like(vertices)
    for bone in range(1, 16):
        local = torch.eye(4, dtype=torch.float64)
        local[:3, :3] = torch.from_numpy(
            Rotation.from_rotvec(hands.pose[row, side, bone - 1].numpy()).as_matrix()
        )
        local[:3, 3] = joints[bone] - joints[BONE_PARENTS[bone]]
        T.append(T[BONE_PARENTS[bone]] @ local)
    for bone in range(16):
        points = transform_points(T[bone], vertices - joints[bone])
        moved += model.skinning_weights[side, :, bone, None] * points
    return moved, torch.stack(T)


def test_skin_and_bones_equal_the_definition(model, hands):
    posed = model.pose_hands(hands)
    for row in range(3):
        for side in range(2):
            vertices, T = one_bone_at_a_time(model, hands, row, side)
            torch.testing.assert_close(posed.vertices_object[row, side], vertices)
            torch.testing.assert_close(posed.Ts_object_bone[row, side], T)


def test_shared_and_own_shapes_agree(model, hands):
    same = replace(hands, shape=hands.shape[:1].expand(3, 2, -1))
    own = replace(hands, shape=same.shape.clone().requires_grad_())
    assert shared_shape(same.shape) is not None
    assert shared_shape(own.shape) is None
    torch.testing.assert_close(
        model.pose_hands(same).vertices_object, model.pose_hands(own).vertices_object
    )


def test_equal_shapes_are_recognised_by_value_and_different_ones_are_not():
    rows = torch.ones(4, 2, 3)
    assert shared_shape(rows) is not None
    rows[2, 1, 0] += 1e-6
    assert shared_shape(rows) is None
    assert shared_shape(torch.ones(0, 2, 3)) is None
    assert shared_shape(torch.ones(2, 3)) is not None


@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3), (0,)])
def test_any_leading_batch(model, batch):
    posed = model.pose_hands(model.rest_parameters(*batch))
    assert posed.vertices_object.shape == (*batch, 2, model.num_vertices, 3)
    assert posed.joints_object.shape == (*batch, 2, 21, 3)
    assert posed.Ts_object_bone.shape == (*batch, 2, 16, 4, 4)


def test_rows_do_not_influence_each_other(model, hands):
    alone = replace(
        hands, present=hands.present[1:2], T_object_hand=hands.T_object_hand[1:2],
        pose=hands.pose[1:2], shape=hands.shape[1:2],
    )  # fmt: skip
    torch.testing.assert_close(
        model.pose_hands(hands).vertices_object[1:2], model.pose_hands(alone).vertices_object
    )


def test_wrist_pose_moves_everything_rigidly(model, hands):
    eye = torch.eye(4, dtype=torch.float64).expand(3, 2, 4, 4)
    still = model.pose_hands(replace(hands, T_object_hand=eye))
    posed = model.pose_hands(hands)
    for name in ("vertices_object", "joints_object"):
        moved = transform_points(hands.T_object_hand, getattr(still, name))
        torch.testing.assert_close(getattr(posed, name), moved)


@pytest.mark.parametrize("own_shapes", [False, True])
def test_gradients_are_right(model, own_shapes):
    vertices = torch.arange(0, model.num_vertices, 200)
    generator = torch.Generator().manual_seed(1)
    pose = (torch.randn(2, 2, 15, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    t = torch.zeros(2, 2, 3, dtype=torch.float64, requires_grad=True)
    shape = torch.zeros(2, 2, model.num_shape, dtype=torch.float64, requires_grad=own_shapes)

    def points(pose, t, shape):
        R = matrix_from_rotvec(torch.zeros(2, 2, 3, dtype=torch.float64))
        hands = replace(model.rest_parameters(2), pose=pose, T_object_hand=rigid(R, t), shape=shape)
        return model.skin(hands, vertices=vertices)[0]

    assert torch.autograd.gradcheck(points, (pose, t, shape), fast_mode=True)


def test_gradients_are_finite_at_rest(model):
    pose = torch.zeros(1, 2, 15, 3, dtype=torch.float64, requires_grad=True)
    posed = model.pose_hands(replace(model.rest_parameters(1), pose=pose))
    posed.vertices_object.square().sum().backward()
    assert pose.grad is not None
    assert pose.grad.isfinite().all()
    assert pose.grad.abs().max() > 0


def test_pose_correctives_add_to_the_rest_points(model, hands):
    generator = torch.Generator().manual_seed(2)
    directions = torch.randn(2, 135, 7, 3, generator=generator, dtype=torch.float64) * 1e-3
    vertices = torch.arange(7) * 100
    plain = model.surface.subset(vertices)
    corrected = Skin(
        template=plain.template, shape_directions=plain.shape_directions,
        pose_directions=directions, weights=plain.weights,
    )  # fmt: skip
    bones = model.bones(hands)
    feature = (bones.local_R - torch.eye(3)).flatten(-3)
    offset = torch.einsum("bhf,hfvx->bhvx", feature, directions)
    for row in range(3):
        by_hand = Skin(
            template=plain.template + offset[row], shape_directions=plain.shape_directions,
            pose_directions=None, weights=plain.weights,
        )  # fmt: skip
        torch.testing.assert_close(
            skin_points(corrected, bones, hands.shape)[row],
            skin_points(by_hand, bones, hands.shape)[row],
        )


def test_bones_turn_about_their_joints(model, hands):
    bones = pose_bones(hands.T_object_hand, hands.pose, model.bone_joints)
    moved = hands.pose.clone()
    moved[..., 4, :] += 0.3  # middle bone of the index finger (bone 5)
    other = pose_bones(hands.T_object_hand, moved, model.bone_joints)
    changed = (bones.position - other.position).norm(dim=-1) > 1e-9
    assert changed.any(0).any(0).nonzero().flatten().tolist() == [6]
