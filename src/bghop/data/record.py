"""`Records`: interactions of two hands with objects, as tensors; the rows of a data set.

docs/records.md describes the file. A data set is small (138 numbers a row): it is read whole and
indexed, and grids are built from it on the device when a batch is made.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.data import origin, quality
from bghop.data.columns import list_column, lists_of, number_column, numbers_of, words_of
from bghop.data.origin import Origin, join_origins, origin_of
from bghop.data.quality import FLAGS, Quality, join_qualities, quality_of
from bghop.data.shards import read_shards, without_shards, write_shards
from bghop.data.tables import TableFile, TableFormat
from bghop.errors import DataError
from bghop.hands.model import HandModel, HandParameters

RECORDS = TableFormat(
    name="bghop-records",
    version=1,
    remedy="give a file that bghop.data.record.write_records wrote",
)
_UNITS = {"length": "m", "angle": "rad", "frame": "p_object = T_object_hand @ p_hand"}
WEIGHT = "weight"
_WORDS = ("id", "object", "text", "split", "source")
_NEEDED = (*_WORDS, "joint_value", "present", "T_object_hand", "pose", "shape")
_KNOWN = {*_NEEDED, WEIGHT, *origin.COLUMNS, *quality.COLUMNS}
SAME = ("hand_model", "shape_names")
"""What all files of a data set say alike in their headers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Records:
    """Rows of a data set. Absent hands hold the identity and zeros."""

    id: tuple[str, ...]
    """Unique in the data set."""
    object: tuple[str, ...]
    """Key of the object in the object store."""
    text: tuple[str, ...]
    """What is held, as a prompt ("mug", "laptop computer"); empty if unknown."""
    split: tuple[str, ...]
    """`train`, `val` or `test`; by object, never by row."""
    source: tuple[str, ...]
    """Data set or program that the row is from."""
    joint_value: Float[Tensor, "row"]
    """Radians or metres of the object's joint; 0 for rigid objects."""
    hands: HandParameters
    """Leading axis `row`."""
    hand_model: str
    """Name of the hand model that pose and shape belong to."""
    shape_names: tuple[str, ...]
    weight: Float[Tensor, "row"] | None = None
    """How often each row is trained on, relative to others; None: all alike."""
    origin: Origin | None = None
    """Sequence, frame, time and world of each row, if known."""
    quality: Quality | None = None
    """What was measured of each row, if it was."""
    extra: Any = None
    """Columns of the file that bghop does not know, as a pyarrow table; kept and written again."""

    def __post_init__(self) -> None:
        """Refuse columns of different length."""
        counts = {name: len(getattr(self, name)) for name in (*_WORDS, "joint_value")}
        counts["hands"] = len(self.hands.present)
        counts |= {} if self.weight is None else {"weight": len(self.weight)}
        counts |= {} if self.origin is None else {"origin": len(self.origin.sequence)}
        counts |= {} if self.quality is None else {"quality": len(self.quality.flags)}
        counts |= {} if self.extra is None else {"extra": self.extra.num_rows}
        if len(set(counts.values())) != 1:
            raise DataError(f"columns of different length ({counts}): give one entry per row")

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.id)

    def rows(self, index: Sequence[int] | Tensor) -> "Records":
        """Rows by numbers or by a mask."""
        number = torch.as_tensor(index)
        if number.dtype == torch.bool:
            number = number.nonzero().squeeze(-1)
        number = number.long()
        chosen = number.tolist()
        words = {name: tuple(getattr(self, name)[i] for i in chosen) for name in _WORDS}
        return Records(
            **words,
            joint_value=self.joint_value[number],
            hands=self.hands.rows(number),
            hand_model=self.hand_model,
            shape_names=self.shape_names,
            weight=None if self.weight is None else self.weight[number],
            origin=None if self.origin is None else self.origin.rows(number),
            quality=None if self.quality is None else self.quality.rows(number),
            extra=None if self.extra is None else self.extra.take(chosen),
        )

    def without(self, flags: Sequence[str]) -> "Records":
        """Rows that have none of some quality flags; rows that were not measured stay.

        Raises:
            DataError: A flag is unknown, nothing was measured, or no row is left.
        """
        unknown = [flag for flag in flags if flag not in FLAGS]
        if unknown:
            raise DataError(f"unknown quality flag '{unknown[0]}': use some of {', '.join(FLAGS)}")
        if not flags:
            return self
        if self.quality is None:
            raise DataError(
                f"the records have no quality flags, so none can be left out ({', '.join(flags)}): "
                "import the data again with this bghop, or leave no flags out"
            )
        refused = set(flags)
        index = [i for i, own in enumerate(self.quality.flags) if not refused & set(own)]
        if not index:
            raise DataError(f"every record has one of the flags {', '.join(flags)}: allow some")
        return self.rows(index)

    def of_split(self, split: str) -> "Records":
        """Rows of one split.

        Raises:
            DataError: There are none; lists the splits that exist.
        """
        index = [i for i, name in enumerate(self.split) if name == split]
        if not index:
            have = ", ".join(sorted(set(self.split))) or "none"
            raise DataError(f"no records of split '{split}' (splits: {have}): choose one of them")
        return self.rows(index)

    def for_model(self, hand_model: HandModel) -> "Records":
        """The same records, after checking that they are this hand model's.

        Raises:
            DataError: Poses and shapes are another model's.
        """
        if (self.hand_model, self.shape_names) != (hand_model.name, hand_model.shape_names):
            raise DataError(
                f"records are of the hand model '{self.hand_model}' with {len(self.shape_names)} "
                f"shape parameters, not of '{hand_model.name}' with {hand_model.num_shape}: load "
                "the hand model that the records were made with"
            )
        return self


def concatenate_records(parts: Sequence[Records]) -> Records:
    """Several data sets of one hand model as one.

    Raises:
        DataError: None are given, or hand models differ.
    """
    if not parts:
        raise DataError("no records to put together: give at least one set")
    kinds = {(part.hand_model, part.shape_names) for part in parts}
    if len(kinds) != 1:
        names = ", ".join(sorted({part.hand_model for part in parts}))
        raise DataError(f"records of different hand models ({names}): convert them to one first")
    words = {name: tuple(w for part in parts for w in getattr(part, name)) for name in _WORDS}
    hands = {
        name: torch.cat([getattr(part.hands, name) for part in parts])
        for name in ("present", "T_object_hand", "pose", "shape")
    }
    counts = [len(part) for part in parts]
    weighed = any(part.weight is not None for part in parts)
    weights = [torch.ones(len(part)) if part.weight is None else part.weight for part in parts]
    return Records(
        **words,
        joint_value=torch.cat([part.joint_value for part in parts]),
        hands=HandParameters(**hands),
        hand_model=parts[0].hand_model,
        shape_names=parts[0].shape_names,
        weight=torch.cat(weights) if weighed else None,
        origin=join_origins([part.origin for part in parts], counts),
        quality=join_qualities([part.quality for part in parts], counts),
        extra=_join_extra([part.extra for part in parts], counts),
    )


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
    columns: dict[str, Any] = {name: pa.array(list(getattr(records, name))) for name in _WORDS}
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
        **{name: words_of(file, name) for name in _WORDS},
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


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A row that no interaction can be."""

    row: int
    id: str
    words: str
    """What is wrong."""
    remedy: str

    def __str__(self) -> str:
        """For people."""
        return f"row {self.row}, {self.id}: {self.words}: {self.remedy}"


def problems_of(records: Records) -> list[Problem]:
    """All rows that must not be written or trained on, one problem each, in order."""
    found: dict[int, Problem] = {}

    def add(row: int, words: str, remedy: str) -> None:
        found.setdefault(
            row, Problem(row=row, id=records.id[row], words=words, remedy=remedy)
        )  # fmt: skip

    seen: set[str] = set()
    for row, key in enumerate(records.id):
        if key in seen:
            add(row, "an id that is there twice", "give every row an id of its own")
        seen.add(key)
    columns = {
        "joint_value": records.joint_value[:, None],
        "T_object_hand": records.hands.T_object_hand.flatten(1),
        "pose": records.hands.pose.flatten(1),
        "shape": records.hands.shape.flatten(1),
        **({} if records.weight is None else {WEIGHT: records.weight[:, None]}),
    }
    for name, values in columns.items():
        for row in (~torch.isfinite(values)).any(-1).nonzero().flatten().tolist():
            add(row, f"a '{name}' that is not a finite number", "leave such rows out")
    R = records.hands.T_object_hand[..., :3, :3].float()
    off = (R @ R.transpose(-1, -2) - torch.eye(3, device=R.device)).abs().amax((-1, -2, -3))
    for row in (off > 1e-3).nonzero().flatten().tolist():
        add(
            row, f"a T_object_hand that is not rigid (off by {float(off[row]):.3g})",
            "normalise its rotation, put scale into `shape`",
        )  # fmt: skip
    return [found[row] for row in sorted(found)]


def _join_extra(parts: Sequence[Any], counts: Sequence[int]) -> Any:
    """Unknown columns of several sets; null where a set has none."""
    if all(part is None for part in parts):
        return None
    import pyarrow as pa

    blank = [pa.table({"": pa.nulls(num)}) if part is None else part
             for part, num in zip(parts, counts, strict=True)]  # fmt: skip
    joined = pa.concat_tables(blank, promote_options="default")
    return joined.drop_columns([""]) if "" in joined.column_names else joined
