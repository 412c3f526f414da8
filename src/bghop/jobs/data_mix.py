"""`bghop data mix`: several data sets as one, each with its share of the training.

Tables are joined as they are, so columns that we do not know survive. Ids and object keys get the
name of their set in front; a row's weight is its set's share over the set's training rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from bghop.data.objects_file import OBJECTS
from bghop.data.record import WEIGHT
from bghop.data.record_file import RECORDS, SAME, read_records
from bghop.data.shards import read_shards, without_format, write_shards
from bghop.data.tables import TableFile, TableFormat
from bghop.errors import DataError, OptionError, ResultError
from bghop.files import writing
from bghop.jobs.data_folder import OBJECTS_FILE, RECORDS_FILE


@dataclass(frozen=True, kw_only=True)
class MixDataJob:
    """Data sets to join."""

    folders: tuple[Path, ...]
    """Each with records.parquet and objects.parquet."""
    out: Path
    weights: tuple[float, ...] = ()
    """Share of each in the training, relative; all alike if empty."""
    skip_broken: bool = False
    """Leave out damaged files of a set in many files, instead of stopping."""
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class MixedSet:
    """What became of one of them."""

    name: str
    rows: int
    share: float
    """Of the training samples."""
    broken: tuple[str, ...] = ()
    """Files that were left out, and why."""


def check_mix_options(job: MixDataJob) -> None:
    """Refuse what cannot be joined.

    Raises:
        OptionError: With the option, its value, and what is allowed.
    """
    if len(job.folders) < 2:
        raise OptionError(f"{len(job.folders)} data sets cannot be mixed: name two or more")
    if job.weights and len(job.weights) != len(job.folders):
        raise OptionError(
            f"--weights has {len(job.weights)} numbers for {len(job.folders)} data sets: give each "
            "one"
        )
    if any(not 0 < weight < float("inf") for weight in job.weights):
        raise OptionError("--weights has a number that is no share: use more than 0")


def run_mix_job(job: MixDataJob) -> list[MixedSet]:
    """Write both tables.

    Raises:
        BghopError: An option, a file or the folder cannot be used, or hand models differ.
    """
    check_mix_options(job)
    if not job.overwrite and any((job.out / n).exists() for n in (RECORDS_FILE, OBJECTS_FILE)):
        raise ResultError(f"{job.out} holds a data set: add --overwrite or choose another --out")
    names = _names(job.folders)
    skip = job.skip_broken
    files = [
        read_shards(folder / RECORDS_FILE, RECORDS, same=SAME, skip_broken=skip)
        for folder in job.folders
    ]
    kinds = {(f.header.get("hand_model"), tuple(f.header.get("shape_names", ()))) for f in files}
    if len(kinds) != 1:
        words = ", ".join(
            f"{n}: {f.header.get('hand_model')}" for n, f in zip(names, files, strict=True)
        )
        raise DataError(f"hand models differ ({words}): import all with the same --hand")
    things = [read_shards(folder / OBJECTS_FILE, OBJECTS) for folder in job.folders]
    reaches = {f.header.get("reach") for f in things}
    if len(reaches) != 1:
        raise DataError(f"objects have distances up to {reaches} m: write them with one reach")
    weights = job.weights or (1.0,) * len(files)
    tables, mixed = [], []
    for name, file, weight in zip(names, files, weights, strict=True):
        training = np.array([split == "train" for split in file.column("split").to_pylist()])
        tables.append(_with_weight(_named(file, name, ("id", "object")), weight, training))
        mixed.append(
            MixedSet(
                name=name, rows=file.table.num_rows, share=weight / sum(weights),
                broken=tuple(map(str, file.broken)),
            )
        )  # fmt: skip
    with writing(job.out):
        job.out.mkdir(parents=True, exist_ok=True)
    _write(tables, job.out / RECORDS_FILE, RECORDS, files[0].header)
    objects = [_named(file, name, ("object",)) for name, file in zip(names, things, strict=True)]
    _write(objects, job.out / OBJECTS_FILE, OBJECTS, things[0].header)
    read_records(job.out / RECORDS_FILE)  # what was written can be read
    return mixed


def _names(folders: Sequence[Path]) -> list[str]:
    """Names of the folders, numbered where they are alike."""
    plain = [folder.resolve().name for folder in folders]
    return [
        name if plain.count(name) == 1 else f"{name}{plain[: i + 1].count(name)}"
        for i, name in enumerate(plain)
    ]


def _named(file: TableFile, name: str, columns: Sequence[str]) -> Any:
    """The table with a set's name in front of some words."""
    import pyarrow as pa

    table = file.table
    for column in columns:
        words = [f"{name}:{word}" for word in file.column(column).to_pylist()]
        table = table.set_column(table.column_names.index(column), column, pa.array(words))
    return table


def _with_weight(table: Any, weight: float, training: Bool[np.ndarray, "row"]) -> Any:
    """Training rows have the weight together; rows that had weights keep their ratios."""
    import pyarrow as pa

    before = np.ones(table.num_rows)
    if WEIGHT in table.column_names:
        before = table.column(WEIGHT).to_numpy().astype(float)
        table = table.drop_columns([WEIGHT])
    total = before[training].sum() or before.sum()
    return table.append_column(WEIGHT, pa.array((weight * before / total).astype(np.float32)))


def _write(tables: list[Any], path: Path, form: TableFormat, header: dict[str, Any]) -> None:
    import pyarrow as pa

    whole = pa.concat_tables(tables, promote_options="default")
    write_shards(path, [whole], form, without_format(header))
