"""`Records`: interactions of two hands with objects, as tensors; the rows of a data set.

docs/records.md describes the file. A data set is small (138 numbers a row): it is read whole and
indexed, and grids are built from it on the device when a batch is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.data.tables import TableFile, TableFormat, read_table, write_table
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

    def __post_init__(self) -> None:
        """Refuse columns of different length."""
        counts = {name: len(getattr(self, name)) for name in (*_WORDS, "joint_value")}
        counts["hands"] = len(self.hands.present)
        counts |= {} if self.weight is None else {"weight": len(self.weight)}
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
        )

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
    weighed = any(part.weight is not None for part in parts)
    weights = [torch.ones(len(part)) if part.weight is None else part.weight for part in parts]
    return Records(
        **words,
        joint_value=torch.cat([part.joint_value for part in parts]),
        hands=HandParameters(**hands),
        hand_model=parts[0].hand_model,
        shape_names=parts[0].shape_names,
        weight=torch.cat(weights) if weighed else None,
    )


def write_records(path: str | Path, records: Records) -> None:
    """Write a parquet file that `read_records` gives back bit for bit (float32).

    Raises:
        DataError: NaN or infinite numbers, an id twice, or pyarrow is missing.
        ResultError: The file cannot be written.
    """
    import pyarrow as pa

    _check(records, "the records")
    hands = records.hands

    def flat(values: Tensor) -> Any:
        rows = values.detach().cpu().float().reshape(len(records), -1)
        numbers = pa.array(rows.flatten().numpy())
        return pa.FixedSizeListArray.from_arrays(numbers, rows.shape[1])

    present = pa.FixedSizeListArray.from_arrays(
        pa.array(hands.present.detach().cpu().flatten().numpy()), 2
    )
    columns: dict[str, Any] = {name: pa.array(list(getattr(records, name))) for name in _WORDS}
    columns |= {
        "joint_value": pa.array(records.joint_value.detach().cpu().float().numpy()),
        "present": present,
        "T_object_hand": flat(hands.T_object_hand),
        "pose": flat(hands.pose),
        "shape": flat(hands.shape),
    }
    if records.weight is not None:
        columns[WEIGHT] = pa.array(records.weight.detach().cpu().float().numpy())
    header = {
        "hand_model": records.hand_model,
        "shape_names": list(records.shape_names),
        "units": _UNITS,
    }
    write_table(Path(path), pa.table(columns), RECORDS, header)


def read_records(path: str | Path) -> Records:
    """Read a whole file of records.

    Raises:
        DataError: Missing or damaged file, another format or version, a missing column, NaN.
    """
    file = read_table(path, RECORDS)
    shape_names = tuple(str(name) for name in file.header.get("shape_names", ()))
    num = file.table.num_rows
    words = {name: tuple(str(w) for w in file.column(name).to_pylist()) for name in _WORDS}
    joint = _numbers(file, "joint_value")
    records = Records(
        **words,
        # A rigid object's joint value may be left empty by other writers.
        joint_value=torch.nan_to_num(joint, nan=0.0),
        hands=HandParameters(
            present=_list(file, "present", num, 2) > 0,
            T_object_hand=_list(file, "T_object_hand", num, 2, 4, 4),
            pose=_list(file, "pose", num, 2, 15, 3),
            shape=_list(file, "shape", num, 2, len(shape_names)),
        ),
        hand_model=str(file.header.get("hand_model", "")),
        shape_names=shape_names,
        weight=_numbers(file, WEIGHT) if WEIGHT in file.table.column_names else None,
    )
    _check(records, str(file.path))
    return records


def _numbers(file: TableFile, name: str) -> Tensor:
    import pyarrow as pa

    column = file.column(name).cast(pa.float32())
    return torch.from_numpy(column.to_numpy(zero_copy_only=False).astype(np.float32))


def _list(file: TableFile, name: str, num: int, *shape: int) -> Tensor:
    """A column of lists as one tensor `(num, *shape)`."""
    import pyarrow as pa

    values = file.column(name).flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
    if values.size != num * int(np.prod(shape)):
        raise DataError(
            f"{file.path}: column '{name}' has {values.size} numbers in {num} rows, not "
            f"{' x '.join(map(str, shape))} a row: write the file again"
        )
    return torch.from_numpy(np.array(values, dtype=np.float32)).reshape(num, *shape)


def _check(records: Records, where: str) -> None:
    """Refuse what no interaction can be."""
    if len(set(records.id)) != len(records):
        raise DataError(f"{where}: an id is there twice: give every row an id of its own")
    columns = {
        "joint_value": records.joint_value[:, None],
        "T_object_hand": records.hands.T_object_hand.flatten(1),
        "pose": records.hands.pose.flatten(1),
        "shape": records.hands.shape.flatten(1),
        **({} if records.weight is None else {WEIGHT: records.weight[:, None]}),
    }
    for name, values in columns.items():
        bad = (~torch.isfinite(values)).any(-1).nonzero()
        if len(bad):
            raise DataError(
                f"{where}: '{name}' of row {int(bad[0])} ({records.id[int(bad[0])]}) is not a "
                "finite number: leave such rows out"
            )
    R = records.hands.T_object_hand[..., :3, :3].float()
    off = (R @ R.transpose(-1, -2) - torch.eye(3, device=R.device)).abs().amax((-1, -2, -3))
    skewed = (off > 1e-3).nonzero()
    if len(skewed):
        row = int(skewed[0])
        raise DataError(
            f"{where}: T_object_hand of row {row} ({records.id[row]}) is not rigid (off by "
            f"{float(off[row]):.3g}): normalise its rotation, put scale into `shape`"
        )
