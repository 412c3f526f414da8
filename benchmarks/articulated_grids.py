"""An object with a joint: a grid for each of 200 states, or one for each part. One JSON line.

    python benchmarks/articulated_grids.py [--states 200 --resolution 64] [--made 20]

Several pipelines, BG-HOP's among them, write a mesh for each of 200 states of ARCTIC's objects, and
a 64^3 float32 grid of each. Ours is one entry of the object store: a one-byte grid a part, and the
joint. Both are made here by the same exact distances (only `--made` states of the 200, which all
take the same time), from a hinged box with a lid. `largest_off_mm` is how far the composed grid is
from exact distances at angles between the states, within 4 cm of the surface, where training reads;
`states_off_mm` how far the exact distances of the nearest state are.
"""

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from bghop.data.objects import stack_objects
from bghop.data.objects_file import write_objects
from bghop.data.objects_from_mesh import REACH, object_from_articulated
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.grid import CubeGrid
from bghop.geometry.joint import Joint
from bghop.geometry.mesh import MeshQuery
from bghop.geometry.sdf import sdf_on_cube
from bghop.geometry.shapes import box

HALF_EXTENT, NEAR = 0.30, 0.04


def hinged() -> ArticulatedObject:
    """20 x 14 x 6 cm with a lid of 1 cm that opens to 120 degrees."""
    base, lid = box((0.20, 0.14, 0.06)), box((0.20, 0.14, 0.01))
    T = np.eye(4)
    T[2, 3] = 0.037
    joint = Joint(
        kind="revolute", axis=(1.0, 0.0, 0.0), origin=(0.0, -0.07, 0.032),
        limits=(0.0, 2 * math.pi / 3), moving=1,
    )  # fmt: skip
    return ArticulatedObject(parts=(base, lid.transformed(T)), joint=joint, name="hinged")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--states", type=int, default=200)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--made", type=int, default=20)
    options = parser.parse_args()
    thing = hinged()
    cube = CubeGrid(resolution=options.resolution, half_extent=HALF_EXTENT)
    low, high = thing.joint.limits
    states = np.linspace(low, high, options.states)
    some = states[np.linspace(0, options.states - 1, options.made).round().astype(int)]
    begun, grids, mesh_bytes = time.process_time(), [], 0
    for state in some:
        mesh = thing.mesh(float(state))
        grids.append(sdf_on_cube(mesh, cube).values)
        mesh_bytes += mesh.vertices.size * 4 + mesh.faces.size * 4
    each = (time.process_time() - begun) / options.made
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "objects.parquet"
        begun = time.process_time()
        entry = object_from_articulated("hinged", thing)
        write_objects(path, [entry], reach=REACH)
        ours = time.process_time() - begun
        file_bytes = path.stat().st_size
    store = stack_objects([entry], reach=REACH)
    their_bytes = options.states * (grids[0].numel() * 4) + mesh_bytes * options.states // len(some)
    own_bytes = store.values.numel()
    nearest, error = [], []
    generator = np.random.default_rng(0)
    axes = torch.linspace(-HALF_EXTENT, HALF_EXTENT, options.resolution).expand(3, -1)
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    step = states[1] - states[0]
    for state in states[generator.integers(0, options.states - 1, 6)] + step / 2:
        query = MeshQuery(thing.mesh(float(state)))
        exact = torch.from_numpy(query.signed_distances(points.numpy())).float()
        near = exact.abs() < NEAR
        composed = store.lattice_distance(
            torch.tensor([0]), torch.tensor([state]).float(), torch.eye(4)[None], axes,
            truncation=REACH,
        ).flatten()  # fmt: skip
        error.append((composed - exact)[near].abs())
        other = MeshQuery(thing.mesh(float(state - step / 2))).signed_distances(points.numpy())
        nearest.append((torch.from_numpy(other).float() - exact)[near].abs().max())
    off = torch.cat(error)
    result = {
        "benchmark": "articulated_grids", "states": options.states, "made": options.made,
        "resolution": options.resolution, "state_cpu_s": round(each, 3),
        "states_cpu_s": round(each * options.states, 1), "ours_cpu_s": round(ours, 2),
        "time_ratio": round(each * options.states / ours, 1),
        "states_mb": round(their_bytes / 1e6, 1), "ours_mb": round(own_bytes / 1e6, 2),
        "bytes_ratio": round(their_bytes / own_bytes, 1),
        "ours_file_mb": round(file_bytes / 1e6, 3),
        "file_ratio": round(their_bytes / file_bytes, 1),
        "largest_off_mm": round(1e3 * float(off.max()), 3),
        "mean_off_mm": round(1e3 * float(off.mean()), 3),
        "states_off_mm": round(1e3 * float(torch.stack(nearest).max()), 3),
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
