"""The 21 joints of a hand, their names, parents, and tables to the orders of other sources.

Order: wrist, then thumb, index, middle, ring, little, each from base to tip. The 16 bones are the
joints without tips in the same order; the 15 pose rotations are the bones without the wrist.
"""

FINGERS = ("thumb", "index", "middle", "ring", "little")
SIDES = ("left", "right")

JOINT_NAMES = (
    "wrist",
    *(f"{finger}{part}" for finger in FINGERS for part in ("1", "2", "3", "_tip")),
)
"""21 names; the field channels of the prior are these without the wrist."""

BONE_NAMES = ("wrist", *(f"{finger}{part}" for finger in FINGERS for part in "123"))
"""16 names of the bones that carry skin; bone k > 0 turns about the joint of the same name."""

BONE_PARENTS = (
    -1,
    *(0 if part == 0 else 3 * finger + part for finger in range(5) for part in range(3)),
)
"""Parent bone of each bone; the wrist has none (-1)."""

BONE_JOINTS = tuple(JOINT_NAMES.index(name) for name in BONE_NAMES)
"""Index among the 21 joints of the joint that each bone turns about."""

TIP_JOINTS = tuple(JOINT_NAMES.index(f"{finger}_tip") for finger in FINGERS)
"""Index of the five fingertips among the 21 joints."""

TIP_BONES = tuple(BONE_NAMES.index(f"{finger}3") for finger in FINGERS)
"""Bone that carries each fingertip."""

MANO_BONES = (
    "wrist",
    *(f"{f}{p}" for f in ("index", "middle", "little", "ring", "thumb") for p in "123"),
)
"""Bone order inside the official MANO files."""

BONES_FROM_MANO = tuple(MANO_BONES.index(name) for name in BONE_NAMES)
"""`ours = mano[..., BONES_FROM_MANO, :]` for arrays over the 16 bones in MANO file order."""

BONES_TO_MANO = tuple(BONE_NAMES.index(name) for name in MANO_BONES)
"""`mano = ours[..., BONES_TO_MANO, :]`."""
