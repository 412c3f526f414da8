"""The parquet file of an object store: one row per part (docs/records.md)."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch

from bghop.data.objects import (
    NUM_SUPPORT,
    STEPS,
    ObjectStore,
    StoredObject,
    StoredPart,
    StoredTriangles,
    stack_objects,
)
from bghop.data.tables import TableFormat, read_table, write_table
from bghop.errors import DataError
from bghop.geometry.joint import Joint

_COLUMNS = ("object", "part", "shape", "origin", "spacing", "support", "joint", "values")
_SURFACE = ("vertices", "faces")
OBJECTS = TableFormat(
    name="bghop-objects",
    version=1,
    remedy="give a file that bghop.data.objects_file.write_objects wrote",
)


def write_objects(path: str | Path, objects: Sequence[StoredObject], *, reach: float) -> None:
    """Write objects to one file, zstd-compressed.

    Raises:
        DataError: None or doubles, or pyarrow is missing.
        ResultError: The file cannot be written.
    """
    import pyarrow as pa

    stack_objects(objects, reach=reach)  # the checks
    rows = [_row(thing, number) for thing in objects for number in range(len(thing.parts))]
    header = {"reach": reach, "steps": STEPS, "units": {"length": "m", "angle": "rad"}}
    write_table(Path(path), pa.Table.from_pylist(rows, schema=_schema(pa)), OBJECTS, header)


def read_objects(path: str | Path) -> ObjectStore:
    """Read a whole store to the CPU, without the triangles.

    Raises:
        DataError: Missing or damaged file, another format or version, a missing column.
    """
    objects, reach = read_stored_objects(path)
    return stack_objects(objects, reach=reach)


def read_stored_objects(
    path: str | Path, keys: Collection[str] | None = None, *, triangles: bool = False
) -> tuple[list[StoredObject], float]:
    """Objects one by one, and the metres from the surface up to which distances are known.

    Args:
        path: what `write_objects` wrote.
        keys: of those that are wanted; all if None.
        triangles: read surfaces, too, where the file has them.

    Raises:
        DataError: As `read_objects`.
    """
    file = read_table(path, OBJECTS)
    reach = float(file.header.get("reach", 0.0))
    if file.header.get("steps") != STEPS or not reach > 0:
        raise DataError(f"{file.path} has no valid reach or steps: write it again")
    wanted = [
        i for i, key in enumerate(file.column("object").to_pylist()) if keys is None or key in keys
    ]
    some = file if keys is None else replace(file, table=file.table.take(wanted))
    names = [*_COLUMNS]
    if triangles and set(_SURFACE) <= set(file.table.column_names):
        names += _SURFACE
    columns = {name: some.column(name).to_pylist() for name in names}
    parts: dict[str, list[StoredPart]] = {}
    joints: dict[str, Joint | None] = {}
    for i, number in enumerate(wanted):
        row = {name: columns[name][i] for name in names}
        where = f"{file.path}: row {number} ({row['object']})"
        parts.setdefault(row["object"], []).append(_part(row, where))
        joints[row["object"]] = _joint(row["joint"])
    objects = [StoredObject(key=key, parts=tuple(parts[key]), joint=joints[key]) for key in parts]
    return objects, reach


def _schema(pa: Any) -> Any:
    joint = pa.struct(
        [
            ("kind", pa.string()),
            ("axis", pa.list_(pa.float64())),
            ("origin", pa.list_(pa.float64())),
            ("limits", pa.list_(pa.float64())),
            ("moving", pa.int32()),
        ]
    )
    return pa.schema(
        [
            ("object", pa.string()),
            ("part", pa.int32()),
            ("shape", pa.list_(pa.int32())),
            ("origin", pa.list_(pa.float32())),
            ("spacing", pa.float64()),
            ("support", pa.binary()),
            ("joint", joint),
            ("values", pa.binary()),
            ("vertices", pa.binary()),
            ("faces", pa.binary()),
        ]
    )


def _row(thing: StoredObject, number: int) -> dict[str, Any]:
    part, joint = thing.parts[number], thing.joint
    surface = part.triangles
    return {
        "object": thing.key,
        "part": number,
        "shape": list(part.values.shape),
        "origin": part.origin.tolist(),
        "spacing": part.spacing,
        "support": part.support.float().numpy().astype("<f4").tobytes(),
        "joint": None
        if joint is None
        else {
            "kind": joint.kind,
            "axis": list(joint.axis),
            "origin": list(joint.origin),
            "limits": list(joint.limits),
            "moving": joint.moving,
        },
        "values": part.values.contiguous().numpy().tobytes(),
        "vertices": surface and surface.vertices.numpy().astype("<f4").tobytes(),
        "faces": surface and surface.faces.numpy().astype("<i4").tobytes(),
    }


def _part(row: dict[str, Any], where: str) -> StoredPart:
    shape = tuple(int(size) for size in row["shape"])
    values = np.frombuffer(row["values"], dtype=np.int8).copy()
    support = np.frombuffer(row["support"], dtype="<f4").astype(np.float32)
    if len(shape) != 3 or min(shape) < 2 or values.size != np.prod(shape):
        raise DataError(f"{where}: {values.size} samples do not fill {shape}: write it again")
    if support.size != 3 * NUM_SUPPORT or not np.isfinite(support).all():
        raise DataError(f"{where}: support points are damaged: write it again")
    return StoredPart(
        values=torch.from_numpy(values).reshape(shape),
        origin=torch.tensor(row["origin"], dtype=torch.float32),
        spacing=float(row["spacing"]),
        support=torch.from_numpy(support).reshape(NUM_SUPPORT, 3),
        triangles=_triangles(row.get("vertices"), row.get("faces"), where),
    )


def _triangles(vertices: bytes | None, faces: bytes | None, where: str) -> StoredTriangles | None:
    if not vertices or not faces:
        return None
    try:
        points = np.frombuffer(vertices, dtype="<f4").astype(np.float32).reshape(-1, 3)
        corners = np.frombuffer(faces, dtype="<i4").astype(np.int32).reshape(-1, 3)
    except ValueError as error:
        raise DataError(f"{where}: vertices or faces are cut: write it again") from error
    if not np.isfinite(points).all() or corners.min() < 0 or corners.max() >= len(points):
        raise DataError(f"{where}: faces name vertices that are not there: write it again")
    return StoredTriangles(vertices=torch.from_numpy(points), faces=torch.from_numpy(corners))


def _joint(value: dict[str, Any] | None) -> Joint | None:
    if value is None:
        return None
    x, y, z = value["axis"]
    a, b, c = value["origin"]
    low, high = value["limits"]
    return Joint(
        kind=cast('Literal["revolute", "prismatic"]', value["kind"]),
        axis=(x, y, z),
        origin=(a, b, c),
        limits=(low, high),
        moving=int(value["moving"]),
    )
