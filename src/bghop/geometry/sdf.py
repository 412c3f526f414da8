"""Signed distance grids: negative inside, metres."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class SdfGrid:
    """Samples of a signed distance on a regular box of points; index i, j, k follows x, y, z."""

    values: Float[Tensor, "nx ny nz"]
    origin: Float[Tensor, "3"]
    """Position of sample [0, 0, 0] in the object frame, metres."""
    spacing: float
    """Distance between neighbouring samples, the same along all axes, metres."""

    def distance(self, points: Float[Tensor, "*batch n 3"]) -> Float[Tensor, "*batch n"]:
        """Trilinear signed distance (metres) at any point, with gradients; also outside the box."""
        raise NotImplementedError
