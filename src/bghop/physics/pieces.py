"""An object as convex pieces, which physics engines need, made once per mesh and kept on disk.

Pieces come from CoACD (Wei et al. 2022, approximate convex decomposition with a collision-aware
measure of concavity). Volume, centre of mass and inertia are those of the mesh itself, counted
on a lattice with winding numbers, so holes and overlapping parts do no harm.
"""

import hashlib
import os
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int32
from scipy.spatial import ConvexHull, QhullError

from bghop.errors import MeshError, PhysicsError
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.physics.engine import INSTALL

THRESHOLD = 0.06
"""Concavity left in a piece, in halves of the object's longest side (CoACD's own scale)."""
_COACD = {
    "preprocess_mode": "auto",  # meshes with holes get a closed skin from voxels first
    "preprocess_resolution": 50,
    "resolution": 1000,
    "mcts_iterations": 40,
    "mcts_nodes": 10,
    "mcts_max_depth": 2,
    "seed": 0,
}
"""A quarter of CoACD's default search: a fifth of the time, a few pieces more."""
CONVEX_SHARE = 0.96
"""A mesh that fills this share of its convex hull is one piece: its hull."""
_LATTICE = 300_000
"""Lattice points in the bounding box that volume and inertia are counted with."""
_SURFACE_SAMPLES = 4000
_FORMAT = 1
"""Part of the cache's key; raise it whenever the pieces of a mesh would come out differently."""

_in_memory: dict[str, "Pieces"] = {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """Convex pieces of an object and what its solid weighs per unit of density; object frame."""

    vertices: tuple[Float[np.ndarray, "_ 3"], ...]
    """Corners of each piece, metres."""
    faces: tuple[Int32[np.ndarray, "_ 3"], ...]
    volume: float
    """Of the mesh, cubic metres."""
    centre: Float[np.ndarray, "3"]
    """Centre of mass of the solid, metres."""
    inertia: Float[np.ndarray, "3 3"]
    """About the centre, per unit of mass, square metres."""
    volume_error: float
    """(volume of the union of the pieces - volume of the mesh) / volume of the mesh."""
    surface_error_mm: tuple[float, float]
    """Mean and 95th percentile of the distance of the mesh's surface to that of the pieces."""
    method: str
    """`hull` (convex already), `coacd`, or `hull after failure` (CoACD gave nothing)."""
    seconds: float
    """Time that making them took; kept with them in the cache."""


def cache_folder() -> Path:
    """`BGHOP_CACHE`, or `bghop` in the user's cache folder."""
    if named := os.environ.get("BGHOP_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bghop"


def pieces_of(mesh: Mesh, *, cache: bool = True) -> Pieces:
    """Convex pieces of a mesh, from memory, from disk, or made now (some seconds).

    Args:
        mesh: The object; vertices and faces decide the cache entry, its name does not.
        cache: Whether to read and write the folder `cache_folder()`; a folder that cannot be
            written is no error, the pieces are then made again next time.

    Raises:
        PhysicsError: CoACD is not installed.
        MeshError: The mesh encloses no volume.
    """
    key = _key(mesh)
    if key in _in_memory:
        return _in_memory[key]
    path = cache_folder() / "pieces" / f"{key}.npz"
    found = _read(path) if cache else None
    if found is None:
        found = decompose(mesh)
        if cache:
            _write(path, found)
    _in_memory[key] = found
    return found


def decompose(mesh: Mesh) -> Pieces:
    """The work behind `pieces_of`, without any cache."""
    start = time.perf_counter()
    try:
        hull = ConvexHull(mesh.vertices)
    except QhullError:
        raise MeshError(
            f"{mesh.name} is flat and has no volume to hold: give it a thickness"
        ) from None
    query = MeshQuery(mesh)
    points, cell = _lattice(mesh)
    inside = points[query.contains(points)]
    volume = len(inside) * cell
    if volume <= 0:
        raise MeshError(f"{mesh.name} encloses no volume: close it or give it a thickness")
    hull_points = mesh.vertices[hull.vertices]
    method = "hull"
    parts = [hull_points]
    if volume < CONVEX_SHARE * hull.volume:
        parts, method = _coacd(mesh), "coacd"
        if not parts:
            parts, method = [hull_points], "hull after failure"
    hulls = [ConvexHull(part) for part in parts]
    centre = inside.mean(0)
    arm = inside - centre
    spread = arm.T @ arm / len(arm)
    filled = np.any([_inside_hull(each, points) for each in hulls], axis=0)
    return Pieces(
        vertices=tuple(hull.points for hull in hulls),
        faces=tuple(_outward(each) for each in hulls),
        volume=volume,
        centre=centre,
        inertia=np.trace(spread) * np.eye(3) - spread,
        volume_error=float(filled.sum() * cell / volume - 1),
        surface_error_mm=_surface_error_mm(mesh, hulls),
        method=method,
        seconds=time.perf_counter() - start,
    )


def _coacd(mesh: Mesh) -> list[np.ndarray]:
    try:
        import coacd
    except ImportError:
        raise PhysicsError(INSTALL) from None
    coacd.set_log_level("error")
    found = coacd.run_coacd(coacd.Mesh(mesh.vertices, mesh.faces), threshold=THRESHOLD, **_COACD)
    solid = []
    for vertices, _ in found:
        corners = np.asarray(vertices, dtype=np.float64)
        try:
            ConvexHull(corners)
        except (QhullError, ValueError):
            continue  # a flat sliver holds nothing
        solid.append(corners)
    return solid


def _lattice(mesh: Mesh) -> tuple[Float[np.ndarray, "n 3"], float]:
    """Cell centres that fill the bounding box, symmetric in it, and a cell's volume."""
    lower, upper = mesh.bounds
    extents = np.maximum(upper - lower, 1e-9)
    step = (extents.prod() / _LATTICE) ** (1 / 3)
    counts = np.maximum(np.ceil(extents / step), 8).astype(int)
    axes = [
        low + (np.arange(n) + 0.5) * size / n
        for low, size, n in zip(lower, extents, counts, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return points, float((extents / counts).prod())


def _inside_hull(hull: ConvexHull, points: Float[np.ndarray, "n 3"]) -> np.ndarray:
    return _hull_distance(hull, points) < 0


def _hull_distance(hull: ConvexHull, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Largest distance to a face's plane: exact inside, a lower bound outside."""
    largest = np.full(len(points), -np.inf)
    for plane in np.unique(hull.equations.round(9), axis=0):
        np.maximum(largest, points @ plane[:3] + plane[3], out=largest)
    return largest


def _surface_error_mm(mesh: Mesh, hulls: list[ConvexHull]) -> tuple[float, float]:
    """How far samples of the mesh's surface are from the boundary of the union of the pieces."""
    rng = np.random.default_rng(0)
    corners = mesh.vertices[mesh.faces]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    face = rng.choice(len(area), size=_SURFACE_SAMPLES, p=area / area.sum())
    weight = rng.dirichlet(np.ones(3), size=_SURFACE_SAMPLES)
    samples = (corners[face] * weight[..., None]).sum(1)
    distance = np.abs(np.min([_hull_distance(hull, samples) for hull in hulls], axis=0)) * 1e3
    return float(distance.mean()), float(np.percentile(distance, 95))


def _outward(hull: ConvexHull) -> Int32[np.ndarray, "_ 3"]:
    """Faces of a hull, counter-clockwise seen from outside."""
    faces = hull.simplices.astype(np.int32)
    a, b, c = (hull.points[faces[:, k]] for k in range(3))
    flipped = (np.cross(b - a, c - a) * hull.equations[:, :3]).sum(1) < 0
    faces[flipped] = faces[flipped][:, ::-1]
    return faces


def _key(mesh: Mesh) -> str:
    digest = hashlib.sha256(
        f"{_FORMAT} {THRESHOLD} {sorted(_COACD.items())} {CONVEX_SHARE} {_LATTICE}".encode()
    )
    for values in (mesh.vertices, mesh.faces):
        digest.update(str(values.shape).encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:32]


def _write(path: Path, pieces: Pieces) -> None:
    arrays: dict[str, Any] = {f"v{i}": each for i, each in enumerate(pieces.vertices)}
    arrays |= {f"f{i}": each for i, each in enumerate(pieces.faces)}
    arrays |= {"centre": pieces.centre, "inertia": pieces.inertia, "method": pieces.method}
    scalars = [pieces.volume, pieces.volume_error, *pieces.surface_error_mm, pieces.seconds]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.savez(file, scalars=np.array(scalars), **arrays)
        Path(file.name).replace(path)
    except OSError:
        return  # a cache saves time; without one nothing is wrong


def _read(path: Path) -> Pieces | None:
    """What an earlier run left, or None if there is nothing that can be read whole."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            count = sum(name.startswith("v") for name in data.files)
            scalars = data["scalars"]
            return Pieces(
                vertices=tuple(data[f"v{i}"] for i in range(count)),
                faces=tuple(data[f"f{i}"] for i in range(count)),
                volume=float(scalars[0]), volume_error=float(scalars[1]),
                surface_error_mm=(float(scalars[2]), float(scalars[3])),
                seconds=float(scalars[4]),
                centre=data["centre"], inertia=data["inertia"], method=str(data["method"]),
            )  # fmt: skip
    except (OSError, ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile):
        return None
