"""Test objects of the first stage in fixed poses, and how well a decoded grid shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from bghop.fields.grid_spec import GridSpec
from bghop.geometry.grid import CubeGrid
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.rotations import random_rotations
from bghop.geometry.sampling import points_on_triangles
from bghop.geometry.sdf import SdfGrid, sdf_on_cube
from bghop.objects.sets import object_set
from bghop.prior.surface import surface_of
from shared_meshes import load_shared_objects

SPEC = GridSpec(frame="object")
THIN = ("mug", "pot", "goblet", "tray", "bowl", "watering_can", "pan", "vase", "lidded_box",
        "sliding_box", "scissors", "024_bowl", "025_mug", "teapot")  # fmt: skip
"""Objects that consist of walls or sheets thinner than a sample spacing (9.5 mm): on all of them
the mesh of the 64^3 grid itself lacks parts."""
_POINTS = 20_000
_SURFACE_POINTS = 4_000
_MARGIN = 0.01
"""Metres around the object's box in which the points of the IoU lie."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """An object in one pose, and what is true about it."""

    name: str
    mesh: Mesh
    query: MeshQuery
    sdf: Float[Tensor, "64 64 64"]
    """Metres, not truncated."""
    points: Float64[np.ndarray, "n 3"]
    """Uniform in the object's box and a centimetre around it."""
    inside: Bool[np.ndarray, "n"]
    surface: Float64[np.ndarray, "m 3"]

    @property
    def thin(self) -> bool:
        """Whether walls are thinner than the spacing."""
        return self.name in THIN


def scenes(meshes: Path, *, poses: int = 2) -> Iterator[Scene]:
    """Held-out shapes and shared meshes, upright (pose 0) and turned at random (the others).

    All have the box's middle at most 3 cm from the grid's centre; longer ones than 56 cm are left
    out because the grid would cut them.
    """
    objects = {item.name: item.mesh for item in object_set("shapes").items}
    objects |= load_shared_objects(meshes) if meshes.is_dir() else {}
    for index, (name, mesh) in enumerate(objects.items()):
        for pose in range(poses):
            rng = np.random.default_rng((index, pose))
            posed = mesh.transformed(_pose(mesh, pose, rng))
            if abs(posed.bounds).max() < SPEC.half_extent:
                yield scene(name, posed, rng)


def scene(name: str, mesh: Mesh, rng: np.random.Generator) -> Scene:
    """Measure one posed object."""
    query = MeshQuery(mesh)
    low, high = mesh.bounds
    points = rng.uniform(low - _MARGIN, high + _MARGIN, size=(_POINTS, 3))
    cube = CubeGrid(resolution=64, half_extent=SPEC.half_extent)
    return Scene(
        name=name,
        mesh=mesh,
        query=query,
        sdf=sdf_on_cube(mesh, cube, query=query).values,
        points=points,
        inside=query.contains(points),
        surface=points_on_triangles(mesh.vertices, mesh.faces, _SURFACE_POINTS, rng),
    )


def quality(
    truth: Scene, decoded: Float[Tensor, "64 64 64"], truncation: float
) -> dict[str, float]:
    """IoU, Chamfer and 95 % distance of a decoded grid (normalised) against the mesh.

    `iou`: on the scene's points, inside by the trilinear value; `iou_grid`: on the grid's own
    samples, so 1 for the grid itself; `chamfer_mm`: mean over both surfaces of the distance to the
    other one; `p95_mm`: 95 % of these distances. The surface is that of `surface_of` as it comes
    (1 mm outside zero); `chamfer0_mm` is at zero. No surface at all counts as 50 mm.
    """
    grid = SdfGrid(
        values=decoded * truncation,
        origin=torch.full((3,), -SPEC.half_extent),
        spacing=2 * SPEC.half_extent / 63,
    )
    guess = (grid.distance(torch.from_numpy(truth.points).float()) < 0).numpy()
    own, true = decoded < 0, truth.sdf < 0
    at_zero, _ = _surface_distance(truth, surface_of(decoded, SPEC, truncation=truncation, level=0))
    chamfer, p95 = _surface_distance(truth, surface_of(decoded, SPEC, truncation=truncation))
    return {
        "iou": float((guess & truth.inside).sum() / (guess | truth.inside).sum()),
        "iou_grid": float((own & true).sum() / (own | true).sum().clamp_min(1)),
        "chamfer_mm": chamfer,
        "p95_mm": p95,
        "chamfer0_mm": at_zero,
    }


def _surface_distance(truth: Scene, mesh: Mesh | None) -> tuple[float, float]:
    """Chamfer distance and 95 % distance, millimetres."""
    if mesh is None:
        return 50.0, 50.0
    rng = np.random.default_rng(0)
    found = points_on_triangles(mesh.vertices, mesh.faces, _SURFACE_POINTS, rng)
    there = truth.query.unsigned(found)[0]
    back = MeshQuery(mesh).unsigned(truth.surface)[0]
    p95 = float(np.quantile(np.concatenate([there, back]), 0.95))
    return 500 * float(there.mean() + back.mean()), 1000 * p95


def _pose(mesh: Mesh, pose: int, rng: np.random.Generator) -> Float64[np.ndarray, "4 4"]:
    T = np.eye(4)
    if pose:
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        T[:3, :3] = random_rotations(1, generator=generator, dtype=torch.float64)[0].numpy()
    middle = mesh.transformed(T).bounds.mean(axis=0)
    T[:3, 3] = rng.uniform(-0.03, 0.03, size=3) / np.sqrt(3) - middle
    return T
