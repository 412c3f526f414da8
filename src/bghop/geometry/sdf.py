"""Signed distance grids: negative inside, metres."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bghop.geometry.band import sample_signed_distance
from bghop.geometry.grid import CubeGrid
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.trilinear import TrilinearLookup, pack_corners


@dataclass(frozen=True, kw_only=True, eq=False)
class SdfGrid:
    """Samples of a signed distance on a regular box of points; index i, j, k follows x, y, z."""

    values: Float[Tensor, "nx ny nz"]
    origin: Float[Tensor, "3"]
    """Position of sample [0, 0, 0] in the object frame, metres."""
    spacing: float
    """Distance between neighbouring samples, the same along all axes, metres."""

    @cached_property
    def _packed(self) -> Float[Tensor, "cell 8"]:
        return pack_corners(self.values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of samples along x, y, z."""
        nx, ny, nz = self.values.shape
        return nx, ny, nz

    @property
    def upper(self) -> Float[Tensor, "3"]:
        """Position of the last sample, metres."""
        return self.origin + self.spacing * (self.origin.new_tensor(self.shape) - 1)

    def points(self) -> Float[Tensor, "nx ny nz 3"]:
        """Positions of all samples in the object frame, metres."""
        return lattice(self.origin, self.spacing, self.shape)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "SdfGrid":
        """The same grid on another device or in another precision."""
        return SdfGrid(
            values=self.values.to(device=device, dtype=dtype),
            origin=self.origin.to(device=device, dtype=dtype),
            spacing=self.spacing,
        )

    def distance(self, points: Float[Tensor, "*batch n 3"]) -> Float[Tensor, "*batch n"]:
        """Signed distance (metres) at any point of the object frame, with gradients.

        Inside the box the trilinear value. Outside, the distance to the surface point that the
        nearest border point sees: an upper bound within some percent, continuous at the border;
        its gradient points away from that surface point and has length one. The grid's values are
        constants: no gradient reaches them.
        """
        return self._look_up(points)[0]

    def distance_and_normal(
        self, points: Float[Tensor, "*batch n 3"]
    ) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch n 3"]]:
        """As `distance`, and the unit outward direction (its gradient, which is not tracked)."""
        distance, gradient = self._look_up(points)
        return distance, functional.normalize(gradient, dim=-1)

    def _look_up(self, points: Tensor) -> tuple[Tensor, Tensor]:
        distance, gradient = TrilinearLookup.apply(  # type: ignore[misc]
            points.reshape(-1, 3), self._packed, self.origin, self.spacing, self.shape
        )
        return distance.reshape(points.shape[:-1]), gradient.reshape(points.shape)


def lattice(
    origin: Float[Tensor, "3"], spacing: float, shape: tuple[int, int, int]
) -> Float[Tensor, "nx ny nz 3"]:
    """Points `origin + spacing * (i, j, k)`."""
    axes = [
        origin[i] + spacing * torch.arange(shape[i], dtype=origin.dtype, device=origin.device)
        for i in range(3)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def sdf_from_mesh(
    mesh: Mesh, *, resolution: int = 64, padding: int = 4, query: MeshQuery | None = None
) -> SdfGrid:
    """Signed distances on a box around the mesh.

    Args:
        mesh: triangles in metres; holes, overlaps and flipped faces are tolerated (see `band`).
        resolution: samples along the longest side of the box, padding included; the other sides
            get as many as they need at the same spacing.
        padding: samples between the mesh and the border of the box on every side.
        query: the mesh's search trees if they exist already.

    Returns:
        A float32 grid on the CPU in the mesh's frame.
    """
    if resolution < 2 * padding + 2:
        raise ValueError(f"resolution {resolution} leaves no sample inside a padding of {padding}")
    lower, upper = mesh.bounds
    extents = upper - lower
    spacing = float(extents.max()) / (resolution - 1 - 2 * padding)
    counts = [math.ceil(side / spacing - 1e-9) + 1 + 2 * padding for side in extents]
    origin = (lower + upper) / 2 - spacing * (np.array(counts) - 1) / 2
    shape = (counts[0], counts[1], counts[2])
    values = sample_signed_distance(mesh, origin=origin, spacing=spacing, shape=shape, query=query)
    return _grid(values, origin, spacing)


def sdf_on_cube(mesh: Mesh, cube: CubeGrid, *, query: MeshQuery | None = None) -> SdfGrid:
    """Signed distances (metres) at the sample points of a cube, as the prior takes them."""
    origin = np.array([cube.center[i] + cube.axis()[0] for i in range(3)])
    shape = (cube.resolution, cube.resolution, cube.resolution)
    values = sample_signed_distance(
        mesh, origin=origin, spacing=cube.spacing, shape=shape, query=query
    )
    return _grid(values, origin, cube.spacing)


def union(first: SdfGrid, second: SdfGrid) -> SdfGrid:
    """Minimum of two distances on a box that holds both, with the finer spacing.

    Exact outside both solids; inside an overlap it is a lower bound of the depth.
    """
    spacing = min(first.spacing, second.spacing)
    lower = torch.minimum(first.origin, second.origin)
    upper = torch.maximum(first.upper, second.upper)
    counts = [math.ceil(float(side) / spacing - 1e-4) + 1 for side in upper - lower]
    points = lattice(lower, spacing, (counts[0], counts[1], counts[2]))
    with torch.no_grad():
        values = torch.minimum(first.distance(points), second.distance(points))
    return SdfGrid(values=values, origin=lower, spacing=spacing)


def _grid(values: np.ndarray, origin: np.ndarray, spacing: float) -> SdfGrid:
    return SdfGrid(
        values=torch.from_numpy(values),
        origin=torch.as_tensor(origin, dtype=torch.float32),
        spacing=spacing,
    )
