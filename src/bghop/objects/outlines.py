"""Curves and outlines that solids are made from: points in metres, no meshes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64
from scipy.interpolate import CubicSpline

Outline = Float64[np.ndarray, "_ 2"]
Number = int | float
Points = Float[np.ndarray, "_ dim"] | Sequence[tuple[Number, ...]]
"""Corners in the plane or in space, metres."""


def filleted(
    points: Points, cut: float, *, closed: bool = False, steps: int = 6
) -> Float64[np.ndarray, "_ _"]:
    """A polyline whose corners are rounded.

    Args:
        points: corners, metres.
        cut: where the rounding of a corner starts before it and ends after it, metres (the radius
            at a right angle); less where a neighbouring corner is closer than twice that.
        closed: the last point joins the first.
        steps: of each rounding.
    """
    points = np.asarray(points, dtype=np.float64)
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    along = np.linspace(0, 1, steps + 1)[:, None]
    pieces = []
    for index, (a, corner, b) in enumerate(zip(before, points, after, strict=True)):
        if not closed and index in (0, len(points) - 1):
            pieces.append(corner[None])
            continue
        ends = []
        for neighbour in (a, b):
            length = np.linalg.norm(neighbour - corner)
            ends.append(corner + (neighbour - corner) * min(cut / length, 0.48))
        start, end = ends
        pieces.append((1 - along) ** 2 * start + 2 * along * (1 - along) * corner + along**2 * end)
    return np.concatenate(pieces)


def resampled(points: Points, step: float, *, closed: bool = False) -> Float64[np.ndarray, "_ _"]:
    """The same polyline with more points, so that no piece of it is longer than `step` metres."""
    points = np.asarray(points, dtype=np.float64)
    ends = np.concatenate([points[1:], points[:1]]) if closed else points[1:]
    pieces = []
    for start, end in zip(points, ends, strict=False):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / step)))
        share = np.arange(count)[:, None] / count
        pieces.append(start + share * (end - start))
    if not closed:
        pieces.append(points[-1:])
    return np.concatenate(pieces)


def spline(points: Points, num: int = 40) -> Float64[np.ndarray, "{num} _"]:
    """A smooth curve of `num` points through the given ones."""
    points = np.asarray(points, dtype=np.float64)
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    # Square roots of the chords (centripetal): no loops where points are close together.
    places = np.concatenate([[0.0], np.cumsum(np.sqrt(lengths))])
    return CubicSpline(places, points)(np.linspace(0, places[-1], num))


def arc(
    center: tuple[Number, Number],
    radius: float,
    start_deg: Number,
    end_deg: Number,
    num: int = 24,
) -> Outline:
    """Points on a circle in the plane, angles in degrees from its first axis."""
    angles = np.radians(np.linspace(start_deg, end_deg, num))
    return np.array(center) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def rounded_rectangle(
    width: float, depth: float, corner: float, *, sides: int = 10, steps: int = 4
) -> Outline:
    """Counter-clockwise outline about the origin, with the same number of points for any size.

    Args:
        width: along x, metres.
        depth: along y, metres.
        corner: radius of the corners, metres.
        sides: pieces of each straight side.
        steps: pieces of each corner.
    """
    corner = min(corner, 0.499 * width, 0.499 * depth)
    x, y = width / 2 - corner, depth / 2 - corner
    corners = [((x, y), 0), ((-x, y), 90), ((-x, -y), 180), ((x, -y), 270)]
    arcs = [arc(center, corner, turn, turn + 90, steps + 1) for center, turn in corners]
    pieces = []
    for here, following in zip(arcs, [*arcs[1:], arcs[0]], strict=True):
        share = np.linspace(0, 1, sides + 1)[1:-1, None]
        pieces += [here, here[-1] + share * (following[0] - here[-1])]
    return np.concatenate(pieces)


def ellipse(width: float, depth: float, *, num: int = 64) -> Outline:
    """Counter-clockwise ellipse about the origin, `width` along x and `depth` along y, metres."""
    return arc((0, 0), 1.0, 0, 360 - 360 / num, num) * [width / 2, depth / 2]


def inset(outline: Outline, distance: float) -> Outline:
    """The outline moved inward (counter-clockwise; negative: outward) by a distance in metres.

    Neighbouring points may meet; the distance stays below the radius of outward bends.
    """
    before, after = np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0)
    inward = []
    for edge in (outline - before, after - outline):
        length = np.linalg.norm(edge, axis=1, keepdims=True)
        inward.append(np.stack([-edge[:, 1], edge[:, 0]], axis=1) / length)
    both = inward[0] + inward[1]
    # The mitre: moves both edges by the distance.
    return outline + distance * 2 * both / (both**2).sum(axis=1, keepdims=True)


def left_offset(curve: Outline, distance: float) -> Outline:
    """An open curve moved to its left by a distance in metres."""
    tangents = np.gradient(curve, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    return curve + distance * np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)
