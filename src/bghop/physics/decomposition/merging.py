"""Neighbouring hulls become one where that stays close enough."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bghop.geometry.mesh import MeshQuery
from bghop.physics.decomposition.cutting import Measured, stand_off
from bghop.physics.decomposition.hulls import Hull, hull_of
from bghop.physics.decomposition.room import Room

_APART = 0.001
"""Hulls whose boxes are farther apart than this are no neighbours, metres."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    hull: Hull
    error: float
    """Metres."""


def merged(parts: list[Measured], room: Room, query: MeshQuery, *, tolerance: float) -> list[Hull]:
    """Joins the pair with the least error (metres) until every pair would exceed the tolerance."""
    alive = {i: _Known(hull=part.hull, error=part.error) for i, part in enumerate(parts)}
    offers: dict[tuple[int, int], _Known] = {}

    def offer(i: int, j: int) -> None:
        both = _joined(alive[i], alive[j], room, query)
        if both and both.error <= max(tolerance, alive[i].error, alive[j].error):
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
    return [known.hull for known in alive.values()]


def _joined(a: _Known, b: _Known, room: Room, query: MeshQuery) -> _Known | None:
    """The common hull of neighbours, None for others."""
    (low_a, high_a), (low_b, high_b) = a.hull.bounds, b.hull.bounds
    if (low_a > high_b + _APART).any() or (low_b > high_a + _APART).any():
        return None
    both = hull_of(np.concatenate([a.hull.corners, b.hull.corners]))
    if both is None:
        return None
    return _Known(hull=both, error=stand_off(both, room, query)[0])
