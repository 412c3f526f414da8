"""What is wrong or odd in a data set, in words with a remedy."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from bghop.data.objects import ObjectStore
from bghop.data.quality import BENT, DEEP, FAR
from bghop.data.readings import Comparison
from bghop.data.record import Records
from bghop.evaluation.record_measures import Measures
from bghop.hands.model import HandModel
from bghop.prior.text.nouns import load_noun_table
from bghop.prior.text.phrases import find_phrase

Level = Literal["wrong", "suspicious", "note"]
_SMALLEST, _LARGEST = 0.01, 2.0
_AWAY = 1.0
_FEW, _SOME, _MANY = 0.01, 0.10, 0.50
_JOINT_MARGIN = 0.05
_ENOUGH = 50


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of a verdict."""

    level: Level
    """`wrong`: training refuses it or learns nonsense; `suspicious`: look; `note`: know it."""
    name: str
    words: str
    remedy: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.level}: {self.words}: {self.remedy}"


def suspicions_of_rows(records: Records) -> list[Finding]:
    """What rows say without their hands being posed: doubles, splits, words, balance."""
    checks: tuple[Callable[[Records], Iterable[Finding]], ...] = (
        _doubles, _splits, _objects_of_splits, _balance, _texts, _sides, _same_place, _flags,
    )  # fmt: skip
    return [finding for check in checks for finding in check(records)]


def suspicions_of_objects(records: Records, objects: ObjectStore) -> list[Finding]:
    """Sizes, joints, and objects that no record has.

    Args:
        records: whose objects are all in the store.
        objects: the store.
    """
    found = []
    count = len(objects)
    still = torch.zeros(count)
    box = objects.box(torch.arange(count), still, torch.eye(4).expand(count, 4, 4))
    size = (box[:, 1] - box[:, 0]).amax(-1)
    odd = ((size < _SMALLEST) | (size > _LARGEST)).nonzero().flatten().tolist()
    if odd:
        found.append(
            Finding(
                level="suspicious", name="object size",
                words=f"{len(odd)} of {count} objects are shorter than 1 cm or longer than 2 m "
                f"({objects.keys[odd[0]]}: {float(size[odd[0]]):.3g} m)",
                remedy="check the unit of their files; distances are metres",
            )
        )  # fmt: skip
    index = objects.index_of(records.object)
    low, high = objects.joint_limits[index].unbind(-1)
    outside = (records.joint_value < low - _JOINT_MARGIN) | (
        records.joint_value > high + _JOINT_MARGIN
    )
    # A rigid object has the limits 0 and 0, and a joint value that means nothing.
    outside &= high > low
    if outside.any():
        row = int(outside.nonzero()[0])
        found.append(
            Finding(
                level="suspicious", name="joint value",
                words=f"{_share(outside)} of the joint values are outside their object's limits "
                f"({records.id[row]}: {float(records.joint_value[row]):.2f})",
                remedy="check the sign and unit (radians) of joint values",
            )
        )  # fmt: skip
    unused = sorted(set(objects.keys) - set(records.object))
    if unused:
        found.append(
            Finding(
                level="note", name="unused objects",
                words=f"{len(unused)} of {count} objects have no record ({unused[0]})",
                remedy="nothing need be done",
            )
        )  # fmt: skip
    return found


def suspicions_of_hands(
    records: Records, measures: Measures, model: HandModel, readings: Sequence[Comparison]
) -> list[Finding]:
    """Contact, depth, limits, shapes, and readings that would fit better.

    Args:
        records: the rows that were measured.
        measures: of them.
        model: of their hands.
        readings: other readings against the rows as they are.
    """
    present = records.hands.present
    bounds = model.shape_limits.abs().amax(-1)
    strange = (records.hands.shape.abs() > 2 * bounds).any(-1)
    wrist = measures.wrist[present]
    demands = (
        ("away", measures.wrist > _AWAY, _FEW, "wrists are over 1 m from their object (median of "
         f"all {float(wrist.median()) if len(wrist) else 0:.3g} m)",
         "check units (metres) and which pose is relative to which"),
        ("far", measures.clearance > FAR, _SOME, f"hands are over {100 * FAR:g} cm from their "
         "object", "choose frames with contact, or leave them out (data.leave_out=far)"),
        ("deep", measures.clearance < -DEEP, _SOME, f"hands are over {1000 * DEEP:g} mm inside "
         "their object", "check the object's size and the hands' shapes, or leave them out "
         "(data.leave_out=deep)"),
        ("bent", measures.limit_excess > BENT, _MANY, f"hands have a joint over {BENT:g} rad "
         "beyond its limit", "check whether the mean pose was added twice or left and right are "
         "swapped, or leave them out (data.leave_out=bent)"),
        ("shape", strange, _FEW, "hands have shape parameters over twice their range",
         "check which hand model they are of"),
    )  # fmt: skip
    found = [
        Finding(level="suspicious", name=name, words=f"{_share(bad[present])} of the {words}",
                remedy=remedy)
        for name, bad, most, words, remedy in demands
        if present.any() and bad[present].float().mean() > most
    ]  # fmt: skip
    found += [
        Finding(
            level="suspicious", name="reading", words=str(each),
            remedy="see what the set's numbers mean and convert them before, or import it again",
        )
        for each in readings
        if each.doubtful
    ]  # fmt: skip
    touch = [measures.contact[present[:, k], k].mean().item() for k in range(2)]
    if present.sum(0).min() >= _ENOUGH and min(touch) < 0.5 * max(touch):
        worse = int(touch[1] < touch[0])
        found.append(
            Finding(
                level="suspicious", name="sides differ",
                words=f"{('left', 'right')[worse]} hands touch with {touch[worse]:.1%} of their "
                f"skin, {('left', 'right')[1 - worse]} hands with {touch[1 - worse]:.1%}",
                remedy="check the conventions of that side: mirrored axes, left shape directions",
            )
        )  # fmt: skip
    return found


def _doubles(records: Records) -> Iterable[Finding]:
    hands = records.hands
    numbers = torch.cat(
        [
            records.joint_value[:, None], hands.present.float(), hands.T_object_hand.flatten(1),
            hands.pose.flatten(1), hands.shape.flatten(1),
        ],
        dim=1,
    ).float()  # fmt: skip
    keys = [row.tobytes() + key.encode() for row, key in
            zip(np.ascontiguousarray(numbers.numpy()), records.object, strict=True)]  # fmt: skip
    splits: dict[bytes, set[str]] = defaultdict(set)
    for key, split in zip(keys, records.split, strict=True):
        splits[key].add(split)
    doubles = len(keys) - len(splits)
    across = sum(len(each) > 1 for each in splits.values())
    if doubles:
        more = f", {across} of them in several splits" if across else ""
        yield Finding(
            level="suspicious", name="doubles",
            words=f"{doubles} records repeat the hands and the object of another{more}",
            remedy="leave them out, or they count twice",
        )  # fmt: skip


def _splits(records: Records) -> Iterable[Finding]:
    if "train" not in records.split:
        yield Finding(level="suspicious", name="no training", words="no record is of split 'train'",
                      remedy="name the split that is trained on (data.train_split)")  # fmt: skip
    if "val" not in records.split:
        yield Finding(level="note", name="no validation", words="no record is of split 'val'",
                      remedy="training cannot validate; import with --split own")  # fmt: skip
    if records.origin is None:
        return
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for source, sequence, split in zip(
        records.source, records.origin.sequence, records.split, strict=True
    ):
        if sequence:
            seen[source, sequence].add(split)
    torn = [key for key, splits in seen.items() if len(splits) > 1]
    if torn:
        yield Finding(
            level="suspicious", name="torn sequences",
            words=f"{len(torn)} of {len(seen)} sequences are in several splits ({torn[0][1]})",
            remedy="split by sequence: neighbouring frames are almost the same",
        )  # fmt: skip


def _objects_of_splits(records: Records) -> Iterable[Finding]:
    splits: dict[str, set[str]] = defaultdict(set)
    for key, split in zip(records.object, records.split, strict=True):
        splits[key].add(split)
    shared = [key for key, own in splits.items() if {"train"} < own]
    if shared:
        # Official splits of recordings are by sequence; made data must not share objects.
        recorded = records.origin is not None and any(records.origin.sequence)
        yield Finding(
            level="note" if recorded else "suspicious", name="shared objects",
            words=f"{len(shared)} of {len(splits)} objects are in 'train' and in another split "
            f"({shared[0]})",
            remedy="validation then says nothing of new objects; split by object to know",
        )  # fmt: skip


def _balance(records: Records) -> Iterable[Finding]:
    key, most = Counter(records.object).most_common(1)[0]
    objects = len(set(records.object))
    if objects == 1:
        yield Finding(level="note", name="one object", words=f"all records are of {key}",
                      remedy="add data with other objects (bghop data mix)")  # fmt: skip
    elif most > _MANY * len(records):
        yield Finding(
            level="suspicious", name="unbalanced objects",
            words=f"{most / len(records):.0%} of the records are of one of {objects} objects "
            f"({key})",
            remedy="take fewer of its frames (--stride, --moved), or give rows weights",
        )  # fmt: skip


def _texts(records: Records) -> Iterable[Finding]:
    empty = sum(not text for text in records.text)
    if empty:
        yield Finding(
            level="suspicious" if empty > _MANY * len(records) else "note", name="no text",
            words=f"{empty / len(records):.0%} of the records have no text",
            remedy="they teach nothing about words; add captions or object names",
        )  # fmt: skip
    names, nameless, unknown = load_noun_table().names, [], {}
    for text in sorted(set(records.text) - {""}):
        phrase = find_phrase(text, names)
        if phrase is None:
            nameless.append(text)
        elif not phrase.known:
            unknown[phrase.text] = text
    if nameless:
        yield Finding(
            level="suspicious", name="texts without an object",
            words=f"{len(nameless)} texts name no object, the first: '{nameless[0]}'",
            remedy="training of a prior on words refuses them; write the object's name into them",
        )  # fmt: skip
    if unknown:
        yield Finding(
            level="note", name="unknown objects",
            words=f"{len(unknown)} objects that texts name are not among the names that ship with "
            f"bghop, the first: '{next(iter(unknown))}'",
            remedy="training of a prior on words needs bghop[text] for them",
        )  # fmt: skip


def _sides(records: Records) -> Iterable[Finding]:
    left, right = records.hands.present.sum(0).tolist()
    if not (left and right):
        yield Finding(level="note", name="one side",
                      words=f"no record has a {'right' if left else 'left'} hand",
                      remedy="mirrored scenes (on by default in training) make up for it"
                      )  # fmt: skip
    nobody = int((~records.hands.present.any(-1)).sum())
    if nobody:
        yield Finding(level="suspicious", name="no hands",
                      words=f"{nobody} records have no hand at all", remedy="leave them out"
                      )  # fmt: skip


def _same_place(records: Records) -> Iterable[Finding]:
    both = records.hands.present.all(-1)
    t = records.hands.T_object_hand[..., :3, 3]
    same = both & ((t[:, 0] - t[:, 1]).norm(dim=-1) < 0.01)
    if same.any():
        row = int(same.nonzero()[0])
        yield Finding(
            level="suspicious", name="same place",
            words=f"both wrists are in one place in {int(same.sum())} records "
            f"({records.id[row]})",
            remedy="one hand was written twice; mark the absent one as not present",
        )  # fmt: skip


def _flags(records: Records) -> Iterable[Finding]:
    if records.quality is None:
        return
    rejected = sum("rejected" in flags for flags in records.quality.flags)
    if rejected:
        yield Finding(
            level="note", name="rejected",
            words=f"the data set's own check rejects {rejected / len(records):.0%} of the records",
            remedy="leave them out of training with data.leave_out=rejected",
        )  # fmt: skip


def _share(mask: torch.Tensor) -> str:
    return f"{float(mask.float().mean()):.1%}"
