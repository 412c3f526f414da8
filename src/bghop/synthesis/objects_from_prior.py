"""Objects that a prior draws: from words by its object prior, else read from its samples."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.geometry.mesh import Mesh
from bghop.geometry.topology import genus
from bghop.prior.object_prior import decode_shapes
from bghop.prior.prior import Prior, Sampled
from bghop.prior.surface import drawn_surface, surface_of
from bghop.synthesis.placement import fits, grid_distances, place
from bghop.threads import network_threads

SMALLEST = 1e-6
"""Cubic metres; a sampled object below is a scrap of the sampler."""
TRIES = 6
"""Draws of an object until one is whole."""


def drawn_meshes(
    prior: Prior, prompt: str, num: int, *, name: str, seed: int = 0, first: int = 0
) -> list[Mesh | None]:
    """Objects of the object prior about the origin, z up, metres.

    A torn one is drawn again, `TRIES` times at most: that costs a tenth of drawing hands for it. So
    is one that lacks a handle, but it is taken if no better one comes. None where all were torn.
    Row `i` depends on `(seed, first + i)` only.
    """
    meshes: list[Mesh | None] = [None] * num
    left = [range(first, first + num)]
    for again in range(TRIES):
        lacking = []
        for rows in left:
            drawn = _drawn_once(prior, prompt, rows, name, seed, again)
            for row, (mesh, has_all) in zip(rows, drawn, strict=True):
                if mesh is not None and (has_all or meshes[row - first] is None):
                    meshes[row - first] = mesh
                if mesh is None or not has_all:
                    lacking.append(range(row, row + 1))
        left = lacking
    return meshes


def object_meshes(prior: Prior, sampled: Sampled, *, name: str) -> list[Mesh | None]:
    """Surfaces of objects of the joint network in the grid's frame; None where there is none.

    None, too, for objects that are larger than hands can be drawn for. A prior that has an object
    prior is held to its standard: objects in one piece.
    """
    stage, spec = prior.codec.first_stage, prior.codec.spec
    with network_threads():
        grids = prior.object_grid(sampled)[:, 0]
    surface = surface_of if prior.objects is None else drawn_surface
    meshes = [surface(grid, spec, truncation=stage.truncation, name=name) for grid in grids]

    def usable(mesh: Mesh) -> bool:
        # In a hand's frame the object's own box is not known yet.
        return mesh.volume > SMALLEST and (spec.frame != "object" or fits(mesh, spec))

    return [mesh if mesh is not None and usable(mesh) else None for mesh in meshes]


def centred_distances(meshes: Sequence[Mesh | None], prior: Prior) -> Float[Tensor, "n 1 x y z"]:
    """Of meshes that are about the origin; rows without one are empty."""
    spec = prior.codec.spec
    fine = spec.resolution * spec.reduction
    empty = torch.full((1, 1, fine, fine, fine), prior.codec.first_stage.truncation)
    return torch.cat(
        [
            empty
            if mesh is None
            else grid_distances(mesh, spec, place(mesh, spec, num=1, seed=0)).to(empty)
            for mesh in meshes
        ]
    )


def _drawn_once(
    prior: Prior, prompt: str, rows: range, name: str, seed: int, again: int
) -> list[tuple[Mesh | None, bool]]:
    """Objects, None where torn, and whether each has all handles of its kind."""
    stage, spec, num = prior.codec.first_stage, prior.codec.spec, len(rows)
    with network_threads():
        drawn = prior.draw_objects(
            prior.condition([prompt] * num), seed=seed, first=rows.start, again=again
        )
        with torch.no_grad():
            grids = decode_shapes(stage, drawn.shapes.latents)
    usual = [None] * num if drawn.genus is None else [(a, b) for a, b in drawn.genus.tolist()]
    found: list[tuple[Mesh | None, bool]] = []
    for grid, size, handles in zip(grids, drawn.shapes.sizes.tolist(), usual, strict=True):
        mesh = drawn_surface(
            grid, spec, truncation=stage.truncation, usual_genus=handles, name=name
        )
        if mesh is not None:
            mesh = _of_size(mesh, size)
            mesh = mesh if mesh.volume > SMALLEST and fits(mesh, spec) else None
        has_all = mesh is not None and (handles is None or genus(mesh.faces) >= handles[0])
        found.append((mesh, has_all))
    return found


def _of_size(mesh: Mesh, longest: float) -> Mesh:
    """Scaled to a longest side, with the middle of its box at the origin."""
    grow = longest / float(mesh.extents.max())
    T = np.diag([grow, grow, grow, 1.0])
    T[:3, 3] = -grow * mesh.bounds.mean(0)
    return mesh.transformed(T)
