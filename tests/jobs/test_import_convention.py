"""Hands that touch are tried in other conventions; the true one is found whatever is assumed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from arctic_like import NUM, stand_still, write_arctic, write_mano_files
from bghop.data.arctic import ARCTIC, find_sequences
from bghop.data.mano_numbers import ManoHands
from bghop.data.objects import stack_objects
from bghop.data.objects_from_mesh import REACH, object_from_mesh
from bghop.jobs.import_convention import compare_conventions
from knobs import knobs

OF_MEAN, OF_FLAT = "poses count from the mean hand", "poses count from the flat hand"
MENDED, OFFICIAL = "left shapes have mended directions", "left shapes have the official directions"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two sequences of still hands, and objects with a ball under every finger pad."""
    base = tmp_path_factory.mktemp("still")
    root, mano = stand_still(write_arctic(base / "root")), write_mano_files(base / "mano")
    for path in (root / "raw_seqs").rglob("*.object.npy"):
        content = np.load(path)
        content[:, 0] = 0  # the object that is made below is rigid
        np.save(path, content)
    own = ManoHands.of(mano, flat_hand_mean=False, fix_left_shapedirs=False)
    sequences, things = find_sequences(root)[:2], []
    for sequence in sequences:
        (clip,) = ARCTIC.clips(sequence, own, "train")
        mesh = knobs(own.model, clip.hands_object())
        things.append(object_from_mesh(clip.object, mesh))
    return sequences, mano, stack_objects(things, reach=REACH)


def doubts(world, **changes):
    sequences, mano, objects = world
    found = compare_conventions(replace(ARCTIC, **changes), sequences, mano, objects)
    return {each.name for each in found if each.doubtful}


def test_the_true_convention_leaves_no_doubt(world):
    assert doubts(world) == set()


def test_a_wrong_mean_and_wrong_left_shapes_are_named(world):
    assert doubts(world, flat_hand_mean=True) == {OF_MEAN}
    assert doubts(world, fix_left_shapedirs=True) == {OFFICIAL}


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1000.0, "are in millimetres"), (0.001, "are divided by 1000 too often")],
)
@pytest.mark.parametrize("what", ["objects", "hands"])
def test_wrong_units_are_named(world, what, factor, words):
    def clips(sequence, mano, split):
        (clip,) = ARCTIC.clips(sequence, mano, split)
        if what == "objects":
            T = clip.T_world_object.clone()
            T[..., :3, 3] *= factor
            return [replace(clip, T_world_object=T)]
        T = clip.hands_world.T_object_hand.clone()
        T[..., :3, 3] *= factor
        return [replace(clip, hands_world=replace(clip.hands_world, T_object_hand=T))]

    assert doubts(world, clips=clips) == {f"places of {what} {words}"}


def test_sequences_that_cannot_be_read_and_objects_that_are_missing_are_left_out(world):
    sequences, mano, objects = world
    broken = replace(sequences[0], files={**sequences[0].files, "hands": mano / "nothing.npy"})
    found = compare_conventions(ARCTIC, [broken, sequences[1]], mano, objects)
    assert all(each.hands <= 2 * NUM for each in found)
    assert compare_conventions(ARCTIC, [broken], mano, objects) == ()


def test_the_same_frames_are_compared_whoever_is_right(world):
    """Assumed and other readings change places."""
    sequences, mano, objects = world
    right, wrong = (
        {each.name: each for each in compare_conventions(adapter, sequences, mano, objects)}
        for adapter in (ARCTIC, replace(ARCTIC, flat_hand_mean=True))
    )
    assert right[OF_FLAT].hands == wrong[OF_MEAN].hands
    assert right[OF_FLAT].assumed_mm == pytest.approx(wrong[OF_MEAN].other_mm)
    assert torch.isclose(
        torch.tensor(right[OF_FLAT].closer + wrong[OF_MEAN].closer), torch.tensor(1.0)
    )
