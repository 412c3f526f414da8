"""Closed solids from outlines and curves: prisms, vessels, bars, blends; metres, z up."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from bghop.geometry.isosurface import extract_surface
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid
from bghop.geometry.shapes import lathe, loft, tube
from bghop.objects.outlines import (
    Number,
    Outline,
    Points,
    ellipse,
    filleted,
    inset,
    left_offset,
    resampled,
    rounded_rectangle,
)

Cone = tuple[Sequence[Number], Sequence[Number], float, float]
"""Start and end (x, y, z), radius at the start and at the end, metres."""


def moved(
    mesh: Mesh,
    shift: Sequence[Number] | Float[np.ndarray, "3"] = (0.0, 0.0, 0.0),
    *,
    turn_deg: Number = 0.0,
    about: str = "z",
) -> Mesh:
    """Turned right-handed about an axis through the origin, then shifted (metres)."""
    T = np.eye(4)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[about]
    cos, sin = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    T[[first, second], [first, second]] = cos
    T[second, first], T[first, second] = sin, -sin
    T[:3, 3] = shift
    return mesh.transformed(T)


def joined(*meshes: Mesh) -> Mesh:
    """All parts as one mesh; parts overlap, so that together they are one solid."""
    return Mesh.concatenated(meshes)


def stacked(outlines: Sequence[tuple[Outline, float]], *, caps: int = 3) -> Mesh:
    """A full solid through level outlines, one above the other.

    Args:
        outlines: each with its height in metres, from the lowest on; with equally many points,
            counter-clockwise, the end ones star-shaped about the mean of their points.
        caps: rings between the edge and the middle of each end: long thin triangles from edge to
            middle serve nobody.
    """
    rings = [_raised(outline, z) for outline, z in outlines]
    shares = np.arange(1, caps + 1) / (caps + 1)
    below = [_shrunk(rings[0], share) for share in shares]
    above = [_shrunk(rings[-1], share) for share in reversed(shares)]
    return loft(np.stack([*below, *rings, *above]))


def prism(
    outline: Outline,
    height: float,
    *,
    rounding: float = 0.001,
    layers: int = 6,
    caps: int = 3,
    frame: float = 0.0,
) -> Mesh:
    """An outline pulled up from z = 0 to `height`, its edges rounded.

    Args:
        outline: counter-clockwise, star-shaped about the mean of its points.
        height: metres.
        rounding: radius of the upper and lower edges, metres; below the outline's own radii.
        layers: of the wall.
        caps: rings between the edge and the middle of each end.
        frame: width of a frame on the upper side, in which a screen lies 1 mm deeper, metres; below
            the outline's own radii; 0 is none.
    """
    rounding = min(rounding, 0.49 * height)
    turns = np.linspace(0, np.pi / 2, 4)
    low = [(rounding * (1 - np.sin(t)), rounding * (1 - np.cos(t))) for t in turns]
    wall = [(0.0, z) for z in np.linspace(rounding, height - rounding, layers + 1)[1:-1]]
    high = [(depth, height - z) for depth, z in reversed(low)]
    screen = [(frame, height), (frame + 0.0005, height - 0.001)] if frame else []
    rings = [(inset(outline, depth), z) for depth, z in [*low, *wall, *high, *screen]]
    return stacked(rings, caps=caps)


def slab(
    width: float,
    depth: float,
    height: float,
    *,
    corner: float = 0.004,
    rounding: float = 0.002,
    coarse: bool = False,
) -> Mesh:
    """A block on z = 0 with round corners (seen from above) and rounded edges, metres.

    A coarse one has few faces: for keys, buttons and other small parts.
    """
    corner = max(corner, 1.05 * rounding)
    if coarse:
        outline = rounded_rectangle(width, depth, corner, sides=1, steps=1)
        return prism(outline, height, rounding=rounding, layers=1, caps=0)
    return prism(rounded_rectangle(width, depth, corner), height, rounding=rounding)


def peg(radius: float, height: float, *, rounding: float = 0.001, num: int = 28) -> Mesh:
    """A short round block on z = 0 of few faces: for knobs, buttons and feet; metres."""
    outline = ellipse(2 * radius, 2 * radius, num=num)
    return prism(outline, height, rounding=rounding, layers=1, caps=0)


def turned(
    corners: Points,
    *,
    rounding: float = 0.002,
    segments: int = 64,
) -> Mesh:
    """A full solid of revolution about z from (radius, height) corners, metres.

    Args:
        corners: from the lower end on the axis to the upper end on it.
        rounding: of the corners, metres.
        segments: steps around.
    """
    line = filleted(np.asarray(corners, dtype=np.float64), rounding)
    length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
    return lathe(resampled(line, length / 36), segments=segments)


def wall_profile(
    outside: Outline, wall: float, *, floor: float | None = None, pieces: int = 32
) -> Outline:
    """From the outside of a vessel to the line around its wall: outside, rim, inside.

    Args:
        outside: (radius, height) from the middle of the foot, on the axis, to the rim; bends that
            are hollow seen from inside have a radius over `wall`.
        wall: thickness, metres.
        floor: height of the floor's upper side; `wall` if not given.
        pieces: of the outside, at least.
    """
    floor = wall if floor is None else floor
    length = float(np.linalg.norm(np.diff(outside, axis=0), axis=1).sum())
    line = resampled(outside, length / pieces)
    inner = left_offset(line, wall)
    blocked = np.flatnonzero((inner[:, 1] <= floor + 1e-9) | (inner[:, 0] <= 1e-9))
    first = int(blocked[-1]) + 1
    a, b = inner[first - 1], inner[first]
    share = np.clip((floor - a[1]) / (b[1] - a[1]), 0.0, 0.999)
    start = a + share * (b - a)
    inside = np.concatenate([start[None], inner[first:]])[::-1]
    middle, side = (line[-1] + inside[0]) / 2, (line[-1] - inside[0]) / 2
    onward = np.array([-side[1], side[0]])
    turns = np.linspace(0, np.pi, 8)[1:-1, None]
    rim = middle + np.cos(turns) * side + np.sin(turns) * onward
    ground = start + np.linspace(0, 1, 7)[1:, None] * (np.array([0.0, start[1]]) - start)
    return np.concatenate([line, rim, inside, ground])


def vessel(
    outside: Points,
    wall: float,
    *,
    floor: float | None = None,
    segments: int = 72,
) -> Mesh:
    """A round open vessel; arguments as of `wall_profile`."""
    return lathe(
        wall_profile(np.asarray(outside, dtype=np.float64), wall, floor=floor), segments=segments
    )


def open_box(
    width: float,
    depth: float,
    height: float,
    wall: float,
    *,
    corner: float = 0.008,
    flare: float = 0.0,
    floor: float | None = None,
) -> Mesh:
    """A box without a lid on z = 0, open upward, metres.

    Args:
        width: along x at the foot.
        depth: along y at the foot.
        height: of the rim.
        wall: thickness of the walls, and of the floor if that is not given.
        corner: outer radius of the upright edges.
        flare: how far the rim lies outside the foot.
        floor: thickness of the floor.
    """
    half = min(width, depth) / 2
    foot = min(0.6 * wall, 0.003)
    outside = np.array([[0.0, 0.0], [half, 0.0], [half + flare, height - wall / 2]])
    profile = wall_profile(filleted(outside, foot), wall, floor=floor, pieces=18)
    rings = []
    for reach, z in profile:
        if reach < half - wall - 1e-6:
            # The floor: the same outline, smaller and smaller.
            outline = rounded_rectangle(width, depth, corner) * max(reach / half, 1e-3)
        else:
            grown = reach - half
            outline = rounded_rectangle(
                width + 2 * grown, depth + 2 * grown, max(corner + grown, 0.0015), sides=10
            )
        rings.append(_raised(outline, z))
    return loft(np.stack(rings))


def bar(
    path: Points,
    radius: float | Float[np.ndarray, "n"],
    *,
    rounding: float = 0.01,
    segments: int = 20,
) -> Mesh:
    """A round bar along corners that are rounded; its ends are flat. Metres.

    Several radii belong to a path that is smooth already, one for each of its points.
    """
    path = np.asarray(path, dtype=np.float64)
    if isinstance(radius, float):
        path = filleted(path, rounding)
        length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
        path = resampled(path, max(length / 24, radius / 2))
    return tube(path, radius, segments=segments)


def hoop(outline: Outline, z: float, radius: float, *, segments: int = 14) -> Mesh:
    """A round bar along a closed level outline (counter-clockwise) at height `z`, metres."""
    outward = outline - inset(outline, 1.0)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    turns = np.arange(segments) * (2 * np.pi / segments)
    side = np.concatenate([outward, np.zeros((len(outward), 1))], axis=1)
    rings = (
        _raised(outline, z)[:, None]
        + radius * np.cos(turns)[:, None] * np.array([0.0, 0.0, 1.0])
        + radius * np.sin(turns)[:, None] * side[:, None]
    )
    return loft(rings, closed=True)


def blend(
    cones: Sequence[Cone],
    *,
    softness: float,
    samples: int = 56,
) -> Mesh:
    """One smooth body from round cones that flow into each other.

    Args:
        cones: of different radii at their ends, or balls, which start and end at one place.
        softness: how far apart surfaces start to flow together, metres.
        samples: along the longest side; the surface is that of the samples.
    """
    starts, ends = (np.array([cone[side] for cone in cones], dtype=np.float64) for side in (0, 1))
    radii = np.array([cone[2:] for cone in cones], dtype=np.float64)
    most = radii.max(axis=1, keepdims=True) + softness
    low = np.minimum(starts - most, ends - most).min(axis=0)
    high = np.maximum(starts + most, ends + most).max(axis=0)
    spacing = float((high - low).max()) / samples
    # An odd shift: no sample lies on a plane of symmetry, where values tie.
    origin = low - 0.37 * spacing
    axes = [o + spacing * np.arange(int(side / spacing) + 3) for o, side in
            zip(origin, high - low, strict=True)]  # fmt: skip
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    total = np.zeros(points.shape[:3])
    for start, end, (first, last) in zip(starts, ends, radii, strict=True):
        along = end - start
        share = np.clip((points - start) @ along / max(float(along @ along), 1e-12), 0, 1)
        gap = np.linalg.norm(points - start - share[..., None] * along, axis=-1)
        total += np.exp(-(gap - first - share * (last - first)) / (softness / 3))
    values = -(softness / 3) * np.log(np.maximum(total, 1e-200))
    grid = SdfGrid(values=torch.tensor(values), origin=torch.tensor(origin), spacing=spacing)
    return extract_surface(grid)


def _raised(outline: Outline, z: float) -> Float[np.ndarray, "n 3"]:
    return np.column_stack([outline, np.full(len(outline), z)])


def _shrunk(ring: Float[np.ndarray, "n 3"], share: float) -> Float[np.ndarray, "n 3"]:
    middle = ring.mean(axis=0)
    return middle + share * (ring - middle)
