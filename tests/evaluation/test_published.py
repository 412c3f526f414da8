import json

import numpy as np
import pytest
import trimesh

from bghop.errors import OptionError
from bghop.evaluation.published import (
    PublishedMetrics,
    grasptta_contact,
    grasptta_depth_cm,
    grasptta_surface_voxels,
    grasptta_volume_cm3,
    halo_contact_ratio,
    halo_distance_cm,
    halo_volume_cm3,
)
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.shapes import box, sphere, torus

EMPTY = Mesh(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3), dtype=np.int64))


def shifted(mesh, shift):
    return Mesh(vertices=mesh.vertices + np.array(shift), faces=mesh.faces)


def mirrored(mesh):
    """In x = 0."""
    flipped = mesh.vertices * np.array([-1.0, 1, 1])
    return Mesh(vertices=flipped, faces=mesh.faces[:, ::-1].copy())


def as_set(points):
    return set(map(tuple, np.rint(points / 0.005).astype(int)))


def volume_inside(target, hand):
    query, lower, upper = MeshQuery(hand), *hand.bounds
    return grasptta_volume_cm3(grasptta_surface_voxels(target), query, lower, upper)


def test_a_box_on_the_lattice_has_the_voxels_of_its_shell_and_none_inside():
    voxels = grasptta_surface_voxels(box((0.1, 0.1, 0.1)))
    # Faces lie at 10 voxels from the middle: cubes of 21 voxels without those of 19.
    assert len(voxels) == 21**3 - 19**3
    assert np.abs(voxels).max(axis=-1) == pytest.approx(0.05)


def test_voxels_lie_along_the_surface_and_cover_it():
    ring = torus(0.05, 0.02)
    voxels = grasptta_surface_voxels(ring)
    diagonal = np.sqrt(3) * 0.005
    assert MeshQuery(ring).unsigned(voxels)[0].max() <= diagonal / 2
    points, _ = trimesh.sample.sample_surface(
        trimesh.Trimesh(ring.vertices, ring.faces), 2000, seed=0
    )
    nearest = np.linalg.norm(points[:, None] - voxels, axis=-1).min(axis=1)
    # A corner of the divided surface is within 2.5 mm, and has its voxel.
    assert nearest.max() <= 0.0025 + diagonal / 2


@pytest.mark.parametrize("mesh", [torus(0.05, 0.02), shifted(sphere(0.04), (0.011, -0.003, 0.05))])
def test_voxels_are_those_of_trimesh(mesh):
    theirs = trimesh.Trimesh(mesh.vertices, mesh.faces).voxelized(pitch=0.005).points
    ours = grasptta_surface_voxels(mesh)
    assert as_set(ours) == as_set(theirs)
    assert len(ours) == len(theirs)


def test_large_objects_have_the_same_voxels_though_they_are_done_in_parts(monkeypatch):
    plank = box((0.3, 0.15, 0.02))
    whole = grasptta_surface_voxels(plank)
    monkeypatch.setattr("bghop.evaluation.published._AREA_AT_ONCE", 0.02)
    np.testing.assert_array_equal(grasptta_surface_voxels(plank), whole)


def test_an_empty_object_has_no_voxels():
    assert grasptta_surface_voxels(EMPTY).shape == (0, 3)


def test_grasptta_counts_the_shell_inside_the_hand_only():
    block = box((0.1, 0.1, 0.1))
    corner = shifted(box((0.1, 0.1, 0.1)), (0.052, 0.052, 0.052))
    # Inside are the voxels with all three indices over 0.4, and at least one of them 10.
    assert volume_inside(block, corner) == (10**3 - 9**3) * 0.125
    assert volume_inside(block, box((0.08, 0.08, 0.08))) == 0.0  # deep inside: no volume at all
    assert volume_inside(block, box((0.2, 0.2, 0.2))) == (21**3 - 19**3) * 0.125
    assert volume_inside(block, shifted(corner, (1, 0, 0))) == 0.0


def test_grasptta_volume_is_what_trimesh_counts():
    can, ball = torus(0.05, 0.02), shifted(sphere(0.03, segments=24), (0.05, 0.004, 0.013))
    theirs = trimesh.Trimesh(can.vertices, can.faces).voxelized(pitch=0.005).points
    near = theirs[np.linalg.norm(theirs - ball.vertices.mean(axis=0), axis=-1) < 0.04]
    inside = trimesh.Trimesh(ball.vertices, ball.faces).contains(near)
    assert volume_inside(can, ball) == inside.sum() * 0.125
    assert 0 < inside.sum() < len(near)


def test_grasptta_volume_of_a_mirrored_scene_is_equal_to_the_voxel():
    bowl = shifted(torus(0.05, 0.02), (0.0123, 0.004, 0.001))
    ball = shifted(sphere(0.03), (0.05, 0.0041, 0.013))
    assert as_set(grasptta_surface_voxels(mirrored(bowl))) == as_set(
        grasptta_surface_voxels(bowl) * np.array([-1, 1, 1])
    )
    volume = volume_inside(bowl, ball)
    assert volume_inside(mirrored(bowl), mirrored(ball)) == volume > 0


def test_depth_distance_and_contact_are_read_off_the_nearest_vertex():
    deep = np.array([0.02, -0.004, np.inf, -0.001])
    near, far = np.array([0.005, 0.02]), np.array([0.0051, 0.02])
    assert [grasptta_depth_cm(d) for d in (deep, near, far)] == pytest.approx([0.4, 0, 0])
    assert [grasptta_contact(d) for d in (deep, near, far)] == [True, True, False]
    assert [halo_distance_cm(d) for d in (deep, near, far)] == pytest.approx([-0.4, 0.5, 0.51])


def test_halo_has_no_volume_without_a_vertex_inside():
    assert halo_volume_cm3(1.25, distance_cm=-0.1) == 1.25
    assert halo_volume_cm3(1.25, distance_cm=0.01) == 0.0


def test_halo_contact_ratio_is_the_share_of_samples_with_a_vertex_inside():
    assert halo_contact_ratio([-0.1, 0.2, 0.0, -1e-9]) == 0.5
    with pytest.raises(OptionError, match="at least one grasp"):
        halo_contact_ratio([])


def test_json_is_flat_and_plain():
    metrics = PublishedMetrics(
        grasptta_volume_cm3=0.25,
        grasptta_depth_cm=0.1,
        grasptta_contact=True,
        halo_volume_cm3=0.125,
        halo_distance_cm=-0.1,
    )
    values = json.loads(json.dumps(metrics.to_json()))
    assert values.pop("halo_contact") is True
    assert PublishedMetrics(**values) == metrics
