"""One rigid motion, and perhaps one mirroring, for a whole scene: object and hands move together.

The released code turns the object and the left hand independently, which takes them 2 to 3 cm off
each other at every contact. Here the distance between any two points of a scene never changes.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.errors import OptionError
from bghop.geometry.rotations import matrix_from_rotvec, random_rotations
from bghop.geometry.transforms import mirror_rigid, mirror_rotvec, rigid
from bghop.hands.model import HandParameters

ROTATIONS = ("none", "yaw", "any")


@dataclass(frozen=True, kw_only=True)
class AugmentOptions:
    """What may be done to a scene in training."""

    rotation: str = "yaw"
    """`none`; `yaw`: about the object's z axis, any angle; `any`: uniform over all rotations."""
    shift: float = 0.02
    """Metres; the scene moves by up to this along each axis."""
    mirror: bool = True
    """Half of the scenes are seen in the mirror, with the hands swapped."""

    def __post_init__(self) -> None:
        """Refuse what is no motion.

        Raises:
            OptionError: Naming the option and what it may be.
        """
        if self.rotation not in ROTATIONS:
            words = ", ".join(ROTATIONS)
            raise OptionError(f"unknown rotation '{self.rotation}': use one of {words}")
        if not 0 <= self.shift < 1:
            raise OptionError(f"a shift of {self.shift} m: use 0 to 1")


NO_AUGMENTATION = AugmentOptions(rotation="none", shift=0.0, mirror=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """One motion per scene: mirror (if so) in the object's `x = 0`, then turn, then shift."""

    mirrored: Bool[Tensor, "b"]
    R: Float[Tensor, "b 3 3"]
    shift: Float[Tensor, "b 3"]

    def R_frame_object(self) -> Float[Tensor, "b 3 3"]:
        """The linear part with the mirroring in it; determinant -1 where mirrored."""
        flip = self.R.new_ones(len(self.R), 1, 3)
        flip[:, 0, 0] = torch.where(self.mirrored, -1.0, 1.0)
        return self.R * flip

    def only_mirrored(self, rows: Bool[Tensor, "b"]) -> "Motion":
        """The same motions, but some rows neither turn nor shift."""
        eye = torch.eye(3).expand_as(self.R)
        return Motion(
            mirrored=self.mirrored,
            R=torch.where(rows[:, None, None], eye, self.R),
            shift=torch.where(rows[:, None], 0.0, self.shift),
        )


def no_motion(num: int) -> Motion:
    """Scenes as they are."""
    return Motion(
        mirrored=torch.zeros(num, dtype=torch.bool),
        R=torch.eye(3).expand(num, 3, 3),
        shift=torch.zeros(num, 3),
    )


def draw_motion(num: int, options: AugmentOptions, generator: torch.Generator) -> Motion:
    """Random motions on the CPU; every option draws the same numbers, used or not."""
    mirrored = torch.rand(num, generator=generator) < 0.5
    angle = 2 * math.pi * torch.rand(num, generator=generator)
    everywhere = random_rotations(num, generator=generator)
    shift = options.shift * (2 * torch.rand(num, 3, generator=generator) - 1)
    R = torch.eye(3).expand(num, 3, 3)
    if options.rotation == "yaw":
        R = matrix_from_rotvec(angle[:, None] * torch.tensor([0.0, 0.0, 1.0]))
    elif options.rotation == "any":
        R = everywhere
    return Motion(mirrored=mirrored & options.mirror, R=R, shift=shift)


def mirror_hands(hands: HandParameters) -> HandParameters:
    """The two hands as seen in the object's mirror `x = 0`: what was left is right.

    Exact for models whose left hand is the mirror image of the right one (the open hand).
    """
    return HandParameters(
        present=hands.present.flip(-1),
        T_object_hand=mirror_rigid(hands.T_object_hand).flip(-3),
        pose=mirror_rotvec(hands.pose).flip(-3),
        shape=hands.shape.flip(-2),
    )


def mirror_where(hands: HandParameters, mirrored: Bool[Tensor, "b"]) -> HandParameters:
    """`mirror_hands` for some rows."""
    other = mirror_hands(hands)

    def choose(name: str) -> Tensor:
        first, second = getattr(other, name), getattr(hands, name)
        return torch.where(mirrored.view(-1, *[1] * (first.dim() - 1)), first, second)

    return HandParameters(
        present=choose("present"),
        T_object_hand=choose("T_object_hand"),
        pose=choose("pose"),
        shape=choose("shape"),
    )


def moved_hands(
    hands: HandParameters, R: Float[Tensor, "b 3 3"], t: Float[Tensor, "b 3"]
) -> HandParameters:
    """Hands after a rigid motion of the scene: `T_frame_hand = [R t] T_object_hand`."""
    return replace(hands, T_object_hand=rigid(R, t)[:, None] @ hands.T_object_hand)
