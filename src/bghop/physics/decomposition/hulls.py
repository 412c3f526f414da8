"""Convex hulls: planes, samples of their surface, fewer corners."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float64, Int32
from scipy.spatial import ConvexHull, QhullError

from bghop.geometry.band import surface_lattice
from bghop.geometry.topology import face_area_vectors

_DIAGONALS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])


@dataclass(frozen=True, eq=False)
class Hull:
    """The convex hull of some points."""

    corners: Float64[np.ndarray, "n 3"]
    faces: Int32[np.ndarray, "f 3"]
    """Counter-clockwise seen from outside."""
    planes: Float64[np.ndarray, "p 4"]
    """Unit normals outward and offsets: `normal @ point + offset <= 0` inside."""
    volume: float

    def distance(self, points: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
        """Largest distance to a face's plane: exact inside, a lower bound outside; metres."""
        return (points @ self.planes[:, :3].T + self.planes[:, 3]).max(axis=1)

    def contains(self, points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Whether points lie inside; plane by plane, for very many points."""
        left = np.arange(len(points))
        for plane in self.planes:
            left = left[points[left] @ plane[:3] < -plane[3]]
        found = np.zeros(len(points), dtype=bool)
        found[left] = True
        return found

    def samples(self, gap: float) -> Float64[np.ndarray, "_ 3"]:
        """Points on the surface, at most `gap` metres apart."""
        return surface_lattice(self.corners[self.faces], gap)

    @cached_property
    def bounds(self) -> Float64[np.ndarray, "2 3"]:
        """Smallest and largest coordinates."""
        return np.stack([self.corners.min(0), self.corners.max(0)])


def hull_of(points: Float[np.ndarray, "n 3"]) -> Hull | None:
    """The hull of points; None if they are flat."""
    if len(points) < 4:
        return None
    try:
        found = ConvexHull(points)
    except (QhullError, ValueError):
        return None
    used = np.full(len(points), -1, dtype=np.int32)
    used[found.vertices] = np.arange(len(found.vertices))
    faces = used[found.simplices]
    corners = np.asarray(points[found.vertices], dtype=np.float64)
    area = face_area_vectors(corners, faces.astype(np.int64))
    inward = (area * found.equations[:, :3]).sum(1) < 0
    faces[inward] = faces[inward][:, ::-1]
    return Hull(corners, faces, _distinct(found.equations), float(found.volume))


def planes_around(points: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "_ 4"] | None:
    """As `Hull.planes`, some of them repeated; None if the points are flat."""
    if len(points) < 4:
        return None
    try:
        return ConvexHull(points).equations
    except (QhullError, ValueError):
        return None


def _distinct(planes: Float64[np.ndarray, "n 4"]) -> Float64[np.ndarray, "_ 4"]:
    """Triangles of one flat side share their plane: one of each, in a fixed order."""
    rounded = planes.round(6)
    order = np.lexsort(rounded.T)
    new = np.ones(len(planes), dtype=bool)
    new[1:] = (np.diff(rounded[order], axis=0) != 0).any(1)
    return planes[np.sort(order[new])]


def rough_corners(hull: Hull) -> Float64[np.ndarray, "_ 3"]:
    """The corners that are farthest along the axes and diagonals."""
    directions = np.concatenate([np.eye(3), -np.eye(3), _DIAGONALS])
    return hull.corners[np.unique((hull.corners @ directions.T).argmax(0))]


def simplified(hull: Hull, tolerance: float, *, most: int = 64) -> Hull:
    """A hull of some of the corners that misses the others by at most `tolerance` metres.

    The farthest corner joins until none is farther, or `most` have joined.
    """
    if len(hull.corners) <= 8:
        return hull
    directions = np.concatenate([np.eye(3), -np.eye(3), _DIAGONALS])
    chosen = list(dict.fromkeys((hull.corners @ directions.T).argmax(0).tolist()))
    while len(chosen) < min(most, len(hull.corners)):
        sides = planes_around(hull.corners[chosen])
        if sides is None:
            return hull
        far = (hull.corners @ sides[:, :3].T + sides[:, 3]).max(axis=1)
        if far.max() <= tolerance:
            break
        chosen.append(int(far.argmax()))
    return hull_of(hull.corners[chosen]) or hull
