"""Hulls pulled in where they stand off: half of the error outward becomes half of it inward."""

import numpy as np
from jaxtyping import Bool, Float64
from scipy.spatial import HalfspaceIntersection, QhullError

from bghop.geometry.mesh import MeshQuery
from bghop.physics.decomposition.cutting import air_at
from bghop.physics.decomposition.hulls import Hull, hull_of
from bghop.physics.decomposition.room import Room

_GAP = 0.002
"""Between samples of a hull's surface, metres."""
_LEAST = 0.0001
"""Metres; smaller shifts are not worth the new corners."""
_SHARE = 0.5
"""Of the hull's depth behind a side, where it is thin, that the side may move: a wall that the
hull of a bend stands off from stays closed at the ends of the bend."""
_THIN = 10
"""Percent of a side's points that may have less depth."""
_BEYOND = 0.0005
"""Metres; a side lies on another hull where points this far beyond it are in that hull."""
_COVERED = 0.3
"""Share of a side on other hulls from which on it stays, or slits would open."""


def balanced(hull: Hull, others: list[Hull], room: Room, query: MeshQuery) -> Hull:
    """Each free side moves inward by the median height of its points above the solid.

    That is the shift with the least mean error of the side; it is at most half of the largest.
    Sides that lie on other hulls, such as those of cuts, stay.
    """
    samples = hull.samples(_GAP)
    normals, offsets = hull.planes[:, :3], hull.planes[:, 3]
    heights = samples @ normals.T + offsets
    owner = heights.argmax(1)
    air = np.maximum(air_at(samples, room, query), 0)
    covered = _covered(samples + _BEYOND * normals[owner], others)
    shift = np.zeros(len(normals))
    for side in np.unique(owner):
        mine = owner == side
        off = air[mine]
        if covered[mine].mean() >= _COVERED or off.max() < _LEAST:
            continue
        least = np.percentile(_depth(heights[mine], normals, int(side)), _THIN)
        shift[side] = min(float(np.median(off)), float(off.max()) / 2, _SHARE * float(least))
    if shift.max() < _LEAST:
        return hull
    middle = hull.corners.mean(0)
    # A point inside: the shifts are less than the way from the middle to any side, or shrink.
    depth = -(normals @ middle + offsets)
    shift = np.minimum(shift, 0.7 * depth)
    try:
        found = HalfspaceIntersection(np.column_stack([normals, offsets + shift]), middle)
    except (QhullError, ValueError):
        return hull
    return hull_of(found.intersections) or hull


def _depth(
    heights: Float64[np.ndarray, "n plane"], normals: Float64[np.ndarray, "plane 3"], side: int
) -> Float64[np.ndarray, "n"]:
    """How far it is from points of a side straight through the hull to another side."""
    slope = -normals @ normals[side]
    ahead = slope > 1e-6
    return np.maximum(-heights[:, ahead] / slope[ahead], 0).min(axis=1)


def _covered(points: Float64[np.ndarray, "n 3"], others: list[Hull]) -> Bool[np.ndarray, "n"]:
    """Which points lie in another hull."""
    found = np.zeros(len(points), dtype=bool)
    for other in others:
        low, high = other.bounds
        near = np.flatnonzero(~found & ((points > low) & (points < high)).all(1))
        if len(near):
            found[near] = other.distance(points[near]) < 0
    return found
