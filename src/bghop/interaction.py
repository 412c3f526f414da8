"""`Interaction`: an object, up to two hands, words. What sampling gives and completing takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandParameters

UPS = ("x", "y", "z", "none")
"""Axes that may point against gravity."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Interaction:
    """One scene in the object's own frame, metres."""

    mesh: Mesh
    hands: HandParameters
    """Without a leading batch; absent hands are not read."""
    text: str = ""
    """What the object is, or what is done; may be empty."""
    up: str = "z"
    """Axis against gravity in the object's frame, one of `UPS`."""
    hand_model: str = "open"
    """Name of the hand model whose parameters the hands are."""

    @property
    def present(self) -> tuple[bool, bool]:
        """Whether there is a (left, right) hand."""
        left, right = self.hands.present.tolist()
        return left, right

    def with_hands(self, hands: HandParameters) -> "Interaction":
        """The same object with other hands."""
        return replace(self, hands=hands)


def stacked(hands: list[HandParameters]) -> HandParameters:
    """Single pairs of hands as a batch."""
    return HandParameters(
        present=torch.stack([each.present for each in hands]),
        T_object_hand=torch.stack([each.T_object_hand for each in hands]),
        pose=torch.stack([each.pose for each in hands]),
        shape=torch.stack([each.shape for each in hands]),
    )


def joined(hands: Sequence[HandParameters]) -> HandParameters:
    """Batches of hands one after the other."""
    return HandParameters(
        present=torch.cat([each.present for each in hands]),
        T_object_hand=torch.cat([each.T_object_hand for each in hands]),
        pose=torch.cat([each.pose for each in hands]),
        shape=torch.cat([each.shape for each in hands]),
    )
