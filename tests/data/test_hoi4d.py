"""HOI4D's objects of two parts: the joint says which annotation is which part, and how far open."""

import json
import pickle
import re

import numpy as np
import pytest
import torch

from bghop.data.hoi4d import HOI4D, find_sequences, read_object
from bghop.data.hoi4d_parts import joint_value
from bghop.errors import DataError
from bghop.geometry.joint import Joint
from foreign_like import NUM, poses, truth
from hoi4d_like import ANGLES, LAPTOP, MUG, PARTS, screen_motion, write_hoi4d

CAD = "HOI4D_CAD_Model_for_release/articulated/Laptop/007"


@pytest.fixture
def root(tmp_path):
    return write_hoi4d(tmp_path)


def clips_of(root, flat_mano, key):
    found = {each.key: each for each in find_sequences(root)}
    return HOI4D.read(found[key], flat_mano, "train")


def test_sequences_have_the_object_that_their_folders_say(root):
    assert {each.key: each.objects for each in find_sequences(root)} == {
        MUG: ("Mug/001",),
        LAPTOP: ("Laptop/007",),
    }


def test_base_and_screen_are_where_both_annotations_put_them(root, flat_mano):
    (clip,) = clips_of(root, flat_mano, LAPTOP)
    T = torch.from_numpy(poses(*truth()[1:]))
    torch.testing.assert_close(
        clip.T_world_object, T, rtol=0, atol=1e-5
    )  # OBJ files have six decimals
    np.testing.assert_allclose(clip.joint_value, ANGLES, atol=1e-5)
    assert set(clip.text) == {"laptop"}
    assert clip.hands_world.present.tolist() == [[False, True]] * NUM


def test_the_screen_turns_about_the_annotated_axis(root):
    thing = read_object(root, "Laptop/007")
    base, screen = (PARTS[name][0] for name in ("new-1", "new-0"))
    motion = screen_motion(0.7)
    np.testing.assert_allclose(thing.parts[0].bounds, [base.min(0), base.max(0)], atol=1e-9)
    turned = thing.parts[1].transformed(thing.joint.T_object_part(torch.tensor(0.7)).numpy())
    expected = screen @ motion[:3, :3].T + motion[:3, 3]
    np.testing.assert_allclose(turned.bounds, [expected.min(0), expected.max(0)], atol=1e-6)


def test_frames_that_name_one_part_are_left_out(root, flat_mano):
    (clip,) = clips_of(root, flat_mano, LAPTOP)
    assert clip.frame.tolist() == list(range(NUM))  # of one more


def test_frames_that_the_joint_does_not_explain_are_left_out(root, flat_mano):
    path = root / "HOI4D_annotations" / LAPTOP / "objpose" / "00003.json"
    content = json.loads(path.read_text())
    for part in content["dataList"]:
        if part["label"] == "Laptopdisplay":
            part["center"]["x"] += 0.2
            part["center"]["y"] -= 0.2
    path.write_text(json.dumps(content))
    (clip,) = clips_of(root, flat_mano, LAPTOP)
    assert clip.frame.tolist() == [0, 1, 2, 4, 5]


def test_parts_that_fit_either_way_are_left_out(root, flat_mano):
    for path in (root / "HOI4D_annotations" / LAPTOP / "objpose").glob("*.json"):
        content = json.loads(path.read_text())
        content["dataList"] = [{**content["dataList"][0], "label": word} for word in "ab"]
        path.write_text(json.dumps(content))
    assert clips_of(root, flat_mano, LAPTOP) == []


def test_objects_with_more_parts_are_left_out(root):
    path = root / CAD / "mobility_v2.json"
    parts = json.loads(path.read_text())
    path.write_text(json.dumps([*parts, {**parts[0], "id": 2}]))
    assert [each.key for each in find_sequences(root)] == [MUG]


def test_the_value_of_a_drawer_is_how_far_it_slid():
    joint = Joint(kind="prismatic", axis=(0.0, 3.0, 4.0), limits=(0.0, 1.0))
    value = torch.tensor([0.0, 0.25, -0.1], dtype=torch.float64)
    points = torch.rand(3, 7, 3, dtype=torch.float64)
    found = joint_value(joint, joint.T_object_part(value), points)
    torch.testing.assert_close(found, value, rtol=0, atol=1e-9)


def _change_json(name, change):
    def damaged(root):
        path = root / name
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damaged


def _change_hand(change):
    def damaged(root):
        path = root / "handpose" / "refinehandpose_right" / LAPTOP / "3.pickle"
        content = pickle.loads(path.read_bytes())  # noqa: S301
        change(content)
        path.write_bytes(pickle.dumps(content, protocol=2))

    return damaged


def _cut_hand(root):
    path = root / "handpose" / "refinehandpose_right" / LAPTOP / "3.pickle"
    path.write_bytes(path.read_bytes()[:-60])


def _other_mesh(root):
    path = root / CAD / "objs" / "new-0-align.obj"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "v 1 1 1", *lines[2:]]))


POSE = f"HOI4D_annotations/{LAPTOP}/objpose/00001.json"
DAMAGES = {
    "no rotation": (
        _change_json(POSE, lambda c: c["dataList"][0].pop("rotation")), r"00001.json .*'rotation'",
    ),
    "nan": (
        _change_json(POSE, lambda c: c["dataList"][0]["center"].update(x=float("nan"))),
        r"00001.json: a pose is NaN or infinite: leave the file out",
    ),
    "no trans": (_change_hand(lambda c: c.pop("trans")), r"3.pickle lacks .*'trans'"),
    "shape": (_change_hand(lambda c: c.update(beta=np.zeros(9))), r"3.pickle .*size 9"),
    "nan hand": (
        _change_hand(lambda c: c["trans"].fill(np.nan)), r"'trans' of frame 3 are NaN",
    ),
    "half": (_cut_hand, r"3.pickle is damaged"),
    "mesh": (_other_mesh, r"new-0-align.obj is not new-0.obj moved: download the CAD"),
    "axis": (
        _change_json(f"{CAD}/mobility_v2.json", lambda c: c[0]["jointData"].pop("axis")),
        r"mobility_v2.json has a wrong 'axis': download the CAD",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_are_named_with_the_remedy(root, flat_mano, name):
    change, words = DAMAGES[name]
    change(root)
    with pytest.raises(DataError, match=words) as caught:
        clips_of(root, flat_mano, LAPTOP)
    assert "download" in str(caught.value) or "leave the file out" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_model_is_named_and_other_objects_are_found(root):
    (root / CAD / "result.json").unlink()
    broken = {each.key: each.broken for each in find_sequences(root)}
    assert re.search(r"cannot read .*result.json .*: check", broken[LAPTOP])
    assert broken[MUG] == ""
