"""GigaHands: rows of hands meet frames of objects; only tracks that people call good are read."""

import json

import numpy as np
import pytest
import torch

from bghop.data.gigahands import find_sequences, read_clips, read_object
from bghop.errors import DataError
from foreign_like import NUM, poses, truth
from gigahands_like import FRAMES, KEY, NUMBER, ONLY, SESSION, write_gigahands

PARAMS = f"hand_poses/{SESSION}/params/{NUMBER:03d}.json"
CHOSEN = f"hand_poses/{SESSION}/keypoints_3d/{NUMBER:03d}/chosen_frames_left.json"
POSE = f"object_poses/0_tea/teapot_with_lid/{SESSION}_{NUMBER:04d}/pose/optimized_pose.json"


@pytest.fixture
def root(tmp_path):
    return write_gigahands(tmp_path)


def clip_of(root, flat_mano):
    (sequence,) = find_sequences(root)
    (clip,) = read_clips(sequence, flat_mano, "train")
    return clip


def test_tracks_that_failed_are_left_out(root):
    (sequence,) = find_sequences(root)  # the cup's track is there, too
    assert sequence.objects == (KEY,)
    table = root / "object_meta" / "scene_wise" / "0_tea.csv"
    table.write_text(table.read_text().replace("T,T", "T,F"))
    with pytest.raises(DataError, match=r"that object_meta/\*.csv calls a success"):
        find_sequences(root)


def test_frames_are_those_with_an_object_and_a_hand(root, flat_mano):
    assert clip_of(root, flat_mano).frame.tolist() == list(FRAMES)


def test_a_hand_is_absent_in_frames_that_were_not_chosen_for_it(root, flat_mano):
    (root / CHOSEN).write_text(json.dumps([*ONLY["left"], *FRAMES[1:]]))
    clip = clip_of(root, flat_mano)  # the row of the first frame is there: the right hand has it
    assert clip.hands_world.present.tolist() == [[False, True], *[[True, True]] * (NUM - 1)]
    whole = clip_of(write_gigahands(root / "whole"), flat_mano)
    torch.testing.assert_close(
        clip.hands_world.T_object_hand, whole.hands_world.T_object_hand, rtol=0, atol=0
    )


def test_rotation_vectors_are_not_transposed(tmp_path, flat_mano):
    clip = clip_of(write_gigahands(tmp_path, quaternion=False), flat_mano)
    T = torch.from_numpy(poses(*truth()[1:]))
    torch.testing.assert_close(clip.T_world_object, T, rtol=0, atol=1e-6)


def test_words_belong_to_rows_of_the_hands(root, flat_mano):
    rows = sorted({*FRAMES, *ONLY["left"], *ONLY["right"]})
    last = rows.index(FRAMES[2])
    told = {
        "scene": SESSION, "sequence": [f"{NUMBER:03d}"], "clarify_annotation": "Open the lid.",
        "start_frame_id": 0, "end_frame_id": last,
    }  # fmt: skip
    (root / "annotations_v2.jsonl").write_text(json.dumps(told))
    plain = "teapot with lid"
    assert clip_of(root, flat_mano).text == ("use the teapot with lid: Open the lid",) * 3 + (
        plain,
    ) * (NUM - 3)


def test_meshes_are_found_beside_or_in_the_folder_of_scans(root):
    before = read_object(root, KEY)
    scan = root / "scans_publish" / KEY
    place = (
        root
        / "object_meta"
        / KEY.replace("with-lid/", "with_lid/").replace("teapot-", "teapot_", 1)
    )
    place.parent.mkdir(parents=True)
    scan.rename(place)
    np.testing.assert_array_equal(read_object(root, KEY).vertices, before.vertices)
    place.unlink()
    with pytest.raises(DataError, match=r"has no object_meta/0_tea.*: download the meshes"):
        read_object(root, KEY)


def changed(name, change):
    def damaged(root):
        content = json.loads((root / name).read_text())
        change(content)
        (root / name).write_text(json.dumps(content))

    return damaged


def _half(root):
    (root / PARAMS).write_text((root / PARAMS).read_text()[:-30])


def _unlink(root):
    (root / CHOSEN).unlink()


def _words(root):
    (root / "annotations_v2.jsonl").write_text('{"scene": "p036-tea"}')


def _no_rows(root):
    path = root / "object_meta" / "scene_wise" / "0_tea.csv"
    path.write_text("name,sequence\n")


DAMAGES = {
    "no left": (changed(PARAMS, lambda c: c.pop("left")), r"010.json has no 'left'"),
    "rows": (changed(PARAMS, lambda c: c["right"]["Th"].pop()), r"'right.Th' have shape \(8, 3\)"),
    "ragged": (
        changed(PARAMS, lambda c: c["right"]["Rh"][0].pop()), "'right.Rh' are no table of numbers",
    ),
    "pca": (
        changed(PARAMS, lambda c: c["left"].update(poses=np.zeros((9, 15)).tolist())),
        r"'left.poses' have shape \(9, 15\), not \(9, 48\)",
    ),
    "nan": (
        changed(PARAMS, lambda c: c["left"]["Rh"][2].__setitem__(0, float("nan"))),
        "'left.Rh' of frame 2 are NaN",
    ),
    "half": (_half, "010.json is damaged"),
    "missing": (_unlink, r"cannot read .*chosen_frames_left.json .*: check"),
    "frames": (changed(CHOSEN, lambda c: c.append("x")), "chosen_frames_left.json is no list"),
    "turn": (
        changed(POSE, lambda c: c["000006"].update(mesh_rotation=[0, 0, 0, 0])),
        "optimized_pose.json: frame 000006 has a wrong",
    ),
    "place": (
        changed(POSE, lambda c: c["000006"].pop("mesh_translation")),
        "optimized_pose.json: frame 000006 has a wrong 'mesh_translation'",
    ),
    "nan place": (
        changed(POSE, lambda c: c["000006"].update(mesh_translation=[0, 0, float("nan")])),
        "frame 000006 is NaN or infinite: leave the file out",
    ),
    "words": (_words, "annotations_v2.jsonl, line 1 has a wrong 'sequence'"),
    "table": (_no_rows, "0_tea.csv has no columns scene and sequence"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_are_named_with_the_remedy(root, flat_mano, name):
    change, words = DAMAGES[name]
    change(root)
    with pytest.raises(DataError, match=words) as caught:
        clip_of(root, flat_mano)
    remedies = ("download it again", "leave the file out", "check the data set's folder")
    assert any(remedy in str(caught.value) for remedy in remedies)
    assert "\n" not in str(caught.value)
