"""Handles of any mesh: slender bars that a hand can close around, seen in the distance grid alone.

Go in from the surface to the middle of the material, at depth r. A sphere of radius `k r` about
that point lies inside the object where the object goes on: a cylinder of radius r cuts two caps out
of it, `1 - sqrt(1 - 1/k^2)` of its area, a wall 1/k, a ball nothing.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.geometry.sdf import SdfGrid
from bghop.synthesis.starts import Pool
from bghop.synthesis.surface import SurfaceSamples

THINNEST, THICKEST = 0.0035, 0.024
"""Metres: radii of bars; thinner ones are strings, thicker ones bodies."""
_LEAST, _MOST = 0.06, 0.42
"""Share of a sphere that lies inside the object, times k: 1 for a wall, 0.27 to 0.13 for a bar."""
_SPHERES = (2.0, 3.0, 4.0)
"""Their k: the larger ones find bars that are somewhat flat, or bent."""
_ROUGH = 0.35
"""How much nearer than r the surface may be to the middle: bars need not be round."""
_FEWEST, _MOST_AREA = 0.005, 0.5
"""Share of the surface that is handle; of what is nearly all bars none is the place for a hand."""
_NEAREST = 3
_DIRECTIONS = 96
_STEPS = 24


@torch.no_grad()
def takes_handle(
    pool: Pool, samples: SurfaceSamples, sdf: SdfGrid
) -> Bool[Tensor, "left right"] | None:
    """Which pairs of single starts have a hand at a handle; None if the object has none.

    Args:
        pool: starts of both sides.
        samples: of the surface.
        sdf: the object.
    """
    marks = on_handle(samples.points, samples.normals, sdf)
    if not _FEWEST < float(marks.float().mean()) < _MOST_AREA:
        return None
    near = torch.cdist(pool.contact, samples.points.expand(2, -1, -1)).topk(
        min(_NEAREST, len(marks)), largest=False
    )
    left, right = marks[near.indices].any(-1)
    return left[:, None] | right[None, :]


@torch.no_grad()
def on_handle(
    points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"], sdf: SdfGrid
) -> Bool[Tensor, "n"]:
    """Whether surface points belong to bars.

    Args:
        points: on the surface, metres.
        normals: outward, unit length.
        sdf: the object.
    """
    depths = torch.linspace(THINNEST / 2, 1.3 * THICKEST, _STEPS).to(points)
    inward = points[:, None] - depths[:, None] * normals[:, None]
    radius, step = (-sdf.distance(inward)).max(1)
    middle = inward[torch.arange(len(points)), step]
    is_bar = torch.zeros_like(radius, dtype=torch.bool)
    for times in _SPHERES:
        sphere = middle[:, None] + times * radius[:, None, None] * _directions().to(points)
        inside = (sdf.distance(sphere) < 0).float().mean(1)
        is_bar |= (times * inside > _LEAST) & (times * inside < _MOST)
    as_deep = radius > (1 - _ROUGH) * depths[step]
    return is_bar & as_deep & (radius > THINNEST) & (radius < THICKEST)


def _directions() -> Float[Tensor, "direction 3"]:
    """Evenly over the sphere (Fibonacci)."""
    number = torch.arange(_DIRECTIONS) + 0.5
    z = 1 - 2 * number / _DIRECTIONS
    turn = torch.pi * (1 + 5**0.5) * number
    radius = (1 - z * z).sqrt()
    return torch.stack([radius * turn.cos(), radius * turn.sin(), z], dim=-1)
