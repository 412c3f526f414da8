"""Records in parquet: one file, or a folder of many. docs/records.md describes the columns."""

import warnings
from pathlib import Path
from typing import Any

from torch import Tensor

from bghop.data import origin, quality
from bghop.data.columns import list_column, lists_of, number_column, numbers_of, words_of
from bghop.data.origin import origin_of
from bghop.data.quality import quality_of
from bghop.data.record import WEIGHT, WORDS, Records
from bghop.data.record_problems import problems_of
from bghop.data.shards import read_shards, without_shards, write_shards
from bghop.data.tables import TableFile, TableFormat
from bghop.errors import DataError
from bghop.hands.model import HandParameters

RECORDS = TableFormat(
    name="bghop-records",
    version=1,
    remedy="give a file that bghop.write_records wrote",
)
_UNITS = {"length": "m", "angle": "rad", "frame": "p_object = T_object_hand @ p_hand"}
_NEEDED = (*WORDS, "joint_value", "present", "T_object_hand", "pose", "shape")
_KNOWN = {*_NEEDED, WEIGHT, *origin.COLUMNS, *quality.COLUMNS}
SAME = ("hand_model", "shape_names")
"""What all files of a data set say alike in their headers."""


def write_records(path: str | Path, records: Records, *, rows: int | None = None) -> None:
    """Write a file that `read_records` gives back bit for bit (float32).

    Args:
        path: of the file, or of a folder of files if there are more than `rows` records.
        records: without NaN in hands, joint values and weights.
        rows: of one file; None: 50,000.

    Raises:
        DataError: NaN or infinite numbers, an id twice, or pyarrow is missing.
        ResultError: The file cannot be written.
    """
    import pyarrow as pa

    for problem in problems_of(records)[:1]:
        raise DataError(f"the records: {problem}")
    hands = records.hands
    columns: dict[str, Any] = {name: pa.array(list(getattr(records, name))) for name in WORDS}
    columns |= {
        "joint_value": number_column(records.joint_value.float()),
        "present": list_column(hands.present),
        "T_object_hand": list_column(hands.T_object_hand.float()),
        "pose": list_column(hands.pose.float()),
        "shape": list_column(hands.shape.float()),
    }
    if records.weight is not None:
        columns[WEIGHT] = number_column(records.weight.float())
    for group in (records.origin, records.quality):
        columns |= {} if group is None else group.columns()
    if records.extra is not None:
        columns |= {name: records.extra.column(name) for name in records.extra.column_names}
    header = {
        "hand_model": records.hand_model,
        "shape_names": list(records.shape_names),
        "units": _UNITS,
    }
    write_shards(Path(path), [pa.table(columns)], RECORDS, header, rows=rows)


def read_records(path: str | Path, *, skip_broken: bool = False) -> Records:
    """Read all records of a file or of a folder of files.

    Args:
        path: what `write_records` wrote.
        skip_broken: leave out files of a folder that are damaged or have rows that no interaction
            can be, with a warning that names each.

    Raises:
        DataError: Missing or damaged file, another format or version, a missing column, NaN.
    """
    file = read_shards(path, RECORDS, columns=_NEEDED, same=SAME, skip_broken=skip_broken)
    records = records_of(file)
    problems = problems_of(records)
    if problems and skip_broken and file.shards:
        file = without_shards(file, [each.row for each in problems], f"has {problems[0].words}")
        records = records_of(file)
        problems = problems_of(records)
    if problems:
        raise DataError(f"{file.where(problems[0].row)} ({problems[0]})")
    for shard in file.broken:
        warnings.warn(f"left out: {shard}", stacklevel=2)
    return records


def records_of(file: TableFile) -> Records:
    """The rows of a table, unchecked.

    Raises:
        DataError: A column is missing or of another kind.
    """
    shape_names = tuple(str(name) for name in file.header.get("shape_names", ()))
    unknown = [name for name in file.table.column_names if name not in _KNOWN]
    return Records(
        **{name: words_of(file, name) for name in WORDS},
        # A rigid object's joint value may be left empty by other writers.
        joint_value=_zero_where_empty(numbers_of(file, "joint_value")),
        hands=HandParameters(
            present=lists_of(file, "present", 2) > 0,
            T_object_hand=lists_of(file, "T_object_hand", 2, 4, 4),
            pose=lists_of(file, "pose", 2, 15, 3),
            shape=lists_of(file, "shape", 2, len(shape_names)),
        ),
        hand_model=str(file.header.get("hand_model", "")),
        shape_names=shape_names,
        weight=numbers_of(file, WEIGHT) if WEIGHT in file.table.column_names else None,
        origin=origin_of(file),
        quality=quality_of(file),
        extra=file.table.select(unknown) if unknown else None,
    )


def _zero_where_empty(values: Tensor) -> Tensor:
    return values.where(~values.isnan(), 0.0)
