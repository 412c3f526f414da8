"""OakInk2: the program says which objects and words; annotations are tensors that run nothing."""

import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from bghop.data.oakink2 import OAKINK2, find_sequences, read_clips, read_object
from bghop.errors import DataError
from foreign_like import NUM
from oakink2_like import FIRST, KEY, LOST, OTHER, SEQUENCE, annotation, write_oakink2


@pytest.fixture
def root(tmp_path):
    return write_oakink2(tmp_path / "oakink2")


def clips_of(root, flat_mano):
    (sequence,) = find_sequences(root)
    return {clip.object: clip for clip in OAKINK2.read(sequence, flat_mano, "train")}


def test_objects_are_those_of_the_program_that_have_a_model(root):
    (sequence,) = find_sequences(root)
    assert sequence.key == SEQUENCE.replace("++", "/", 1)
    assert sequence.objects == (KEY, OTHER)
    assert LOST not in sequence.objects


def test_repaired_models_come_before_raw_ones(root):
    np.testing.assert_allclose(read_object(root, KEY).extents, (0.10, 0.12, 0.08), atol=1e-6)
    assert read_object(root, OTHER).volume > 0
    with pytest.raises(DataError, match=f"no object_repair/align_ds/{LOST}: download the objects"):
        read_object(root, LOST)


def test_frames_are_those_of_the_mocap(root, flat_mano):
    assert clips_of(root, flat_mano)[KEY].frame.tolist() == list(range(FIRST, FIRST + NUM))


def test_a_stride_is_taken_before_tensors_are_read(root, flat_mano):
    content = annotation()
    content["raw_mano"][FIRST + 1]["lh__tsl"] = torch.zeros(3, dtype=torch.complex64)  # not read
    (root / "anno_preview" / f"{SEQUENCE}.pkl").write_bytes(pickle.dumps(content))
    (sequence,) = find_sequences(root)
    clip = read_clips(replace(sequence, stride=2), flat_mano, "train")[0]
    assert clip.frame.tolist() == list(range(FIRST, FIRST + NUM, 2))
    assert clip.num_skipped == NUM - len(clip)


def test_words_belong_to_their_own_object_and_frames(root, flat_mano):
    clips = clips_of(root, flat_mano)
    assert set(clips[KEY].text) == {"use the bottle: pour water"}
    assert clips[OTHER].text == ("bottle cap",) * (NUM - 1) + ("use the bottle cap: put it down",)


def test_objects_that_the_mocap_did_not_follow_give_no_clip(root, flat_mano):
    content = annotation()
    del content["obj_transf"][OTHER]
    (root / "anno_preview" / f"{SEQUENCE}.pkl").write_bytes(pickle.dumps(content))
    assert list(clips_of(root, flat_mano)) == [KEY]


def test_what_the_body_does_is_not_read(root, flat_mano):
    content = annotation()
    content["raw_smplx"] = {FIRST: torch.zeros(3, dtype=torch.complex64)}  # a kind not known
    (root / "anno_preview" / f"{SEQUENCE}.pkl").write_bytes(pickle.dumps(content))
    assert len(clips_of(root, flat_mano)) == 2


def changed(change):
    """A change of the annotation."""

    def damaged(root):
        content = annotation()
        change(content)
        (root / "anno_preview" / f"{SEQUENCE}.pkl").write_bytes(pickle.dumps(content))

    return damaged


def hand(frame, **values):
    """A change of one frame's hands."""
    return changed(lambda c: c["raw_mano"][frame].update(values))


def _half(root):
    path = root / "anno_preview" / f"{SEQUENCE}.pkl"
    path.write_bytes(path.read_bytes()[:-500])


def _program(root):
    path = root / "program" / "desc_info" / f"{SEQUENCE}.json"
    path.write_text(json.dumps({"__import__('os').getcwd()": {"seg_desc": "hostile"}}))


def _no_objects(root):
    path = root / "program" / "program_info" / f"{SEQUENCE}.json"
    path.write_text(json.dumps({"((0, 1), None)": {"primitive": "pour"}}))


DAMAGES = {
    "no frame": (changed(lambda c: c["raw_mano"].pop(6)), "frame 6 lacks 'lh__pose_coeffs'"),
    "no pose": (changed(lambda c: c["obj_transf"][KEY].pop(7)), f"frame 7 lacks '{KEY}'"),
    "no hands": (changed(lambda c: c.pop("raw_mano")), "lacks one of .*raw_mano"),
    "frames": (changed(lambda c: c.update(mocap_frame_id_list=["a"])), "no numbers of frames"),
    "shape": (hand(5, rh__betas=torch.zeros(1, 9)), "'rh__betas' differs in size"),
    "nan": (hand(5, lh__tsl=torch.full((1, 3), torch.nan)), "'lh__tsl' of frame 1 are NaN"),
    "zeros": (hand(5, lh__pose_coeffs=torch.zeros(1, 16, 4)), "a quaternion is wrong"),
    "half": (_half, "is damaged"),
    "program": (_program, "desc_info.* is no table of intervals"),
    "objects": (_no_objects, "a step has no 'obj_list'"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_are_named_with_the_remedy(root, flat_mano, name):
    change, words = DAMAGES[name]
    change(root)
    with pytest.raises(DataError, match=words) as caught:
        clips_of(root, flat_mano)
    assert SEQUENCE in str(caught.value)
    assert "download it again" in str(caught.value) or "leave the file out" in str(caught.value)
    assert "\n" not in str(caught.value)


class Hostile:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("where", ["raw_mano", "raw_smplx"])
def test_a_hostile_file_runs_nothing(root, flat_mano, tmp_path, where):
    marker = tmp_path / "ran"
    changed(lambda c: c[where].update({FIRST: Hostile(marker)}))(root)
    with pytest.raises(DataError, match=r"names \w+.mkdir, which no data need"):
        clips_of(root, flat_mano)
    assert not marker.exists()
