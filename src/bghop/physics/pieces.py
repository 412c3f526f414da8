"""An object as convex pieces, which physics engines need, made once per mesh and kept on disk."""

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from bghop.geometry.mesh import Mesh
from bghop.physics.body import Body
from bghop.physics.decompose import Pieces, decompose

__all__ = ["Pieces", "cache_folder", "decompose", "pieces_of"]

_FORMAT = 4
"""Part of the cache's key; raise it whenever the pieces of a mesh would come out differently."""

_in_memory: dict[str, Pieces] = {}


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


def _key(mesh: Mesh) -> str:
    digest = hashlib.sha256(f"{_FORMAT}".encode())
    for values in (mesh.vertices, mesh.faces):
        digest.update(str(values.shape).encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:32]


def _write(path: Path, pieces: Pieces) -> None:
    arrays: dict[str, Any] = {f"v{i}": each for i, each in enumerate(pieces.vertices)}
    arrays |= {f"f{i}": each for i, each in enumerate(pieces.faces)}
    body = pieces.body
    arrays |= {"centre": body.centre, "inertia": body.inertia, "method": pieces.method}
    scalars = [
        body.volume,
        body.radius,
        pieces.volume_error,
        *pieces.surface_error_mm,
        *pieces.outward_error_mm,
        *pieces.inward_error_mm,
        pieces.seconds,
    ]
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
                body=Body(
                    volume=float(scalars[0]), radius=float(scalars[1]),
                    centre=data["centre"], inertia=data["inertia"],
                ),
                volume_error=float(scalars[2]),
                surface_error_mm=(float(scalars[3]), float(scalars[4])),
                outward_error_mm=(float(scalars[5]), float(scalars[6])),
                inward_error_mm=(float(scalars[7]), float(scalars[8])),
                seconds=float(scalars[9]),
                method=str(data["method"]),
            )  # fmt: skip
    except (OSError, ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile):
        return None
