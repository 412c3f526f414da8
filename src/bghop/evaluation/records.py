"""The benchmark's tables: their columns, and rows (plain dicts) to Parquet files and back.

Equal rows give equal bytes: column order, types, compression and row groups are fixed, and no time
of writing is recorded. docs/evaluate.md describes every column.
"""

import io
from typing import Any

from bghop.errors import ResultError

INSTALL = "bghop evaluate needs more packages ({names}): pip install 'bghop[benchmark]'"

_SIDED = {
    "depth_{}_mm": "float", "volume_{}_cm3": "float", "contact_ratio_{}": "float",
    "fingers_{}": "int", "limit_{}_deg": "float",
}  # fmt: skip
_PUBLISHED = {
    "grasptta_volume_{}_cm3": "float", "grasptta_depth_{}_cm": "float",
    "grasptta_contact_{}": "bool", "halo_volume_{}_cm3": "float", "halo_distance_{}_cm": "float",
}  # fmt: skip


def _of_both_sides(columns: dict[str, str]) -> dict[str, str]:
    return {name.format(side): kind for side in ("left", "right") for name, kind in columns.items()}


HOLD_COLUMNS: dict[str, str] = {
    "hold": "bool",
    "hold_directions": "int",
    "hold_worst_direction": "str",
    "hold_moved_cm": "float",
    "hold_turned_deg": "float",
    "hold_force_n": "float",
    "hold_closing_cm": "float",
    "squeeze_left_n": "float",
    "squeeze_right_n": "float",
    "hold_without_left": "bool",
    "hold_without_right": "bool",
    "hold_without_left_directions": "int",
    "hold_without_right_directions": "int",
}
"""Null when the benchmark ran without the hold test."""
RESULT_COLUMNS: dict[str, str] = {
    "object_set": "str",
    "object": "str",
    "family": "str",
    "articulated": "bool",
    "size_cm": "float",
    "mass_kg": "float",
    "method": "str",
    "seed": "int",
    "rank": "int",
    "energy": "float",
    "instability": "float",
    "static": "bool",
    "static_directions": "int",
    **_of_both_sides(_SIDED),
    "depth_mm": "float",
    "volume_cm3": "float",
    "hand_hand_depth_mm": "float",
    "hand_hand_volume_cm3": "float",
    "both_in_contact": "bool",
    "good": "bool",
    "faults": "str",
    **_of_both_sides(_PUBLISHED),
    **HOLD_COLUMNS,
    **{f"{name}_{side}": "floats" for name in ("T_object", "pose", "shape", "joints")
       for side in ("left", "right")},
}  # fmt: skip
"""One row per grasp: name -> kind (str, bool, int, float, floats: a list of float32)."""
TIME_COLUMNS: dict[str, str] = {
    "object": "str",
    "method": "str",
    "seed": "int",
    "load_s": "float",
    "synthesis_s": "float",
    "metrics_s": "float",
    "pieces_s": "float",
    "hold_s": "float",
    "static_ms": "float",
}
"""One row per trial; these differ from run to run, so they are no part of the results."""

Row = dict[str, Any]


def to_parquet(
    rows: list[Row], columns: dict[str, str], metadata: dict[str, str] | None = None
) -> bytes:
    """The bytes of a Parquet file with exactly these columns, in this order.

    Args:
        rows: Dicts that have every column; None is null.
        columns: `RESULT_COLUMNS` or `TIME_COLUMNS`.
        metadata: Strings kept in the file's schema.

    Raises:
        ResultError: pyarrow is not installed.
        KeyError: A row lacks a column.
        ValueError: A row has a column that the table has not.
    """
    pa, pq = _arrow()
    for row in rows:
        if unknown := row.keys() - columns.keys():
            raise ValueError(f"no such columns: {', '.join(sorted(unknown))}")
    kinds = {
        "str": pa.string(), "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(),
        "floats": pa.list_(pa.float32()),
    }  # fmt: skip
    fields = [pa.field(name, kinds[kind]) for name, kind in columns.items()]
    schema = pa.schema(fields, metadata=metadata)
    arrays = [pa.array([row[name] for row in rows], type=kinds[columns[name]]) for name in columns]
    buffer = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=schema), buffer, version="2.6", compression="zstd",
        compression_level=3, row_group_size=100_000,
    )  # fmt: skip
    return buffer.getvalue()


def from_parquet(content: bytes) -> tuple[list[Row], dict[str, str]]:
    """Rows and metadata of `to_parquet`; numbers come back exactly (lists as float32 values).

    Raises:
        ResultError: pyarrow is not installed, or the bytes are no whole Parquet file.
    """
    pa, pq = _arrow()
    try:
        # Without any pool of threads: with `pq.read_table` a process that ends soon after it may
        # abort ("terminate called without an active exception"; pyarrow 26, 3 of 25 times).
        file = pq.ParquetFile(io.BytesIO(content), pre_buffer=False)
        table = file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        words = " ".join(str(error).split())
        raise ResultError(f"a table is damaged ({words}): delete it and run again") from error
    kept = table.schema.metadata or {}
    metadata = {
        key.decode(): value.decode() for key, value in kept.items() if key != b"ARROW:schema"
    }
    return table.to_pylist(), metadata


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ResultError(INSTALL.format(names="pyarrow")) from None
    return pyarrow, pyarrow.parquet
