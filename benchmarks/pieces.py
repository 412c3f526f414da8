"""Convex pieces of objects: number, time, errors where a finger reaches; one JSON line.

    python benchmarks/pieces.py [--meshes FOLDER] [--only mug,laptop]

FOLDER as in shared_meshes.py; without it, the 24 shapes of the benchmark and six more alone.
Nothing is read from or written to the cache. Errors are in millimetres, mean and 95th percentile;
see `Pieces`. The load of the machine is printed because it slows CPU seconds too.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from bghop.geometry import shapes
from bghop.geometry.mesh import Mesh
from bghop.objects.sets import object_set
from bghop.physics.pieces import decompose
from shared_meshes import load_shared_objects


def built_in_shapes() -> dict[str, Mesh]:
    """Two cups, two thin shells, a box with a lid, a ring."""
    return {
        "mug": shapes.mug(),
        "casserole": shapes.casserole(),
        "half_sphere": half_sphere(),
        "plate": plate(),
        "box_with_lid": box_with_lid(),
        "torus": shapes.torus(0.05, 0.015),
    }


def half_sphere(radius: float = 0.08, wall: float = 0.0025) -> Mesh:
    """A bowl: the hardest shape for convex pieces, as it is hollow both ways."""
    angle = np.linspace(0, np.pi / 2, 17)
    arc = np.stack([np.sin(angle), -np.cos(angle)], axis=1)
    profile = np.concatenate([radius * arc, (radius - wall) * arc[::-1]])
    return shapes.lathe(profile, segments=96, name="half_sphere")


def plate() -> Mesh:
    """24 cm wide, 3 mm thick, with a raised rim."""
    under, upper = [(0, 0), (0.07, 0), (0.12, 0.02)], [(0.119, 0.023), (0.069, 0.003), (0, 0.003)]
    return shapes.lathe(np.array(under + upper), segments=96, name="plate")


def box_with_lid(
    extents: tuple[float, float, float] = (0.2, 0.14, 0.1), wall: float = 0.004
) -> Mesh:
    """Seven boxes that overlap: floor, four walls, a lid with a grip. Its inside has no way in."""
    x, y, z = extents
    boxes = [
        ((x, y, wall), (0, 0, wall / 2)),
        ((x, wall, z), (0, (wall - y) / 2, z / 2)),
        ((x, wall, z), (0, (y - wall) / 2, z / 2)),
        ((wall, y, z), ((wall - x) / 2, 0, z / 2)),
        ((wall, y, z), ((x - wall) / 2, 0, z / 2)),
        ((x + 0.01, y + 0.01, 0.006), (0, 0, z + 0.003)),
        ((0.05, 0.012, 0.02), (0, 0, z + 0.016)),
    ]
    parts = [(shapes.box(size), np.array(place)) for size, place in boxes]
    moved = [replace(part, vertices=part.vertices + place) for part, place in parts]
    return Mesh.concatenated(moved, name="box_with_lid")


def row_of(mesh: Mesh) -> dict:
    begin = time.process_time()
    found = decompose(mesh)
    return {
        "faces": len(mesh.faces),
        "pieces": len(found.vertices),
        "corners": sum(len(each) for each in found.vertices),
        "cpu_s": round(time.process_time() - begin, 1),
        "method": found.method,
        "volume_error": round(found.volume_error, 3),
        "surface_mm": [round(value, 2) for value in found.surface_error_mm],
        "outward_mm": [round(value, 2) for value in found.outward_error_mm],
        "inward_mm": [round(value, 2) for value in found.inward_error_mm],
    }


def main() -> None:
    """Run the objects asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", type=Path)
    parser.add_argument("--only", default="", help="parts of the names to run, comma-separated")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    objects = load_shared_objects(arguments.meshes) if arguments.meshes else {}
    objects |= {f"shapes/{item.name}": item.mesh for item in object_set("shapes").items}
    objects |= {f"more/{name}": mesh for name, mesh in built_in_shapes().items()}
    wanted = arguments.only.split(",")
    rows = {}
    for name, mesh in objects.items():
        if any(part in name for part in wanted):
            rows[name] = row_of(mesh)
            print(f"{name:24s} {json.dumps(rows[name])}", file=sys.stderr, flush=True)
    summary = {
        key: round(mean(row[key] for row in rows.values()), 2) for key in ("pieces", "cpu_s")
    }
    summary["surface_mm"] = round(mean(row["surface_mm"][0] for row in rows.values()), 2)
    summary["load"] = round(os.getloadavg()[2], 1)
    print(json.dumps({"benchmark": "pieces", "objects": len(rows), **summary, "rows": rows}))


if __name__ == "__main__":
    main()
