"""Mesh files to `Mesh`: everything that trimesh reads, in metres, with what is wrong said plainly.

Nothing is moved or turned: the result is in the file's own frame times unit and scale.
"""

import logging
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from bghop.errors import MeshError
from bghop.geometry.mesh import Mesh, MeshWarning
from bghop.geometry.topology import (
    count_edges,
    drop_bad_faces,
    face_area_vectors,
    face_components,
    merge_vertices,
    orient_outward,
    piece_volumes,
)

UNITS = {
    "m": 1.0,
    "dm": 0.1,
    "cm": 0.01,
    "mm": 0.001,
    "um": 1e-6,
    "km": 1000.0,
    "inch": 0.0254,
    "in": 0.0254,
    "ft": 0.3048,
    "foot": 0.3048,
    "yard": 0.9144,
}
"""Metres per unit of length."""
FORMATS = ("obj", "stl", "stl_ascii", "ply", "off", "glb", "gltf", "dae", "zae", "3mf", "3dxml",
           "xaml")  # fmt: skip
"""File name endings; the first six need no extra package."""
LARGEST = 2.0
"""Metres; no two hands hold more."""
SMALLEST = 0.01
MOST_FACES = 2_000_000
_MOST_BYTES = 1 << 30
# Open scraps whose box is below this part of the object's are left out: they enclose nothing.
_SCRAP = 0.02
_OPENNESS = 0.75


def load_mesh(
    path: str | Path,
    *,
    scale: float = 1.0,
    unit: str = "m",
    part: bool = False,
    node: str | None = None,
) -> Mesh:
    """Read, clean and check a mesh file; scenes become one mesh with their transforms applied.

    Cleaning: vertices at one place are merged (STL), degenerate and repeated faces dropped, faces
    turned outward, open scraps smaller than 2 % of the object dropped. What was done and what
    remains odd is in `Mesh.warnings`. Colours and textures are ignored.

    Args:
        path: a file in one of `FORMATS`.
        scale: extra factor on all coordinates.
        unit: unit of the file's coordinates, a key of `UNITS`.
        part: the file is one part of an object (a screen, a key, a foot): it may be flat, open and
            tiny; the caller concatenates the parts and calls `validate_mesh` on the whole.
        node: read this node of a scene only, such as `object` in the scenes of bghop.

    Raises:
        MeshError: the file or its mesh cannot be used; the message says how to mend it.
    """
    path = Path(path)
    factor = _factor(scale, unit)
    _check_file(path)
    parts = _read(path, node)
    vertices, faces = _joined(parts, path.name)
    finite = np.isfinite(vertices).min(axis=1)
    if not finite[faces].all():
        raise MeshError(
            f"{path.name} has vertices that are NaN or infinite: export it again or delete them "
            "(in Blender: Mesh > Clean Up > Delete Loose and Merge by Distance)"
        )
    if len(faces) > MOST_FACES:
        raise MeshError(_too_many_faces(path.name, len(faces)))
    mesh = Mesh(vertices=vertices * factor, faces=faces, name=path.stem)
    # Finite numbers may still overflow in products; the size check then says what is wrong.
    with np.errstate(over="ignore", invalid="ignore"):
        mesh = clean_mesh(mesh)
    if part:
        if len(mesh.faces) == 0:
            raise MeshError(f"{path.name} has only degenerate triangles: export it again")
        return mesh
    found = validate_mesh(mesh, unit=unit, scale=scale)
    return replace(mesh, warnings=(*mesh.warnings, *found))


def clean_mesh(mesh: Mesh) -> Mesh:
    """Merge vertices, drop bad faces and open scraps, turn faces outward; notes in `warnings`."""
    notes: list[MeshWarning] = []
    vertices, faces = merge_vertices(mesh.vertices, mesh.faces)
    kept = drop_bad_faces(faces)
    if len(kept) < len(faces):
        lost = len(faces) - len(kept)
        notes.append(MeshWarning(kind="removed", message=f"{lost} degenerate or repeated faces"))
    kept, scraps = _without_scraps(vertices, kept)
    if scraps:
        text = f"{scraps} open scraps smaller than {_SCRAP:.0%} of the object were left out"
        notes.append(MeshWarning(kind="removed", message=text))
    vertices, kept = merge_vertices(vertices, kept)
    if len(kept):
        kept, turned = orient_outward(vertices, kept)
        if turned:
            text = f"{turned} of {len(kept)} faces looked inward or disagreed and were turned"
            notes.append(MeshWarning(kind="flipped", message=text))
    return replace(mesh, vertices=vertices, faces=kept, warnings=(*mesh.warnings, *notes))


def validate_mesh(mesh: Mesh, *, unit: str = "m", scale: float = 1.0) -> list[MeshWarning]:
    """Refuse what no hands can hold; list what is odd but usable.

    Args:
        mesh: in metres.
        unit: the unit that its file was read with, for the advice in messages.
        scale: the factor that its file was read with, for the advice in messages.

    Raises:
        MeshError: no faces, broken numbers, no volume, absurd size, too many faces.
    """
    name = mesh.name
    if len(mesh.faces) == 0:
        raise MeshError(
            f"{name} has no usable faces (a point cloud, or only degenerate triangles): "
            "reconstruct or export a surface mesh"
        )
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise MeshError(
            f"{name} has faces that refer to vertices it does not have: the file is damaged, "
            "export it again"
        )
    if not np.isfinite(mesh.vertices).all():
        raise MeshError(f"{name} has vertices that are NaN or infinite: export it again")
    if len(mesh.faces) > MOST_FACES:
        raise MeshError(_too_many_faces(name, len(mesh.faces)))
    _check_size(mesh, unit, scale)
    _check_solid(mesh)
    return _oddities(mesh)


def _factor(scale: float, unit: str) -> float:
    if unit not in UNITS:
        raise MeshError(f"unknown unit '{unit}': use one of {', '.join(UNITS)}")
    if not (math.isfinite(scale) and scale > 0):
        raise MeshError(f"scale {scale} is not usable: give a number greater than zero")
    return UNITS[unit] * scale


def _check_file(path: Path) -> None:
    ending = path.suffix.lower().lstrip(".")
    if path.is_dir():
        raise MeshError(f"{path} is a folder: name one mesh file in it")
    if not path.exists():
        raise MeshError(f"{path} does not exist: check the path")
    if ending not in FORMATS:
        what = f"ending '.{ending}'" if ending else "no file name ending"
        raise MeshError(
            f"{path.name} has {what}, which is not a known mesh format: "
            f"convert it to one of {', '.join(FORMATS)}"
        )
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise MeshError(f"{path} cannot be read ({error.strerror}): check its rights") from error
    if size == 0:
        raise MeshError(f"{path.name} is empty (0 bytes): export or download it again")
    if size > _MOST_BYTES:
        raise MeshError(
            f"{path.name} has {size / 2**30:.1f} GiB: simplify the mesh to under "
            f"{MOST_FACES // 1_000_000} million faces first"
        )


def _read(path: Path, only: str | None) -> list[tuple[np.ndarray, Any]]:
    """(transform, geometry) of everything in the file, or of one node of it.

    Any failure of a parser is a MeshError.
    """
    ending = path.suffix.lower().lstrip(".")
    logger = logging.getLogger("trimesh")
    level = logger.level
    try:
        logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scene = trimesh.load_scene(path, process=False, skip_materials=True)
            return [
                (np.asarray(scene.graph[node][0]), scene.geometry[scene.graph[node][1]])
                for node in scene.graph.nodes_geometry
                if only is None or node == only
            ]
    except (ImportError, NotImplementedError) as error:
        raise MeshError(_needs_package(path.name, ending)) from error
    except (MemoryError, RecursionError) as error:
        raise MeshError(f"{path.name} is too large to read: simplify the mesh first") from error
    except Exception as error:
        # Parsers of hostile bytes raise anything: KeyError, struct.error, UnicodeDecodeError, ...
        if "no module" in str(error).lower() or "not available" in str(error).lower():
            raise MeshError(_needs_package(path.name, ending)) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise MeshError(
            f"{path.name} is not a readable {ending.upper()} file ({reason}): it is damaged or "
            "has the wrong ending; export or download it again"
        ) from error
    finally:
        logger.setLevel(level)


def _needs_package(name: str, ending: str) -> str:
    return (
        f"{name}: reading .{ending} needs more packages: run `pip install 'bghop[formats]'` "
        "or convert the file to OBJ, STL, PLY or GLB"
    )


def _joined(parts: list[tuple[np.ndarray, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """All triangles of a scene in its world frame; raises MeshError for none or broken ones."""
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    count = 0
    for T_world_part, part in parts:
        if not isinstance(part, trimesh.Trimesh) or len(part.faces) == 0:
            continue
        corners = np.asarray(part.vertices, dtype=np.float64)
        index = np.asarray(part.faces, dtype=np.int64)
        if index.min() < 0 or index.max() >= len(corners):
            raise MeshError(
                f"{name} has faces that refer to vertices it does not have: the file is damaged, "
                "export it again"
            )
        # Overflow to infinity is reported as such by the caller.
        with np.errstate(all="ignore"):
            vertices.append(corners @ T_world_part[:3, :3].T + T_world_part[:3, 3])
        mirrored = np.linalg.det(T_world_part[:3, :3]) < 0
        faces.append((index[:, [0, 2, 1]] if mirrored else index) + count)
        count += len(corners)
    if not faces:
        raise MeshError(
            f"{name} has no faces (a point cloud, curves or an empty scene): "
            "reconstruct or export a surface mesh, or download it again if it should have them"
        )
    return np.concatenate(vertices), np.concatenate(faces)


def _too_many_faces(name: str, count: int) -> str:
    return (
        f"{name} has {count:,} faces, more than {MOST_FACES:,}: simplify it to some 50,000 first "
        "(MeshLab: Quadric Edge Collapse Decimation; Blender: Decimate modifier)"
    )


def _check_size(mesh: Mesh, unit: str, scale: float) -> None:
    longest = float(mesh.extents.max())
    if SMALLEST <= longest <= LARGEST:
        return
    raw = longest / (UNITS.get(unit, 1.0) * scale)
    if not (raw > 0 and math.isfinite(raw)):
        raise MeshError(f"{mesh.name} is a single point: export it again")
    # Prefer the unit that makes it most like something held in two hands.
    units = [name for name in ("mm", "cm", "inch", "m") if name != unit]
    fitting = [name for name in units if SMALLEST <= raw * UNITS[name] * scale <= LARGEST]
    fitting.sort(key=lambda name: abs(math.log(raw * UNITS[name] * scale / 0.2)))
    wanted = float(f"{0.2 / (raw * UNITS.get(unit, 1.0)):.2g}")
    advice = f"--scale {wanted:g} to make it 20 cm"
    if fitting:
        advice = f"--unit {fitting[0]} if the file is in {fitting[0]}, or {advice}"
    limits = f"between {SMALLEST * 100:g} cm and {LARGEST:g} m"
    raise MeshError(
        f"{mesh.name} is {longest:.3g} m long, and two hands need something {limits}: use {advice}"
    )


def _check_solid(mesh: Mesh) -> None:
    extents = np.sort(mesh.extents)
    areas = face_area_vectors(mesh.vertices, mesh.faces)
    total = float(np.linalg.norm(areas, axis=1).sum())
    if extents[0] < 1e-6 * extents[2] or total == 0:
        raise MeshError(
            f"{mesh.name} is flat (no thickness): a solid is needed, give it a thickness "
            "(Blender: Solidify modifier)"
        )
    # Area vectors of a closed surface cancel; those of one sheet do not.
    if float(np.linalg.norm(areas.sum(axis=0))) > _OPENNESS * total:
        raise MeshError(
            f"{mesh.name} is an open sheet, not a solid: close it or give it a thickness "
            "(Blender: Solidify modifier)"
        )
    if abs(mesh.volume) < 1e-6 * mesh.diagonal**3:
        raise MeshError(
            f"{mesh.name} encloses no volume ({abs(mesh.volume) * 1e6:.2g} cm3): a solid is "
            "needed, close it or give it a thickness (Blender: Solidify modifier)"
        )


def _oddities(mesh: Mesh) -> list[MeshWarning]:
    found = []
    edges = count_edges(mesh.faces)
    if edges.boundary:
        share = edges.boundary / edges.edges
        text = f"the surface has holes ({share:.2%} of its edges are rims); they are bridged"
        found.append(MeshWarning(kind="holes", message=text))
    if edges.inconsistent:
        text = f"{edges.inconsistent} edges join faces that look to opposite sides"
        found.append(MeshWarning(kind="winding", message=text))
    num, piece = face_components(mesh.faces)
    if num > 1:
        sizes = np.sort(np.bincount(piece))[::-1]
        listed = ", ".join(str(size) for size in sizes[:5]) + (", ..." if num > 5 else "")
        found.append(
            MeshWarning(kind="pieces", message=f"{num} separate pieces ({listed} faces), all kept")
        )
    return found


def _without_scraps(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, int]:
    """Faces without open pieces that are tiny against the whole, and how many were dropped."""
    num, piece = face_components(faces)
    if num < 2:
        return faces, 0
    corners = vertices[faces]
    low, high = np.full((num, 3), np.inf), np.full((num, 3), -np.inf)
    np.minimum.at(low, piece, corners.min(axis=1))
    np.maximum.at(high, piece, corners.max(axis=1))
    small = np.linalg.norm(high - low, axis=1) < _SCRAP * float(
        np.linalg.norm(high.max(axis=0) - low.min(axis=0))
    )
    # Small pieces that enclose something (screws, buttons) stay; the test is their own rims.
    volumes = np.abs(piece_volumes(vertices, faces, piece))
    for number in np.flatnonzero(small & (volumes > 0)):
        if count_edges(faces[piece == number]).boundary == 0:
            small[number] = False
    if small.all() or not small.any():
        return faces, 0
    return faces[~small[piece]], int(small.sum())
