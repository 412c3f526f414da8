"""Whether hands would fit their objects better if their numbers meant something else.

A convention that nobody can confirm without the data (whether poses count from a flat hand, metres
or millimetres, which hand is the left one) is tried both ways: hands that hold an object have their
finger pads at its surface, in the right reading only. Pairs of readings are compared on the hands
that touch in either of the two, so that the assumed one has no advantage.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from bghop.data.augment import mirror_where
from bghop.data.objects import ObjectStore
from bghop.hands.model import HandModel, HandParameters

TOUCHING = 0.010
"""Metres of a finger pad from the surface."""
_FINGERS = 3
"""That must touch for a hand to count."""
_FARTHEST = 0.030
"""Metres; what is farther says no more."""
_DEPTH = 3.0
_FEWEST, _TOUCH = 20, 0.1
"""Hands, and share of those that were tried; fewer decide nothing: some always touch by chance."""
_GAIN, _CLOSER, _RATIO = 0.002, 0.7, 0.8


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Another reading against the assumed one, on the hands that touch in either."""

    name: str
    tried: int
    """Hands that were read both ways."""
    hands: int
    """Compared: those that touch in either, and differ."""
    assumed_mm: float
    """Mean misfit of the five finger pads, see `pad_misfits`."""
    other_mm: float
    closer: float
    """Share of the hands that fit better in the other reading."""

    @property
    def decides(self) -> bool:
        """Enough hands touch to tell the readings apart."""
        return self.hands >= max(_FEWEST, _TOUCH * self.tried)

    @property
    def doubtful(self) -> bool:
        """The other reading fits clearly better."""
        return (
            self.decides
            and self.closer > _CLOSER
            and self.assumed_mm - self.other_mm > 1000 * _GAIN
            and self.other_mm < _RATIO * self.assumed_mm
        )

    def __str__(self) -> str:
        """For people."""
        return (
            f"finger pads miss the surface by {self.other_mm:.1f} mm if {self.name}, by "
            f"{self.assumed_mm:.1f} mm as assumed ({self.closer:.0%} of {self.hands} hands fit "
            "better so)"
        )


@torch.no_grad()
def pad_misfits(
    hands: HandParameters,
    model: HandModel,
    objects: ObjectStore,
    index: Int64[Tensor, "b"],
    joint_value: Float[Tensor, "b"],
) -> Float[Tensor, "b hand=2 finger=5"]:
    """By how much the middle of each finger's pad misses the surface, metres, at most 3 cm.

    Its distance outside, three times its depth inside: skin yields little.

    Args:
        hands: in the objects' frames.
        model: of the hands.
        objects: of the rows.
        index: numbers of their objects.
        joint_value: radians or metres.
    """
    rest = model.vertices_rest[1]
    middle = [
        pad[(rest[pad] - rest[pad].mean(0)).norm(dim=-1).argmin()] for pad in model.regions.pads
    ]
    skin, _ = model.skin(hands.to(dtype=torch.float32), vertices=torch.stack(middle))
    found = objects.distance(index, joint_value.float(), skin.flatten(1, 2))
    # A hand that nothing is known of (NaN) is not near.
    found = found.where(found > 0, -_DEPTH * found)
    return found.unflatten(1, (2, -1)).clamp_max(_FARTHEST).nan_to_num(nan=_FARTHEST)


def compare_readings(
    assumed: Float[Tensor, "b hand=2 finger=5"],
    others: Mapping[str, Float[Tensor, "b hand=2 finger=5"]],
    present: Bool[Tensor, "b hand=2"],
) -> tuple[Comparison, ...]:
    """Each other reading against the assumed one, on the hands that it changes, if any.

    Args:
        assumed: misfits of `pad_misfits`.
        others: the same of the same frames in other readings, by the words behind an "if".
        present: hands that are there.
    """
    found = []
    for name, other in others.items():
        touching = present & (_touches(assumed) | _touches(other))
        mine, theirs = (each[touching].mean(-1) for each in (assumed, other))
        differ = (mine - theirs).abs() > 1e-6  # one side only, of readings of left hands
        mine, theirs = mine[differ], theirs[differ]
        if not len(mine):
            continue
        found.append(
            Comparison(
                name=name, tried=int(present.sum()), hands=len(mine),
                assumed_mm=1000 * float(mine.mean()), other_mm=1000 * float(theirs.mean()),
                closer=float((theirs < mine).float().mean()),
            )
        )  # fmt: skip
    return tuple(found)


def readings_of_records(
    hands: HandParameters, mean_pose: Float[Tensor, "hand=2 15 3"] | None
) -> dict[str, HandParameters]:
    """What records may be if something went wrong before, by the words behind an "if".

    Args:
        hands: of the records.
        mean_pose: of MANO's files, for hands of that model.
    """
    every = torch.ones(len(hands.present), dtype=torch.bool)
    swapped = HandParameters(
        present=hands.present.flip(1), T_object_hand=hands.T_object_hand.flip(1),
        pose=hands.pose.flip(1), shape=hands.shape.flip(1),
    )  # fmt: skip
    found = {
        "left and right are swapped": swapped,
        "hands are mirrored": mirror_where(hands, every),
        "places of hands are in millimetres": scaled(hands, 0.001),
        "places of hands were divided by 1000 once too often": scaled(hands, 1000.0),
    }
    if mean_pose is not None:
        found["poses have the mean pose once too often"] = replace(
            hands, pose=hands.pose - mean_pose
        )
        found["poses lack the mean pose"] = replace(hands, pose=hands.pose + mean_pose)
    return found


def scaled(hands: HandParameters, factor: float) -> HandParameters:
    """The hands with their places, not themselves, scaled."""
    T = hands.T_object_hand.clone()
    T[..., :3, 3] *= factor
    return replace(hands, T_object_hand=T)


def _touches(misfits: Float[Tensor, "b hand=2 finger=5"]) -> Bool[Tensor, "b hand=2"]:
    return (misfits < TOUCHING).sum(-1) >= _FINGERS
