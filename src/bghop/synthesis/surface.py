"""Points on the object where a hand may be put: samples with normals and local thickness."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid

_DEEPEST = 0.08
"""Metres that the thickness is followed into the object; no hand closes around more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SurfaceSamples:
    """Uniform samples of the outer surface, object frame, metres."""

    points: Float[Tensor, "n 3"]
    normals: Float[Tensor, "n 3"]
    """Outward unit gradients of the signed distance."""
    thickness: Float[Tensor, "n"]
    """Length of the straight way through the object against the normal; capped at 8 cm."""


def sample_surface(mesh: Mesh, sdf: SdfGrid, num: int, rng: np.random.Generator) -> SurfaceSamples:
    """Area-weighted samples that lie on the zero level of the grid (inner walls are dropped).

    All of them have a direction outward.

    Raises:
        ValueError: never for a validated mesh; some samples always lie on its outside.
    """
    corners = mesh.vertices[mesh.faces]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    face = rng.choice(len(area), size=2 * num, p=area / area.sum())
    a, b = rng.random((2, 2 * num, 1))
    root = np.sqrt(a)
    picked = corners[face]
    points_np = (1 - root) * picked[:, 0] + root * (1 - b) * picked[:, 1] + root * b * picked[:, 2]
    points = torch.as_tensor(points_np, dtype=sdf.values.dtype, device=sdf.values.device)

    distance, normals = sdf.distance_and_normal(points)
    # In the middle of what is thinner than the grid's cells there is no direction outward.
    clear = normals.norm(dim=-1) > 0.5
    on_surface = clear & (distance.abs() < sdf.spacing)
    kept = torch.nonzero(on_surface if on_surface.any() else clear)[:num, 0]
    points, normals = points[kept], normals[kept]

    steps = torch.linspace(0.002, _DEEPEST, 40, dtype=points.dtype, device=points.device)
    inside = sdf.distance(points[:, None] - steps[:, None] * normals[:, None]) < 0
    # First step that is outside again; a wall thinner than the first step counts as that step.
    run = inside.long().cumprod(dim=1).sum(1)
    thickness = steps[run.clamp(max=len(steps) - 1)]
    return SurfaceSamples(points=points, normals=normals, thickness=thickness)
