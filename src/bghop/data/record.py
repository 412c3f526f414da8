"""`Records`: interactions of two hands with objects, as tensors; the rows of a data set.

docs/records.md describes the file. A data set is small (138 numbers a row): it is read whole and
indexed, and grids are built from it on the device when a batch is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.data.origin import Origin, join_origins
from bghop.data.quality import FLAGS, Quality, join_qualities
from bghop.errors import DataError
from bghop.hands.model import HandModel, HandParameters

WORDS = ("id", "object", "text", "split", "source")
"""Fields of words, one a row each."""
WEIGHT = "weight"
"""Column of `Records.weight`."""


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
        counts = {name: len(getattr(self, name)) for name in (*WORDS, "joint_value")}
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
        words = {name: tuple(getattr(self, name)[i] for i in chosen) for name in WORDS}
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
    words = {name: tuple(w for part in parts for w in getattr(part, name)) for name in WORDS}
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


def _join_extra(parts: Sequence[Any], counts: Sequence[int]) -> Any:
    """Unknown columns of several sets; null where a set has none."""
    if all(part is None for part in parts):
        return None
    import pyarrow as pa

    blank = [pa.table({"": pa.nulls(num)}) if part is None else part
             for part, num in zip(parts, counts, strict=True)]  # fmt: skip
    joined = pa.concat_tables(blank, promote_options="default")
    return joined.drop_columns([""]) if "" in joined.column_names else joined
