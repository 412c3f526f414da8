"""The report of `bghop data check`: check.html and check.md, with pictures."""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from bghop.data.quality import FLAGS
from bghop.data.record import Records
from bghop.drawing.distributions import Panel, plot_panels
from bghop.errors import BghopError
from bghop.jobs.check_options import CheckDataJob
from bghop.jobs.checked_data import CheckedData, Measured, flags_of, splits_of
from bghop.jobs.data_pictures import at_random, contact_picture, meshes_of, sheet_picture
from bghop.reporting.blocks import (
    NOTHING,
    Block,
    Document,
    Figures,
    Picture,
    Section,
    Table,
    Value,
    number,
    pair,
    percent,
)
from bghop.reporting.folder import write_document

NAME = "check"
_MOST_ROWS = 12


def write_check_report(
    job: CheckDataJob, found: CheckedData, *, say: Callable[[str], None] = lambda _: None
) -> None:
    """Write check.md and check.html, with pictures beside them.

    Args:
        job: says where, and whether to draw.
        found: what there is to tell.
        say: told why pictures are missing.

    Raises:
        ResultError: The folder cannot be written.
    """
    records, measured = found.records, found.measured
    sections = [
        Section(title="In short", blocks=(_figures(found), *_verdict(found))),
        Section(
            title="Splits and objects",
            blocks=(_splits(records), _most(records, "object", records.object)),
        ),
        Section(title="Words", blocks=(_most(records, "text", records.text),)),
    ]
    if measured is not None:
        pictures = _pictures(job, measured, say) if job.pictures else []
        sections.insert(1, Section(title="What the hands do", blocks=(_sides(measured), *pictures)))
    sections.append(Section(title="What the numbers mean", blocks=_conventions(found)))
    flags = _flags(records)
    if flags is not None:
        sections.append(Section(title="Quality flags", blocks=(flags,)))
    document = Document(
        title="Data set check",
        about=(
            ("Folder", found.folder.resolve().name),
            ("Sources", ", ".join(dict.fromkeys(records.source))),
            ("Hand model", records.hand_model),
            ("Records", str(len(records))),
            ("Measured", str(len(measured.records)) if measured else "none"),
        ),
        sections=tuple(sections),
    )
    write_document(job.report, NAME, document)


def _figures(found: CheckedData) -> Figures:
    records, measured = found.records, found.measured
    both = int(records.hands.present.all(-1).sum())
    items = [
        ("records", Value(text=str(len(records))), f"of {len(set(records.object))} objects"),
        ("two hands", percent(both, len(records)), f"{both} records"),
        ("with text", percent(sum(map(bool, records.text)), len(records)),
         f"{len(set(records.text) - {''})} different texts"),
    ]  # fmt: skip
    if measured is not None:
        spread, clearance = measured.spread, measured.measures.clearance
        known = clearance[~clearance.isnan()]
        inside = float((-known.clamp_max(0)).mean()) if len(known) else None
        items += [
            ("depth", number(inside, digits=2, scale=1000.0, unit=" mm"),
             "deepest vertex of a hand, mean"),
            ("apart", number(spread.apart_cm, digits=1, unit=" cm"), "two records of one object"),
            ("fingers apart", number(spread.fingers_apart_cm, digits=2, unit=" cm"),
             "the same, wrists aligned"),
        ]  # fmt: skip
    return Figures(items=tuple(items))


def _verdict(found: CheckedData) -> list[Block]:
    if not found.findings:
        return ["Nothing looks wrong."]
    rows = tuple(
        (each.level, (Value(text=each.words), Value(text=each.remedy))) for each in found.findings
    )
    table = Table(head=("", "What", "What to do"), rows=rows, words=True)
    return ["Nothing looks wrong; some things to know.", table] if found.fine else [table]


def _splits(records: Records) -> Table:
    rows = tuple(
        (split, tuple(Value(text=str(own.get(name, NOTHING)))
                      for name in ("records", "objects", "sequences")))
        for split, own in splits_of(records).items()
    )  # fmt: skip
    return Table(head=("split", "records", "objects", "sequences"), rows=rows)


def _most(records: Records, name: str, values: Sequence[str]) -> Table:
    """The values that most records have."""
    every = Counter(values)
    rows = tuple(
        (value or "(none)", (
            Value(text=str(count)),
            number(count / len(records), digits=1, scale=100.0, unit=" %"),
        ))
        for value, count in every.most_common(_MOST_ROWS)
    )  # fmt: skip
    rest = len(every) - len(rows)
    caption = f"And {rest} more with fewer." if rest else ""
    return Table(head=(name, "records", "share"), rows=rows, caption=caption)


def _sides(measured: Measured) -> Table:
    found, present = measured.measures, measured.records.hands.present

    def means(values: Tensor) -> tuple[float | None, float | None]:
        left, right = (
            float(values[present[:, k], k].float().mean()) if present[:, k].any() else None
            for k in range(2)
        )
        return left, right

    depth = -found.clearance.clamp_max(0)
    total = len(present)
    there = [percent(int(present[:, k].sum()), total) for k in range(2)]
    rows = (
        ("there", tuple(there)),
        ("penetration depth, mm", pair(means(depth), digits=2, scale=1000.0)),
        ("skin within 5 mm, %", pair(means(found.contact), digits=1, scale=100.0)),
        ("fingers in contact", pair(means(found.fingers), digits=2)),
        ("nothing within 5 mm, %", pair(means(found.contact == 0), digits=1, scale=100.0)),
        ("beyond a joint limit, rad", pair(means(found.limit_excess), digits=3)),
        ("wrist to the object's box, cm", pair(means(found.wrist), digits=1, scale=100.0)),
    )
    caption = f"Means over the hands of {total} records at random."
    return Table(head=("", "left", "right"), rows=rows, caption=caption)


def _pictures(job: CheckDataJob, measured: Measured, say: Callable[[str], None]) -> list[Block]:
    try:
        chosen = at_random(measured.records.object, seed=job.seed)
        some = measured.records.rows(chosen)
        clearance = measured.measures.clearance[chosen]
        captions = [
            (
                some.object[k][:22],
                f"{some.text[k][:24] or '(no text)'}, {_clearances(clearance[k])}",
            )
            for k in range(len(some))
        ]
        return [
            _distributions(measured),
            contact_picture("contacts.png", measured.measures.touched, measured.model),
            sheet_picture("records.png", some, meshes_of(job.folder, some), captions,
                          measured.model),
        ]  # fmt: skip
    except BghopError as error:
        say(f"the report has no pictures ({error})")
        return []


def _clearances(pair_: Tensor) -> str:
    """Millimetres of left and right; negative inside."""
    words = [NOTHING if math.isnan(value) else f"{1000 * value:.1f}" for value in pair_.tolist()]
    return f"{' / '.join(words)} mm"


def _distributions(measured: Measured) -> Picture:
    found = measured.measures

    panels = (
        _panel("clearance, mm (inside < 0)", found.clearance, 1000.0, -3.0, 3.0),
        _panel("skin within 5 mm, %", found.contact, 100.0, 0.0, 10.0),
        _panel("beyond a limit, rad", found.limit_excess, 1.0, 0.0, 0.5),
    )
    return Picture(
        name="distributions.png", title="Contact, depth and limits", png=plot_panels(panels),
        caption="Per cent of the hands; ends count what is beyond them. Clearance: nearest skin, "
        "negative is the deepest skin inside the object.",
    )  # fmt: skip


def _panel(label: str, values: Tensor, scale: float, low: float, high: float) -> Panel:
    """From 1 to 99 % of the hands, and at least from low to high."""
    left, right = (scale * values.double().numpy()).T
    known = np.concatenate([left, right])
    first, last = np.nanquantile(known, [0.01, 0.99]) if not np.isnan(known).all() else (low, high)
    return Panel(
        label=label, sides=(left, right), low=min(low, float(first)), high=max(high, float(last))
    )


def _conventions(found: CheckedData) -> tuple[Block, ...]:
    readings = () if found.measured is None else found.measured.readings
    every = (*((each, "data set") for each in found.convention),
             *((each, "records") for each in readings))  # fmt: skip
    if not every:
        return ("No other reading was tried.",)
    rows = tuple(
        (each.name, (
            Value(text=where), Value(text=str(each.hands)), number(each.assumed_mm, digits=1),
            number(each.other_mm, digits=1), number(each.closer, digits=0, scale=100.0, unit=" %"),
            Value(text="yes" if each.doubtful else "no"),
        ))
        for each, where in every
    )  # fmt: skip
    head = ("if", "tried on", "hands", "as assumed, mm", "if so, mm", "fit better", "clearly")
    return (
        "By how much finger pads miss the object's surface (three times their depth inside), over "
        "the hands that touch as assumed or if their numbers meant something else.",
        Table(head=head, rows=rows),
    )


def _flags(records: Records) -> Table | None:
    counts = flags_of(records)
    if counts is None:
        return None
    rows = tuple(
        (flag, (Value(text=str(counts[flag])), percent(counts[flag], len(records)),
                Value(text=FLAGS[flag])))
        for flag in FLAGS
    )  # fmt: skip
    return Table(head=("flag", "records", "share", "meaning"), rows=rows)
