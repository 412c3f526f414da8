"""The report of a synthetic data set: numbers, contact maps, grasps at random."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bghop.data.record import Records, read_records
from bghop.data.tables import read_table
from bghop.datagen.checks import REASONS
from bghop.datagen.making import shape_of
from bghop.datagen.parts import PROVENANCE, PROVENANCE_FILE, RECORDS_FILE, ObjectReport
from bghop.datagen.statistics import FamilyStatistics, Statistics, contact_maps, statistics
from bghop.drawing.contact_map import plot_contact_maps
from bghop.drawing.contact_sheet import Cell
from bghop.drawing.scene import Scene
from bghop.drawing.shading import split_sharp_edges
from bghop.drawing.worker import SheetWorker
from bghop.errors import BghopError
from bghop.files import write_whole
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.reporting.blocks import (
    Block,
    Document,
    Figures,
    Picture,
    Section,
    Table,
    Value,
    markdown,
    number,
)
from bghop.reporting.html import html

SHEET_CELLS = 24
_CONTACTS, _SHEET = "contacts.png", "grasps.png"


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
            maps = Picture(
                name=_CONTACTS, title="Contact maps", png=_contacts(records, reports, model),
                caption="Palmar side; share of grasps with an object within 5 mm.",
            )  # fmt: skip
            sheet = _sheet(records, rows, reports, model)
            shown = [maps, Picture(name=_SHEET, title="Grasps at random", png=sheet)]
        except BghopError as error:
            say(f"the report has no pictures ({error})")
    for block in shown:
        if isinstance(block, Picture):
            write_whole(folder / block.name, block.png)
    document = Document(
        title="Synthetic interactions",
        about=(("Folder", folder.name), ("Objects", str(len(reports))),
               ("Interactions", str(len(records)))),
        sections=(
            Section(title="In short", blocks=(_figures(found, reports), *shown)),
            Section(title="Families", blocks=(_family_table(found.families),)),
            Section(title="What the hands do", blocks=(_roles(found), _sides(found))),
        ),
    )  # fmt: skip
    write_whole(folder / "report.md", markdown(document).encode())
    write_whole(folder / "report.html", html(document).encode())


def _figures(found: Statistics, reports: Sequence[ObjectReport]) -> Figures:
    accepted = sum(report.accepted for report in reports)
    candidates = sum(report.candidates for report in reports)
    seconds = sum(report.seconds for report in reports)
    items = [
        ("accepted", _percent(accepted, candidates), f"{accepted} of {candidates} candidates"),
        ("rate", number(accepted / max(seconds, 1e-9), digits=2, unit=" /s"), "accepted, per core"),
        ("depth", number(_mean(found.depth_mm), digits=2, unit=" mm"), "deepest vertex of a hand"),
        ("entropy", number(found.diversity and found.diversity.entropy_nats, digits=2),
         "nats, 20 clusters of hands"),
        ("apart", number(found.apart_cm, digits=1, unit=" cm"), "two grasps of one object"),
        ("fingers apart", number(found.fingers_apart_cm, digits=2, unit=" cm"),
         "two grasps of one object, wrists aligned"),
    ]  # fmt: skip
    if found.hold_tested:
        items.append(
            ("hold", _percent(found.held, found.hold_tested),
             f"of {found.hold_tested} that the static check accepts and the hold test saw")
        )  # fmt: skip
    return Figures(items=tuple(items))


def _family_table(families: Sequence[FamilyStatistics]) -> Table:
    rows = []
    for each in sorted(families, key=lambda family: family.family):
        values = [Value(text=str(each.objects)), Value(text=str(each.accepted)),
                  _percent(each.accepted, each.candidates)]  # fmt: skip
        values += [_percent(each.rejected[reason], each.candidates) for reason in REASONS]
        values.append(number(each.accepted / max(each.seconds, 1e-9), digits=1))
        rows.append((each.family, tuple(values)))
    head = ("family", "objects", "accepted", "share", *REASONS, "per s and core")
    return Table(head=head, rows=tuple(rows), caption="Shares of all candidates.")


def _roles(found: Statistics) -> Table:
    total = sum(found.roles.values())
    rows = [
        (name, (Value(text=str(count)), _percent(count, total)))
        for name, count in found.roles.items()
    ]
    caption = (
        "grip: a hand at a handle; open: one hand at the moving part, one at the rest; support: "
        "one hand carries from below; both: none of these"
    )
    return Table(head=("role", "interactions", "share"), rows=tuple(rows), caption=caption)


def _sides(found: Statistics) -> Table:
    def both(pair: tuple[float | None, float | None], digits: int) -> tuple[Value, ...]:
        return tuple(number(value, digits=digits) for value in pair)

    rows = (
        ("penetration depth, mm", both(found.depth_mm, 2)),
        ("fingers in contact", both(found.fingers, 2)),
    )
    return Table(head=("mean", "left", "right"), rows=rows)


def _percent(part: int, whole: int) -> Value:
    return number(part / whole if whole else None, digits=0, scale=100.0, unit=" %")


def _mean(pair: tuple[float | None, float | None]) -> float | None:
    known = [value for value in pair if value is not None]
    return float(np.mean(known)) if known else None


def _contacts(records: Records, reports: Sequence[ObjectReport], model: HandModel) -> bytes:
    share = contact_maps(records, reports, model)
    return plot_contact_maps(model.vertices_rest.double().numpy(), share)


def _sheet(
    records: Records, rows: Sequence[dict[str, Any]], reports: Sequence[ObjectReport],
    model: HandModel,
) -> bytes:  # fmt: skip
    """Grasps of different objects at random."""
    by_key = {report.key: report for report in reports}
    order = np.random.default_rng(1).permutation(len(records)).tolist()
    chosen: dict[str, int] = {}
    for i in order:
        chosen.setdefault(records.object[i], i)
        if len(chosen) == SHEET_CELLS:
            break
    cells = []
    for key, i in chosen.items():
        report, row = by_key[key], rows[i]
        heading = report.family.replace("_", " ")
        caption = f"{row['role']}, depth {max(row['depth_mm']):.1f} mm"
        cells.append(
            Cell(scene=_scene(records, i, report, model), heading=heading, caption=caption)
        )
    with closing(SheetWorker()) as worker:
        worker.request(cells, title="Grasps at random", subtitle="one of each object")
        return worker.answer()


def _scene(records: Records, row: int, report: ObjectReport, model: HandModel) -> Scene:
    mesh = shape_of(report.family, report.parameters, report.joint_value)
    hands = records.rows([row]).hands
    with torch.no_grad():
        posed = model.pose_hands(hands).vertices_object[0].double().numpy()
    left, right = (
        (posed[k], model.closed_faces[k].numpy()) if here else None
        for k, here in enumerate(hands.present[0].tolist())
    )
    drawn = split_sharp_edges(mesh.vertices, np.asarray(mesh.faces))
    return Scene(object=drawn, hands=(left, right))
