"""`Origin`: where in its data set a row is from, and how the object stood in that world."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from bghop.data.columns import list_column, lists_of, number_column, numbers_of, words_of
from bghop.data.tables import TableFile
from bghop.hands.model import HandParameters

NO_FRAME = -1
COLUMNS = ("sequence", "frame", "time", "T_world_object")


@dataclass(frozen=True, kw_only=True, eq=False)
class Origin:
    """Of each row; what is unknown is an empty word, `NO_FRAME`, or NaN."""

    sequence: tuple[str, ...]
    """As the data set calls it; unique together with the row's source."""
    frame: Int64[Tensor, "row"]
    """In the data set's own count."""
    time: Float[Tensor, "row"]
    """Seconds in the sequence, float64."""
    T_world_object: Float[Tensor, "row 4 4"]
    """`p_world = T_world_object @ p_object`, metres."""

    def rows(self, number: Tensor) -> "Origin":
        """Rows by numbers."""
        return Origin(
            sequence=tuple(self.sequence[i] for i in number.tolist()),
            frame=self.frame[number],
            time=self.time[number],
            T_world_object=self.T_world_object[number],
        )

    def Ts_world_hand(self, hands: HandParameters) -> Float[Tensor, "row hand=2 4 4"]:
        """Wrists in the world: `T_world_hand = T_world_object @ T_object_hand`."""
        return self.T_world_object[:, None] @ hands.T_object_hand

    def columns(self) -> dict[str, Any]:
        """As pyarrow arrays; what is unknown is null."""
        import pyarrow as pa

        frame = self.frame.double()
        return {
            "sequence": pa.array([word or None for word in self.sequence], type=pa.string()),
            "frame": number_column(frame.where(self.frame >= 0, torch.nan)).cast(pa.int64()),
            "time": number_column(self.time.double()),
            "T_world_object": list_column(self.T_world_object.float()),
        }


def unknown_origin(num: int) -> Origin:
    """Rows of which nothing is known."""
    return Origin(
        sequence=("",) * num,
        frame=torch.full((num,), NO_FRAME),
        time=torch.full((num,), torch.nan, dtype=torch.float64),
        T_world_object=torch.full((num, 4, 4), torch.nan),
    )


def join_origins(parts: Sequence[Origin | None], counts: Sequence[int]) -> Origin | None:
    """Of several sets one after the other; None if nothing is known of any."""
    if all(part is None for part in parts):
        return None
    every = [part or unknown_origin(num) for part, num in zip(parts, counts, strict=True)]
    return Origin(
        sequence=tuple(word for part in every for word in part.sequence),
        frame=torch.cat([part.frame for part in every]),
        time=torch.cat([part.time for part in every]),
        T_world_object=torch.cat([part.T_world_object for part in every]),
    )


def origin_of(file: TableFile) -> Origin | None:
    """The columns of a table; None if it has none of them."""
    there = set(file.table.column_names)
    if not there & set(COLUMNS):
        return None
    blank = unknown_origin(file.table.num_rows)
    frame = blank.frame
    if "frame" in there:
        found = numbers_of(file, "frame", torch.float64)
        frame = found.nan_to_num(nan=NO_FRAME).long()
    return Origin(
        sequence=words_of(file, "sequence") if "sequence" in there else blank.sequence,
        frame=frame,
        time=numbers_of(file, "time", torch.float64) if "time" in there else blank.time,
        T_world_object=lists_of(file, "T_world_object", 4, 4)
        if "T_world_object" in there
        else blank.T_world_object,
    )
