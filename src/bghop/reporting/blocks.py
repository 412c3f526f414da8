"""What a report is made of, independent of how it is written; and how Markdown writes it."""

from dataclasses import dataclass

from bghop.errors import ResultError
from bghop.reporting.intervals import Estimate

NOTHING = "–"
"""Shown where nothing was measured."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number of a table, and its interval."""

    text: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Names at the left, values to their right."""

    head: tuple[str, ...]
    """One more than each row has values: the first is above the names."""
    rows: tuple[tuple[str, tuple[Value, ...]], ...]
    caption: str = ""
    words: bool = False
    """Values are words rather than numbers."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A PNG file, its place below the report's folder, and what it shows."""

    name: str
    png: bytes
    title: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Several pictures side by side where there is room."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One word of the report in a paragraph."""

    name: str
    meaning: str
    link: str = ""
    """Where there is more to read; empty for none."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Key numbers at the top: a label, a value, and a line of explanation."""

    items: tuple[tuple[str, Value, str], ...]


Block = str | Table | Picture | Gallery | Term | Figures
"""A string is a paragraph."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the report under one title."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """A whole report."""

    title: str
    about: tuple[tuple[str, str], ...]
    """What was run, when, with what: names and values."""
    sections: tuple[Section, ...]


def share(estimate: Estimate | None) -> Value:
    """A share from 0 to 1 as a percentage with its interval."""
    return number(estimate, digits=0, scale=100.0, unit=" %")


def number(
    estimate: Estimate | float | None, *, digits: int, scale: float = 1.0, unit: str = "",
    signed: bool = False,
) -> Value:  # fmt: skip
    """A number with its interval, if it has one."""
    if estimate is None:
        return Value(text=NOTHING)
    form = f"{'+' if signed else ''}.{digits}f"

    def rounded(value: float) -> str:
        # No minus before a zero.
        return format(round(scale * value, digits) + 0.0, form)

    if not isinstance(estimate, Estimate):
        return Value(text=rounded(estimate) + unit)
    text = rounded(estimate.mean) + unit
    if estimate.low is None or estimate.high is None:
        return Value(text=text)
    return Value(text=text, note=f"{rounded(estimate.low)} to {rounded(estimate.high)}")


def percent(part: int, whole: int) -> Value:
    """A share of a count, in whole per cent."""
    return number(part / whole if whole else None, digits=0, scale=100.0, unit=" %")


def pair(
    sides: tuple[float | None, float | None], *, digits: int, scale: float = 1.0
) -> tuple[Value, ...]:
    """Left and right."""
    return tuple(number(value, digits=digits, scale=scale) for value in sides)


def markdown(document: Document) -> str:
    """The report in Markdown; pictures are linked by their names."""
    lines = [f"# {document.title}", ""]
    lines += [f"- **{name}**: {value}" for name, value in document.about]
    for section in document.sections:
        lines += ["", f"## {section.title}"]
        for block in section.blocks:
            lines += ["", *_markdown(block)]
    return "\n".join(lines) + "\n"


def _markdown(block: Block) -> list[str]:
    if isinstance(block, str):
        return [block]
    if isinstance(block, Term):
        more = f" [More]({block.link})." if block.link else ""
        return [f"**{block.name}.** {block.meaning}{more}"]
    if isinstance(block, Figures):
        return [f"- {label}: **{_cell(value)}** ({words})" for label, value, words in block.items]
    if isinstance(block, Picture):
        words = [block.caption] if block.caption else []
        return [f"![{block.title}]({block.name})", *([""] if words else []), *words]
    if isinstance(block, Gallery):
        lines: list[str] = []
        for picture in block.pictures:
            lines += [f"**{picture.title}**: {picture.caption}", "", *_markdown_image(picture), ""]
        return lines[:-1]
    rule = "---" if block.words else "---:"
    lines = [
        _line(tuple(map(_escaped, block.head))),
        _line(("---", *(rule for _ in block.head[1:]))),
    ]
    for name, values in block.rows:
        check_width(block, values)
        lines.append(_line((_escaped(name), *(_cell(value) for value in values))))
    return [*lines, "", block.caption] if block.caption else lines


def _markdown_image(picture: Picture) -> list[str]:
    return [f"![{picture.title}]({picture.name})"]


def check_width(table: Table, values: tuple[Value, ...]) -> None:
    """A row that does not fit its head would shift values under the wrong words."""
    if len(values) + 1 != len(table.head):
        msg = f"a row of {len(values) + 1} under a head of {len(table.head)}: give one for each"
        raise ResultError(msg)


def _cell(value: Value) -> str:
    return _escaped(f"{value.text} [{value.note}]" if value.note else value.text)


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
