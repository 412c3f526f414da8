import json

import pytest
import torch

from bghop.errors import ResultError
from bghop.evaluation.metrics import GraspMetrics
from bghop.hands.joints import BONE_NAMES, JOINT_NAMES
from bghop.hands.model import HandParameters
from bghop.jobs.grasps_file import Grasps, grasps_to_json, read_grasps


def random_grasps(num=3, num_shape=4, present=None):
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator) * 0.1  # noqa: E731
    present = torch.ones(num, 2, dtype=torch.bool) if present is None else present
    T = torch.eye(4).repeat(num, 2, 1, 1)
    T[..., :3, :] += draw(num, 2, 3, 4)
    metrics = tuple(
        GraspMetrics(
            penetration_depth_mm=(0.1 * k, 1 / 3),
            intersection_volume_cm3=(0.0, 1e-3),
            contact_ratio=(0.1, 0.2),
            fingers_in_contact=(5, 4),
            limit_violation_deg=(0.0, 0.0),
            hand_hand_depth_mm=0.0,
            hand_hand_volume_cm3=0.0,
            time_s=0.5,
        )
        for k in range(num)
    )
    return Grasps(
        hands=HandParameters(
            present=present,
            T_object_hand=T,
            pose=draw(num, 2, 15, 3),
            shape=draw(num, 2, num_shape),
        ),
        joints_object=draw(num, 2, 21, 3),
        metrics=metrics,
        scores={"energy": draw(num), "pad_contact": draw(num)},
        header={
            "hand_model": {"name": "open", "shape_names": [f"s{k}" for k in range(num_shape)]},
            "seed": 3,
            "object": {"name": "mug"},
        },
    )


def written(tmp_path, grasps, **changes):
    content = grasps_to_json(grasps) | changes
    (tmp_path / "grasps.json").write_text(json.dumps(content, allow_nan=False))
    return content


def test_what_is_read_equals_what_was_written_bit_for_bit(tmp_path):
    grasps = random_grasps()
    written(tmp_path, grasps)
    read = read_grasps(tmp_path)
    for name in ("present", "T_object_hand", "pose", "shape"):
        assert torch.equal(getattr(read.hands, name), getattr(grasps.hands, name)), name
    assert torch.equal(read.joints_object, grasps.joints_object)
    assert read.metrics == grasps.metrics
    assert {k: v.tolist() for k, v in read.scores.items()} == {
        k: v.tolist() for k, v in grasps.scores.items()
    }
    assert read.header == grasps.header


@pytest.mark.parametrize("value", [1e-30, 3.4e38, 0.1, 1 / 3, -0.0, 16777217.0])
def test_extreme_numbers_come_back_too(tmp_path, value):
    grasps = random_grasps(num=1)
    grasps.hands.pose[0, 0, 0, 0] = value
    written(tmp_path, grasps)
    assert torch.equal(read_grasps(tmp_path).hands.pose, grasps.hands.pose)


def test_an_absent_hand_has_no_numbers_in_the_file(tmp_path):
    present = torch.tensor([[True, False], [True, True]])
    content = written(tmp_path, random_grasps(num=2, present=present))
    assert content["grasps"][0]["hands"]["right"] == {"present": False}
    read = read_grasps(tmp_path)
    assert read.hands.present.tolist() == present.tolist()
    assert torch.equal(read.hands.T_object_hand[0, 1], torch.eye(4))
    assert bool(read.joints_object[0, 1].isnan().all())


def test_the_file_says_what_its_numbers_mean(tmp_path):
    content = written(tmp_path, random_grasps(num=2))
    assert content["format"] == "bghop-grasps"
    assert content["format_version"] == 1
    assert content["units"]["length"] == "m"
    assert "p_object = T_object_hand @ p_hand" in content["frames"]["object"]
    assert content["joint_order"] == list(JOINT_NAMES)
    assert content["pose_order"] == list(BONE_NAMES[1:])
    first = content["grasps"][0]
    assert (first["rank"], first["glb"]) == (1, "grasp_000.glb")
    left = first["hands"]["left"]
    assert [len(left[name]) for name in ("T_object_hand", "pose", "joints_object")] == [4, 15, 21]
    assert len(str(left["pose"][0][0])) < 15  # shortest decimals, not seventeen digits


def test_a_folder_or_the_file_can_be_read(tmp_path):
    written(tmp_path, random_grasps())
    assert len(read_grasps(tmp_path / "grasps.json").metrics) == 3
    assert len(read_grasps(str(tmp_path)).metrics) == 3


def test_a_file_of_another_kind_or_version_is_refused(tmp_path):
    written(tmp_path, random_grasps(), format="something")
    with pytest.raises(ResultError, match="not a bghop-grasps or bghop-interactions file"):
        read_grasps(tmp_path)
    written(tmp_path, random_grasps(), format_version=2, bghop_version="9.0")
    with pytest.raises(ResultError, match=r"install the version 9\.0"):
        read_grasps(tmp_path)


@pytest.mark.parametrize("broken", ["no_pose", "short_pose", "words", "no_metrics", "no_hands"])
def test_a_damaged_file_is_one_line_with_the_remedy(tmp_path, broken):
    content = grasps_to_json(random_grasps())
    entry = content["grasps"][1]
    if broken == "no_pose":
        del entry["hands"]["left"]["pose"]
    elif broken == "short_pose":
        entry["hands"]["left"]["pose"].pop()
    elif broken == "words":
        entry["hands"]["left"]["shape"] = ["a"] * 4
    elif broken == "no_metrics":
        entry["metrics"] = None
    else:
        content["grasps"] = 5
    (tmp_path / "grasps.json").write_text(json.dumps(content))
    with pytest.raises(ResultError, match="run its command again") as caught:
        read_grasps(tmp_path)
    assert "\n" not in str(caught.value)
