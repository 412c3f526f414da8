"""One table as one file, or as a folder of files (shards) of the same name once it is large.

    records.parquet                        up to SHARD_ROWS rows
    records.parquet/00000-of-00003.parquet ...   more

Every shard is a whole table with its own header, so a damaged one costs its own rows only, and any
reader of parquet takes the folder as it takes the file. The names say how many there must be.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from bghop.data.tables import (
    BrokenShard,
    TableFile,
    TableFormat,
    pyarrow_modules,
    read_table,
    write_table,
)
from bghop.errors import DataError
from bghop.files import remove, whole_folder, writing

SHARD_ROWS = 50_000
"""Rows of a shard; some 30 MB of records."""
_NAME = re.compile(r"^(\d+)-of-(\d+)\.parquet$")


def write_shards(
    path: Path,
    tables: Iterable[Any],
    format_: TableFormat,
    header: dict[str, Any],
    *,
    rows: int | None = None,
) -> int:
    """Write the rows of several pyarrow tables of one schema, in order.

    A kill at any moment leaves what was there before, or nothing, or the whole.

    Args:
        path: of the file, or of the folder if there are more rows than a shard takes.
        tables: read one after the other.
        format_: of the table.
        header: of every shard.
        rows: of a shard; None: `SHARD_ROWS`.

    Returns:
        The number of shards.

    Raises:
        DataError: pyarrow is missing.
        ResultError: The files cannot be written.
    """
    pa, _ = pyarrow_modules()
    rows = SHARD_ROWS if rows is None else rows
    waiting: list[Any] = []
    tables = iter(tables)
    for table in tables:
        waiting.append(table)
        if sum(each.num_rows for each in waiting) > rows:
            break
    else:
        with writing(path):
            if path.is_dir():
                remove(path)
        write_table(path, pa.concat_tables(waiting), format_, header)
        return 1
    with whole_folder(path) as folder:
        count = 0
        for table in chain(tables, [None]):
            held = pa.concat_tables(waiting)
            while held.num_rows >= rows or (table is None and held.num_rows):
                write_table(folder / f"{count:05d}", held.slice(0, rows), format_, header)
                held, count = held.slice(rows), count + 1
            waiting = [held] if table is None else [held, table]
        for number in range(count):
            (folder / f"{number:05d}").rename(folder / f"{number:05d}-of-{count:05d}.parquet")
    return count


def read_shards(
    path: str | Path,
    format_: TableFormat,
    *,
    columns: Sequence[str] = (),
    same: Sequence[str] = (),
    skip_broken: bool = False,
) -> TableFile:
    """Read a table, whether it is one file or many.

    Args:
        path: of the file or folder.
        format_: of the table.
        columns: that must be there.
        same: entries of the header that all shards must have in common.
        skip_broken: leave out shards of a folder that cannot be used, and say so in `broken`.

    Raises:
        DataError: As `read_table`; or a shard is damaged, missing, or does not fit the others.
    """
    path = Path(path)
    if not path.is_dir():
        return read_table(path, format_)
    pa, _ = pyarrow_modules()
    names = sorted(p for p in path.iterdir() if p.suffix == ".parquet" and p.name[0] not in "._")
    if not names:
        raise DataError(f"{path} is a folder without parquet files: {format_.remedy}")
    broken = _missing(path, [each.name for each in names])
    files: list[TableFile] = []
    for name in names:
        try:
            file = read_table(name, format_)
        except DataError as error:
            broken.append(BrokenShard(path=name, why=_why(error, name)))
            continue
        why = _misfit(file, files[0] if files else None, columns, same)
        if why:
            broken.append(BrokenShard(path=name, why=why))
        else:
            files.append(file)
    if broken and (not skip_broken or not files):
        raise DataError(
            f"{_few(broken)}: copy it again from where the data were made, or leave such shards "
            "out (--skip-broken, skip_broken=True)"
        )
    tables = pa.concat_tables([file.table for file in files], promote_options="default")
    return TableFile(
        path=path, header=files[0].header, table=tables,
        shards=tuple((file.path, file.table.num_rows) for file in files), broken=tuple(broken),
    )  # fmt: skip


def join_tables(
    paths: Sequence[Path], out: Path, format_: TableFormat, *, rows: int | None = None
) -> None:
    """Write one table of all rows of several, in the given order; the header is the first one's.

    A column that some of them lack is null there.

    Raises:
        DataError: A file is damaged, or none is given.
        ResultError: The file cannot be written.
    """
    pa, parquet = pyarrow_modules()
    if not paths:
        raise DataError("no tables to join: give at least one")
    first = read_table(paths[0], format_)
    try:
        schemas = [parquet.read_schema(path).remove_metadata() for path in paths]
    except (OSError, pa.ArrowException):
        schemas = [read_table(path, format_).table.schema for path in paths]  # says which and why
    empty = pa.unify_schemas(schemas).empty_table()
    whole = (
        pa.concat_tables(
            [empty, read_table(path, format_).table.replace_schema_metadata(None)],
            promote_options="default",
        )
        for path in paths
    )
    write_shards(out, whole, format_, without_format(first.header), rows=rows)


def without_format(header: dict[str, Any]) -> dict[str, Any]:
    """What a header says besides its format, which the writer adds."""
    return {k: v for k, v in header.items() if k not in {"format", "format_version"}}


def without_shards(file: TableFile, bad_rows: Sequence[int], why: str) -> TableFile:
    """The table without those shards that have one of some rows; they are `broken` then."""
    pa, _ = pyarrow_modules()
    kept, shards, broken, first = [], [], list(file.broken), 0
    for path, count in file.shards:
        if any(first <= row < first + count for row in bad_rows):
            broken.append(BrokenShard(path=path, why=why))
        else:
            kept.append(file.table.slice(first, count))
            shards.append((path, count))
        first += count
    if not kept:
        raise DataError(f"{_few(broken)}: no shard is left; {why}")
    return replace(file, table=pa.concat_tables(kept), shards=tuple(shards), broken=tuple(broken))


def _missing(path: Path, names: list[str]) -> list[BrokenShard]:
    """Shards that the names of the others speak of."""
    found = [match for name in names if (match := _NAME.match(name))]
    totals = {match[2] for match in found}
    if len(totals) != 1:
        return []
    (total,) = totals
    there = {int(match[1]) for match in found}
    return [
        BrokenShard(path=path / f"{k:05d}-of-{total}.parquet", why="is missing")
        for k in range(int(total))
        if k not in there
    ]


def _misfit(
    file: TableFile, first: TableFile | None, columns: Sequence[str], same: Sequence[str]
) -> str:
    """Why a shard does not fit; empty if it does."""
    lacking = [name for name in columns if name not in file.table.column_names]
    if lacking:
        return f"has no column '{lacking[0]}'"
    if first is None:
        return ""
    for name in same:
        if file.header.get(name) != first.header.get(name):
            return f"has another {name} than {first.path.name}"
    for field in file.table.schema:
        other = first.table.schema.get_field_index(field.name)
        if other >= 0 and first.table.schema.field(other).type != field.type:
            return f"has another type of column '{field.name}' than {first.path.name}"
    return ""


def _why(error: DataError, path: Path) -> str:
    """An error's words from behind the path to before the remedy."""
    words = str(error).replace(str(path), "", 1).strip()
    return words.rsplit(": ", 1)[0]


def _few(broken: Sequence[BrokenShard]) -> str:
    more = f" (and {len(broken) - 1} more shards)" if len(broken) > 1 else ""
    return f"{broken[0]}{more}"
