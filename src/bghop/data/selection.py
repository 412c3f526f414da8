"""Which frames of a clip become records: hands at the object, and not the last one again."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.data.clips import Clip
from bghop.data.objects import ObjectStore
from bghop.hands.model import HandModel, HandParameters

_SKIN_POINTS = 128
"""Vertices of each hand that stand for all, evenly picked."""
_AT_ONCE = 256
"""Frames whose skin is asked about together; more need memory and gain nothing."""


@dataclass(frozen=True, kw_only=True)
class SelectOptions:
    """What a frame must be to be kept."""

    stride: int = 1
    """Every so many-th frame is looked at."""
    distance: float = 0.010
    """Metres from the surface that count as contact (BG-HOP: 10 mm to the nearest vertex)."""
    share: float = 0.2
    """Of a hand's skin that must be so near (BG-HOP: more than 0.2)."""
    hands: str = "both"
    """`both`: of two-hand frames each hand must be near; `any`: hands that are not are left out,
    frames without any are dropped."""
    moved: float = 0.005
    """Metres that some joint must have moved in the object's frame since the last kept frame."""
    opened: float = 0.035
    """Or radians (or metres) that the object's joint must have; 2 degrees."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Frames of a clip that were there after each demand."""

    read: int
    looked_at: int
    in_contact: int
    kept: int

    def __add__(self, other: "Counts") -> "Counts":
        """Of both together."""
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})


NOTHING = Counts(read=0, looked_at=0, in_contact=0, kept=0)


def select(
    clip: Clip, model: HandModel, objects: ObjectStore, options: SelectOptions
) -> tuple[Clip, Counts]:
    """The frames to keep, with absent hands marked, and how many each demand left.

    Args:
        clip: all frames.
        model: of its hands.
        objects: holds the clip's object.
        options: demands.
    """
    looked = clip.rows(torch.arange(0, len(clip), options.stride))
    hands = looked.hands_object().to(dtype=torch.float32)
    near = hands.present & (
        contact_shares(hands, looked, model, objects, distance=options.distance) > options.share
    )
    touching = near.any(1) if options.hands == "any" else (near == hands.present).all(1)
    touching &= hands.present.any(1)
    if options.hands == "any":
        looked = replace(looked, hands_world=replace(looked.hands_world, present=near))
    rows = touching.nonzero().squeeze(1)
    kept = rows[
        changed(
            model.joints(hands.rows(rows)), near[rows], looked.joint_value[rows],
            moved=options.moved, opened=options.opened,
        )
    ]  # fmt: skip
    counts = Counts(
        read=len(clip) + clip.num_skipped, looked_at=len(looked), in_contact=len(rows),
        kept=len(kept),
    )  # fmt: skip
    return looked.rows(kept), counts


def contact_shares(
    hands: HandParameters,
    clip: Clip,
    model: HandModel,
    objects: ObjectStore,
    *,
    distance: float,
) -> Float[Tensor, "frame hand=2"]:
    """Share of each hand's skin within a distance of the surface (inside counts)."""
    num_vertices = len(model.vertices_rest[0])
    picked = torch.linspace(0, num_vertices - 1, _SKIN_POINTS).round().long()
    index = objects.index_of([clip.object])
    shares = [torch.zeros(0, 2)]
    for rows in torch.arange(len(clip)).split(_AT_ONCE):
        with torch.no_grad():
            skin, _ = model.skin(hands.rows(rows), vertices=picked)
        found = objects.distance(
            index.expand(len(rows)), clip.joint_value[rows].float(), skin.flatten(1, 2)
        )
        shares.append((found < distance).float().unflatten(1, (2, -1)).mean(-1))
    return torch.cat(shares)


def changed(
    joints: Float[Tensor, "frame hand=2 joint=21 3"],
    present: Bool[Tensor, "frame hand=2"],
    joint_value: Float[Tensor, "frame"],
    *,
    moved: float,
    opened: float,
) -> Bool[Tensor, "frame"]:
    """Frames that differ from the last one that did; the first always does."""
    # One frame after the other: plain numbers, as a tensor's call takes longer than its sum.
    places, here, value = joints.numpy(), present.numpy(), joint_value.tolist()
    kept = torch.zeros(len(joints), dtype=torch.bool)
    last = -1
    for i in range(len(joints)):
        if last >= 0 and abs(value[i] - value[last]) < opened and _same(here[i], here[last]):
            way = places[i][here[i]] - places[last][here[i]]
            if float((way * way).sum(-1).max()) < moved * moved:
                continue
        kept[i] = True
        last = i
    return kept


def _same(left: Bool[np.ndarray, "hand=2"], right: Bool[np.ndarray, "hand=2"]) -> bool:
    return bool((left == right).all())
