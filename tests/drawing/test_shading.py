import numpy as np
import trimesh

from bghop.drawing.shading import split_sharp_edges


def sphere():
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=0.03)
    return np.array(mesh.vertices), np.array(mesh.faces)


def cube():
    mesh = trimesh.creation.box((0.1, 0.1, 0.1))
    return np.array(mesh.vertices), np.array(mesh.faces)


def test_corners_of_a_cube_are_split_and_a_sphere_stays_as_it_is():
    vertices, faces = split_sharp_edges(*cube())
    assert len(vertices) == 24  # a vertex for each corner of each of the six sides
    np.testing.assert_array_equal(vertices[faces], cube()[0][cube()[1]])
    round_vertices, round_faces = split_sharp_edges(*sphere())
    assert len(round_vertices) == len(sphere()[0])
    assert len(round_faces) == len(sphere()[1])


def test_an_open_fan_and_a_flat_face_without_area_are_kept():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0]])
    faces = np.array([[0, 1, 2], [0, 1, 3]])
    split_vertices, split_faces = split_sharp_edges(vertices, faces)
    np.testing.assert_array_equal(split_vertices[split_faces], vertices[faces])
