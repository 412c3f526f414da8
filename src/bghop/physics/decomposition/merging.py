"""Neighbouring hulls become one where that stays close enough."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from bghop.geometry.band import surface_lattice
from bghop.geometry.mesh import MeshQuery
from bghop.physics.decomposition.cutting import GAP, Measured, air_at
from bghop.physics.decomposition.hulls import Hull, hull_of, rough_corners
from bghop.physics.decomposition.room import Room

_APART = 0.001
"""Hulls whose boxes are farther apart than this are no neighbours, metres."""
_SPARE = 0.0005
"""Metres that a hull may stick out of the others and still be spared."""
_STICKS_OUT = 0.05
"""Share of its surface that may stick out farther."""
_BETWEEN = np.array([0.25, 0.5, 0.75])
_LOOSER = 1.3
"""Factor on the tolerance while there are too many hulls."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    hull: Hull
    error: float
    """Metres."""
    rough: Float64[np.ndarray, "_ 3"]
    """A few of its corners."""


def merged(
    parts: list[Measured], room: Room, query: MeshQuery, *,
    tolerance: float, most: int,
) -> list[Hull]:  # fmt: skip
    """Joins the pair with the least error (metres) until every pair would exceed the tolerance.

    While more than `most` hulls remain, the tolerance grows.
    """
    alive = [_known(part.hull, part.error) for part in parts]
    alive = _joined_within(alive, room, query, tolerance)
    while len(alive) > most:
        tolerance *= _LOOSER
        alive = _joined_within(alive, room, query, tolerance)
    return _needed([known.hull for known in alive])


def _needed(hulls: list[Hull]) -> list[Hull]:
    """Without those whose surface lies in the others: merged hulls often swallow a neighbour."""
    kept = dict(enumerate(hulls))
    for i in sorted(kept, key=lambda i: (hulls[i].volume, i)):
        samples = hulls[i].samples(GAP)
        outside = np.ones(len(samples), dtype=bool)
        for other in kept.values():
            low, high = other.bounds[0] - _SPARE, other.bounds[1] + _SPARE
            near = np.flatnonzero(outside & ((samples > low) & (samples < high)).all(1))
            if other is not hulls[i] and len(near):
                outside[near] = other.distance(samples[near]) > _SPARE
        if outside.mean() < _STICKS_OUT:
            del kept[i]
    return list(kept.values())


def _known(hull: Hull, error: float) -> _Known:
    return _Known(hull=hull, error=error, rough=rough_corners(hull))


def _joined_within(
    parts: list[_Known], room: Room, query: MeshQuery, tolerance: float
) -> list[_Known]:
    alive = dict(enumerate(parts))
    offers: dict[tuple[int, int], _Known] = {}

    def offer(i: int, j: int) -> None:
        limit = max(tolerance, alive[i].error, alive[j].error)
        if both := _joined(alive[i], alive[j], room, query, limit):
            offers[i, j] = both

    for i, j in combinations(alive, 2):
        offer(i, j)
    number = len(parts)
    while offers:
        pair = min(offers, key=lambda pair: (offers[pair].error, pair))
        joined = offers[pair]
        offers = {other: known for other, known in offers.items() if not {*pair} & {*other}}
        for k in pair:
            del alive[k]
        others = list(alive)
        alive[number] = joined
        for k in others:
            offer(k, number)
        number += 1
    return list(alive.values())


def _joined(a: _Known, b: _Known, room: Room, query: MeshQuery, limit: float) -> _Known | None:
    """The common hull of neighbours; None for others and if it stands off farther than `limit`."""
    (low_a, high_a), (low_b, high_b) = a.hull.bounds, b.hull.bounds
    if (low_a > high_b + _APART).any() or (low_b > high_a + _APART).any():
        return None
    # Cheap first: some places between the two, where the grid alone is sure.
    ends_a, ends_b = a.rough[:, None, None], b.rough[None, :, None]
    between = ends_a + _BETWEEN[:, None] * (ends_b - ends_a)
    if (room.air(between.reshape(-1, 3)) > max(limit, 1.5 * room.spacing)).any():
        return None
    both = hull_of(np.concatenate([a.hull.corners, b.hull.corners]))
    if both is None:
        return None
    samples = surface_lattice(both.corners[both.faces], GAP)
    error = max(float(air_at(samples, room, query).max()), 0.0)
    return _known(both, error) if error <= limit else None
