"""URDF and MJCF files with one joint: parts where the file puts them, at any joint value."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from bghop.errors import MeshError
from bghop.physics.description import read_description

MJCF = """<mujoco><worldbody>
  <body name="base" pos="0.1 0 0.02">
    <geom type="box" size="0.10 0.08 0.02"/>
    <geom type="box" size="1 1 1" contype="0" conaffinity="0"/>
    <body name="lid" pos="0 0.08 0.02">
      <joint type="hinge" axis="1 0 0" pos="0 0 0" range="0 90" limited="true"/>
      <geom type="box" size="0.10 0.08 0.01" pos="0 -0.08 0.01"/>
      <body pos="0 -0.16 0.03"><geom type="sphere" size="0.01"/></body>
    </body>
  </body>
</worldbody></mujoco>"""

URDF = """<robot name="chest">
  <link name="case"><collision><geometry><box size="0.2 0.3 0.1"/></geometry></collision></link>
  <link name="drawer"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0"
    iyz="0"/></inertial><collision><origin xyz="0.02 0 0"/><geometry><box size="0.18 0.28 0.06"/>
    </geometry></collision></link>
  <joint name="slide" type="prismatic"><parent link="case"/><child link="drawer"/>
    <origin xyz="0 0 0.01"/><axis xyz="1 0 0"/><limit lower="0" upper="0.15" effort="1"
    velocity="1"/></joint>
</robot>"""


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_hinge_turns_what_hangs_on_it_about_where_it_is(tmp_path):
    thing = read_description(written(tmp_path, "box.xml", MJCF))
    base, lid = thing.parts
    np.testing.assert_allclose(base.vertices.min(0), [0.0, -0.08, 0.0], atol=1e-9)
    np.testing.assert_allclose(base.vertices.max(0), [0.2, 0.08, 0.04], atol=1e-9)
    assert lid.vertices.max(0)[2] == pytest.approx(0.02 + 0.02 + 0.03 + 0.01, abs=1e-3)
    assert thing.joint.kind == "revolute"
    np.testing.assert_allclose(thing.joint.limits, (0.0, np.pi / 2))
    pivot, R = np.array([0.1, 0.08, 0.04]), Rotation.from_rotvec([0.7, 0, 0]).as_matrix()
    turned = (lid.vertices - pivot) @ R.T + pivot
    whole = thing.mesh(0.7).vertices
    np.testing.assert_allclose(whole, np.concatenate([base.vertices, turned]), atol=1e-9)


def test_a_slide_in_a_urdf_moves_along_its_axis(tmp_path):
    thing = read_description(written(tmp_path, "chest.urdf", URDF))
    assert thing.joint.kind == "prismatic"
    case, drawer = thing.parts
    np.testing.assert_allclose(case.extents, (0.2, 0.3, 0.1), atol=1e-9)
    np.testing.assert_allclose(drawer.vertices.mean(0), (0.02, 0, 0.01), atol=1e-9)
    moved = thing.mesh(0.1).vertices[len(case.vertices) :]
    np.testing.assert_allclose(moved, drawer.vertices + np.array([0.1, 0, 0]), atol=1e-9)


TWO = MJCF.replace('<geom type="sphere"', '<joint type="slide"/><geom type="sphere"')
NONE = MJCF.replace(
    '<joint type="hinge" axis="1 0 0" pos="0 0 0" range="0 90" limited="true"/>', ""
)
EMPTY = MJCF.replace('<geom type="box" size="0.10 0.08 0.02"/>', "").replace(
    '<geom type="box" size="1 1 1" contype="0" conaffinity="0"/>', ""
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TWO, "has 2 joints"), (NONE, "has 0 joints"), (EMPTY, "no shape that stays"),
        ("<mujoco><worldbody>", "MuJoCo cannot read"), ("", "MuJoCo cannot read"),
    ],
)  # fmt: skip
def test_what_cannot_be_held_at_an_angle_is_refused(tmp_path, text, words):
    with pytest.raises(MeshError, match=words):
        read_description(written(tmp_path, "thing.xml", text))


def test_a_urdf_of_visual_shapes_only_is_made_of_them(tmp_path):
    (tmp_path / "parts & more").mkdir()
    trimesh.creation.box((0.1, 0.2, 0.05)).export(tmp_path / "parts & more" / "lid.stl")
    text = URDF.replace("collision>", "visual>").replace("inertial>", "ignored>")
    text = text.replace('<box size="0.18 0.28 0.06"/>', '<mesh filename="lid.stl"/>')
    thing = read_description(written(tmp_path / "parts & more", "chest.urdf", text))
    np.testing.assert_allclose(thing.parts[1].extents, (0.1, 0.2, 0.05), atol=1e-6)
    assert thing.joint.kind == "prismatic"


def test_what_mujoco_says_is_told_with_a_remedy(tmp_path):
    text = URDF.replace('<box size="0.18 0.28 0.06"/>', '<mesh filename="package://a/lid.stl"/>')
    with pytest.raises(MeshError, match=r"lid.stl'\): write paths that are relative to the file"):
        read_description(written(tmp_path, "chest.urdf", text))
