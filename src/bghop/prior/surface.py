"""Decoded distance grid to a closed surface mesh: marching cubes, then crumbs are dropped."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.fields.grid_spec import GridSpec

if TYPE_CHECKING:
    from bghop.geometry.mesh import Mesh

LEVEL = 0.001
"""Metres outside zero at which the surface is taken: walls thinner than the spacing have few
samples inside and fall to pieces at zero. Measured in docs/first_stage.md."""
DRAWN_LEVELS = (0.0045, 0.006, 0.008)
"""The same for drawn objects, of which the largest piece is taken: the first at which an object is
whole. Walls of drawn vessels are thinner than the grid's spacing in places and have holes at zero;
the wider the level, the fewer holes and the thicker the walls."""
SMOOTHING = 12
"""Passes of Taubin's filter over drawn objects: lumps of a cell go, volume stays to 0.1 %."""
WHOLE = 0.97
"""Part of a drawn object's volume that is one piece; others are broken."""
CRUMB = 0.005
"""Pieces with less than this part of the largest piece's volume are dropped."""


def drawn_surface(
    sdf: Float[Tensor, "x y z"],
    spec: GridSpec,
    *,
    truncation: float,
    usual_genus: tuple[int, int] | None = None,
    name: str = "object",
) -> "Mesh | None":
    """The smoothed surface of an object that was drawn; None if it is broken or torn.

    Args:
        sdf: as in `surface_of`.
        spec: as in `surface_of`.
        truncation: as in `surface_of`.
        usual_genus: fewest and most handles that such an object has; None: any number. With fewer
            it is taken if no level gives it all, with more it is torn.
        name: of the mesh.
    """
    from bghop.geometry.topology import genus

    low, high = usual_genus or (0, None)
    lacking: Mesh | None = None
    for level in DRAWN_LEVELS:
        mesh = surface_of(
            sdf, spec, truncation=truncation, level=level, crumb=1.0, whole=WHOLE, name=name
        )
        if mesh is None:
            continue
        handles = genus(mesh.faces)
        if handles >= low and (high is None or handles <= high):
            return _smoothed(mesh)
        if handles < low and lacking is None:
            lacking = mesh
    return None if lacking is None else _smoothed(lacking)


def surface_of(
    sdf: Float[Tensor, "x y z"],
    spec: GridSpec,
    *,
    truncation: float,
    level: float = LEVEL,
    crumb: float = CRUMB,
    whole: float = 0.0,
    name: str = "object",
) -> "Mesh | None":
    """The object in a decoded first-stage grid, in the frame of `spec`, metres.

    The mesh is closed: an object that leaves the grid is cut along the border. Pieces much smaller
    than the largest one are dropped, walls of cavities included, so a cavity of that size is
    filled.

    Args:
        sdf: one decoded grid, distances divided by the truncation, negative inside.
        spec: says where the samples are.
        truncation: of the first stage, metres.
        level: metres; the surface is where the distance is this.
        crumb: pieces below this part of the largest piece's volume go; 0 keeps all.
        whole: part of all volume that the largest piece must have, or the object is broken.
        name: of the mesh.

    Returns:
        The mesh, or None if the surface is nowhere (no point inside, or nothing but inside) or the
        object is broken.
    """
    from bghop.geometry.isosurface import extract_surface
    from bghop.geometry.sdf import SdfGrid

    values = sdf.detach().float().cpu() * truncation
    box = _box_of(values < level)
    if box is None or bool((values < level).all()):
        return None
    axis = spec.from_grid(spec.first_stage_axis(dtype=torch.float64)[:, None].expand(-1, 3))
    grid = SdfGrid(
        values=values[tuple(slice(low, high) for low, high in box)],
        origin=torch.stack([axis[low, i] for i, (low, _) in enumerate(box)]),
        spacing=float(axis[1, 0] - axis[0, 0]),
    )
    mesh = extract_surface(grid, level=level, name=name)
    return _without_crumbs(mesh, crumb, whole)


def _smoothed(mesh: "Mesh") -> "Mesh":
    """The same faces; waves shorter than a few edges are taken out (Taubin, SIGGRAPH 1995)."""
    import trimesh

    from bghop.geometry.mesh import Mesh

    copy = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    trimesh.smoothing.filter_taubin(copy, lamb=0.5, nu=0.53, iterations=SMOOTHING)
    return Mesh(
        vertices=np.asarray(copy.vertices, dtype=np.float64), faces=mesh.faces, name=mesh.name
    )


def _box_of(inside: Tensor) -> list[tuple[int, int]] | None:
    """Start and end along each axis of what is inside, with one sample around it."""
    spans = []
    across, along = inside.any(2), inside.any(0)
    for axis, used in enumerate((across.any(1), across.any(0), along.any(0))):
        places = used.nonzero()
        if len(places) == 0:
            return None
        low, high = int(places[0]), int(places[-1]) + 1
        spans.append((max(low - 1, 0), min(high + 1, inside.shape[axis])))
    return spans


def _without_crumbs(mesh: "Mesh", crumb: float, whole: float) -> "Mesh | None":
    import numpy as np

    from bghop.geometry.mesh import Mesh
    from bghop.geometry.topology import face_components, merge_vertices, piece_volumes

    count, piece = face_components(mesh.faces)
    if count < 2 or crumb <= 0:
        return mesh
    volumes = np.abs(piece_volumes(mesh.vertices, mesh.faces, piece))
    if volumes.max() < whole * volumes.sum():
        return None
    kept = (volumes >= crumb * volumes.max())[piece]
    vertices, faces = merge_vertices(mesh.vertices, mesh.faces[kept])
    return Mesh(vertices=vertices, faces=faces, name=mesh.name)
