"""What the axes and limits must mean, whatever the hand model."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from bghop.hands import anatomy
from bghop.hands.joints import BONE_NAMES, JOINT_NAMES
from bghop.hands.open_hand import load_open_hand

FINGER_BENDS = [i for i, name in enumerate(BONE_NAMES[1:]) if not name.startswith("thumb")]


@pytest.fixture(scope="module")
def model():
    return load_open_hand(dtype=torch.float64)


def joints_at(model, angles):
    """21 joints of the right hand."""
    pose = model.pose_from_angles(angles.to(torch.float64).expand(2, 15, 3))
    return model.joints(replace(model.rest_parameters(), pose=pose))[1]


def turned(model, bone, kind, amount):
    angles = torch.zeros(15, 3)
    angles[bone, kind] = amount
    return joints_at(model, angles)


def test_axes_are_orthonormal_and_right_handed(model):
    for axes in model.anatomy.axes:
        torch.testing.assert_close(
            axes @ axes.mT, torch.eye(3).double().expand(15, 3, 3), atol=1e-6, rtol=0
        )
        bend, splay, twist = axes.unbind(1)
        product = (torch.linalg.cross(bend, splay) * twist).sum(-1)
        # Rotation axes mirror as pseudo-vectors, so the left triads are right-handed too.
        torch.testing.assert_close(product, torch.ones(15).double(), atol=1e-6, rtol=0)


def test_twist_axis_is_the_bone(model):
    for bone in range(15):
        name = BONE_NAMES[bone + 1]
        joint = JOINT_NAMES.index(name)
        moved = turned(model, bone, 2, 0.5)
        torch.testing.assert_close(
            moved[joint + 1], model.joints_rest[1][joint + 1], atol=1e-6, rtol=0
        )


@pytest.mark.parametrize("bone", FINGER_BENDS)
def test_bend_moves_fingertips_towards_the_palm(model, bone):
    tip = 4 * (bone // 3 + 1)
    palmar = torch.tensor([0.0, -1.0, 0.0]).double()
    moved = turned(model, bone, 0, 0.3)[tip] - model.joints_rest[1][tip]
    assert moved @ palmar > 0.5 * moved.norm()


@pytest.mark.parametrize("bone", [0, 1, 2])
def test_bend_moves_the_thumb_towards_the_little_finger(model, bone):
    moved = turned(model, bone, 0, 0.3)[4] - model.joints_rest[1][4]
    assert -moved[2] > 0.5 * moved.norm()


def test_splay_moves_fingertips_towards_the_thumb_side(model):
    for finger in range(1, 5):
        tip = 4 * (finger + 1)
        moved = turned(model, 3 * finger, 1, 0.2)[tip] - model.joints_rest[1][tip]
        assert moved[2] > 0.8 * moved.norm()


def test_splay_lifts_the_thumb_off_the_palm(model):
    moved = turned(model, 0, 1, 0.2)[4] - model.joints_rest[1][4]
    assert -moved[1] > 0.4 * moved.norm()


def test_fingers_converge_when_the_hand_closes(model):
    """Healthy fingers point to the scaphoid when bent, they do not fan out."""
    angles = torch.zeros(15, 3)
    angles[:, 0] = 0.9 * model.anatomy.limits[:, 0, 1]
    rest, closed = model.joints_rest[1], joints_at(model, angles)
    tips = [8, 12, 16, 20]
    assert (closed[tips, 2].max() - closed[tips, 2].min()) < 0.8 * (
        rest[tips, 2].max() - rest[tips, 2].min()
    )


def test_zero_flexion_is_a_straight_finger(model):
    """Limits count from straight: undoing the measured rest flexion aligns the bones."""
    joints = model.joints_rest[1].numpy()
    flexion = anatomy.rest_flexion(joints, model.anatomy.axes[1].numpy())
    angles = torch.zeros(15, 3)
    angles[:, 0] = -torch.from_numpy(flexion)
    straight = joints_at(model, angles).numpy()
    directions = anatomy.bone_directions(straight).reshape(5, 3, 3)
    for finger in range(1, 5):
        assert math.degrees(math.acos(directions[finger, 0] @ directions[finger, 1])) < 6
        assert math.degrees(math.acos(directions[finger, 1] @ directions[finger, 2])) < 6
        # In line with the metacarpal but for splay.
        assert abs(directions[finger, 0][1]) < 0.15


def test_rest_flexion_of_the_open_hand_is_that_of_a_relaxed_hand(model):
    flexion = np.degrees(
        anatomy.rest_flexion(model.joints_rest[1].numpy(), model.anatomy.axes[1].numpy())
    ).reshape(5, 3)
    assert (flexion[1:] > -5).all()
    assert (flexion[1:, 0] < 25).all()
    assert (flexion[1:, 1:] < 20).all()


def test_axes_hardly_depend_on_the_pose_they_are_measured_in(model):
    """Axes measured on a flattened hand are those of the rest pose, carried along.

    This is what makes the same measurement work for MANO, whose template is flatter.
    """
    joints = model.joints_rest[1].numpy()
    flexion = anatomy.rest_flexion(joints, model.anatomy.axes[1].numpy())
    angles = torch.zeros(15, 3, dtype=torch.float64)
    angles[3:, 0] = -0.7 * torch.from_numpy(flexion)[3:]
    hands = replace(model.rest_parameters(), pose=model.pose_from_angles(angles.expand(2, 15, 3)))
    posed = model.pose_hands(hands)
    measured = anatomy.joint_axes(
        posed.joints_object[1].numpy(),
        anatomy.finger_bend_axes(
            posed.joints_object[1].numpy(), posed.vertices_object[1].numpy(),
            model.faces[1].numpy(), model.skinning_weights[1].numpy(),
        ),
    )  # fmt: skip
    carried = torch.einsum(
        "kij,kaj->kai", posed.Ts_object_bone[1, 1:, :3, :3], model.anatomy.axes[1]
    )
    cosines = (torch.from_numpy(measured) * carried).sum(-1)
    assert torch.rad2deg(cosines.clamp(-1, 1).acos()).max() < 12


def test_limits_are_ordered_and_those_of_a_hand(model):
    low, high = torch.rad2deg(model.anatomy.limits).unbind(-1)
    assert (low <= 0).all()
    assert (high >= 0).all()
    bend = high[:, 0]
    assert (bend[3:].reshape(4, 3) > 45).all()
    assert (bend < 105).all()
    assert (low[:, 0] > -35).all()
    hinges = [i for i in range(15) if i % 3 == 2 or (i % 3 == 1 and i > 2)]
    assert high[hinges, 1:].max() < 3


def test_thumb_reaches_index_and_middle_but_random_thumbs_stay_out_of_the_palm(model):
    single = load_open_hand()
    generator = torch.Generator().manual_seed(0)
    poses = single.random_poses(4000, generator=generator)
    hands = replace(single.rest_parameters(4000), pose=poses)
    joints = single.joints(hands)[:, 1]
    gap = (joints[:, 4, None] - joints[:, [8, 12]]).norm(dim=-1).amin(0)
    assert (gap < 0.02).all()
    # The palm's skin near the middle of the hand is about 12 mm below the bones' plane.
    inside = (joints[:, 4, 1] > 0.0) & (joints[:, 4, 2].abs() < 0.025)
    assert inside.float().mean() < 0.001


@pytest.mark.parametrize("pieces", [1, 4], ids=["coarse", "uneven"])
def test_cross_section_of_a_flat_bar_is_wide_along_its_width(pieces):
    bar = trimesh.creation.box(extents=(1.0, 0.4, 0.2)).subdivide_to_size(0.12)
    if pieces > 1:  # one side divided much finer than the others changes nothing
        bar = bar.subdivide(face_index=np.flatnonzero(bar.triangles_center[:, 1] > 0.19))
    corners = bar.triangles + np.array([0.5, 0.0, 0.0])
    covariance = anatomy.cross_section(corners, np.zeros(3), np.eye(3)[0])
    # Skin of a rectangle a x b: variance along a is a^2 (a + 3 b) / (12 (a + b)).
    wide, flat = 0.4**2 * (0.4 + 3 * 0.2), 0.2**2 * (0.2 + 3 * 0.4)
    expected = np.diag([0.0, wide, flat]) / (wide + flat)
    np.testing.assert_allclose(covariance, expected, atol=0.01)
