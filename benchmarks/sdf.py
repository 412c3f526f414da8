"""Mesh to distance grid, lookup, exact queries: times, errors and signs; one JSON line.

    python benchmarks/sdf.py --meshes FOLDER

FOLDER as in shared_meshes.py. Without it, the built-in casserole stands for all objects.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bghop.geometry.grid import CubeGrid
from bghop.geometry.isosurface import extract_surface
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh, sdf_on_cube
from bghop.geometry.shapes import casserole
from shared_meshes import load_shared_objects

SIGN_POINTS = 40_000


def timed(action: Callable[[], object], repeats: int = 3) -> tuple[float, float]:
    """Least wall and process CPU seconds of some runs."""
    wall, cpu = [], []
    for _ in range(repeats):
        start, spent = time.perf_counter(), time.process_time()
        action()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - spent)
    return min(wall), min(cpu)


def cube_around(mesh: Mesh) -> CubeGrid:
    """64^3 samples; the longest side of the mesh fills 90 % of the cube."""
    middle = mesh.bounds.mean(0)
    center = (float(middle[0]), float(middle[1]), float(middle[2]))
    return CubeGrid(resolution=64, half_extent=float(mesh.extents.max()) / 1.8, center=center)


def torn(mesh: Mesh) -> Mesh:
    """Without a random 5 % of the faces."""
    keep = np.random.default_rng(0).random(len(mesh.faces)) >= 0.05
    return Mesh(vertices=mesh.vertices, faces=mesh.faces[keep])


def accuracy(sdf: SdfGrid, mesh: Mesh) -> dict[str, float]:
    """Signs and distances against exact queries at some of the samples.

    Samples on the surface itself (flat sides often lie on a layer of samples) have no sign.
    """
    points = sdf.points().reshape(-1, 3).double().numpy()
    chosen = np.random.default_rng(0).permutation(len(points))[:SIGN_POINTS]
    truth = MeshQuery(mesh).signed_distances(points[chosen])
    found = sdf.values.reshape(-1).double().numpy()[chosen]
    near = np.abs(truth) < 6 * sdf.spacing
    off, outside = np.abs(truth) > 1e-4 * sdf.spacing, truth > 0
    relative = np.abs(found - truth)[outside & ~near] / truth[outside & ~near]
    return {
        "signs": float(((found < 0) == (truth < 0))[off].mean()),
        "near_error_spacings": float(np.abs(found - truth)[near & outside].max() / sdf.spacing),
        "far_error_p999": float(np.quantile(relative, 0.999)) if relative.size else 0.0,
    }


def lookup(sdf: SdfGrid) -> dict[str, float]:
    """Milliseconds for 32 candidates x 2 hands x 600 points."""
    points = sdf.origin + (sdf.upper - sdf.origin) * torch.rand(32, 2, 600, 3)
    volume = sdf.values.permute(2, 1, 0)[None, None].contiguous()
    scale = 2 / (sdf.upper - sdf.origin)

    def forward() -> None:
        with torch.no_grad():
            sdf.distance_and_normal(points)

    def backward() -> None:
        moving = points.clone().requires_grad_()
        sdf.distance(moving).sum().backward()

    def theirs() -> None:
        moving = points.clone().requires_grad_()
        place = ((moving - sdf.origin) * scale - 1).reshape(1, 1, 1, -1, 3)
        torch.nn.functional.grid_sample(volume, place, align_corners=True).sum().backward()

    times = [1000 * timed(action, 20)[0] for action in (forward, backward, theirs)]
    names = ("lookup_ms", "lookup_backward_ms", "grid_sample_backward_ms")
    return dict(zip(names, times, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(2)
    objects = load_shared_objects(options.meshes) if options.meshes else {"casserole": casserole()}
    rows: dict[str, dict[str, float]] = {}
    for name, mesh in objects.items():
        row: dict[str, float] = {"faces": len(mesh.faces)}
        cube = cube_around(mesh)
        row["wall_s_64"], row["cpu_s_64"] = timed(lambda m=mesh, c=cube: sdf_on_cube(m, c))
        row["wall_s_112"], row["cpu_s_112"] = timed(lambda m=mesh: sdf_from_mesh(m, resolution=112))
        sdf = sdf_on_cube(mesh, cube)
        row |= accuracy(sdf, mesh)
        holed = sdf_on_cube(torn(mesh), cube)
        row["signs_torn"] = accuracy(holed, mesh)["signs"]
        row["surface_s"] = timed(lambda grid=sdf: extract_surface(grid), 1)[0]
        rows[name] = {key: float(f"{value:.5g}") for key, value in row.items()}
    mesh = objects.get("025_mug", next(iter(objects.values())))
    low, high = mesh.bounds
    points = np.random.default_rng(0).uniform(low, high, (100_000, 3))
    query = MeshQuery(mesh)
    query.signed_distances(points[:10])
    wall, cpu = timed(lambda: query.signed_distances(points))
    whole = {"exact_100k_wall_s": wall, "exact_100k_cpu_s": cpu}
    whole |= lookup(sdf_from_mesh(mesh, resolution=112))
    worst = {
        "worst_wall_s_64": max(row["wall_s_64"] for row in rows.values()),
        "worst_cpu_s_64": max(row["cpu_s_64"] for row in rows.values()),
        "worst_wall_s_112": max(row["wall_s_112"] for row in rows.values()),
        "worst_cpu_s_112": max(row["cpu_s_112"] for row in rows.values()),
        "least_signs": min(row["signs"] for row in rows.values()),
        "least_signs_torn": min(row["signs_torn"] for row in rows.values()),
        "worst_far_error_p999": max(row["far_error_p999"] for row in rows.values()),
    }
    rounded = {key: float(f"{value:.4g}") for key, value in (worst | whole).items()}
    print(json.dumps({"benchmark": "sdf", **rounded, "objects": rows}))


if __name__ == "__main__":
    main()
