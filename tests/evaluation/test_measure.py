from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import trimesh

from bghop.evaluation.measure import (
    measure_all,
    measure_grasp,
    measure_published,
    overlap_cm3,
    solid,
    solid_of_mesh,
)
from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import box, casserole, sphere, torus
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


@cache
def block_below():
    """A wide block whose top is at y = 0."""
    return solid_of_mesh(shifted(box((0.36, 0.02, 0.16)), (0, -0.01, 0)))


def volume_below(vertices, faces):
    """Exact volume in cm3 of the part of a closed surface with y < 0."""
    corners, kept, _ = trimesh.intersections.slice_faces_plane(
        vertices, faces, plane_normal=[0, -1.0, 0], plane_origin=[0, 0, 0]
    )
    # Divergence theorem about a point of the plane: the missing lid adds nothing.
    a, b, c = np.moveaxis(corners[kept], 1, 0)
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6 * 1e6)


def test_a_pressed_hand_has_the_published_depth_distance_and_volume():
    height = -palm_height() - 0.004
    grasp = hands([-0.12, height, 0], [0.12, height + 0.007, 0])
    left, right = measure_published(block_below(), MODEL, grasp)
    assert (left.grasptta_depth_cm, left.halo_distance_cm) == pytest.approx((0.4, -0.4), abs=1e-4)
    assert left.grasptta_contact
    assert left.halo_contact
    skin = MODEL.pose_hands(grasp).vertices_object[0].double().numpy()
    exact = volume_below(skin, MODEL.closed_faces[0].numpy())
    assert left.halo_volume_cm3 == pytest.approx(exact, rel=0.05)
    # The right hand floats 3 mm above it: contact for one of the two definitions only.
    assert (right.grasptta_depth_cm, right.halo_distance_cm) == pytest.approx((0, 0.3), abs=1e-4)
    assert right.grasptta_contact
    assert not right.halo_contact
    assert right.halo_volume_cm3 == 0.0


def test_halo_counts_in_the_mean_what_its_own_lattice_counts():
    target = block_below()
    ours = theirs = 0.0
    for depth in np.linspace(0.003, 0.005, 7).tolist():
        grasp = hands([-0.12, 0.5, 0], [0.12, -palm_height() - depth, 0])
        _, right = measure_published(target, MODEL, grasp)
        ours += right.halo_volume_cm3
        skin = MODEL.pose_hands(grasp).vertices_object[1].double().numpy()
        hand = solid(skin, MODEL.closed_faces[1].numpy())
        # From 1 mm below the corner of the boxes' intersection. Where it falls changes a single
        # count of a layer some millimetres thick by a tenth and more.
        lower = np.maximum(hand.lower, target.lower) - 1e-3
        upper = np.minimum(hand.upper, target.upper) + 1e-3
        axes = [np.arange(a, b, 1e-3) for a, b in zip(lower, upper, strict=True)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        points = points[np.all((points > target.lower) & (points < target.upper), axis=-1)]
        theirs += (hand.query.winding_numbers(points) > 0.5).sum() * 1e-3
    assert ours == pytest.approx(theirs, rel=0.1)
    assert theirs > 1


def test_grasptta_counts_what_trimesh_counts_in_a_hand():
    target = block_below()
    grasp = hands([-0.12, 0.5, 0], [0.12, -palm_height() - 0.004, 0])
    _, right = measure_published(target, MODEL, grasp)
    skin = MODEL.pose_hands(grasp).vertices_object[1].double().numpy()
    theirs = trimesh.Trimesh(skin, MODEL.closed_faces[1].numpy(), process=False)
    block = trimesh.Trimesh(target.vertices, target.query.mesh.faces, process=False)
    voxels = block.voxelized(pitch=0.005).points
    near = voxels[np.all((voxels > skin.min(0)) & (voxels < skin.max(0)), axis=-1)]
    expected = theirs.contains(near).sum() * 0.125
    assert right.grasptta_volume_cm3 == pytest.approx(expected)
    assert expected > 0


def test_the_least_distance_is_that_of_trimesh():
    ring = torus(0.06, 0.02, segments=16)
    grasp = hands([-0.16, 0.03, 0.05], [0.14, 0.01, 0.06], some_pose())
    found = measure_published(solid_of_mesh(ring), MODEL, grasp)
    skin = MODEL.pose_hands(grasp).vertices_object.double().numpy()
    theirs = trimesh.Trimesh(ring.vertices, ring.faces, process=False)
    for side in range(2):
        # Their positive is inside.
        distance_cm = -100 * trimesh.proximity.signed_distance(theirs, skin[side]).max()
        assert found[side].halo_distance_cm == pytest.approx(distance_cm, abs=1e-6)


@pytest.mark.parametrize("where", [0.0, 0.1, 0.4])
def test_the_least_distance_is_exact_also_far_away(where):
    pot = solid_of_mesh(casserole())
    grasp = hands([where, where, where], [-where, where, 0.01], some_pose())
    found = measure_published(pot, MODEL, grasp)
    for side, skin in enumerate(MODEL.pose_hands(grasp).vertices_object.double().numpy()):
        least = pot.query.signed_distances(skin).min()
        assert found[side].halo_distance_cm == pytest.approx(100 * least, abs=1e-9)


def test_a_needle_between_the_vertices_has_a_volume_of_ours_but_none_of_halo():
    middle = MODEL.vertices_rest[1][MODEL.regions.palm].double().numpy().mean(0)
    skin = MODEL.vertices_rest[1].double().numpy()
    # Move it away from the vertices that it would touch.
    gaps = [
        (np.linalg.norm(skin[:, [0, 2]] - (middle[[0, 2]] + step), axis=-1).min(), tuple(step))
        for step in np.random.default_rng(0).uniform(-0.01, 0.01, size=(200, 2))
    ]
    gap, (x, z) = max(gaps)
    assert gap > 0.0016
    needle = shifted(box((0.002, 0.4, 0.002)), (middle[0] + x, 0, middle[2] + z))
    grasp = replace(hands([0.0, 1.0, 0.0], [0.0, 0.0, 0.0]), present=torch.tensor([False, True]))
    ours, (absent, published) = measure_all(solid_of_mesh(needle), MODEL, grasp, time_s=0.0)
    assert absent is None
    assert ours.intersection_volume_cm3[1] > 0.01
    assert published.halo_distance_cm > 0
    assert published.halo_volume_cm3 == 0.0


def test_measuring_all_is_measuring_each():
    target = block_below()
    grasp = hands([-0.12, 0.0, 0], [0.12, 0.01, 0], some_pose())
    ours, published = measure_all(target, MODEL, grasp, time_s=1.5)
    assert ours == measure_grasp(target, MODEL, grasp, time_s=1.5)
    assert published == measure_published(target, MODEL, grasp)
    assert ours.penetration_depth_mm == pytest.approx(
        tuple(10 * each.grasptta_depth_cm for each in published)
    )
