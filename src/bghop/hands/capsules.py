"""Capsules fitted inside the skin: one per finger bone and a fan of bars for the palm."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from bghop.hands.anatomy import chains, vertex_areas_and_normals

_STEPS = 25
_CONVERGED = 1e-5
"""Metres; a hundredth of the skin error."""
_ROUNDS = 4


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One capsule in the wrist frame."""

    start: Float[np.ndarray, "3"]
    end: Float[np.ndarray, "3"]
    radius: float


def distance(bar: Bar, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Signed distance to the capsule's surface, metres, negative inside."""
    return _to_segment(bar.start, bar.end, points)[0] - bar.radius


def fit_capsules(
    joints: Float[np.ndarray, "21 3"],
    vertices: Float[np.ndarray, "vert 3"],
    faces: Int64[np.ndarray, "face 3"],
    weights: Float[np.ndarray, "vert 16"],
) -> tuple[list[int], list[Bar]]:
    """Bones and capsules of a hand at rest: 15 finger bones, then the palm's bars (bone 0)."""
    areas, _ = vertex_areas_and_normals(vertices, faces)
    owner = weights.argmax(1)
    bones, bars = [], []
    for finger, chain in enumerate(chains(joints)):
        for part in range(3):
            bone = 3 * finger + part + 1
            mine = owner == bone
            radius = 0.25 * float(np.linalg.norm(chain[part + 1] - chain[part]))
            start = Bar(start=chain[part], end=chain[part + 1], radius=radius)
            bones.append(bone)
            bars.append(_fit(start, vertices[mine], areas[mine]) if mine.sum() > 8 else start)
    mine = owner == 0
    palm = _fit_palm(joints, vertices[mine], areas[mine])
    return bones + [0] * len(palm), bars + palm


def _fit_palm(
    joints: Float[np.ndarray, "21 3"],
    points: Float[np.ndarray, "n 3"],
    areas: Float[np.ndarray, "n"],
) -> list[Bar]:
    """Five bars: four metacarpals and the ball of the thumb; points go to the nearest bar."""
    wrist = joints[0]
    bases = chains(joints)[:, 0]
    spread = bases - wrist
    bars = [Bar(start=wrist + 0.25 * s, end=wrist + 0.9 * s, radius=0.012) for s in spread]
    for _ in range(_ROUNDS):
        nearest = np.stack([distance(bar, points) for bar in bars]).argmin(0)
        bars = [
            _fit(bar, points[nearest == i], areas[nearest == i])
            if (nearest == i).sum() > 8
            else bar
            for i, bar in enumerate(bars)
        ]
    return bars


def _to_segment(
    start: Float[np.ndarray, "3"], end: Float[np.ndarray, "3"], points: Float[np.ndarray, "n 3"]
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"], Float[np.ndarray, "n 3"]]:
    """Distance to a segment, position along it (0..1), unit vector away from it."""
    axis = end - start
    along = ((points - start) @ axis / max(axis @ axis, 1e-12)).clip(0, 1)
    away = points - start - along[:, None] * axis
    length = np.linalg.norm(away, axis=1)
    return length, along, away / length.clip(1e-9)[:, None]


def _fit(bar: Bar, points: Float[np.ndarray, "n 3"], areas: Float[np.ndarray, "n"]) -> Bar:
    """Gauss-Newton on both ends and the radius: area-weighted squared distance of skin to capsule.

    A weak pull to the first guess keeps the directions that the skin leaves open where they are.
    """
    first = np.concatenate([bar.start, bar.end, [bar.radius]])
    x = first.copy()
    weight = areas / areas.sum()
    pull = np.diag([1e-2] * 6 + [1e-4])
    for _ in range(_STEPS):
        length, along, away = _to_segment(x[:3], x[3:6], points)
        residual = length - x[6]
        J = np.concatenate(
            [-(1 - along)[:, None] * away, -along[:, None] * away, -np.ones((len(points), 1))], 1
        )
        H = (J * weight[:, None]).T @ J + pull
        step = np.linalg.solve(H, (J * weight[:, None]).T @ residual + pull @ (x - first))
        x = x - step.clip(-0.005, 0.005)
        if np.abs(step).max() < _CONVERGED:
            break
    return Bar(start=x[:3], end=x[3:6], radius=float(max(x[6], 1e-3)))
