"""Rows of a seed in batches until enough of them are good."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bghop.errors import ResultError

BATCH = 16
"""Rows sampled at once."""
_MORE_ROWS = 16  # tries beyond twice the number wanted
_SPARE = 4  # rows tried at once where few are missing

Progress = Callable[[int, int], None]
Say = Callable[[str], None]
_Row = TypeVar("_Row")


@dataclass(kw_only=True)
class Rows(Generic[_Row]):
    """Good rows of a seed, in order, until there are enough."""

    num: int
    """Good rows wanted."""
    steps: int
    """Of the sampler, for each batch."""
    progress: Progress | None

    def collect(
        self, draw: Callable[[int, int, Progress], list[_Row | None]], lack: str, say: Say | None
    ) -> list[_Row]:
        """Draw until there are enough.

        Args:
            draw: called with (number of the first row, rows, progress); None for a row of no use.
            lack: what such a row has not, for messages.
            say: told about rows that were left out.

        Raises:
            ResultError: Too many rows were of no use.
        """
        rows: list[_Row | None] = []
        good: list[_Row] = []
        most = 2 * self.num + _MORE_ROWS
        total = self.steps * math.ceil(self.num / BATCH)
        done = 0
        while len(good) < self.num and len(rows) < most:
            wanted = self.num - len(good)
            count = min(BATCH, max(wanted, _SPARE) if rows else wanted, most - len(rows))

            def tick(step: int, _: int, before: int = done) -> None:
                if self.progress is not None:
                    self.progress(min(before + step, total), total)

            rows += draw(len(rows), count, tick)
            good = [row for row in rows if row is not None]
            done += self.steps
        if len(good) < self.num:
            lost = len(rows) - len(good)
            msg = f"{lost} of {len(rows)} samples {lack}: use a checkpoint that is trained further,"
            raise ResultError(f"{msg} another prompt or another --guidance")
        used = [i for i, row in enumerate(rows) if row is not None][self.num - 1] + 1
        if used > self.num and say is not None:
            say(f"{used - self.num} of {used} samples {lack}; the next ones took their places")
        return good[: self.num]
