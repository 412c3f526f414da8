"""A mesh to convex pieces: cuts by planes, judged by what a finger can touch.

1. A distance grid tells where a finger has room (`room`); all other air counts as solid.
2. The part whose hull stands off farthest into that room is cut by a plane until all hulls stay
   close (`cutting`); the mesh's own triangles are cut, so sharp edges stay.
3. Neighbours whose common hull is close enough become one, and what others cover is spared
   (`merging`).
4. Sides that stand off and lie on no other hull move inward by their median height, less where
   the wall is thin, so that no slits open (`balancing`); corners that hardly matter go (`hulls`).

Approximate convex decomposition with cuts judged by collision is the idea of Wei et al. 2022
(CoACD). Measuring by the room of a finger makes holes, overlaps and inner walls harmless, and a
grid answers fast. What the object weighs is counted from the mesh itself (physics/body.py).
"""

import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int32

from bghop.errors import MeshError
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.physics.body import LATTICE, Body, body_of, lattice
from bghop.physics.decomposition.balancing import balanced
from bghop.physics.decomposition.cutting import cut_up
from bghop.physics.decomposition.errors import errors_of
from bghop.physics.decomposition.hulls import Hull, hull_of, simplified
from bghop.physics.decomposition.merging import merged
from bghop.physics.decomposition.parts import whole
from bghop.physics.decomposition.room import GridQuery, Room, room_around

CUT_TOLERANCE = 0.003
"""How far a part's hull may stand off into a finger's room before sides are balanced, metres."""
MERGE_TOLERANCE = 0.0045
"""The same for hulls that are merged; balancing halves it."""
MOST_PARTS = 96
"""Parts before merging; bounds time for shapes that never end."""
MOST_PIECES = 64
"""Pieces in the end; merging gets laxer until there are no more."""
CONVEX_SHARE = 0.96
"""A mesh that fills this share of its convex hull is one piece: its hull."""
_CORNER_TOLERANCE = 0.0003


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """Convex pieces of an object and what it weighs; object frame."""

    vertices: tuple[Float[np.ndarray, "_ 3"], ...]
    """Corners of each piece, metres."""
    faces: tuple[Int32[np.ndarray, "_ 3"], ...]
    body: Body
    """Of the mesh itself, not of the pieces."""
    volume_error: float
    """(volume of the union of the pieces - volume of the mesh) / volume of the mesh; cavities that
    no finger reaches may be filled."""
    surface_error_mm: tuple[float, float]
    """Mean and 95th percentile of the distance of the pieces' outer surface from that of the mesh,
    where a finger reaches."""
    outward_error_mm: tuple[float, float]
    """The same of its part outside the mesh (inside counts 0)."""
    inward_error_mm: tuple[float, float]
    """Mean and 95th percentile of how far the mesh's reachable surface lies outside the pieces."""
    method: str
    """`hull` (convex already), `cuts`, or `cuts, unfinished` (some hull stands off farther than
    the tolerance when the most parts are reached)."""
    seconds: float
    """Time that making them took; kept with them in the cache."""


def decompose(mesh: Mesh) -> Pieces:
    """The work behind `pieces_of`, without any cache.

    Raises:
        MeshError: The mesh encloses no volume.
    """
    start = time.perf_counter()
    hull = hull_of(mesh.vertices)
    if hull is None:
        raise MeshError(f"{mesh.name} is flat and has no volume to hold: give it a thickness")
    query = MeshQuery(mesh)
    room = room_around(mesh, query)
    body = body_of(mesh, GridQuery(query, room), samples=LATTICE)
    hulls, method = [simplified(hull, _CORNER_TOLERANCE, most=200)], "hull"
    if body.volume < CONVEX_SHARE * hull.volume:
        parts = cut_up(
            whole(mesh.vertices, mesh.faces, room),
            room, query, tolerance=CUT_TOLERANCE, most=MOST_PARTS,
        )  # fmt: skip
        close = max(part.error for part in parts) <= CUT_TOLERANCE
        method = "cuts" if close else "cuts, unfinished"
        joined = merged(parts, room, query, tolerance=MERGE_TOLERANCE, most=MOST_PIECES)
        hulls = _finished(joined, room, query)
    points, cell = lattice(mesh, LATTICE)
    surface, outward, inward = errors_of(mesh, hulls, room, query)
    return Pieces(
        vertices=tuple(each.corners for each in hulls),
        faces=tuple(each.faces for each in hulls),
        body=body,
        volume_error=float(_filled(hulls, points) * cell / body.volume - 1),
        surface_error_mm=surface,
        outward_error_mm=outward,
        inward_error_mm=inward,
        method=method,
        seconds=time.perf_counter() - start,
    )


def _finished(hulls: list[Hull], room: Room, query: MeshQuery) -> list[Hull]:
    """Balanced, and with few corners: before, as time grows with sides, and after."""
    hulls = [simplified(each, _CORNER_TOLERANCE / 3, most=96) for each in hulls]
    moved = [
        balanced(each, hulls[:i] + hulls[i + 1 :], room, query) for i, each in enumerate(hulls)
    ]
    return [simplified(each, _CORNER_TOLERANCE) for each in moved]


def _filled(hulls: list[Hull], points: Float[np.ndarray, "n 3"]) -> int:
    """How many of the points lie in some hull."""
    found = np.zeros(len(points), dtype=bool)
    for hull in hulls:
        near = np.flatnonzero(
            ((points >= hull.bounds[0]) & (points <= hull.bounds[1])).all(1) & ~found
        )
        found[near] = hull.contains(points[near])
    return int(found.sum())
