"""The objects that the benchmarks run on, from a folder of meshes that is not part of the project.

The folder holds `ycb/*.obj`, `contactdb_like/*.stl`, `articulated/microwave/*.stl` and
`articulated/laptop/*.stl`; sources and licences are listed in docs/benchmark.md.

    python benchmarks/shared_meshes.py --meshes FOLDER --out OUT

writes all sixteen as PLY files in metres, so that OUT is an object set like any other folder.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh

from bghop.geometry.articulated import ArticulatedObject, Joint
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh

LAPTOP_OPENINGS = (20, 60, 100)
"""Degrees between keyboard and lid."""
MICROWAVE_SCALE = 0.4


def load_shared_objects(folder: Path) -> dict[str, Mesh]:
    """All sixteen objects, metres, each in its own frame."""
    files = [*sorted((folder / "ycb").glob("*.obj")),
             *sorted((folder / "contactdb_like").glob("*.stl"))]  # fmt: skip
    objects = {file.stem: load_mesh(file) for file in files}
    objects["microwave"] = microwave(folder).mesh(0.0)
    for opening in LAPTOP_OPENINGS:
        objects[f"laptop_{opening}"] = laptop(folder).mesh(laptop_angle(opening))
    return {name: replace(mesh, name=name) for name, mesh in objects.items()}


def microwave(folder: Path) -> ArticulatedObject:
    """Body and door (with handle and window); 0 is closed, negative angles open it."""
    parts = folder / "articulated" / "microwave"

    def joined(*names: str) -> Mesh:
        return Mesh.concatenated([load_mesh(parts / f"{name}.stl", part=True) for name in names])

    joint = Joint(
        kind="revolute",
        axis=(0.0, 0.0, 1.0),
        origin=(-0.345, -0.176, 0.192),
        limits=(-2.094, 0.0),
    )
    body = joined("micro", "microbutton", "microfeet")
    door = joined("microdoor", "microhandle", "microwindow")
    full = ArticulatedObject(parts=(body, door), joint=joint, name="microwave")
    return full.scaled(MICROWAVE_SCALE)


def laptop(folder: Path) -> ArticulatedObject:
    """Base (with keys) and lid (with screen and hinge); at 0 the lid stands upright.

    Positive angles close it (pi/2 is shut), negative ones open it beyond 90 degrees.
    """
    parts = folder / "articulated" / "laptop"

    def placed(name: str, shift: tuple[float, float, float], lay_down: bool = False) -> Mesh:
        T = np.eye(4)
        if lay_down:  # the hinge's bar lies along z in its file and along x in the laptop
            T[:3, :3] = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]
        T[:3, 3] = shift
        return load_mesh(parts / f"laptop_{name}.stl", part=True).transformed(T)

    axis_at = (0.0, 0.151, 0.031)
    on_base, on_lid = (0.0, 0.0, 0.015), (0.0, 0.151 + 0.01, 0.031 + 0.15)
    base = Mesh.concatenated([placed("base", on_base), placed("keys", on_base)])
    lid = Mesh.concatenated(
        [placed("top", on_lid), placed("screen", on_lid), placed("hinge", axis_at, lay_down=True)]
    )
    joint = Joint(kind="revolute", axis=(1.0, 0.0, 0.0), origin=axis_at, limits=(0.0, 1.57))
    return ArticulatedObject(parts=(base, lid), joint=joint, name="laptop")


def laptop_angle(opening_deg: float) -> float:
    """Joint value (radians) for an opening between keyboard and lid in degrees."""
    return math.pi / 2 - math.radians(opening_deg)


def write_meshes(objects: dict[str, Mesh], folder: Path) -> list[Path]:
    """One binary PLY file in metres for each object, named like it; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, mesh in objects.items():
        file = folder / f"{name}.ply"
        # Without processing: the file has exactly these vertices and faces.
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(file)
        files.append(file)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", type=Path, required=True, help="the folder described above")
    parser.add_argument("--out", type=Path, required=True, help="where the PLY files go")
    options = parser.parse_args()
    objects = load_shared_objects(options.meshes)
    for file, mesh in zip(write_meshes(objects, options.out), objects.values(), strict=True):
        sides = " x ".join(f"{100 * side:.1f}" for side in mesh.extents)
        print(f"{file}: {sides} cm, {len(mesh.faces):,} faces")


if __name__ == "__main__":
    main()
