from dataclasses import replace

import numpy as np
import pytest
import torch

from bghop.evaluation.measure import measure_grasp, overlap_cm3, solid, solid_of_mesh
from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import box, sphere
from bghop.geometry.transforms import mirror_rigid, mirror_rotvec, rigid
from bghop.hands.model import HandParameters
from bghop.hands.open_hand import load_open_hand

MODEL = load_open_hand()


def shifted(mesh, shift):
    return Mesh(vertices=mesh.vertices + np.array(shift), faces=mesh.faces)


def hands(t_left, t_right, pose=None):
    """Both hands unturned at two wrist positions."""
    rest = MODEL.rest_parameters()
    R = torch.eye(3).expand(2, 3, 3)
    T = rigid(R, torch.tensor([t_left, t_right]))
    return replace(rest, T_object_hand=T, pose=rest.pose if pose is None else pose)


def palm_height():
    """Height (y) of the palm's lowest skin; the palm faces -y."""
    return float(MODEL.vertices_rest[1, :, 1].min())


def some_pose():
    generator = torch.Generator().manual_seed(3)
    return 0.5 * MODEL.random_poses(generator=generator)


def test_two_balls_overlap_by_a_lens():
    ball = sphere(0.03, segments=96)
    first, second = solid_of_mesh(ball), solid_of_mesh(shifted(ball, (0.03, 0, 0)))
    lens = np.pi * (4 * 0.03 + 0.03) * (2 * 0.03 - 0.03) ** 2 / 12 * 1e6
    assert overlap_cm3(first, second) == pytest.approx(lens, rel=0.01)


def test_the_sealed_hand_has_a_hands_volume():
    hand = solid(MODEL.vertices_rest[1].numpy(), MODEL.closed_faces[1].numpy())
    world = solid_of_mesh(box((1.0, 1.0, 1.0)))
    by_voxels = overlap_cm3(hand, world)
    mesh = Mesh(
        vertices=MODEL.vertices_rest[1].double().numpy(),
        faces=MODEL.closed_faces[1].numpy(),
    )
    assert by_voxels == pytest.approx(mesh.volume * 1e6, rel=0.01)
    assert 200 < by_voxels < 600


@pytest.mark.parametrize("depth_mm", [0.0, 1.0, 4.0])
def test_a_hand_pressed_into_a_block_is_as_deep_as_it_was_pressed(depth_mm):
    # A wide block whose top is at y = 0; left hand far above it.
    block = solid_of_mesh(shifted(box((0.8, 0.4, 0.8)), (0, -0.2, 0)))
    height = -palm_height() - depth_mm * 1e-3
    found = measure_grasp(block, MODEL, hands([-0.2, 0.5, 0], [0.2, height, 0]), time_s=2.0)
    assert found.penetration_depth_mm == pytest.approx((0.0, depth_mm), abs=1e-3)
    assert found.intersection_volume_cm3[0] == 0.0
    assert (found.intersection_volume_cm3[1] > 0) == (depth_mm > 0)
    assert found.contact_ratio[0] == 0.0
    assert found.contact_ratio[1] > 0
    assert found.fingers_in_contact[0] == 0
    assert not found.both_hands_in_contact
    assert found.hand_hand_depth_mm == 0.0
    assert found.time_s == 2.0


def test_contact_counts_what_a_brute_force_search_counts():
    block = box((0.8, 0.4, 0.8))
    target = solid_of_mesh(shifted(block, (0, -0.2, 0)))
    height = -palm_height() - 0.002
    grasp = hands([-0.2, height, 0], [0.2, height, 0], some_pose())
    found = measure_grasp(target, MODEL, grasp, time_s=0.0)
    y = MODEL.pose_hands(grasp).vertices_object[..., 1].numpy()
    # Over a wide block the distance is the height.
    assert found.contact_ratio == pytest.approx(tuple((np.abs(y) <= 0.005).mean(-1)), abs=1e-3)
    fingers = tuple(
        sum(bool((np.abs(y[side, pad.numpy()]) <= 0.003).any()) for pad in MODEL.regions.pads)
        for side in range(2)
    )
    assert found.fingers_in_contact == fingers


def test_a_mirrored_scene_has_mirrored_numbers():
    block = box((0.12, 0.05, 0.3))
    off_centre = shifted(block, (0.02, 0.0, 0.01))
    pose = MODEL.random_poses(generator=torch.Generator().manual_seed(1)) * 0.3
    grasp = hands([-0.13, 0.02, 0.03], [0.10, 0.03, -0.02], pose)
    swapped = HandParameters(
        present=grasp.present,
        T_object_hand=mirror_rigid(grasp.T_object_hand).flip(0),
        pose=mirror_rotvec(grasp.pose).flip(0),
        shape=grasp.shape.flip(0),
    )
    mirrored = Mesh(
        vertices=off_centre.vertices * np.array([-1.0, 1, 1]),
        faces=off_centre.faces[:, ::-1].copy(),
    )
    one = measure_grasp(solid_of_mesh(off_centre), MODEL, grasp, time_s=0.0)
    two = measure_grasp(solid_of_mesh(mirrored), MODEL, swapped, time_s=0.0)
    for name in ("penetration_depth_mm", "contact_ratio", "intersection_volume_cm3"):
        assert getattr(two, name) == pytest.approx(getattr(one, name)[::-1], abs=5e-3), name
    assert two.fingers_in_contact == one.fingers_in_contact[::-1]
    assert two.hand_hand_volume_cm3 == pytest.approx(one.hand_hand_volume_cm3, abs=5e-3)
    assert max(one.intersection_volume_cm3) > 0.1  # the scene tests something


def test_hands_through_each_other_are_measured_and_one_hand_has_none():
    far = solid_of_mesh(shifted(box((0.1, 0.1, 0.1)), (0, 1.0, 0)))
    grasp = hands([-0.05, 0, 0], [0.05, 0, 0])
    found = measure_grasp(far, MODEL, grasp, time_s=0.0)
    assert found.hand_hand_depth_mm > 5
    assert found.hand_hand_volume_cm3 > 10
    alone = replace(grasp, present=torch.tensor([False, True]))
    one = measure_grasp(far, MODEL, alone, time_s=0.0)
    assert (one.hand_hand_depth_mm, one.hand_hand_volume_cm3) == (0.0, 0.0)
    assert one.penetration_depth_mm == (None, 0.0)


def test_limit_violation_is_what_the_pose_exceeds():
    angles = torch.zeros(2, 15, 3)
    angles[1, 4, 0] = MODEL.anatomy.limits[4, 0, 1] + np.radians(7)
    grasp = hands([-0.2, 0, 0], [0.2, 0, 0], MODEL.pose_from_angles(angles))
    far = solid_of_mesh(shifted(box((0.1, 0.1, 0.1)), (0, 1.0, 0)))
    found = measure_grasp(far, MODEL, grasp, time_s=0.0)
    assert found.limit_violation_deg == pytest.approx((0.0, 7.0), abs=0.01)
