"""`Scene`: what pictures and files show, as plain triangles; and the colours of the house."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Triangles = tuple[Float[np.ndarray, "_ 3"], Int[np.ndarray, "_ 3"]]
"""Vertices in metres in the object frame, and the indices of each face's corners."""

OBJECT_COLOR = (0.71, 0.75, 0.79)
HAND_COLORS = ((0.58, 0.66, 0.80), (0.93, 0.68, 0.55))
"""Left cooler, right warmer; sRGB from 0 to 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """One object and up to two hands in the object's frame, metres."""

    object: Triangles
    """Through `bghop.drawing.shading.split_sharp_edges`, or its edges will look round."""
    hands: tuple[Triangles | None, Triangles | None]
    """Left and right; None for a hand that is absent."""

    def turned(self, R: Float[np.ndarray, "3 3"]) -> "Scene":
        """Everything turned about the origin."""
        parts = (self.object, *self.hands)
        thing, left, right = (part and (part[0] @ R.T, part[1]) for part in parts)
        assert thing is not None
        return Scene(object=thing, hands=(left, right))

    def points(self) -> Float[np.ndarray, "vert 3"]:
        """All vertices of the scene."""
        parts = [self.object, *(hand for hand in self.hands if hand is not None)]
        return np.concatenate([vertices for vertices, _ in parts])
