import io
import json

import numpy as np
import pytest
import trimesh

from bghop.drawing.export import scene_glb
from bghop.drawing.scene import Scene


def sphere(center, radius=0.03):
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=radius)
    return np.array(mesh.vertices) + center, np.array(mesh.faces)


def cube(edge=0.1):
    mesh = trimesh.creation.box((edge, edge, edge))
    return np.array(mesh.vertices), np.array(mesh.faces)


@pytest.fixture
def scene():
    return Scene(object=cube(), hands=(sphere([-0.08, 0, 0.01]), sphere([0.08, 0, 0.02], 0.02)))


def gltf_tree(content):
    assert content[:4] == b"glTF"
    length = int.from_bytes(content[12:16], "little")
    return json.loads(content[20 : 20 + length])


def test_the_file_has_exactly_the_three_nodes_without_transforms(scene):
    tree = gltf_tree(scene_glb(scene))
    assert [node["name"] for node in tree["nodes"]] == ["object", "left_hand", "right_hand"]
    assert all(set(node) <= {"name", "mesh"} for node in tree["nodes"])
    assert tree["scenes"][tree["scene"]]["nodes"] == [0, 1, 2]
    assert all(mesh["primitives"][0]["attributes"]["NORMAL"] >= 0 for mesh in tree["meshes"])
    assert len(tree["materials"]) == 3


def test_what_is_read_back_has_the_same_geometry_in_metres(scene):
    read = trimesh.load(io.BytesIO(scene_glb(scene)), file_type="glb")
    assert set(read.graph.nodes_geometry) == {"object", "left_hand", "right_hand"}
    for name, part in zip(
        ("object", "left_hand", "right_hand"), (scene.object, *scene.hands), strict=True
    ):
        transform, geometry = read.graph[name]
        np.testing.assert_array_equal(transform, np.eye(4))
        expected = part[0][part[1]]
        found = read.geometry[geometry].triangles
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_an_absent_hand_has_no_node(scene):
    one = Scene(object=scene.object, hands=(None, scene.hands[1]))
    tree = gltf_tree(scene_glb(one))
    assert [node["name"] for node in tree["nodes"]] == ["object", "right_hand"]
    assert tree["scenes"][0]["nodes"] == [0, 1]


def test_the_same_scene_gives_the_same_bytes(scene):
    assert scene_glb(scene) == scene_glb(scene)
