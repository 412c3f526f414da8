"""Data sets other than ARCTIC: known poses come back to 1e-5 m by their own equations."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from arctic_like import MANO, write_mano_files
from bghop.data.adapters import ADAPTERS, adapter_named
from bghop.data.mano_numbers import ManoHands
from bghop.errors import DataError, OptionError
from bghop.hands.model import HandParameters
from bghop.prior.text.nouns import load_noun_table
from bghop.prior.text.phrases import find_phrase
from fabricated_mano import forward
from foreign_like import (
    NUM,
    cut_pose,
    poses,
    truth,
    write_contactpose,
    write_dexycb,
    write_grab,
    write_h2o,
    write_h2o3d,
    write_ho3d,
    write_hot3d,
    write_taco,
)
from gigahands_like import KEY as TEAPOT
from gigahands_like import write_gigahands
from hoi4d_like import write_hoi4d
from oakink2_like import KEY as BOTTLE
from oakink2_like import write_oakink2

WRITERS = {
    "taco": write_taco, "dexycb": write_dexycb, "ho3d": write_ho3d, "h2o3d": write_h2o3d,
    "grab": write_grab, "h2o": write_h2o, "hot3d": write_hot3d, "contactpose": write_contactpose,
    "oakink2": write_oakink2, "hoi4d": write_hoi4d, "gigahands": write_gigahands,
}  # fmt: skip
ONE_HAND = ("dexycb", "ho3d", "hoi4d")
PCA = ("hot3d", "contactpose")
OBJECTS = {
    "taco": ("009", "use the brush: brush plate"), "dexycb": ("004_sugar_box", "sugar box"),
    "ho3d": ("003_cracker_box", "cracker box"), "h2o3d": ("003_cracker_box", "cracker box"),
    "grab": ("mug", "drink mug"), "h2o": ("lotion", "lotion bottle"),
    "hot3d": ("194930206998778", "mug white"), "contactpose": ("mug", "use mug"),
    "oakink2": (BOTTLE, "use the bottle: pour water"), "hoi4d": ("Mug/001", "mug"),
    "gigahands": (TEAPOT, "use the teapot with lid: Pour tea"),
}  # fmt: skip


@pytest.fixture(scope="module")
def mano_folder(tmp_path_factory):
    return write_mano_files(tmp_path_factory.mktemp("mano"))


def opened(name, folder):
    adapter = adapter_named(name)
    return adapter, ManoHands.of(
        folder, flat_hand_mean=adapter.flat_hand_mean,
        fix_left_shapedirs=adapter.fix_left_shapedirs,
    )  # fmt: skip


def first_clips(name, root, mano_folder):
    adapter, mano = opened(name, mano_folder)
    every = [clip for each in adapter.find(root) for clip in adapter.read(each, mano, "train")]
    key = OBJECTS[name][0]
    own = [clip for clip in every if clip.object == key]
    return adapter, mano, own[0] if name != "contactpose" else joined(own)


def joined(clips):
    """Clips of one frame as one."""
    worlds = [clip.hands_world for clip in clips]
    return replace(
        clips[0],
        frame=torch.arange(len(clips)),
        text=sum((clip.text for clip in clips), ()),
        T_world_object=torch.cat([clip.T_world_object for clip in clips]),
        joint_value=torch.cat([clip.joint_value for clip in clips]),
        hands_world=HandParameters(
            **{
                name: torch.cat([getattr(world, name) for world in worlds])
                for name in ("present", "T_object_hand", "pose", "shape")
            }
        ),
    )


@pytest.mark.parametrize("name", WRITERS)
def test_hands_and_object_are_where_the_equations_put_them(name, tmp_path, mano_folder):
    adapter, mano, clip = first_clips(name, WRITERS[name](tmp_path / name), mano_folder)
    hands, turn, place = truth()
    if name != "contactpose":  # its world is the object
        T = torch.from_numpy(poses(turn, place))
        torch.testing.assert_close(clip.T_world_object, T, rtol=0, atol=1e-6)
    records = clip.records(mano.model)
    skin = mano.model.pose_hands(records.hands).vertices_object
    expected = (name not in ONE_HAND, True)
    for k in range(NUM):
        for side, word in enumerate(("left", "right")):
            here = bool(records.hands.present[k, side])
            assert here == (expected[side] and not (name == "dexycb" and k == 2))
            if not here:
                continue
            own = hands[word]
            mean = 0 if adapter.flat_hand_mean else MANO[word]["hands_mean"]
            pose = cut_pose(own, word)[k] if name in PCA else own["pose"][k]
            arrays = dict(MANO[word])
            if adapter.fix_left_shapedirs and word == "left":
                arrays["shapedirs"] = arrays["shapedirs"] * np.array([-1.0, 1, 1])[:, None]
            world, _ = forward(
                arrays, pose=pose + mean, shape=own["shape"], orient=own["orient"][k],
                transl=own["transl"][k],
            )  # fmt: skip
            seen = (world - place[k]) @ turn[k].as_matrix()
            assert np.abs(skin[k, side].numpy() - seen).max() < 1e-5
    assert set(clip.text) == {OBJECTS[name][1]}


def test_a_prior_reads_the_objects_name_out_of_every_text():
    names = load_noun_table().names
    read = {
        name: phrase.text if (phrase := find_phrase(text, names)) and phrase.known else None
        for name, (_, text) in OBJECTS.items()
    }
    assert read == {
        "taco": "brush", "dexycb": "sugar box", "ho3d": "cracker box", "h2o3d": "cracker box",
        "grab": "mug", "h2o": "lotion bottle", "hot3d": "mug", "contactpose": "mug",
        "oakink2": "bottle", "hoi4d": "mug", "gigahands": "teapot with lid",
    }  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_objects_are_metres(name, tmp_path):
    root = WRITERS[name](tmp_path / name)
    thing = adapter_named(name).thing(root, OBJECTS[name][0])
    np.testing.assert_allclose(thing.extents, (0.10, 0.12, 0.08), atol=1e-6)


@pytest.mark.parametrize("name", WRITERS)
def test_every_sequence_has_a_split_where_there_are_official_ones(name, tmp_path):
    root, adapter = WRITERS[name](tmp_path / name), adapter_named(name)
    for protocol in adapter.protocols:
        split = adapter.splits(root, protocol)
        assert set(split) == {each.key for each in adapter.find(root)}
        assert set(split.values()) <= {"train", "val", "test"}


@pytest.mark.parametrize("name", ADAPTERS)
def test_another_folder_is_refused_with_the_one_that_is_wanted(name, tmp_path):
    with pytest.raises(DataError, match="name the folder that holds"):
        adapter_named(name).find(tmp_path)


def test_frames_whose_hand_is_withheld_are_left_out(tmp_path, mano_folder):
    adapter, mano = opened("ho3d", mano_folder)
    found = {each.key: each for each in adapter.find(write_ho3d(tmp_path))}
    assert adapter.clips(found["evaluation/SM1"], mano, "test") == []


def test_a_first_frame_without_annotation_does_not_name_the_object(tmp_path, mano_folder):
    root = write_ho3d(tmp_path)
    path = root / "train" / "MC1" / "meta" / "0000.pkl"
    content = dict.fromkeys(pickle.loads(path.read_bytes()))  # noqa: S301
    path.write_bytes(pickle.dumps(content, protocol=2))
    _, _, clip = first_clips("ho3d", root, mano_folder)
    assert clip.frame.tolist() == list(range(1, NUM))


def test_a_subjects_split_is_its_own_number_even_if_others_are_not_there(tmp_path):
    root = write_dexycb(tmp_path)
    (root / "20200709-subject-01").rename(root / "20201002-subject-08")
    assert set(adapter_named("dexycb").splits(root, "s1").values()) == {"test"}


@pytest.mark.parametrize("kind", [int, str])
def test_frames_are_in_the_order_of_their_numbers(kind, tmp_path, mano_folder):
    root = write_taco(tmp_path)
    _, _, before = first_clips("taco", root, mano_folder)
    for path in root.glob("Hand_Poses/*/*/*_hand.pkl"):
        content = pickle.loads(path.read_bytes())  # noqa: S301
        moved = {kind(7 + int(key)): row for key, row in content.items()}  # 8 to 13
        path.write_bytes(pickle.dumps(moved))
    _, _, after = first_clips("taco", root, mano_folder)
    assert torch.equal(before.hands_world.T_object_hand, after.hands_world.T_object_hand)


def test_frames_and_times_of_headsets_are_those_of_the_sequence(tmp_path, mano_folder):
    _, _, clip = first_clips("hot3d", write_hot3d(tmp_path), mano_folder)
    assert clip.frame.tolist() == list(range(3, 3 + NUM))  # three failed before
    nanoseconds = [100.0 + k for k in range(NUM)]
    torch.testing.assert_close(clip.time, 1e-9 * torch.tensor(nanoseconds).double())


def test_any_participants_mesh_will_do(tmp_path, mano_folder):
    root = write_contactpose(tmp_path)
    for path in sorted(root.glob("contactpose_data/*/mug/mug.ply"))[:-1]:
        path.unlink()
    _, _, clip = first_clips("contactpose", root, mano_folder)
    assert len(clip) == NUM
    assert adapter_named("contactpose").thing(root, "mug").volume > 0


def test_times_that_failed_the_inspection_are_left_out(tmp_path, mano_folder):
    root = write_hot3d(tmp_path)
    _, _, clip = first_clips("hot3d", root, mano_folder)
    assert len(clip) == NUM  # of nine that have hands and the object
    path = next(root.glob("*/masks/mask_qa_pass.csv"))
    path.write_text(path.read_text().replace("1003,214-1,True", "1003,214-1,False"))
    _, _, clip = first_clips("hot3d", root, mano_folder)
    assert len(clip) == NUM - 1


def _taco_frames(root):
    path = next(root.glob("Hand_Poses/*/*/left_hand.pkl"))
    content = pickle.loads(path.read_bytes())  # noqa: S301
    content.pop("00003")
    path.write_bytes(pickle.dumps(content))


def _dexycb_frame(root):
    next(root.glob("*/*/*/labels_000002.npz")).unlink()


def _dexycb_betas(root):
    path = next(root.glob("calibration/*/mano.yml"))
    path.write_text("betas:\n- 0.1\n- 0.2\n")


def _ho3d_half(root):
    path = root / "train" / "MC1" / "meta" / "0003.pkl"
    path.write_bytes(path.read_bytes()[:-40])


def _ho3d_lacks(root):
    path = root / "train" / "MC1" / "meta" / "0003.pkl"
    content = pickle.loads(path.read_bytes())  # noqa: S301
    del content["handTrans"]
    path.write_bytes(pickle.dumps(content, protocol=2))


def _grab_nan(root):
    path = root / "grab" / "s1" / "mug_drink_1.npz"
    content = dict(np.load(path, allow_pickle=True))
    hand = content["rhand"].item()
    hand["params"]["transl"][4] = np.nan
    np.savez(path, **{**content, "rhand": hand})


def _grab_no_subject(root):
    next(root.glob("tools/subject_meshes/*/*_rhand.ply")).unlink()


def _grab_half_subject(root):
    path = next(root.glob("tools/subject_meshes/*/*_rhand.ply"))
    path.write_bytes(path.read_bytes()[:-40])


def _hot3d_change(before, after):
    def damaged(root):
        path = next(root.glob("*/dynamic_objects.csv"))
        path.write_text(path.read_text().replace(before, after))

    return damaged


def _hot3d_empty(root):
    next(root.glob("*/mano_hand_pose_trajectory.jsonl")).write_text("")


def _contactpose(change):
    def damaged(root):
        path = next(root.glob("contactpose_data/full1_use/mug/mano_fits_15.json"))
        content = json.loads(path.read_text())
        path.write_text(json.dumps(change(content) or content))

    return damaged


def _h2o(name, change):
    def damaged(root):
        path = next(root.glob(f"subject*/*/*/cam4/{name}/000003.txt"))
        path.write_text(change(path.read_text()))

    return damaged


def _hot3d_no_mask(root):
    next(root.glob("*/masks/mask_qa_pass.csv")).unlink()


def _hot3d_other_mask(root):
    path = next(root.glob("*/masks/mask_qa_pass.csv"))
    path.write_text(path.read_text().replace("True", "yes"))


DAMAGES = {
    "hot3d no mask": ("hot3d", _hot3d_no_mask, r"cannot read .*mask_qa_pass.csv .*: check"),
    "hot3d other mask": ("hot3d", _hot3d_other_mask, r"mask_qa_pass.csv: a row has a wrong 'yes'"),
    "hot3d time": ("hot3d", _hot3d_change(",1003,", ",,"), "csv: a row has a wrong time ''"),
    "hot3d cut": ("hot3d", _hot3d_change(",9999,0,0,0,1,0,0,0", ""), "csv, line 8 is cut"),
    "hot3d nan": (
        "hot3d", _hot3d_change(",1003,", ",1003,nan,"),
        "objects.csv: the object's poses of frame 3 are NaN",
    ),
    "hot3d empty": ("hot3d", _hot3d_empty, "trajectory.jsonl is empty"),
    "contactpose words": (
        "contactpose", _contactpose(lambda _: ["a", "b"]), "mano_fits_15.json: a hand lacks or has",
    ),
    "contactpose nan": (
        "contactpose", _contactpose(lambda c: c[1]["betas"].__setitem__(0, float("nan"))),
        "mano_fits_15.json: the hands of frame 0 are NaN",
    ),
    "contactpose pose": (
        "contactpose", _contactpose(lambda c: c[1].update(pose=[0.0] * 9)), "mano_fits_15.json",
    ),
    "contactpose mTc": (
        "contactpose",
        _contactpose(lambda c: c[1]["mTc"].update(translation=[0, 0, float("nan")])),
        "mano_fits_15.json: 'mTc' of frame 0 are NaN",
    ),
    "h2o cut": ("h2o", _h2o("hand_pose_MANO", lambda t: t[:300]), "000003.txt has .* numbers, not"),
    "h2o words": ("h2o", _h2o("obj_pose_RT", lambda t: t.replace("0", "o")), "000003.txt is damag"),
    "h2o nan": (
        "h2o", _h2o("hand_pose_MANO", lambda t: "nan " + t.split(" ", 1)[1]),
        "hand_pose_MANO: the hands of frame 3 are NaN",
    ),
    "grab no subject": (
        "grab", _grab_no_subject, "s1_rhand.ply is missing, the subject's own hand: download GRAB",
    ),
    "grab half subject": ("grab", _grab_half_subject, "s1_rhand.ply is damaged"),
    "taco frames": ("taco", _taco_frames, "5 frames of the left hand and 6 of the right"),
    "dexycb frame": ("dexycb", _dexycb_frame, "has labels of 5 frames, meta.yml says 6"),
    "dexycb betas": ("dexycb", _dexycb_betas, r"betas have shape \(6, 2\)"),
    "ho3d half": ("ho3d", _ho3d_half, "0003.pkl is damaged"),
    "ho3d lacks": ("ho3d", _ho3d_lacks, "0003.pkl lacks"),
    "grab nan": ("grab", _grab_nan, r"frame 4 are NaN"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_named_with_the_remedy(damage, tmp_path, mano_folder):
    name, change, words = DAMAGES[damage]
    root = WRITERS[name](tmp_path / name)
    change(root)
    with pytest.raises(DataError, match=words):
        first_clips(name, root, mano_folder)


FILES = {
    "taco": "Hand_Poses/*/*/left_hand.pkl", "dexycb": "*/*/*/labels_000003.npz",
    "ho3d": "train/MC1/meta/0003.pkl", "h2o3d": "train/MC1/meta/0003.pkl",
    "grab": "grab/s1/*.npz", "contactpose": "contactpose_data/full1_use/mug/mano_fits_15.json",
}  # fmt: skip
"""A file with frames of each data set whose damages are not tried elsewhere."""


@pytest.mark.parametrize("name", FILES)
def test_half_a_file_is_named(name, tmp_path, mano_folder):
    root = WRITERS[name](tmp_path / name)
    path = next(root.glob(FILES[name]))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=f"{path.name} is damaged .*: download it again"):
        first_clips(name, root, mano_folder)


class Hostile:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.mark.parametrize("name", ["taco", "dexycb", "ho3d", "grab"])
def test_a_hostile_file_runs_nothing(name, tmp_path, mano_folder):
    marker = tmp_path / "ran"
    root = WRITERS[name](tmp_path / name)
    path = next(root.glob(FILES[name]))
    if path.suffix == ".npz":
        array, content = np.empty((), dtype=object), dict(np.load(path, allow_pickle=True))
        array[()] = {"params": Hostile(marker)}
        np.savez(path, **{**content, next(iter(content)): array})
    else:
        path.write_bytes(pickle.dumps({"00001": Hostile(marker), "objName": "x"}))
    marker.unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"names .*open, which no data need"):
        first_clips(name, root, mano_folder)
    assert not marker.exists()


def test_unknown_data_sets_are_refused():
    with pytest.raises(OptionError, match="use one of arctic, grab, dexycb"):
        adapter_named("mpi")
