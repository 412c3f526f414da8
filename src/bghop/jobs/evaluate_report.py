"""The report of a benchmark: what the tables say, how the grasps look, how they hold and fall."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from bghop.drawing.contact_sheet import Painter
from bghop.drawing.gallery import failure_reason
from bghop.drawing.strip import draw_strip
from bghop.errors import BghopError
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.evaluate_folder import BenchmarkFolder
from bghop.jobs.evaluate_machine import machine, versions
from bghop.jobs.evaluate_options import EvaluateJob, command_of
from bghop.jobs.evaluate_painter import PictureProcess
from bghop.jobs.evaluate_scenes import RowScenes
from bghop.reporting.blocks import Picture
from bghop.reporting.columns import Row
from bghop.reporting.diversity import diversity_of
from bghop.reporting.pictures import PICTURES, failing_rows
from bghop.reporting.report import Header, write_report
from bghop.reporting.summary import MethodSummary, summarize

MOST_FALLS, MOST_HOLDS = 3, 1
"""Strips of grasps that fail, and of one that holds."""
_COLUMNS = 4  # frames in a row; more would be too small to read on a page


def summaries(rows: Sequence[Row]) -> tuple[MethodSummary, ...]:
    """All numbers of the rows, as `write_benchmark_report` has them."""
    return summarize(rows, extra=diversity_of(rows))


def write_benchmark_report(
    job: EvaluateJob,
    folder: BenchmarkFolder,
    items: Sequence[Any],
    rows: Sequence[Row],
    times: Sequence[Row],
) -> tuple[MethodSummary, ...]:
    """Replaces the report in the folder; returns the summaries.

    Args:
        job: What was run; its first method comes first.
        folder: Takes the files.
        items: The objects of the rows.
        rows: One per grasp.
        times: One per trial.
    """
    folder.clear_pictures()
    extra = diversity_of(rows)
    notes: list[str] = []
    strips: list[Picture] = []
    with ExitStack() as stack:
        painter = scenes = None
        if job.pictures:
            painter = stack.enter_context(PictureProcess())
            scenes = RowScenes(items, load_open_hand())
            try:
                strips = _strips(painter, scenes, rows, job.methods[0])
            except BghopError as error:
                notes.append(f"No strips were drawn ({error}).")
            notes += [painter.note] if painter.note else []
        header = Header(
            command=command_of(job), date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            machine=machine(), versions=versions(), method=job.methods[0], notes=tuple(notes),
        )  # fmt: skip
        return write_report(
            folder.write_report_file, rows, times, header=header, draw=job.pictures,
            painter=painter, scene_of=None if scenes is None else scenes.scene, strips=strips,
            extra=extra,
        )  # fmt: skip


def _strips(painter: Painter, scenes: RowScenes, rows: Sequence[Row], method: str) -> list[Picture]:
    """The hold test of the best-ranked grasps that fail, and of the best that holds."""
    pictures = []
    for index, row in enumerate([*_falling(rows, method), *_holding(rows, method)]):
        frames, captions = scenes.film(row)
        verb = "holds" if row["hold"] else "fails"
        direction = row["hold_worst_direction"]
        why = f" Of all directions: {failure_reason(row)}." if verb == "fails" else ""
        pictures.append(
            Picture(
                name=f"{PICTURES}/strip_{index}.png",
                png=draw_strip(painter, frames, captions, columns=_COLUMNS),
                title=f"{row['object']}, {row['method']}, seed {row['seed']}, "
                f"rank {row['rank']}: {verb}",
                caption=f"Gravity along {direction}, where it fares worst.{why}",
            )
        )
    return pictures


def _falling(rows: Sequence[Row], method: str) -> list[Row]:
    """The best-ranked failing grasps of different objects, those of `method` first."""
    tested = [row for row in rows if row["hold"] is not None]
    first: dict[str, Row] = {}
    for row in failing_rows(tested, method, most=len(tested)):
        first.setdefault(row["object"], row)
    return list(first.values())[:MOST_FALLS]


def _holding(rows: Sequence[Row], method: str) -> list[Row]:
    held = [row for row in rows if row["method"] == method and row["rank"] == 0 and row["hold"]]
    return held[:MOST_HOLDS]
