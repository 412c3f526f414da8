"""Meshes: size, volume, closedness, motion; exact distances against formulas and brute force."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bghop.geometry.mesh import Mesh, MeshQuery, signed_distances
from bghop.geometry.shapes import box, sphere, torus


def without_faces(mesh: Mesh, share: float, seed: int = 0) -> Mesh:
    keep = np.random.default_rng(seed).random(len(mesh.faces)) >= share
    return Mesh(vertices=mesh.vertices, faces=mesh.faces[keep])


def box_distance(points: np.ndarray, extents: np.ndarray) -> np.ndarray:
    """Signed distance to a box about the origin, by the textbook formula."""
    beyond = np.abs(points) - extents / 2
    return np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.minimum(beyond.max(axis=-1), 0)


def test_box_knows_its_size():
    mesh = box((0.1, 0.2, 0.3))
    np.testing.assert_allclose(mesh.extents, [0.1, 0.2, 0.3])
    np.testing.assert_allclose(mesh.bounds, [[-0.05, -0.1, -0.15], [0.05, 0.1, 0.15]])
    assert mesh.volume == pytest.approx(0.006, rel=1e-12)
    assert mesh.area == pytest.approx(2 * (0.02 + 0.03 + 0.06), rel=1e-12)
    assert mesh.diagonal == pytest.approx(math.sqrt(0.14), rel=1e-12)
    assert mesh.is_watertight


def test_volume_is_negative_inside_out_and_does_not_depend_on_the_place():
    mesh = torus(0.1, 0.03)
    turned = Mesh(vertices=mesh.vertices, faces=mesh.faces[:, ::-1].copy())
    far = Mesh(vertices=mesh.vertices + 1000.0, faces=mesh.faces)
    assert turned.volume == pytest.approx(-mesh.volume, rel=1e-12)
    assert far.volume == pytest.approx(mesh.volume, rel=1e-6)


def test_one_missing_or_flipped_face_opens_the_surface():
    mesh = box((0.1, 0.1, 0.1))
    flipped = mesh.faces.copy()
    flipped[0] = flipped[0, ::-1]
    assert not Mesh(vertices=mesh.vertices, faces=mesh.faces[1:]).is_watertight
    assert not Mesh(vertices=mesh.vertices, faces=flipped).is_watertight
    assert not Mesh(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3), dtype=np.int64)).is_watertight


def test_rigid_motion_keeps_volume_and_scaling_cubes_it():
    mesh = box((0.1, 0.2, 0.3))
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec([0.3, -1.0, 2.0]).as_matrix()
    T[:3, 3] = [0.4, 0.5, -0.6]
    moved = mesh.transformed(T)
    np.testing.assert_allclose(moved.vertices[3], T[:3, :3] @ mesh.vertices[3] + T[:3, 3])
    assert moved.volume == pytest.approx(mesh.volume, rel=1e-9)
    assert mesh.scaled(0.5).volume == pytest.approx(mesh.volume / 8, rel=1e-9)
    np.testing.assert_allclose(mesh.scaled(2.0).vertices, 2 * mesh.vertices)


def test_concatenation_keeps_every_part():
    first, second = box((0.1, 0.1, 0.1)), sphere(0.05)
    both = Mesh.concatenated([first, second], name="both")
    assert both.name == "both"
    assert both.volume == pytest.approx(first.volume + second.volume, rel=1e-9)
    assert len(both.faces) == len(first.faces) + len(second.faces)
    assert both.is_watertight


def test_distances_to_a_box_equal_the_formula():
    extents = np.array([0.1, 0.2, 0.3])
    points = np.random.default_rng(0).uniform(-0.4, 0.4, (2000, 3))
    found = signed_distances(box((0.1, 0.2, 0.3)), points)
    np.testing.assert_allclose(found, box_distance(points, extents), atol=1e-12)


def test_closest_points_lie_on_their_faces_and_normals_lead_outward():
    mesh = box((0.1, 0.2, 0.3))
    points = np.random.default_rng(1).uniform(-0.2, 0.2, (500, 3))
    found = MeshQuery(mesh).closest(points)
    np.testing.assert_allclose(box_distance(found.point, mesh.extents), 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found.normal, axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(
        found.point + found.distance[:, None] * found.normal, points, atol=1e-12
    )
    corners = mesh.vertices[mesh.faces[found.face]]
    plane = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    height = np.einsum("ni,ni->n", found.point - corners[:, 0], plane)
    np.testing.assert_allclose(height, 0, atol=1e-12)


def test_normal_on_the_surface_is_that_of_the_face():
    found = MeshQuery(box((0.2, 0.2, 0.2))).closest(np.array([[0.1, 0.03, 0.02]]))
    assert found.distance[0] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.normal[0], [1, 0, 0], atol=1e-12)


def test_no_points_and_one_point_are_fine():
    query = MeshQuery(box((0.2, 0.2, 0.2)))
    assert query.signed_distances(np.zeros((0, 3))).shape == (0,)
    np.testing.assert_allclose(query.signed_distances(np.zeros((1, 3))), [-0.1], atol=1e-12)
    assert query.closest(np.zeros((0, 3))).normal.shape == (0, 3)


def test_signs_survive_missing_faces():
    rng = np.random.default_rng(2)
    points = rng.uniform(-0.15, 0.15, (4000, 3))
    torn = without_faces(sphere(0.1), 0.05)
    truth = np.linalg.norm(points, axis=1) < 0.1
    assert (MeshQuery(torn).contains(points) == truth).mean() > 0.985


def test_overlapping_solids_count_as_their_union():
    shifted = box((0.1, 0.1, 0.1)).transformed(
        np.array([[1, 0, 0, 0.05], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    )
    query = MeshQuery(Mesh.concatenated([box((0.1, 0.1, 0.1)), shifted]))
    inside_both = np.array([[0.025, 0.0, 0.0]])
    assert query.winding_numbers(inside_both)[0] == pytest.approx(2, abs=0.02)
    assert query.contains(inside_both)[0]
