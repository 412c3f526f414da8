"""`Quality`: what was measured of each row, and flags for rows that one may want to leave out.

Numbers are kept beside the flags, so that others can draw their lines elsewhere. Flags never drop a
row by themselves: `Records.without` does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.data.columns import (
    list_column,
    lists_of,
    word_list_column,
    word_lists_of,
)
from bghop.data.tables import TableFile

FAR = 0.020
"""Metres; twice what counts as contact when frames are chosen."""
DEEP = 0.010
"""Metres; fits of people's hands to scans are 2 to 5 mm deep where fingers press."""
BENT = 0.5
"""Radians (29 degrees) beyond a joint's limit; skin and fits are softer than our limits."""
MOVED = 0.010
"""Metres that a hand may move when it is put into another model or convention."""
FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "far": f"a hand is more than {100 * FAR:g} cm from the surface",
        "deep": f"a hand is more than {1000 * DEEP:g} mm inside the object",
        "bent": f"a finger joint is more than {BENT:g} rad beyond its limit",
        "moved": f"a hand moved by more than {1000 * MOVED:g} mm when it was put into the records' "
        "hand model",
        "rejected": "the data set's own check rejects the frame",
    }
)
"""What each flag means; a row has those that are true of it."""
_NUMBERS = ("clearance", "contact", "limit_excess", "moved")
COLUMNS = (*_NUMBERS, "flags")


@dataclass(frozen=True, kw_only=True, eq=False)
class Quality:
    """Of each row and hand; NaN for hands that are absent and for what was not measured."""

    clearance: Float[Tensor, "row hand=2"]
    """Signed distance of the nearest (or deepest) skin, metres: negative is a depth. Known as far
    as the object store knows distances."""
    contact: Float[Tensor, "row hand=2"]
    """Share of the skin within 5 mm of the surface, on either side."""
    limit_excess: Float[Tensor, "row hand=2"]
    """Largest excess over a joint limit, radians."""
    moved: Float[Tensor, "row hand=2"]
    """How far the hand moved when it was put into the records' hand model, metres."""
    flags: tuple[tuple[str, ...], ...]
    """Of each row, in the order of `FLAGS`."""

    def rows(self, number: Tensor) -> "Quality":
        """Rows by numbers."""
        return Quality(
            **{name: getattr(self, name)[number] for name in _NUMBERS},
            flags=tuple(self.flags[i] for i in number.tolist()),
        )

    def columns(self) -> dict[str, Any]:
        """As pyarrow arrays; what is unknown is null."""
        numbers = {name: list_column(getattr(self, name).float()) for name in _NUMBERS}
        return {**numbers, "flags": word_list_column(self.flags)}


def flagged(
    *,
    clearance: Float[Tensor, "row hand=2"],
    contact: Float[Tensor, "row hand=2"],
    limit_excess: Float[Tensor, "row hand=2"],
    moved: Float[Tensor, "row hand=2"] | None = None,
    rejected: Bool[Tensor, "row"] | None = None,
) -> Quality:
    """Numbers with the flags that follow from them; NaN raises none."""
    moved = torch.full_like(clearance, torch.nan) if moved is None else moved
    rejected = torch.zeros(len(clearance), dtype=torch.bool) if rejected is None else rejected
    raised = {
        "far": (clearance > FAR).any(-1),
        "deep": (clearance < -DEEP).any(-1),
        "bent": (limit_excess > BENT).any(-1),
        "moved": (moved > MOVED).any(-1),
        "rejected": rejected,
    }
    rows = torch.stack([raised[name] for name in FLAGS], dim=-1).tolist()
    return Quality(
        clearance=clearance, contact=contact, limit_excess=limit_excess, moved=moved,
        flags=tuple(tuple(n for n, up in zip(FLAGS, row, strict=True) if up) for row in rows),
    )  # fmt: skip


def join_qualities(parts: Sequence[Quality | None], counts: Sequence[int]) -> Quality | None:
    """Of several sets one after the other; None if nothing is known of any."""
    if all(part is None for part in parts):
        return None
    every = [part or _unknown(num) for part, num in zip(parts, counts, strict=True)]
    return Quality(
        **{name: torch.cat([getattr(part, name) for part in every]) for name in _NUMBERS},
        flags=tuple(words for part in every for words in part.flags),
    )


def quality_of(file: TableFile) -> Quality | None:
    """The columns of a table; None if it has none of them."""
    there = set(file.table.column_names)
    if not there & set(COLUMNS):
        return None
    blank = _unknown(file.table.num_rows)
    return Quality(
        **{
            name: lists_of(file, name, 2) if name in there else getattr(blank, name)
            for name in _NUMBERS
        },
        flags=word_lists_of(file, "flags") if "flags" in there else blank.flags,
    )


def _unknown(num: int) -> Quality:
    return Quality(
        **{name: torch.full((num, 2), torch.nan) for name in _NUMBERS}, flags=((),) * num
    )
