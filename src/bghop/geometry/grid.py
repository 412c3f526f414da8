"""Cubes of sample points, and their normalised frame `grid`: the cube [-1, 1]^3.

Arrays are `*batch channel x y z`: index i, j, k follows x, y, z, memory order too.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class CubeGrid:
    """`resolution^3` sample points in an axis-aligned cube of the object frame."""

    resolution: int
    half_extent: float
    """Half the side of the cube, metres."""
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Middle of the cube in the object frame, metres."""
    alignment: Literal["corner", "cell"] = "corner"
    """`corner`: the outermost samples lie on the cube's faces (`align_corners=True`); `cell`: each
    sample is the middle of a cell, half a spacing inside (`align_corners=False`)."""

    @property
    def spacing(self) -> float:
        """Distance between neighbouring samples, metres."""
        steps = self.resolution - 1 if self.alignment == "corner" else self.resolution
        return 2 * self.half_extent / steps

    def axis(self) -> list[float]:
        """Sample coordinates along one axis relative to the center, metres."""
        first = -self.half_extent + (0.0 if self.alignment == "corner" else self.spacing / 2)
        return [first + i * self.spacing for i in range(self.resolution)]

    def points(
        self, *, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "x y z 3"]:
        """All sample points in the object frame, metres."""
        axis = torch.tensor(self.axis(), dtype=dtype, device=device)
        cube = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
        return cube + torch.tensor(self.center, dtype=dtype, device=device)

    def to_grid(self, points_object: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """`p_grid = (p_object - center) / half_extent`: the cube becomes [-1, 1]^3."""
        return (points_object - points_object.new_tensor(self.center)) / self.half_extent

    def to_object(self, points_grid: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """`p_object = half_extent * p_grid + center`."""
        return points_grid * self.half_extent + points_grid.new_tensor(self.center)

    def index_of(self, points_object: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Fractional index (i, j, k) of points; whole numbers at the samples."""
        first = self.axis()[0]
        return (points_object - points_object.new_tensor(self.center) - first) / self.spacing
