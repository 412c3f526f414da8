"""What a data set's numbers mean, tried the other way on some of its frames before they are read.

The sequences are read once more by the same adapter with other MANO conventions, so that nothing is
converted twice; units are tried on the poses that come out.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.clips import Clip
from bghop.data.mano_numbers import ManoHands
from bghop.data.objects import ObjectStore
from bghop.data.readings import Comparison, compare_readings, pad_misfits, scaled
from bghop.errors import BghopError
from bghop.hands.model import HandModel

SEQUENCES, FRAMES = 8, 60
"""Sequences, spread over all; frames of each of their clips, spread over the clip."""


def compare_conventions(
    adapter: Adapter,
    sequences: list[ForeignSequence],
    mano: Path,
    objects: ObjectStore,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Comparison, ...]:
    """Other readings of a data set against the one that its adapter assumes.

    Sequences that cannot be read are left out here; reading all of them says why.

    Args:
        adapter: of the data set.
        sequences: those that are wanted.
        mano: folder of the user's files.
        objects: has the sequences' objects.
        progress: told how many sequences of how many are tried.
    """
    flat, fix = adapter.flat_hand_mean, adapter.fix_left_shapedirs
    readings = {
        "": (flat, fix),
        f"poses count from the {'mean' if flat else 'flat'} hand": (not flat, fix),
        f"left shapes have {'the official' if fix else 'mended'} directions": (flat, not fix),
    }
    hands = {
        name: ManoHands.of(mano, flat_hand_mean=mean, fix_left_shapedirs=mended)
        for name, (mean, mended) in readings.items()
    }
    number = torch.linspace(0, len(sequences) - 1, min(SEQUENCES, len(sequences)))
    chosen = [sequences[i] for i in number.round().long().tolist()]
    found: dict[str, list[Tensor]] = {}
    present: list[Tensor] = []
    for done, sequence in enumerate(chosen):
        progress(done, len(chosen))
        try:
            clips = {name: adapter.read(sequence, own, "train") for name, own in hands.items()}
        except BghopError:
            continue
        for k, clip in enumerate(clips[""]):
            if clip.object not in objects.keys or not len(clip):
                continue
            rows = torch.linspace(0, len(clip) - 1, min(FRAMES, len(clip))).round().long()
            some = {name: each[k].rows(rows) for name, each in clips.items()}
            present.append(some[""].hands_world.present)
            for name, part in some.items():
                found.setdefault(name, []).append(_misfits(part, hands[name].model, objects))
            for name, part in _other_units(some[""]).items():
                found.setdefault(name, []).append(_misfits(part, hands[""].model, objects))
    progress(len(chosen), len(chosen))
    if not present:
        return ()
    misfits = {name: torch.cat(parts) for name, parts in found.items()}
    return compare_readings(misfits.pop(""), misfits, torch.cat(present))


def _other_units(clip: Clip) -> dict[str, Clip]:
    """The clip if places had another unit; a pose that is the identity has none."""
    found = {}
    for factor, words in ((0.001, "are in millimetres"), (1000.0, "are divided by 1000 too often")):
        T = clip.T_world_object.clone()
        T[..., :3, 3] *= factor
        hands = scaled(clip.hands_world, factor)
        found[f"places of objects {words}"] = replace(clip, T_world_object=T)
        found[f"places of hands {words}"] = replace(clip, hands_world=hands)
    return found


def _misfits(clip: Clip, model: HandModel, objects: ObjectStore) -> Tensor:
    index = objects.index_of([clip.object]).expand(len(clip))
    return pad_misfits(clip.hands_object(), model, objects, index, clip.joint_value)
