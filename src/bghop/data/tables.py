"""Parquet files with a header: one JSON value in the schema's metadata says what the table is.

pyarrow is imported on first use, so that everything else works without it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bghop.errors import DataError
from bghop.files import reason, write_whole

_HEADER = b"bghop"


@dataclass(frozen=True, kw_only=True)
class TableFormat:
    """What a table's header must say."""

    name: str
    version: int
    remedy: str
    """How one gets such a file; the end of error messages."""


@dataclass(frozen=True, kw_only=True)
class BrokenShard:
    """One file of a table that cannot be used."""

    path: Path
    why: str
    """Follows the path in a message."""

    def __str__(self) -> str:
        """Both."""
        return f"{self.path} {self.why}"


@dataclass(frozen=True, kw_only=True, eq=False)
class TableFile:
    """A table (pyarrow) and its header."""

    path: Path
    header: dict[str, Any]
    table: Any
    shards: tuple[tuple[Path, int], ...] = ()
    """Files that the rows are from, in order, each with its number of rows; empty: `path`."""
    broken: tuple[BrokenShard, ...] = ()
    """Shards that were left out because the caller asked for it."""

    def where(self, row: int) -> str:
        """The file that a row is from, and its number there, for messages."""
        for path, count in self.shards:
            if row < count:
                return f"{path}: row {row}"
            row -= count
        return f"{self.path}: row {row}"

    def column(self, name: str) -> Any:
        """One column as a single pyarrow array.

        Raises:
            DataError: There is no such column; lists those that exist.
        """
        if name not in self.table.column_names:
            have = ", ".join(self.table.column_names)
            raise DataError(f"{self.path} has no column '{name}' (it has {have}): write it again")
        column = self.table.column(name)
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def write_table(path: Path, table: Any, format_: TableFormat, header: dict[str, Any]) -> None:
    """Write a pyarrow table whole, zstd-compressed, with its header.

    Raises:
        DataError: pyarrow is missing.
        ResultError: The file cannot be written.
    """
    pa, parquet = pyarrow_modules()
    content = {"format": format_.name, "format_version": format_.version, **header}
    table = table.replace_schema_metadata({_HEADER: json.dumps(content).encode()})
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd", use_dictionary=True)
    write_whole(path, sink.getvalue().to_pybytes())


def read_table(
    path: str | Path, format_: TableFormat, *, columns: Sequence[str] | None = None
) -> TableFile:
    """Read a whole table (or some columns of it) and check its header.

    Raises:
        DataError: Missing, not parquet, another format or version, or pyarrow is missing.
    """
    path = Path(path)
    pa, parquet = pyarrow_modules()
    try:
        table = parquet.read_table(
            path, partitioning=None, columns=None if columns is None else list(columns)
        )
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: {format_.remedy}") from None
    except OSError as error:
        why = reason(error) if error.errno else "it is not a complete parquet file"
        raise DataError(f"cannot read {path} ({why}): {format_.remedy}") from error
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a complete parquet file: {format_.remedy}") from error
    header = _header(table)
    if header.get("format") != format_.name:
        raise DataError(f"{path} is not a {format_.name} file: {format_.remedy}")
    version = header.get("format_version")
    if version != format_.version:
        newer = isinstance(version, int) and version > format_.version
        remedy = "update bghop, or have it written by this version" if newer else format_.remedy
        raise DataError(
            f"{path} has format version {version}, this bghop reads {format_.version}: {remedy}"
        )
    return TableFile(path=path, header=header, table=table)


def _header(table: Any) -> dict[str, Any]:
    try:
        value = json.loads((table.schema.metadata or {}).get(_HEADER, b"{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def pyarrow_modules() -> tuple[Any, Any]:
    """`pyarrow` and `pyarrow.parquet`.

    Raises:
        DataError: They are missing.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(
            "records are parquet files, which need pyarrow: pip install 'bghop[train]'"
        ) from error
    return pa, parquet
