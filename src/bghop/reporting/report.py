"""The report of a benchmark: Markdown, one HTML file, its pictures, and the summary as JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bghop.drawing.contact_sheet import Painter
from bghop.drawing.scene import Scene
from bghop.errors import ResultError
from bghop.reporting.blocks import Block, Document, Picture, Section, markdown
from bghop.reporting.comparison import Comparison, compare
from bghop.reporting.html import html
from bghop.reporting.intervals import Estimate, Resampling
from bghop.reporting.pictures import (
    draw_diagrams,
    draw_failures,
    failing_rows,
    failure_blocks,
)
from bghop.reporting.published import published_table
from bghop.reporting.scores import ordering_table, static_table
from bghop.reporting.summary import MethodSummary, Row, summarize
from bghop.reporting.tables import (
    comparison_table,
    extra_table,
    group_table,
    key_figures,
    left_right_table,
    lift_table,
    method_table,
    object_table,
    per_hand_table,
    time_table,
    two_hands_table,
)
from bghop.reporting.timing import MethodTimes, summarize_times
from bghop.reporting.words import definitions, notes

MARKDOWN_FILE, HTML_FILE, SUMMARY_FILE = "report.md", "report.html", "summary.json"

Write = Callable[[str, bytes], None]
"""Writes one file, given its path below the report's folder with `/` and its content."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What was run, in words for people; nothing of it goes into summary.json."""

    title: str = "Benchmark of two-handed grasps"
    command: str
    """As typed."""
    date: str
    """Of the run."""
    machine: str
    """Processor, cores, memory, load."""
    versions: Mapping[str, str]
    """By package, bghop first."""
    method: str = ""
    """Whose key numbers and failures come first; empty for the first in the rows."""
    docs: str = ""
    """Address or path of the folder of documents, for links; empty for no links."""
    notes: tuple[str, ...] = ()
    """What a reader must know about this run."""


def write_report(
    write: Write,
    rows: Sequence[Row],
    times: Sequence[Row],
    *,
    header: Header,
    draw: bool = True,
    painter: Painter | None = None,
    scene_of: Callable[[Row], Scene] | None = None,
    strips: Sequence[Picture] = (),
    extra: Mapping[str, Mapping[str, Estimate | float | None]] | None = None,
    options: Resampling | None = None,
) -> tuple[MethodSummary, ...]:
    """Writes report.md, report.html, summary.json and pictures/; returns the summaries.

    Args:
        write: Writes one file below the report's folder.
        rows: One per grasp, see `bghop.reporting.summary.REQUIRED_COLUMNS`.
        times: One per run, see `bghop.reporting.timing.TIME_COLUMNS`.
        header: What was run.
        draw: Whether to draw anything; without it no package for drawing is needed.
        painter: Draws the failures; without it, or without `scene_of`, they are only listed.
        scene_of: The scene of a row.
        strips: Image strips of holds and falls (`bghop.drawing.strip`), named `pictures/...`.
        extra: Further numbers by method and name, such as diversity.
        options: How intervals are made.

    Raises:
        ResultError: There are no rows, columns are missing, or `header.method` is none of theirs.
        DrawingError: matplotlib is missing.
    """
    methods = summarize(rows, extra=extra, options=options)
    main = _main(methods, header.method)
    comparisons = compare(rows, reference=main.method, options=options)
    costs = summarize_times(rows, times)
    failures = failing_rows(rows, main.method)
    pictures = draw_diagrams(rows, methods, costs) if draw else {}
    shown: list[Picture] = []
    files = [*pictures.values(), *strips]
    if draw and painter is not None and scene_of is not None and failures:
        title = f"{header.title}: grasps that fail"
        shown, sheet = draw_failures(painter, failures, scene_of, title=title)
        files += [*shown, sheet]
    sections = _sections(
        main, methods, comparisons, costs, pictures, failures, shown, strips, header, rows
    )
    about = (
        ("Date", header.date), ("Command", header.command), ("Machine", header.machine),
        ("Versions", ", ".join(f"{name} {each}" for name, each in header.versions.items())),
        ("Grasps", _counts(rows, methods)),
    )  # fmt: skip
    document = Document(title=header.title, about=about, sections=sections)
    for picture in files:
        write(picture.name, picture.png)
    write(SUMMARY_FILE, summary_json(methods, comparisons))
    write(MARKDOWN_FILE, markdown(document).encode())
    write(HTML_FILE, html(document).encode())
    return methods


def summary_json(methods: Sequence[MethodSummary], comparisons: Sequence[Comparison] = ()) -> bytes:
    """The summaries as JSON: equal rows give equal bytes. Numbers have 9 digits, no times."""

    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.9g}") + 0.0
        if isinstance(value, Mapping):
            return {str(key): plain(each) for key, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list | tuple) else value

    content = {
        "format": "bghop-benchmark-summary",
        "format_version": 1,
        "methods": [plain(asdict(each)) for each in methods],
        "comparisons": [plain(asdict(each)) for each in comparisons],
    }
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode()


def _sections(
    main: MethodSummary,
    methods: tuple[MethodSummary, ...],
    comparisons: tuple[Comparison, ...],
    costs: Mapping[str, MethodTimes],
    pictures: Mapping[str, Picture],
    failures: Sequence[Row],
    shown: Sequence[Picture],
    strips: Sequence[Picture],
    header: Header,
    rows: Sequence[Row],
) -> tuple[Section, ...]:
    def drawn(*names: str) -> list[Block]:
        return [pictures[name] for name in names if name in pictures]

    further = [table for table in (extra_table(methods),) if table is not None]
    if comparisons:
        further.insert(0, comparison_table(comparisons))
    by_object: list[Block] = []
    for index, each in enumerate(methods):
        by_object += [*drawn(f"hold_{index}"), object_table(each)]
    tested = any(row["hold"] is not None for row in rows)
    lift = [lift_table(methods)] if tested else []
    sides = [f"left_right_{index}" for index in range(len(methods))]
    scores = [each for each in (ordering_table(methods), static_table(methods)) if each is not None]
    found: dict[str, list[Block]] = {
        "In short": [f"Method {main.method}; with 95 % intervals.", key_figures(main)],
        "Methods": [method_table(methods), *lift, *further],
        "Does it take two hands?": [two_hands_table(methods)] if tested else [],
        "Parts of the objects": [group_table(methods)],
        "Objects": by_object,
        "Each hand": [per_hand_table(methods)],
        "Left against right": [left_right_table(methods), *drawn(*sides)],
        "Penetration": drawn("depth"),
        "By the definitions of other papers": [published_table(methods)],
        "Scores against the hold test": list(scores),
        "Time": [time_table(costs), *drawn("time")] if costs else [],
        "Failures": failure_blocks(failures, shown),
        "Frame by frame": list(strips),
        "Definitions": list(definitions(header.docs)),
        "Notes": list(notes(rows, methods, header.notes)),
    }
    return tuple(
        Section(title=title, blocks=tuple(blocks)) for title, blocks in found.items() if blocks
    )


def _main(methods: Sequence[MethodSummary], name: str) -> MethodSummary:
    for each in methods:
        if name in {"", each.method}:
            return each
    known = ", ".join(each.method for each in methods)
    msg = f"no rows of method {name!r}: choose one of {known}"
    raise ResultError(msg)


def _counts(rows: Sequence[Row], methods: Sequence[MethodSummary]) -> str:
    objects = len({(row["object_set"], row["object"]) for row in rows})
    seeds = sorted({row["seed"] for row in rows})
    return (
        f"{len(rows)} of {objects} objects, {len(methods)} methods, "
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(str(seed) for seed in seeds)}"
    )
