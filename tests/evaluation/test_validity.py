import json

import numpy as np
import pytest
import trimesh

from bghop.evaluation.validity import PlausibleSize, object_validity
from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import box, casserole, mug, sphere, torus


def shifted(mesh, shift):
    return Mesh(vertices=mesh.vertices + np.array(shift), faces=mesh.faces)


def turned_inside_out(mesh):
    return Mesh(vertices=mesh.vertices, faces=mesh.faces[:, ::-1].copy())


def without_a_face(mesh):
    return Mesh(vertices=mesh.vertices, faces=mesh.faces[1:])


def test_a_box_is_closed_in_one_piece_and_has_its_volume():
    found = object_validity(box((0.1, 0.2, 0.05)))
    assert (found.closed, found.num_components, found.plausible) == (True, 1, True)
    assert found.volume_cm3 == pytest.approx(1000)
    assert json.loads(json.dumps(found.to_json()))["num_components"] == 1


@pytest.mark.parametrize("mesh", [sphere(0.05), torus(0.05, 0.02), mug(), casserole()])
def test_it_agrees_with_trimesh(mesh):
    theirs = trimesh.Trimesh(mesh.vertices, mesh.faces)
    found = object_validity(mesh)
    assert found.closed == theirs.is_watertight
    assert found.num_components == theirs.body_count
    assert found.volume_cm3 == pytest.approx(theirs.volume * 1e6, rel=1e-6)


@pytest.mark.parametrize(
    ("mesh", "handles"), [(sphere(0.05), 0), (box((0.1, 0.1, 0.1)), 0), (torus(0.05, 0.02), 1)]
)
def test_handles_are_counted(mesh, handles):
    assert object_validity(mesh).genus == handles
    pair = Mesh.concatenated([mesh, shifted(torus(0.05, 0.02), (0.3, 0, 0))])
    assert object_validity(pair).genus == handles + 1
    soup = Mesh(vertices=mesh.vertices[mesh.faces].reshape(-1, 3),
                faces=np.arange(3 * len(mesh.faces)).reshape(-1, 3))  # fmt: skip
    assert object_validity(soup).genus == handles


def test_a_hole_is_seen():
    found = object_validity(without_a_face(sphere(0.05)))
    assert (found.closed, found.num_components, found.plausible) == (False, 1, False)


def test_a_flipped_face_is_not_closed():
    mesh = sphere(0.05)
    faces = mesh.faces.copy()
    faces[0] = faces[0, ::-1]
    assert not object_validity(Mesh(vertices=mesh.vertices, faces=faces)).closed


def test_boxes_that_share_an_edge_are_one_piece_but_not_closed():
    pair = [box((0.1, 0.1, 0.1)), shifted(box((0.1, 0.1, 0.1)), (0.1, 0.1, 0))]
    found = object_validity(Mesh.concatenated(pair))
    assert (found.closed, found.num_components, found.plausible) == (False, 1, False)


def test_a_second_piece_and_a_cavity_are_counted():
    ball = sphere(0.05)
    apart = object_validity(Mesh.concatenated([ball, shifted(ball, (0.2, 0, 0))]))
    assert (apart.closed, apart.num_components, apart.plausible) == (True, 2, False)
    hollow = object_validity(Mesh.concatenated([ball, turned_inside_out(sphere(0.04))]))
    assert (hollow.closed, hollow.num_components, hollow.plausible) == (True, 2, False)
    assert hollow.volume_cm3 < object_validity(ball).volume_cm3


def test_vertices_repeated_for_every_face_count_once():
    mesh = sphere(0.05)
    soup = Mesh(
        vertices=mesh.vertices[mesh.faces].reshape(-1, 3),
        faces=np.arange(3 * len(mesh.faces), dtype=np.int64).reshape(-1, 3),
    )
    assert object_validity(soup) == object_validity(mesh)


def test_inside_out_scraps_and_giants_are_not_plausible():
    inside_out = object_validity(turned_inside_out(box((0.1, 0.1, 0.1))))
    assert inside_out.closed
    assert inside_out.volume_cm3 == pytest.approx(-1000)
    assert not inside_out.plausible
    assert not object_validity(box((0.009, 0.009, 0.009))).plausible
    assert not object_validity(box((0.5, 0.5, 0.5))).plausible
    assert object_validity(box((0.5, 0.5, 0.5)), PlausibleSize(largest_cm3=2e5)).plausible


def test_an_empty_mesh_is_nothing():
    empty = Mesh(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3), dtype=np.int64))
    found = object_validity(empty)
    assert (found.closed, found.num_components, found.volume_cm3) == (False, 0, 0.0)
    assert not found.plausible
