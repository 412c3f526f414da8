"""Hand postures that a grasp starts from, and where each of them wants to touch.

A preshape is a posture (fractions of each joint's bend range) plus an approach: the point of the
hand that is brought to the object, the direction in which the hand moves, and, for clamps, the
direction in which thumb and fingers oppose each other. Everything is measured on the posed hand, so
both hand models and both sides get it from the same words.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.geometry.rotations import matrix_from_rotvec
from bghop.hands.axes import FINGERS_HAND, PALM_HAND
from bghop.hands.model import HandModel, HandParameters

Kind = Literal["palm", "clamp"]
_CLAMP_PALM = 0.3


@dataclass(frozen=True, kw_only=True)
class Preshape:
    """Fractions of the bend ranges: 0 = the lower limit, 1 = the upper limit of each joint."""

    name: str
    kind: Kind
    fingers: tuple[float, float, float]
    """Bend of base, middle and end joint of index to little finger."""
    thumb: tuple[float, float, float]
    """Bend of the thumb's three joints."""
    thumb_splay: float
    """Fraction of the splay range of the thumb's base: 1 = far away from the palm."""


PRESHAPES = (
    Preshape(name="flat", kind="palm", fingers=(0.2, 0.05, 0.08), thumb=(0.1, 0.2, 0.15),
             thumb_splay=0.3),
    Preshape(name="cup", kind="palm", fingers=(0.42, 0.3, 0.25), thumb=(0.4, 0.4, 0.35),
             thumb_splay=0.7),
    Preshape(name="wrap", kind="palm", fingers=(0.55, 0.5, 0.4), thumb=(0.5, 0.45, 0.4),
             thumb_splay=0.6),
    Preshape(name="clamp", kind="clamp", fingers=(0.6, 0.2, 0.2), thumb=(0.5, 0.3, 0.25),
             thumb_splay=0.8),
    Preshape(name="wide clamp", kind="clamp", fingers=(0.5, 0.35, 0.3), thumb=(0.3, 0.3, 0.3),
             thumb_splay=1.0),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class PosedPreshapes:
    """All preshapes as points and directions in the wrist frames; axis `k` runs over preshapes."""

    angles: Float[Tensor, "k 15 3"]
    """Anatomical angles, the same for both sides."""
    anchor_hand: Float[Tensor, "hand=2 k 3"]
    approach_hand: Float[Tensor, "hand=2 k 3"]
    """Unit direction in which the hand moves towards the object."""
    second_hand: Float[Tensor, "hand=2 k 3"]
    """Unit vector across the approach: fingers (palm kind) or thumb pad to finger pads (clamp)."""
    is_clamp: tuple[bool, ...]
    palm_wish: Float[Tensor, "k"]
    """How much the palm should touch: 1 for palm preshapes, little for clamps."""


def preshape_angles(model: HandModel, preshape: Preshape) -> Float[Tensor, "15 3"]:
    """Anatomical angles of a preshape within the model's limits."""
    limits = model.anatomy.limits
    low, high = limits[..., 0], limits[..., 1]
    angles = torch.zeros_like(low).clamp(low, high)
    fraction = torch.tensor([*preshape.thumb, *preshape.fingers * 4], dtype=low.dtype)
    angles[:, 0] = low[:, 0] + fraction.to(low.device) * (high[:, 0] - low[:, 0])
    angles[0, 1] = low[0, 1] + preshape.thumb_splay * (high[0, 1] - low[0, 1])
    return angles


def pose_preshapes(model: HandModel) -> PosedPreshapes:
    """Measure anchors and directions of all preshapes on the posed, average-shaped hands."""
    angles = torch.stack([preshape_angles(model, preshape) for preshape in PRESHAPES])
    num = len(PRESHAPES)
    rest = model.rest_parameters(num)
    parameters = HandParameters(
        present=rest.present,
        T_object_hand=rest.T_object_hand,
        pose=model.pose_from_angles(angles[:, None].expand(num, 2, 15, 3)),
        shape=rest.shape,
    )
    vertices = model.pose_hands(parameters).vertices_object
    pads = torch.stack([vertices[:, :, pad].mean(-2) for pad in model.regions.pads], dim=2)
    palm = vertices[:, :, model.regions.palm].mean(-2)
    thumb, fingers = pads[:, :, 0], pads[:, :, 1:3].mean(2)

    finger_direction = FINGERS_HAND.to(palm)[None]
    palm_normal = PALM_HAND.to(palm).expand_as(palm)

    clamp_anchor = (thumb + fingers) / 2
    opposition = torch.nn.functional.normalize(fingers - thumb, dim=-1)
    reach = clamp_anchor - palm.mul(0.3)  # from the root of the palm, not from its middle
    reach = reach - (reach * opposition).sum(-1, keepdim=True) * opposition
    is_clamp = torch.tensor([p.kind == "clamp" for p in PRESHAPES])[:, None, None].to(palm.device)
    approach = torch.where(is_clamp, torch.nn.functional.normalize(reach, dim=-1), palm_normal)
    # A palm is brought a little nearer to the fingers than its middle, where objects are held.
    anchor = torch.where(is_clamp, clamp_anchor, palm + 0.01 * finger_direction)
    second = torch.where(is_clamp, opposition, finger_direction.expand_as(palm))
    return PosedPreshapes(
        angles=angles,
        anchor_hand=anchor.transpose(0, 1),
        approach_hand=approach.transpose(0, 1),
        second_hand=second.transpose(0, 1),
        is_clamp=tuple(p.kind == "clamp" for p in PRESHAPES),
        palm_wish=palm.new_tensor([_CLAMP_PALM if p.kind == "clamp" else 1.0 for p in PRESHAPES]),
    )


def tilt(
    directions: Float[Tensor, "n 3"], sigma: float, generator: torch.Generator
) -> Float[Tensor, "n 3"]:
    """Directions turned by normally distributed random rotation vectors of `sigma` radians."""
    noise = sigma * torch.randn(directions.shape, generator=generator).to(directions)
    return (matrix_from_rotvec(noise) @ directions[..., None]).squeeze(-1)
