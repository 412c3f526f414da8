"""How far hulls are from a mesh where a finger reaches: outward and inward apart."""

import numpy as np
from jaxtyping import Bool, Float, Float64

from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.sampling import points_on_triangles, triangle_areas
from bghop.physics.decomposition.hulls import Hull
from bghop.physics.decomposition.room import Room

_SAMPLES = 8000
_INSIDE = 1e-4
"""Metres; samples deeper than this in another hull are not on the outside of the union."""

Error = tuple[float, float]
"""Mean and 95th percentile, millimetres."""


def errors_of(
    mesh: Mesh, hulls: list[Hull], room: Room, query: MeshQuery
) -> tuple[Error, Error, Error]:
    """Errors of the union's surface (absolute, outward), and of the mesh's surface (inward).

    Samples are spread by area. Only those count that a ball of a finger's width touches.
    """
    rng = np.random.default_rng(0)
    areas = np.array([triangle_areas(hull.corners, hull.faces).sum() for hull in hulls])
    outer = []
    for i, hull in enumerate(hulls):
        count = max(1, round(_SAMPLES * areas[i] / areas.sum()))
        samples = points_on_triangles(hull.corners, hull.faces, count, rng)
        outer.append(samples[_uncovered(samples, hulls[:i] + hulls[i + 1 :])])
    surface = np.concatenate(outer)
    signed = query.signed_distances(surface[room.reaches(surface)])
    own = points_on_triangles(mesh.vertices, mesh.faces, _SAMPLES, rng)
    own = own[room.reaches(own)]
    dents = np.full(len(own), np.inf)
    for hull in hulls:
        np.minimum(dents, hull.distance(own), out=dents)
    return _summary(np.abs(signed)), _summary(np.maximum(signed, 0)), _summary(np.maximum(dents, 0))


def _summary(values: Float[np.ndarray, "n"]) -> Error:
    if len(values) == 0:
        return 0.0, 0.0
    return 1e3 * float(values.mean()), 1e3 * float(np.percentile(values, 95))


def _uncovered(samples: Float64[np.ndarray, "n 3"], others: list[Hull]) -> Bool[np.ndarray, "n"]:
    free = np.ones(len(samples), dtype=bool)
    for other in others:
        low, high = other.bounds
        near = np.flatnonzero(free & ((samples > low) & (samples < high)).all(1))
        if len(near):
            free[near] = other.distance(samples[near]) > -_INSIDE
    return free
