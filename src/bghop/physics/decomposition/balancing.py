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
_SHARE = 0.3
"""Of the hull's width across a side, that the side may move: thin walls stay walls."""
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
    owner = (samples @ normals.T + offsets).argmax(1)
    air = np.maximum(air_at(samples, room, query), 0)
    covered = _covered(samples + _BEYOND * normals[owner], others)
    shift = np.zeros(len(normals))
    for side in np.unique(owner):
        mine = owner == side
        if covered[mine].mean() < _COVERED:
            heights = air[mine]
            shift[side] = min(float(np.median(heights)), float(heights.max()) / 2)
    width = np.ptp(hull.corners @ normals.T, axis=0)
    shift = np.minimum(shift, _SHARE * width)
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


def _covered(points: Float64[np.ndarray, "n 3"], others: list[Hull]) -> Bool[np.ndarray, "n"]:
    """Which points lie in another hull."""
    found = np.zeros(len(points), dtype=bool)
    for other in others:
        low, high = other.bounds
        near = np.flatnonzero(~found & ((points > low) & (points < high)).all(1))
        if len(near):
            found[near] = other.distance(points[near]) < 0
    return found
