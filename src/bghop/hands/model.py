"""`HandModel`: one interface to a pair of rigged hands. Sides are an axis `hand=2`: left, right.

Stages are values: parameters -> `pose_hands` -> `PosedHands`. A model is plain data (tensors) that
`hands/open_hand.py` or `hands/mano.py` fill; no method here knows which.

Wrist frame (`left`, `right`): origin at the wrist joint, axes those of the MANO templates, so that
both sources agree: for the right hand the fingers point along -x, the palm faces -y and the thumb
lies towards +z; the left hand is its mirror in `x = 0` (fingers along +x).
"""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class HandParameters:
    """Two hands (or one: see `present`) relative to an object; any leading batch."""

    present: Bool[Tensor, "*batch hand=2"]
    T_object_hand: Float[Tensor, "*batch hand=2 4 4"]
    """Wrist poses: `p_object = T_object_hand @ p_hand`, metres."""
    pose: Float[Tensor, "*batch hand=2 15 3"]
    """Rotation vectors of the 15 finger bones relative to their parents, axes of the rest frame."""
    shape: Float[Tensor, "*batch hand=2 shape"]
    """Shape parameters; names in `HandModel.shape_names`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PosedHands:
    """Where the skin and the joints are; same leading batch as the parameters."""

    vertices_object: Float[Tensor, "*batch hand=2 vert 3"]
    joints_object: Float[Tensor, "*batch hand=2 joint=21 3"]
    Ts_object_bone: Float[Tensor, "*batch hand=2 bone=16 4 4"]
    """Bone frames: origin at the bone's joint, axes of the rest frame turned with the bone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Anatomy:
    """How each of the 15 finger bones may turn. The same angles mean the same pose on both sides."""

    axes: Float[Tensor, "hand=2 15 3 3"]
    """Rows: unit bend, splay and twist axes in the rest frame; `angles = axes @ rotvec`."""
    limits: Float[Tensor, "15 3 2"]
    """Lower and upper angle in radians for (bend, splay, twist); bend > 0 closes the hand."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ContactRegions:
    """Vertex sets that meant contact touches with; the same indices on both sides."""

    pads: tuple[Int[Tensor, "_"], ...]
    """Five sets: palmar skin of the last segment of thumb, index, middle, ring, little."""
    palm: Int[Tensor, "_"]
    """Palmar skin of the palm and the finger bases."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Capsules:
    """Round bars fitted inside the skin, each rigid on one bone, in the bone's rest frame."""

    bone: Int[Tensor, "capsule"]
    start: Float[Tensor, "hand=2 capsule 3"]
    """One end of the axis relative to the bone's joint, metres."""
    end: Float[Tensor, "hand=2 capsule 3"]
    radius: Float[Tensor, "hand=2 capsule"]
