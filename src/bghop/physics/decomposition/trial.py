"""What a cut would be worth, from few points of a part and of the air in its hull."""

import numpy as np
from jaxtyping import Bool, Float64

from bghop.physics.decomposition.hulls import Hull, planes_around
from bghop.physics.decomposition.parts import Part
from bghop.physics.decomposition.room import Room

Plane = tuple[Float64[np.ndarray, "3"], float]
"""Unit normal and offset: `normal @ point == offset`."""

_TRIANGLES = 400
"""Of a part that stand for it."""
_CAPS = 100
_SPOTS_ALONG = 14
_SPOTS_OUTSIDE = 600
_GAP = 0.006
"""Between samples of the hull's surface, metres."""
_FLOOR = 0.001
"""Metres; air less deep than this does not count."""
_DIRECTIONS = 64
_SIZE_WEIGHT = 0.1
"""Of the larger half's box against the air: an even cut is worth a bit."""


class Trial:
    """Tries planes on one part."""

    def __init__(self, part: Part, hull: Hull, room: Room) -> None:
        step = max(1, len(part.faces) // _TRIANGLES)
        chosen = part.faces[::step]
        corners = part.vertices[chosen]
        self._edges = np.stack([corners, np.roll(corners, -1, axis=1)], 2).reshape(-1, 2, 3)
        caps = part.caps[:: max(1, len(part.caps) // _CAPS)]
        self._points = np.concatenate([hull.corners, part.vertices[np.unique(chosen)], caps])
        low, high = hull.bounds
        axes = [
            low[i] + (np.arange(_SPOTS_ALONG) + 0.5) * (high[i] - low[i]) / _SPOTS_ALONG
            for i in range(3)
        ]
        inner = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        inner = inner[hull.distance(inner) < 0]
        outer = hull.samples(_GAP)
        spots = np.concatenate([inner, outer[:: max(1, len(outer) // _SPOTS_OUTSIDE)]])
        air = room.air(spots) - _FLOOR
        self._spots, self._weight = spots[air > 0], air[air > 0].astype(np.float64)
        self._total = max(float(self._weight.sum()), 1e-12)
        self._size = float(np.prod(np.maximum(high - low, 1e-6)))
        self._directions = _directions()
        self._spots_along = self._spots @ self._directions

    def air_left(self, planes: list[Plane]) -> float:
        """Share of the air that the hulls between the planes still hold, plus a bit for size."""
        left = np.zeros(len(self._spots), dtype=bool)
        largest = 0.0
        for points in self._divided(planes):
            sides = planes_around(points)
            if sides is None:
                continue
            rest = np.flatnonzero(~left)
            heights = self._spots[rest] @ sides[:, :3].T + sides[:, 3]
            left[rest] = heights.max(axis=1) < 1e-5
            largest = max(largest, float(np.prod(np.ptp(points, axis=0))))
        return self._score(left, largest)

    def air_left_roughly(self, planes: list[Plane]) -> float:
        """The same with hulls whose sides look along fixed directions: too large, but quick."""
        left = np.zeros(len(self._spots), dtype=bool)
        largest = 0.0
        for points in self._divided(planes):
            if len(points) < 4:
                continue
            along = points @ self._directions
            low, high = along.min(0), along.max(0)
            left |= ((self._spots_along < high + 1e-5) & (self._spots_along > low - 1e-5)).all(1)
            largest = max(largest, float(np.prod((high - low)[:3])))
        return self._score(left, largest)

    def _divided(self, planes: list[Plane]) -> list[np.ndarray]:
        """Corners of the parts that the planes leave."""
        groups = [(self._points, self._edges)]
        for normal, offset in planes:
            groups = [half for group in groups for half in _halves(*group, normal, offset)]
        return [points for points, _ in groups]

    def _score(self, left: Bool[np.ndarray, "spot"], largest: float) -> float:
        share = float(self._weight[left].sum()) / self._total
        return share + _SIZE_WEIGHT * largest / self._size


def _halves(
    points: np.ndarray, edges: np.ndarray, normal: np.ndarray, offset: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Points and edges on both sides; where an edge crosses the plane, both get a point."""
    height = points @ normal - offset
    ends = edges @ normal - offset
    cross = ends[:, 0] * ends[:, 1] < 0
    low, high = ends[cross].T
    share = low / (low - high)
    fresh = edges[cross, 0] + share[:, None] * (edges[cross, 1] - edges[cross, 0])
    return [
        (np.concatenate([points[sign * height >= 0], fresh]), edges[(sign * ends >= 0).all(1)])
        for sign in (-1, 1)
    ]


def _directions() -> Float64[np.ndarray, "3 direction"]:
    """The axes of the frame first, then directions spread evenly over half a sphere."""
    number = np.arange(_DIRECTIONS) + 0.5
    up = number / _DIRECTIONS
    turn = number * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(1 - up**2)
    spread = np.stack([flat * np.cos(turn), flat * np.sin(turn), up])
    return np.concatenate([np.eye(3), spread], axis=1)
