"""The curves of a run: CSV files always, TensorBoard if it is installed."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bghop.files import write_whole, writing

TRAIN_FILE = "train.csv"
VALIDATION_FILE = "validation.csv"


class Curves:
    """Rows of numbers by step. After a resume, rows beyond its step are dropped."""

    def __init__(self, folder: Path, *, step: int, tensorboard: bool = True) -> None:
        """Open the curves of a run that goes on after `step` steps."""
        self._folder = folder
        for name in (TRAIN_FILE, VALIDATION_FILE):
            _cut(folder / name, step)
        self._board = _board(folder, step) if tensorboard else None

    def add(self, file: str, rows: Sequence[Mapping[str, float]]) -> None:
        """Append rows that all have the same columns, `step` first."""
        if not rows:
            return
        path = self._folder / file
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        if not path.exists():
            writer.writeheader()
        writer.writerows(
            {k: int(v) if k == "step" else f"{v:.9g}" for k, v in row.items()} for row in rows
        )
        with writing(path), path.open("a", encoding="utf-8", newline="") as stream:
            stream.write(text.getvalue())
        if self._board is not None:
            group = file.removesuffix(".csv")
            for row in rows:
                for name, value in row.items():
                    if name != "step":
                        self._board.add_scalar(f"{group}/{name}", value, int(row["step"]))

    def close(self) -> None:
        """Finish the event file."""
        if self._board is not None:
            self._board.close()


def read_curve(path: Path) -> list[dict[str, float]]:
    """Rows of a curve's file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]


def _cut(path: Path, step: int) -> None:
    """Drop rows of steps that will be taken again, and a last line that a kill cut off."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    kept = whole[:1] + [line for line in whole[1:] if int(line.split(",", 1)[0]) <= step]
    if kept != lines:
        write_whole(path, "".join(kept).encode())


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
