"""Data sets other than ARCTIC: known poses come back to 1e-5 m by their own equations."""

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
    "taco": ("009", "brush with brush"), "dexycb": ("004_sugar_box", "sugar box"),
    "ho3d": ("003_cracker_box", "cracker box"), "h2o3d": ("003_cracker_box", "cracker box"),
    "grab": ("mug", "drink mug"), "h2o": ("lotion", "lotion bottle"),
    "hot3d": ("194930206998778", ""), "contactpose": ("mug", "use mug"),
    "oakink2": (BOTTLE, "pour water"), "hoi4d": ("Mug/001", "mug"),
    "gigahands": (TEAPOT, "Pour tea"),
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
    every = [clip for each in adapter.find(root) for clip in adapter.clips(each, mano, "train")]
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


def _hot3d_no_mask(root):
    next(root.glob("*/masks/mask_qa_pass.csv")).unlink()


def _hot3d_other_mask(root):
    path = next(root.glob("*/masks/mask_qa_pass.csv"))
    path.write_text(path.read_text().replace("True", "yes"))


DAMAGES = {
    "hot3d no mask": ("hot3d", _hot3d_no_mask, r"cannot read .*mask_qa_pass.csv .*: check"),
    "hot3d other mask": ("hot3d", _hot3d_other_mask, r"mask_qa_pass.csv: a row has a wrong 'yes'"),
    "taco frames": ("taco", _taco_frames, "5 frames of the left hand and 6 of the right"),
    "dexycb betas": ("dexycb", _dexycb_betas, r"betas have shape \(6, 2\)"),
    "ho3d half": ("ho3d", _ho3d_half, "0003.pkl is damaged"),
    "ho3d lacks": ("ho3d", _ho3d_lacks, "0003.pkl lacks"),
    "grab nan": ("grab", _grab_nan, r"frame 4 are NaN"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_named_with_the_remedy(damage, tmp_path, mano_folder):
    name, change, words = DAMAGES[damage]
    root = WRITERS[name](tmp_path / name)
    change(root)
    with pytest.raises(DataError, match=words):
        first_clips(name, root, mano_folder)


def test_unknown_data_sets_are_refused():
    with pytest.raises(OptionError, match="use one of arctic, grab, dexycb"):
        adapter_named("mpi")
