"""The report of a synthetic data set: numbers, contact maps, grasps at random."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bghop.data.objects_file import read_objects
from bghop.data.record import Records
from bghop.data.record_file import read_records
from bghop.data.tables import read_table
from bghop.datagen.checks import REASONS
from bghop.datagen.parts import (
    OBJECTS_FILE,
    PROVENANCE,
    PROVENANCE_FILE,
    RECORDS_FILE,
    ObjectReport,
)
from bghop.datagen.statistics import FamilyStatistics, Statistics, statistics
from bghop.errors import BghopError
from bghop.evaluation.record_measures import measure_records
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.data_pictures import at_random, contact_picture, meshes_of, sheet_picture
from bghop.reporting.blocks import (
    Block,
    Document,
    Figures,
    Section,
    Table,
    Value,
    number,
    pair,
    percent,
)
from bghop.reporting.folder import write_document

_CONTACTS, _SHEET = "contacts.png", "grasps.png"
_MEASURED = 1000
"""Grasps that the contact maps are of."""


def write_data_report(
    folder: Path,
    reports: Sequence[ObjectReport],
    *,
    pictures: bool,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Write report.md and report.html, with pictures beside them.

    Args:
        folder: Of a data set whose three files are complete.
        reports: Of its objects.
        pictures: Whether to draw.
        say: Told why pictures are missing.
    """
    records, model = read_records(folder / RECORDS_FILE), load_open_hand()
    rows = read_table(folder / PROVENANCE_FILE, PROVENANCE).table.to_pylist()
    found = statistics(records, rows, reports, model)
    shown: list[Block] = []
    if pictures:
        try:
            shown = _pictures(folder, records, rows, reports, model)
        except BghopError as error:
            say(f"the report has no pictures ({error})")
    document = Document(
        title="Synthetic interactions",
        about=(("Folder", folder.name), ("Objects", str(len(reports))),
               ("Interactions", str(len(records))),
               *(("Not made", f"{each.key}: {each.error}") for each in reports if each.error)),
        sections=(
            Section(title="In short", blocks=(_figures(found, reports), *shown)),
            Section(title="Families", blocks=(_family_table(found.families),)),
            Section(title="What the hands do", blocks=(_roles(found), _sides(found))),
        ),
    )  # fmt: skip
    write_document(folder, "report", document)


def _figures(found: Statistics, reports: Sequence[ObjectReport]) -> Figures:
    accepted = sum(report.accepted for report in reports)
    candidates = sum(report.candidates for report in reports)
    seconds = sum(report.seconds for report in reports)
    spread = found.spread
    items = [
        ("accepted", percent(accepted, candidates), f"{accepted} of {candidates} candidates"),
        ("rate", number(accepted / max(seconds, 1e-9), digits=2, unit=" /s"), "accepted, per core"),
        ("depth", number(_mean(found.depth_mm), digits=2, unit=" mm"), "deepest vertex of a hand"),
        ("entropy", number(spread.diversity and spread.diversity.entropy_nats, digits=2),
         "nats, 20 clusters of hands"),
        ("apart", number(spread.apart_cm, digits=1, unit=" cm"), "two grasps of one object"),
        ("fingers apart", number(spread.fingers_apart_cm, digits=2, unit=" cm"),
         "two grasps of one object, wrists aligned"),
    ]  # fmt: skip
    if found.hold_tested:
        items.append(
            ("hold", percent(found.held, found.hold_tested),
             f"of {found.hold_tested} that the static check accepts and the hold test saw")
        )  # fmt: skip
    if found.unbalanced_tested:
        items.append(
            ("hold all the same", percent(found.unbalanced_held, found.unbalanced_tested),
             f"of {found.unbalanced_tested} that only the static check refuses")
        )  # fmt: skip
    return Figures(items=tuple(items))


def _family_table(families: Sequence[FamilyStatistics]) -> Table:
    rows = []
    for each in sorted(families, key=lambda family: family.family):
        values = [Value(text=str(each.objects)), Value(text=str(each.accepted)),
                  percent(each.accepted, each.candidates)]  # fmt: skip
        values += [percent(each.rejected[reason], each.candidates) for reason in REASONS]
        values.append(number(each.accepted / max(each.seconds, 1e-9), digits=1))
        rows.append((each.family, tuple(values)))
    head = ("family", "objects", "accepted", "share", *REASONS, "per s and core")
    return Table(head=head, rows=tuple(rows), caption="Shares of all candidates.")


def _roles(found: Statistics) -> Table:
    total = sum(found.roles.values())
    rows = [
        (name, (Value(text=str(count)), percent(count, total)))
        for name, count in found.roles.items()
    ]
    caption = (
        "grip: a hand at a handle; open: one hand at the moving part, one at the rest; support: "
        "one hand carries from below; both: none of these"
    )
    return Table(head=("role", "interactions", "share"), rows=tuple(rows), caption=caption)


def _sides(found: Statistics) -> Table:
    rows = (
        ("penetration depth, mm", pair(found.depth_mm, digits=2)),
        ("fingers in contact", pair(found.fingers, digits=2)),
    )
    return Table(head=("mean", "left", "right"), rows=rows)


def _mean(pair: tuple[float | None, float | None]) -> float | None:
    known = [value for value in pair if value is not None]
    return float(np.mean(known)) if known else None


def _pictures(
    folder: Path, records: Records, rows: Sequence[dict[str, Any]],
    reports: Sequence[ObjectReport], model: HandModel,
) -> list[Block]:  # fmt: skip
    """Where hands touch, and grasps of different objects at random."""
    every = torch.linspace(0, len(records) - 1, min(_MEASURED, len(records))).round().long()
    objects = read_objects(folder / OBJECTS_FILE)
    touched = measure_records(records.rows(every), objects, model).touched
    chosen = at_random(records.object)
    some, families = records.rows(chosen), {each.key: each.family for each in reports}
    captions = [
        (families[records.object[i]].replace("_", " "),
         f"{rows[i]['role']}, depth {max(rows[i]['depth_mm']):.1f} mm")
        for i in chosen
    ]  # fmt: skip
    return [
        contact_picture(_CONTACTS, touched, model),
        sheet_picture(_SHEET, some, meshes_of(folder, some), captions, model),
    ]
