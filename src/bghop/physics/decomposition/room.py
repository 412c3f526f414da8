"""Where a finger has room around a mesh: hulls may cover any other air."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from scipy import ndimage

from bghop.geometry.band import sample_signed_distance
from bghop.geometry.mesh import Mesh, MeshQuery

FINGER_RADIUS = 0.006
"""Half the width of the thinnest finger that shall feel the shape, metres."""
_SAMPLES_ALONG = 100
_FINEST = 0.001
"""Spacing in metres below which nothing is gained: fingers are softer."""

_DOUBTFUL = 1.75
"""Spacings; farther from the surface than the diagonal of a cell, all its corners agree."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Room:
    """Distance to the solid in the air that a finger reaches; zero or less anywhere else."""

    values: Float32[np.ndarray, "nx ny nz"]
    signed: Float32[np.ndarray, "nx ny nz"]
    """Signed distance to the mesh everywhere, negative inside."""
    near: Bool[np.ndarray, "nx ny nz"]
    """Samples that a ball of a finger's width covers somewhere on its ways."""
    origin: Float64[np.ndarray, "3"]
    spacing: float

    def air(self, points: Float[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n"]:
        """How far (metres) points in reachable air are from the solid, between samples linear."""
        where = ((points - self.origin) / self.spacing).T
        return ndimage.map_coordinates(self.values, where, order=1, mode="nearest")

    def reaches(self, points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Whether a finger touches these points of a surface, to within a spacing."""
        index = np.rint((points - self.origin) / self.spacing).astype(np.int64)
        np.clip(index, 0, np.array(self.near.shape) - 1, out=index)
        return self.near[tuple(index.T)]


class GridQuery(MeshQuery):
    """Exact queries, but what is far from the surface is told inside from outside by the grid.

    Winding numbers of hundreds of thousands of points take seconds.
    """

    def __init__(self, query: MeshQuery, room: Room) -> None:
        super().__init__(query.mesh)
        self._query = query
        self._room = room

    def contains(self, points: Float[np.ndarray, "n 3"]) -> np.ndarray:
        """Whether each point is inside."""
        room = self._room
        where = ((points - room.origin) / room.spacing).T
        signed = ndimage.map_coordinates(room.signed, where, order=1, mode="nearest")
        found = signed < 0
        doubtful = np.flatnonzero(np.abs(signed) < _DOUBTFUL * room.spacing)
        found[doubtful] = self._query.contains(points[doubtful])
        return found


def room_around(mesh: Mesh, query: MeshQuery, *, radius: float = FINGER_RADIUS) -> Room:
    """Finds where a ball of this radius (metres) gets to from outside, and all that it covers.

    Gaps, holes and cavities that are too narrow or have no way in count as solid.
    """
    lower, upper = mesh.bounds
    spacing = max(float((upper - lower).max()) / _SAMPLES_ALONG, _FINEST)
    # The ball must get around the mesh inside the box.
    margin = math.ceil(radius / spacing) + 2
    counts = [math.ceil(side / spacing - 1e-9) + 1 + 2 * margin for side in upper - lower]
    origin = (lower + upper) / 2 - spacing * (np.array(counts) - 1) / 2
    shape = (counts[0], counts[1], counts[2])
    values = sample_signed_distance(mesh, origin=origin, spacing=spacing, shape=shape, query=query)
    middles = ndimage.label(values > radius)[0]  # type: ignore[index]
    away = np.asarray(ndimage.distance_transform_edt(middles != middles[0, 0, 0]))
    # Samples know where the ball gets to only within one spacing: rather too much than too little.
    covered = away * spacing <= radius + spacing
    return Room(
        values=np.where(covered, values, np.minimum(values, 0)),
        signed=values,
        near=covered,
        origin=origin,
        spacing=spacing,
    )
