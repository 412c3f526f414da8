"""Cuts by planes until every part's hull stays close to its part.

Measure: how far the hull's surface stands off the solid into air that a finger reaches. Cuts
through the surface never dent it: all error is outward, and the largest is known.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Float64

from bghop.geometry.mesh import MeshQuery
from bghop.physics.decomposition.hulls import Hull
from bghop.physics.decomposition.parts import Part, split
from bghop.physics.decomposition.room import Room
from bghop.physics.decomposition.trial import Plane, Trial

_DOUBT = 0.001
"""Metres; lower heights above the surface are not worth an exact question."""
GAP = 0.003
"""Between samples of a hull's surface, metres."""
_TRIED_EXACTLY = 4
"""Planes that true hulls choose from."""
_USELESS = 0.85
"""A plane that leaves this share of the air needs a second one to show its worth."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A part, its hull, and where the hull stands off."""

    part: Part
    hull: Hull
    error: float
    """Metres."""
    worst: Float64[np.ndarray, "n 3"]
    """Some places on the hull's surface, farthest from the solid first."""


def air_at(
    points: Float[np.ndarray, "n 3"], room: Room, query: MeshQuery
) -> Float64[np.ndarray, "n"]:
    """As `Room.air`, but exact near the surface.

    Between samples, walls thinner than the spacing look like air.
    """
    air = room.air(points).astype(np.float64)
    doubtful = np.flatnonzero((air > _DOUBT) & (air < 1.5 * room.spacing))
    if len(doubtful):
        air[doubtful] = np.minimum(air[doubtful], query.unsigned(points[doubtful])[0])
    return air


def stand_off(hull: Hull, room: Room, query: MeshQuery) -> tuple[float, Float64[np.ndarray, "n 3"]]:
    """Largest distance (metres) of the hull's surface from the solid, and some such places."""
    samples = hull.samples(GAP)
    air = air_at(samples, room, query)
    order = np.argsort(-air, kind="stable")
    error = max(float(air[order[0]]), 0.0)
    chosen = [order[0]]
    apart = np.linalg.norm(samples - samples[order[0]], axis=1)
    for _ in range(3):
        apart[air < 0.5 * error] = -1
        chosen.append(int(apart.argmax()))
        apart = np.minimum(apart, np.linalg.norm(samples - samples[chosen[-1]], axis=1))
    return error, samples[chosen]


def measured(part: Part, room: Room, query: MeshQuery) -> Measured | None:
    """None for a flat sliver."""
    hull = part.hull()
    if hull is None:
        return None
    error, worst = stand_off(hull, room, query)
    return Measured(part=part, hull=hull, error=error, worst=worst)


def cut_up(
    parts: list[Part], room: Room, query: MeshQuery, *,
    tolerance: float, most: int,
) -> list[Measured]:  # fmt: skip
    """Splits the worst part until all are within the tolerance (metres) or there are `most`."""
    done = [each for part in parts if (each := measured(part, room, query))]
    finished: list[Measured] = []
    while done and len(done) + len(finished) < most:
        worst = max(range(len(done)), key=lambda i: done[i].error)
        if done[worst].error <= tolerance:
            break
        parent = done.pop(worst)
        normal, offset = best_plane(parent, room, query)
        pieces = split(parent.part, room, normal, offset)
        made = [each for part in pieces if (each := measured(part, room, query))]
        if len(made) < 2 and (not made or made[0].error >= parent.error):
            # No plane divides it: it stays as it is and is not tried again.
            finished.append(parent)
            continue
        done += made
    return done + finished


def best_plane(
    parent: Measured, room: Room, query: MeshQuery
) -> tuple[Float64[np.ndarray, "3"], float]:
    """Normal and offset of the plane whose two hulls hold the least air.

    All are tried with rough hulls, the best of them with true ones.
    """
    trial = Trial(parent.part, parent.hull, room)
    axes = _axes(parent)
    planes = _candidates(parent, axes, query)
    air, best = _least(trial, [[plane] for plane in planes])
    if air < _USELESS:
        return planes[best]
    middle = parent.hull.bounds.mean(0)
    through = [parent.worst[0], middle]
    pairs = [
        [(first, float(first @ spot)), (second, float(second @ spot))]
        for first, second in combinations(axes, 2)
        for spot in through
    ]
    air_pair, best_pair = _least(trial, pairs)
    if air_pair < air:
        return min(pairs[best_pair], key=lambda plane: trial.air_left([plane]))
    return planes[best]


def _least(trial: Trial, ways: list[list[Plane]]) -> tuple[float, int]:
    """The least air that one of the ways to cut leaves, and which one."""
    rough = [trial.air_left_roughly(planes) for planes in ways]
    order = np.argsort(rough, kind="stable")[:_TRIED_EXACTLY]
    return min((trial.air_left(ways[i]), int(i)) for i in order)


def _axes(parent: Measured) -> list[Float64[np.ndarray, "3"]]:
    """The frame's axes and the part's principal ones, without near repeats."""
    corners = parent.part.vertices[parent.part.faces]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    middle = corners.mean(1)
    arm = middle - np.average(middle, axis=0, weights=area + 1e-12)
    _, principal = np.linalg.eigh((arm * (area + 1e-12)[:, None]).T @ arm)
    axes = list(np.eye(3))
    for axis in principal.T:
        if max(abs(axis @ other) for other in axes) < 0.99:
            axes.append(axis)
    return axes


def _candidates(
    parent: Measured, axes: list[np.ndarray], query: MeshQuery
) -> list[tuple[Float64[np.ndarray, "3"], float]]:
    """Planes across the axes, and those of the surface next to where the hull stands off."""
    planes = []
    for axis in axes:
        along = parent.hull.corners @ axis
        low, high = along.min(), along.max()
        offsets = [low + share * (high - low) for share in (0.25, 0.5, 0.75)]
        offsets += [float(spot @ axis) for spot in parent.worst[:2]]
        planes += [(axis, float(o)) for o in offsets if low + 1e-4 < o < high - 1e-4]
    near = query.closest(parent.worst)
    for face, spot in zip(near.face, near.point, strict=True):
        a, b, c = query.mesh.vertices[query.mesh.faces[face]]
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal)
        if length > 0:
            normal = normal / length
            along = parent.hull.corners @ normal
            o = float(normal @ spot)
            if along.min() + 2e-4 < o < along.max() - 2e-4:
                planes.append((normal, o))
    if not planes:
        axis = axes[int(np.ptp(parent.hull.corners @ np.array(axes).T, axis=0).argmax())]
        planes.append((axis, float((parent.hull.corners @ axis).mean())))
    return planes
