"""Simple closed shapes in metres, z up: for tests, for the demo, and as a start for generators."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64

from bghop.geometry.mesh import Mesh


def box(extents: tuple[float, float, float], *, name: str = "box") -> Mesh:
    """A box centred on the origin, 12 faces."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2.0
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([tri for a, b, c, d in quads for tri in ((a, b, c), (a, c, d))])
    return Mesh(vertices=corners * np.array(extents), faces=faces, name=name)


def sphere(radius: float, *, segments: int = 48, name: str = "sphere") -> Mesh:
    """A sphere about the origin from circles of latitude; vertices lie on it."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    profile = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return lathe(profile, segments=segments, name=name)


def cylinder(radius: float, height: float, *, segments: int = 64, name: str = "cylinder") -> Mesh:
    """A full cylinder about the z axis, centred on the origin."""
    half = height / 2
    profile = np.array([[0, -half], [radius, -half], [radius, half], [0, half]])
    return lathe(profile, segments=segments, name=name)


def torus(radius: float, thickness: float, *, segments: int = 64, name: str = "torus") -> Mesh:
    """A ring about the z axis: `radius` to the middle of a tube of radius `thickness`."""
    angles = np.linspace(0, 2 * np.pi, max(segments // 2, 8), endpoint=False)
    profile = [[radius, 0]] + thickness * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return lathe(np.asarray(profile), segments=segments, closed_profile=True, name=name)


def lathe(
    profile: Float[np.ndarray, "n 2"],
    *,
    segments: int = 64,
    closed_profile: bool = False,
    name: str = "lathe",
) -> Mesh:
    """Turn a profile of (radius, height) points about the z axis.

    Args:
        profile: from the lower end on the axis to the upper end on it, the solid to its left (both
            ends have radius 0); or any closed counter-clockwise loop off the axis.
        segments: number of steps around.
        closed_profile: the profile is a loop; its last point joins its first.
        name: of the mesh.
    """
    profile = np.asarray(profile, dtype=np.float64)
    turns = np.arange(segments) * (2 * np.pi / segments)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    rings = np.concatenate(
        [
            profile[:, None, :1] * circle,
            np.broadcast_to(profile[:, None, 1:], (len(profile), segments, 1)),
        ],
        axis=2,
    )
    count = len(profile)
    below = np.arange(count if closed_profile else count - 1)
    return _woven(rings, below, (below + 1) % count, name)


def loft(
    rings: Float[np.ndarray, "ring segment 3"], *, closed: bool = False, name: str = "loft"
) -> Mesh:
    """A skin over outlines with equally many points, one after the other, its ends closed.

    Args:
        rings: each counter-clockwise seen from the side that the next ones lie on; the end ones are
            closed by a fan about their mean, so they are star-shaped about it or single points.
        closed: the last ring is joined to the first one instead, and there are no ends.
        name: of the mesh.
    """
    rings = np.asarray(rings, dtype=np.float64)
    if not closed:
        first, last = (
            np.broadcast_to(ring.mean(axis=0), (1, *ring.shape)) for ring in rings[[0, -1]]
        )
        rings = np.concatenate([first, rings, last])
    count = len(rings)
    below = np.arange(count if closed else count - 1)
    return _woven(rings, below, (below + 1) % count, name)


def tube(
    path: Float[np.ndarray, "n 3"],
    radius: float | Float[np.ndarray, "n"],
    *,
    segments: int = 24,
    name: str = "tube",
) -> Mesh:
    """A round bar along a path, its ends closed flat.

    Args:
        path: points of the middle line, metres; bends should be wider than the radius.
        radius: of the bar, metres; one for all points or one for each.
        segments: number of steps around.
        name: of the mesh.
    """
    path = np.asarray(path, dtype=np.float64)
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    turns = np.arange(segments) * (2 * np.pi / segments)
    # A normal carried along without twist: made orthogonal to each tangent in turn.
    normal = np.eye(3)[np.abs(tangents[0]).argmin()]
    rings = []
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(path))
    for point, tangent, reach in zip(path, tangents, radii, strict=True):
        normal = normal - (normal @ tangent) * tangent
        normal /= np.linalg.norm(normal)
        side = np.cross(tangent, normal)
        rings.append(
            point + reach * (np.cos(turns)[:, None] * normal + np.sin(turns)[:, None] * side)
        )
    ends = [np.broadcast_to(path[i], (1, segments, 3)) for i in (0, -1)]
    woven = np.concatenate([ends[0], np.stack(rings), ends[1]])
    below = np.arange(len(woven) - 1)
    return _woven(woven, below, below + 1, name)


def mug(
    *,
    radius: float = 0.042,
    height: float = 0.095,
    wall: float = 0.004,
    name: str = "mug",
) -> Mesh:
    """A mug with one handle towards +x, standing on z = 0; metres."""
    body = lathe(_cup_profile(radius, height, wall), segments=96)
    angles = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 40)
    reach, rise = 0.030, 0.3 * height
    path = np.stack(
        [
            radius - wall / 2 + reach * np.cos(angles),
            np.zeros_like(angles),
            0.5 * height + rise * np.sin(angles),
        ],
        axis=1,
    )
    return Mesh.concatenated([body, tube(path, 0.005)], name=name)


def casserole(
    *,
    radius: float = 0.105,
    height: float = 0.11,
    wall: float = 0.006,
    handle_width: float = 0.09,
    handle_reach: float = 0.039,
    handle_radius: float = 0.006,
    name: str = "casserole",
) -> Mesh:
    """A two-handled pot, about 30 cm wide with its handles along x, standing on z = 0; metres.

    Args:
        radius: outer radius of the pot.
        height: of its rim.
        wall: thickness of wall and floor.
        handle_width: of each handle along y, between the middles of its legs.
        handle_reach: of each handle's middle line beyond the wall.
        handle_radius: of the round handle bar.
        name: of the mesh.
    """
    body = lathe(_cup_profile(radius, height, wall), segments=128)
    half = handle_width / 2
    corner = min(0.018, 0.8 * half)
    # The flat end of a leg lies inside the wall: between where its inner edge would come out on
    # the inside and where its outer edge would come out on the outside.
    deepest = (radius - wall) ** 2 - (half - handle_radius) ** 2
    start = math.sqrt((deepest + radius**2 - (half + handle_radius) ** 2) / 2)
    reach = radius + handle_reach
    arc = np.linspace(0, np.pi / 2, 12)
    line = np.concatenate(
        [
            np.stack([np.linspace(start, reach - corner, 10), np.full(10, -half)], axis=1)[:-1],
            np.stack(
                [reach - corner + corner * np.sin(arc), corner - half - corner * np.cos(arc)],
                axis=1,
            ),
        ]
    )
    line = np.concatenate([line, line[::-1] * [1, -1]])
    bar = np.column_stack([line, np.full(len(line), 0.72 * height)])
    right = tube(bar, handle_radius)
    left = tube(bar * [-1, -1, 1], handle_radius)
    return Mesh.concatenated([body, right, left], name=name)


def _cup_profile(radius: float, height: float, wall: float) -> Float64[np.ndarray, "_ 2"]:
    """Outline (radius, height) of a cup with rounded edges.

    From the middle of the floor outside, around the rim, to the middle of the floor inside.
    """
    quarter = np.linspace(0, np.pi / 2, 8)
    foot, inner, lip = 0.12 * radius, 0.16 * radius, wall / 2
    low_edge = _corner((radius - foot, foot), foot, quarter - np.pi / 2)
    rim = _corner((radius - lip, height - lip), lip, np.linspace(0, np.pi, 13))
    bottom = _corner((radius - wall - inner, wall + inner), inner, -quarter)
    steps = np.linspace(low_edge[-1, 1], rim[0, 1], 12)[1:-1]
    outside = np.stack([np.full(len(steps), radius), steps], axis=1)
    down = np.linspace(rim[-1, 1], bottom[0, 1], 12)[1:-1]
    inside = np.stack([np.full(len(down), radius - wall), down], axis=1)
    floor = np.linspace(0, 1, 6)[:, None]
    under = floor * low_edge[:1]
    above = np.array([[0.0, wall]]) + floor[::-1] * (bottom[-1:] - [[0.0, wall]])
    return np.concatenate([under[:-1], low_edge, outside, rim, inside, bottom, above[1:]])


def _corner(
    center: Sequence[float], radius: float, angles: Float[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 2"]:
    return np.array(center) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _woven(
    rings: Float[np.ndarray, "ring segment 3"],
    below: Int64[np.ndarray, "n"],
    above: Int64[np.ndarray, "n"],
    name: str,
) -> Mesh:
    """Triangles between neighbouring rings; a ring shrunk to a point becomes one vertex."""
    num, segments = rings.shape[:2]
    number = np.arange(num * segments).reshape(num, segments)
    points = np.ptp(rings, axis=1).max(axis=1) < 1e-12
    number[points] = number[points, :1]
    here, right = number, np.roll(number, -1, axis=1)
    a, b, c, d = here[below], right[below], right[above], here[above]
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    proper = (
        (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    )
    used, faces = np.unique(faces[proper], return_inverse=True)
    return Mesh(
        vertices=np.ascontiguousarray(rings.reshape(-1, 3)[used]),
        faces=faces.reshape(-1, 3).astype(np.int64),
        name=name,
    )
