"""Distance grids of training objects in any pose, for the first stage. Kept in a file once made."""

import time
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from bghop.geometry.grid import CubeGrid
from bghop.geometry.mesh import Mesh
from bghop.geometry.rotations import matrix_from_rotvec, random_rotations
from bghop.geometry.sdf import sdf_on_cube
from bghop.objects.seeds import training_rng
from bghop.objects.splits import training_families

STREAM = 77
"""Key of this data's random numbers within the training stream."""
REACH = 0.12
"""Metres: distances are kept up to here, wider than any truncation tried."""


def cube(half_extent: float = 0.30) -> CubeGrid:
    """The object's grid of `GridSpec`: 64^3 samples, the outermost on the cube's faces."""
    return CubeGrid(resolution=64, half_extent=half_extent)


def random_cube(rng: np.random.Generator) -> CubeGrid:
    """The default size in three of four cases, up to 0.42 m (wide objects) in the others."""
    return cube(0.30 if rng.random() < 0.75 else float(rng.uniform(0.30, 0.42)))


def random_pose(mesh: Mesh, rng: np.random.Generator) -> Float64[np.ndarray, "4 4"]:
    """`p_grid = T @ p_object`: half of all upright, half turned at will; three kinds of places.

    A surface point within 12 cm of the grid's centre (a hand-centred grid), the box's middle
    within 3 cm of it (an object-centred grid), each half of the time.
    """
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    if rng.random() < 0.5:
        R = random_rotations(1, generator=generator, dtype=torch.float64)[0]
    else:
        angle = torch.tensor([0.0, 0.0, rng.uniform(-np.pi, np.pi)], dtype=torch.float64)
        R = matrix_from_rotvec(angle)
    T = np.eye(4)
    T[:3, :3] = R.numpy()
    if rng.random() < 0.5:
        anchor, spread = mesh.vertices[rng.integers(len(mesh.vertices))], 0.12
    else:
        anchor, spread = mesh.bounds.mean(axis=0), 0.03
    direction = rng.normal(size=3)
    offset = spread * rng.random() ** (1 / 3) * direction / np.linalg.norm(direction)
    T[:3, 3] = offset - T[:3, :3] @ anchor
    return T


def training_grids(path: Path, *, per_family: int) -> Float[Tensor, "n 64 64 64"]:
    """Signed distances in metres, clamped to `REACH`, half precision; families take turns."""
    families = training_families()
    if path.is_file():
        return torch.load(path)[: per_family * len(families)]
    grids, start = [], time.perf_counter()
    for turn in range(per_family):
        for name, kind in families.items():
            # By name: a family that is added later leaves the others' grids as they are.
            rng = training_rng(0, STREAM, zlib.crc32(name.encode()), turn)
            mesh = kind.mesh(kind.sample(rng))
            posed = mesh.transformed(random_pose(mesh, rng))
            values = sdf_on_cube(posed, random_cube(rng)).values
            grids.append(values.clamp(-REACH, REACH).half())
        print(f"{len(grids)} grids, {time.perf_counter() - start:.0f} s", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    stacked = torch.stack(grids)
    torch.save(stacked, path)
    return stacked
