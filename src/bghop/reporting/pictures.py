"""The pictures of a report: diagrams of all grasps, and grasps that fail."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bghop.drawing.contact_sheet import Painter
from bghop.drawing.gallery import Failure, draw_gallery, failure_reason
from bghop.drawing.plots import (
    Point,
    plot_depth_histogram,
    plot_hold_by_object,
    plot_left_right,
    plot_time_quality,
)
from bghop.drawing.scene import Scene
from bghop.evaluation.ranking import Demands
from bghop.reporting.blocks import Block, Gallery, Picture, Table, Value
from bghop.reporting.summary import MethodSummary, Row, metric_columns
from bghop.reporting.tables import ALL
from bghop.reporting.timing import MethodTimes

PICTURES = "pictures"
"""Folder below the report's."""
MOST_FAILURES = 24


def failing_rows(rows: Sequence[Row], method: str, most: int = MOST_FAILURES) -> list[Row]:
    """The failing grasp of best rank of each run: of `method` first, then best ranks.

    A grasp fails if the hold test says so, or, where it was left out, if it is not good.
    """
    first: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda each: each["rank"]):
        failed = not row["good"] if row["hold"] is None else not row["hold"]
        run = (row["method"], row["object_set"], row["object"], row["seed"])
        if failed:
            first.setdefault(run, row)

    def order(row: Row) -> tuple[bool, int, int]:
        directions = row["hold_directions"]
        return row["method"] != method, row["rank"], 0 if directions is None else directions

    return sorted(first.values(), key=order)[:most]


def draw_failures(
    painter: Painter, rows: Sequence[Row], scene_of: Callable[[Row], Scene], *, title: str
) -> tuple[list[Picture], Picture]:
    """A picture of each failing grasp, and all of them in one with their words."""
    failures = [
        Failure(scene=scene_of(row), heading=_heading(row), reason=failure_reason(row))
        for row in rows
    ]
    sheet, single = draw_gallery(painter, failures, title=title)
    pictures = [
        Picture(name=f"{PICTURES}/failure_{index:02d}.png", png=png,
                title=failure.heading, caption=failure.reason)
        for index, (failure, png) in enumerate(zip(failures, single, strict=True))
    ]  # fmt: skip
    return pictures, Picture(name=f"{PICTURES}/failures.png", png=sheet, title=title)


def failure_blocks(rows: Sequence[Row], shown: Sequence[Picture]) -> list[Block]:
    """Failing grasps as pictures, or as a list where they were not drawn."""
    if not rows:
        return ["No grasp failed."]
    words = (
        "The best-ranked failing grasp of each run, best ranks of the first method first; at most "
        f"{MOST_FAILURES} are shown. Displacement and rotation are the largest of all directions."
    )
    if shown:
        return [words, Gallery(pictures=tuple(shown))]
    listed = tuple((_heading(row), (Value(text=failure_reason(row)),)) for row in rows)
    return [words, Table(head=("Grasp", "Why it fails"), rows=listed, words=True)]


def _heading(row: Row) -> str:
    return f"{row['object']}, {row['method']}, seed {row['seed']}, rank {row['rank']}"


def draw_diagrams(
    rows: Sequence[Row], methods: Sequence[MethodSummary], costs: Mapping[str, MethodTimes]
) -> dict[str, Picture]:
    """Diagrams by a short name: `hold_N` and `left_right_N` of method N, `depth`, `time`."""
    found = {}

    def add(name: str, png: bytes, title: str, caption: str) -> None:
        path = f"{PICTURES}/{name}.png"
        found[name] = Picture(name=path, png=png, title=title, caption=caption)

    columns = {
        each.method: metric_columns([row for row in rows if row["method"] == each.method])
        for each in methods
    }
    for index, each in enumerate(methods):
        own = columns[each.method]
        if not np.isnan(own["hold"]).all():
            mean, best, one_hand = (
                np.array([_or_nan(e.means[selection][name]) for e in each.objects])
                for selection, name in (
                    ("all", "hold"),
                    ("best-ranked", "hold"),
                    ("all", "one_hand"),
                )
            )
            png = plot_hold_by_object([e.object for e in each.objects], mean, best, one_hand)
            add(f"hold_{index}", png, f"Hold success by object, {each.method}",
                "Either hand alone: still held with one of the hands removed.")  # fmt: skip
        pairs = {
            label: (own[f"{name}_left"], own[f"{name}_right"])
            for name, label in (("contact_ratio", "contact ratio"), ("depth", "depth, mm"))
            if np.nansum(own[name]) > 0  # nothing to compare where all is zero
        }
        if pairs:
            png = plot_left_right(pairs)
            add(f"left_right_{index}", png, f"Left and right hand, {each.method}",
                "One point per candidate; on the line both hands are alike.")  # fmt: skip
    limit = Demands().penetration_depth_mm
    depths = {name: own["depth"] for name, own in columns.items()}
    add("depth", plot_depth_histogram(depths, limit_mm=limit), "Penetration depth",
        "Of the deeper hand, all candidates.")  # fmt: skip
    points = [point for each in methods if (point := _point(each, costs)) is not None]
    if points:
        add("time", plot_time_quality(points), "Time against quality",
            "Filled: all candidates with their 95 % interval. Hollow: best-ranked.")  # fmt: skip
    return found


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _point(method: MethodSummary, costs: Mapping[str, MethodTimes]) -> Point | None:
    selections = method.groups[ALL].selections
    every, best = selections["all"]["hold"], selections["best-ranked"]["hold"]
    cost = costs[method.method].columns["grasp_s"] if method.method in costs else None
    if every is None or cost is None:
        return None
    return Point(
        name=method.method, seconds=cost.mean, hold=every.mean, low=every.low, high=every.high,
        best=None if best is None else best.mean,
    )  # fmt: skip
