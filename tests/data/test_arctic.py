"""ARCTIC's files to clips: known poses come back to 1e-5, damaged files are named with a remedy."""

import json
import pickle

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from arctic_like import (
    MANO,
    NUM,
    SEQUENCES,
    cuboid,
    parts_mm,
    truth,
    write_arctic,
    write_mano_files,
    write_obj,
)
from bghop.data.arctic import find_sequences, read_clip, read_object, read_splits
from bghop.data.mano_numbers import ManoHands
from bghop.errors import DataError
from bghop.geometry.transforms import transform_points
from fabricated_mano import forward


@pytest.fixture(scope="module")
def mano(tmp_path_factory):
    folder = write_mano_files(tmp_path_factory.mktemp("mano"))
    return ManoHands.of(folder, flat_hand_mean=False, fix_left_shapedirs=False)


@pytest.fixture
def root(tmp_path):
    return write_arctic(tmp_path / "arctic")


def clip_of(root, mano, number=0):
    return read_clip(find_sequences(root)[number], mano)


def test_sequences_and_official_splits_are_found(root):
    assert [each.key for each in find_sequences(root)] == list(SEQUENCES)
    assert [each.objects for each in find_sequences(root)] == [("box",), ("laptop",), ("box",)]
    assert read_splits(root) == dict(zip(SEQUENCES, ("train", "train", "val"), strict=True))


@pytest.mark.parametrize("number", [0, 2])
def test_hands_and_object_are_where_arctics_own_equations_put_them(root, mano, number):
    thing, hands = truth(number)
    clip = clip_of(root, mano, number)
    records = clip.records(mano.model)
    skin = mano.model.pose_hands(records.hands).vertices_object
    for frame in range(NUM):
        R = Rotation.from_rotvec(thing[frame, 1:4]).as_matrix()
        for k, side in enumerate(("left", "right")):
            own = hands[side]
            world, _ = forward(
                MANO[side], pose=own["pose"][frame] + MANO[side]["hands_mean"],
                shape=own["shape"], orient=own["rot"][frame], transl=own["trans"][frame],
            )  # fmt: skip
            seen = (world - thing[frame, 4:7] / 1000) @ R  # into the object's frame
            assert np.abs(skin[frame, k].numpy() - seen).max() < 1e-5
    np.testing.assert_allclose(records.joint_value, thing[:, 0], atol=1e-7)


def test_the_lid_turns_as_in_arctics_code(root):
    thing = read_object(root, "box")
    (bottom, _), (top, _) = parts_mm(80.0)
    turned = top @ Rotation.from_rotvec([0, 0, -0.7]).as_matrix().T
    mesh = thing.mesh(0.7)
    np.testing.assert_allclose(mesh.vertices, np.concatenate([bottom, turned]) / 1000, atol=1e-9)
    assert all(part.volume > 0 for part in thing.parts)


def test_objects_and_hands_meet_in_one_world(root, mano):
    clip = clip_of(root, mano)
    point = torch.rand(NUM, 5, 3, dtype=torch.float64)
    hands = clip.hands_object()
    through = transform_points(
        clip.T_world_object, transform_points(hands.T_object_hand[:, 1].double(), point)
    )
    direct = transform_points(clip.hands_world.T_object_hand[:, 1].double(), point)
    torch.testing.assert_close(through, direct, rtol=0, atol=1e-6)


def test_words_belong_to_their_own_frames(root, mano):
    said = clip_of(root, mano).text
    assert said == ("grasp box",) * 4 + ("open box",) * (NUM - 4)
    assert set(clip_of(root, mano, 1).text) == {"laptop"}


def test_shapes_may_be_one_row_a_frame_as_the_documentation_has_it(root, mano):
    before = clip_of(root, mano)
    path = find_sequences(root)[0].files["hands"]
    content = np.load(path, allow_pickle=True).item()
    for side in content.values():
        side["shape"] = np.tile(side["shape"], (NUM, 1))
    np.save(path, content, allow_pickle=True)
    after = clip_of(root, mano)
    assert torch.equal(before.hands_world.shape, after.hands_world.shape)


def damage(change):
    """A change of the hands' file."""

    def damaged(root):
        path = find_sequences(root)[0].files["hands"]
        content = np.load(path, allow_pickle=True).item()
        change(content)
        np.save(path, content, allow_pickle=True)

    return damaged


def cut(share):
    def damaged(root):
        path = find_sequences(root)[0].files["hands"]
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return damaged


def shorter_object(root):
    path = find_sequences(root)[0].files["object"]
    np.save(path, np.load(path)[:, :6])


DAMAGES = {
    "no_left": (damage(lambda c: c.pop("left")), "no 'left' and 'right'"),
    "nan": (damage(lambda c: c["left"]["trans"].__setitem__((3, 0), np.nan)), r"frame 3 are NaN"),
    "frames": (damage(lambda c: c["right"].update(pose=np.zeros((5, 45)))), r"\(5, 45\), not"),
    "missing": (damage(lambda c: c["right"].pop("rot")), "right.rot"),
    "words": (damage(lambda c: c["right"].update(rot=[["a"] * 3] * NUM)), "no table of numbers"),
    "half": (cut(0.5), "damaged"),
    "header": (cut(0.01), "damaged"),
    "object": (shorter_object, r"\(12, 6\), not \(12, 7\)"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_are_named_with_the_remedy(root, mano, name):
    change, words = DAMAGES[name]
    change(root)
    with pytest.raises(DataError, match=words) as caught:
        clip_of(root, mano)
    assert "box_grab_01" in str(caught.value)
    assert "download it again" in str(caught.value) or "leave the file out" in str(caught.value)
    assert "\n" not in str(caught.value)


class Hostile:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


def test_a_hostile_file_runs_nothing(root, mano, tmp_path):
    marker = tmp_path / "ran"
    path = find_sequences(root)[0].files["hands"]
    array = np.empty((), dtype=object)
    array[()] = {"left": Hostile(marker), "right": 1}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        pickle.dump(array, file)
    with pytest.raises(DataError, match=r"names .*open, which no data need"):
        clip_of(root, mano)
    assert not marker.exists()


def test_labels_that_contradict_the_parts_are_refused(root):
    path = root / "meta" / "object_vtemplates" / "box" / "parts.json"
    labels = json.loads(path.read_text())
    path.write_text(json.dumps([1 - label for label in labels]))
    with pytest.raises(DataError, match=r"labels are not as expected \(0: top\)"):
        read_object(root, "box")
    path.write_text(json.dumps(labels[:-1]))
    with pytest.raises(DataError, match="one 0 or 1 for each of the 16 vertices"):
        read_object(root, "box")


def test_parts_of_one_size_are_told_apart_by_their_points(root):
    folder = root / "meta" / "object_vtemplates" / "box"
    (vertices, faces), thin = cuboid((0, -80, -80), (160, 0, 80)), np.array([0, 3, 0])
    for name, points in (("bottom", vertices), ("top", vertices + thin)):
        write_obj(folder / f"{name}.obj", points, faces)
    both = np.concatenate([vertices, vertices + thin])
    write_obj(folder / "mesh.obj", both, np.concatenate([faces, faces + len(vertices)]))
    assert read_object(root, "box").parts[1].bounds[1, 1] == pytest.approx(0.003)
    labels = [0] * len(vertices) + [1] * len(vertices)
    (folder / "parts.json").write_text(json.dumps(labels))
    with pytest.raises(DataError, match="labels are not as expected"):
        read_object(root, "box")


def test_labels_of_one_part_and_what_is_no_label_are_refused(root):
    path = root / "meta" / "object_vtemplates" / "box" / "parts.json"
    path.write_text(json.dumps([1] * 16))
    with pytest.raises(DataError, match=r"parts.json names one part only"):
        read_object(root, "box")
    path.write_text(json.dumps([[], *[1] * 15]))
    with pytest.raises(DataError, match="one 0 or 1 for each"):
        read_object(root, "box")


def test_what_says_which_part_moves_must_be_there(root):
    (root / "meta" / "object_vtemplates" / "box" / "top.obj").unlink()
    with pytest.raises(DataError, match=r"cannot read .*top.obj"):
        read_object(root, "box")


def test_a_sequence_without_its_objects_file_is_named(root, mano):
    find_sequences(root)[0].files["object"].unlink()
    with pytest.raises(DataError, match=r"cannot read .*box_grab_01.object.npy"):
        clip_of(root, mano)


def test_a_folder_without_sequences_says_which_folder_is_wanted(tmp_path):
    with pytest.raises(DataError, match="holds ARCTIC's raw_seqs and meta"):
        find_sequences(tmp_path)
