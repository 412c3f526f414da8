"""`bghop grasp --parts ... --joint ... --at ...` and URDF files: the object at its joint value."""

import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from bghop.errors import OptionError
from bghop.jobs.grasp import run_grasp_job
from bghop.jobs.grasp_inputs import find_objects, load_object
from bghop.jobs.grasp_options import GraspJob, check_options
from bghop.jobs.joint_option import parse_at, parse_joint

pytestmark = pytest.mark.usefixtures("no_window")

URDF = """<robot name="chest">
  <link name="a"><collision><geometry><box size="0.2 0.3 0.1"/></geometry></collision></link>
  <link name="b"><inertial><mass value="1"/>
    <inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><geometry><box size="0.2 0.2 0.05"/></geometry></collision></link>
  <joint name="s" type="prismatic"><parent link="a"/><child link="b"/><axis xyz="1 0 0"/>
    <limit lower="0" upper="1" effort="1" velocity="1"/></joint>
</robot>"""


@pytest.fixture
def parts(tmp_path):
    """A base of two files and a lid, millimetres; the hinge is the edge y = 80, z = 40."""
    names = []
    for name, size, middle in (
        ("base", (200, 160, 40), (0, 0, 20)), ("foot", (20, 20, 10), (0, 0, -5)),
        ("lid", (200, 160, 10), (0, 0, 45)),
    ):  # fmt: skip
        box = trimesh.creation.box(size)
        box.apply_translation(middle)
        path = tmp_path / f"{name}.stl"
        box.export(path)
        names.append(str(path))
    return f"{names[0]},{names[1]}", names[2]


def job_of(parts, out, **changes):
    options = {"joint": "revolute:1,0,0@0,80,40", "at": "-90deg", "unit": "mm", "num": 1}
    return GraspJob(meshes=(), parts=parts, out=out, **(options | changes))


def size_of(out):
    return json.loads((out / "grasps.json").read_text())["object"]["size_m"]


def test_parts_are_held_at_the_joint_value_that_is_asked_for(parts, tmp_path, fake_synthesizer):
    run_grasp_job(job_of(parts, tmp_path / "open"), synthesizer=fake_synthesizer)
    # The lid stands: 10 mm thick behind the edge, 160 mm high.
    np.testing.assert_allclose(size_of(tmp_path / "open"), [0.2, 0.17, 0.21], atol=1e-6)
    run_grasp_job(job_of(parts, tmp_path / "shut", at=""), synthesizer=fake_synthesizer)
    np.testing.assert_allclose(size_of(tmp_path / "shut"), [0.2, 0.16, 0.06], atol=1e-6)


def test_the_joint_value_is_part_of_the_job(parts, tmp_path, fake_synthesizer):
    job = job_of(parts, tmp_path / "out")
    run_grasp_job(job, synthesizer=fake_synthesizer)
    assert run_grasp_job(job, synthesizer=fake_synthesizer)[0].state == "kept"
    with pytest.raises(Exception, match="--overwrite"):
        run_grasp_job(job_of(parts, tmp_path / "out", at="0.1"), synthesizer=fake_synthesizer)


def test_a_urdf_is_held_at_its_joint_value(tmp_path, fake_synthesizer):
    path = tmp_path / "chest.urdf"
    path.write_text(URDF)
    job = GraspJob(meshes=(str(path),), out=tmp_path / "out", at="0.1", num=1, scale=0.5)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    np.testing.assert_allclose(size_of(tmp_path / "out"), [0.15, 0.15, 0.05], atol=1e-6)


def test_a_value_outside_the_limits_of_a_urdf_is_refused(tmp_path, fake_synthesizer):
    path = tmp_path / "chest.urdf"
    path.write_text(URDF)
    job = GraspJob(meshes=(str(path),), out=tmp_path / "out", at="1.5", num=1)
    with pytest.raises(OptionError, match=r"--at 1.5 is outside the limits .*: use 0 to 1 "):
        run_grasp_job(job, synthesizer=fake_synthesizer)
    with pytest.raises(OptionError, match="--at 40deg is an angle, and the joint slides"):
        run_grasp_job(replace(job, at="40deg"), synthesizer=fake_synthesizer)


def test_parts_with_frames_of_their_own_are_noticed_at_the_hinge(parts, tmp_path):
    job = job_of(parts, tmp_path)
    assert [each.kind for each in load_object(job, find_objects(job)[0]).warnings] == ["pieces"]
    far = replace(job, joint="revolute:1,0,0@0,300,40")
    words = [each.message for each in load_object(far, find_objects(far)[0]).warnings]
    assert "the joint's axis passes 22 cm from what stays: are all parts in one frame" in words[1]


def test_a_joint_value_for_a_plain_mesh_is_refused(tmp_path, box_files, fake_synthesizer):
    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", at="0.1", num=1)
    with pytest.raises(OptionError, match="has none: leave it out, or give --parts"):
        run_grasp_job(job, synthesizer=fake_synthesizer)
    assert not (tmp_path / "out").exists()


def test_words_of_joints_and_values():
    joint = parse_joint("prismatic:0,1,0")
    assert (joint.kind, joint.axis, joint.origin) == ("prismatic", (0, 1, 0), (0, 0, 0))
    assert parse_joint("revolute:0,0,2@1,2.5,-3").origin == (1, 2.5, -3)
    assert parse_at("90deg") == pytest.approx(np.pi / 2)
    assert parse_at("-0.25") == -0.25


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"joint": ""}, "belong together"), ({"joint": "hinge:0,0,1"}, "is no joint"),
        ({"joint": "revolute:0,0,0"}, "no direction"), ({"joint": "revolute:0,1"}, "three numbers"),
        ({"at": "wide"}, "no joint value"), ({"parts": ("a.stl",)}, "has 1 lists"),
        ({"meshes": ("a.stl",)}, "leave out the meshes"), ({"at": "70"}, "write 70deg"),
        ({"joint": "prismatic:0,0,1", "at": "4deg"}, "is an angle, and the joint slides"),
    ],
)  # fmt: skip
def test_what_is_no_joint_is_refused_before_any_file_is_read(changes, words, tmp_path):
    options = {"meshes": (), "parts": ("a.stl", "b.stl"), "joint": "revolute:0,0,1"}
    with pytest.raises(OptionError, match=words):
        check_options(GraspJob(out=tmp_path, **(options | changes)))
