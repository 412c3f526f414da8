"""`bghop data check`: a data set in numbers and pictures, and whatever in it looks wrong.

Whatever can be told from the columns is told of all records; what needs posed hands, of a sample.
Damaged files and rows do not stop it: they are the first things it finds.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bghop.data.objects import ObjectStore
from bghop.data.objects_file import read_objects
from bghop.data.readings import Comparison, compare_readings, pad_misfits, readings_of_records
from bghop.data.record import Records
from bghop.data.record_file import RECORDS, SAME, records_of
from bghop.data.record_problems import Problem, problems_of
from bghop.data.shards import read_shards
from bghop.data.tables import BrokenShard
from bghop.errors import BghopError, DataError
from bghop.evaluation.record_measures import measure_records
from bghop.evaluation.spread import spread_of
from bghop.evaluation.suspicions import (
    Finding,
    suspicions_of_hands,
    suspicions_of_objects,
    suspicions_of_rows,
)
from bghop.files import read_json
from bghop.hands.mano import NAME as MANO
from bghop.hands.mano import load_mano, load_mano_files
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.check_options import CheckDataJob, check_check_options
from bghop.jobs.checked_data import CheckedData, Measured
from bghop.jobs.data_check_report import write_check_report
from bghop.jobs.data_folder import OBJECTS_FILE, RECORDS_FILE

IMPORT_FILE = "import.json"
_READ_OTHERWISE = 400
"""Rows that other readings are tried on."""


class CheckListener:
    """Hears what a job does; this base class ignores it."""

    def stage(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of a stage are over."""

    def said(self, message: str) -> None:
        """Something worth a line."""


def run_check_job(job: CheckDataJob, *, listener: CheckListener | None = None) -> CheckedData:
    """Look at a data set and write the report.

    Raises:
        BghopError: An option or a file cannot be used, or no record is left.
    """
    start, listener = time.perf_counter(), listener or CheckListener()
    check_check_options(job)
    listener.stage("reading", 0, 1)
    file = read_shards(job.folder / RECORDS_FILE, RECORDS, same=SAME, skip_broken=True)
    every, objects = records_of(file), read_objects(job.folder / OBJECTS_FILE)
    problems = problems_of(every)
    known = set(objects.keys)
    lost = [i for i, key in enumerate(every.object) if key not in known]
    findings = [*_of_files(file.broken), *_of_problems(problems), *_of_lost(every, lost)]
    out = {*lost, *(each.row for each in problems)}
    records = every.rows([i for i in range(len(every)) if i not in out]) if out else every
    if not len(records):
        why = findings[0] if findings else "its file has none: make or import the set again"
        raise DataError(f"{job.folder}: no record is left to look at; {why}")
    convention, more = _of_import(job.folder)
    findings += [*suspicions_of_rows(records), *suspicions_of_objects(records, objects), *more]
    measured = None
    model = _model_of(records, job.mano)
    if model is None:
        findings.append(
            Finding(
                level="note", name="not measured",
                words=f"hands of the model '{records.hand_model}' were not posed",
                remedy="give its files with --mano to measure contact, depth and limits",
            )
        )  # fmt: skip
    else:
        measured = _measure(job, records, objects, model, listener)
        findings += suspicions_of_hands(
            measured.records, measured.measures, model, measured.readings
        )
    order = ("wrong", "suspicious", "note")
    found = CheckedData(
        folder=job.folder, records=records, objects=len(objects), convention=convention,
        findings=tuple(sorted(findings, key=lambda each: order.index(each.level))),
        measured=measured, seconds=time.perf_counter() - start,
    )  # fmt: skip
    listener.stage("report", 0, 1)
    write_check_report(job, found, say=listener.said)
    listener.stage("report", 1, 1)
    return replace(found, seconds=time.perf_counter() - start)


def _model_of(records: Records, mano: Path | None) -> HandModel | None:
    """The hands of the records; None if they are MANO's and no files were given."""
    if records.hand_model != MANO:
        model = load_open_hand()
    elif mano is None:
        return None
    else:
        model = load_mano_files(mano)
    records.for_model(model)
    return model


def _measure(
    job: CheckDataJob,
    records: Records,
    objects: ObjectStore,
    model: HandModel,
    listener: CheckListener,
) -> Measured:
    order = np.random.default_rng(job.seed).permutation(len(records))
    chosen = order[: job.sample or None]
    some = records.rows(np.sort(chosen).tolist())
    measures = measure_records(some, objects, model, progress=partial(listener.stage, "measuring"))
    few = records.rows(np.sort(chosen[:_READ_OTHERWISE]).tolist())
    mean = None
    if model.name == MANO and job.mano is not None:
        mean = load_mano(
            job.mano, flat_hand_mean=False, fix_left_shapedirs="if needed"
        ).mean_pose  # fmt: skip
    index, present = objects.index_of(few.object), few.hands.present
    assumed = pad_misfits(few.hands, model, objects, index, few.joint_value)
    found: list[Comparison] = []
    others = readings_of_records(few.hands, mean)
    for done, (name, hands) in enumerate(others.items()):
        listener.stage("reading otherwise", done, len(others))
        misfits = pad_misfits(hands, model, objects, index, few.joint_value)
        # Swapped hands are those of the other side: compared with whichever is there.
        found += compare_readings(assumed, {name: misfits}, present & hands.present)
    listener.stage("reading otherwise", len(others), len(others))
    return Measured(
        records=some, measures=measures, model=model, spread=spread_of(some, model),
        readings=tuple(found),
    )  # fmt: skip


def _of_files(broken: Sequence[BrokenShard]) -> list[Finding]:
    return [
        Finding(
            level="wrong", name="broken file", words=str(each),
            remedy="copy it again, or train without it (data.skip_broken=true)",
        )
        for each in broken
    ]  # fmt: skip


def _of_problems(problems: Sequence[Problem]) -> list[Finding]:
    found = []
    for words, rows in _grouped(problems).items():
        found.append(
            Finding(
                level="wrong", name="bad rows",
                words=f"{len(rows)} records have {words} (row {rows[0].row}, {rows[0].id})",
                remedy=rows[0].remedy,
            )
        )  # fmt: skip
    return found


def _grouped(problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    found: dict[str, list[Problem]] = {}
    for each in problems:
        found.setdefault(each.words.partition(" (")[0], []).append(each)
    return found


def _of_lost(records: Records, lost: Sequence[int]) -> list[Finding]:
    if not lost:
        return []
    return [
        Finding(
            level="wrong", name="missing objects",
            words=f"{len(lost)} records are of objects that are not in {OBJECTS_FILE} "
            f"({records.object[lost[0]]})",
            remedy="give the objects file that was written together with the records",
        )
    ]  # fmt: skip


def _of_import(folder: Path) -> tuple[tuple[Comparison, ...], list[Finding]]:
    """What import.json says of conventions and of what was left out."""
    try:
        content = read_json(folder / IMPORT_FILE)
        found = tuple(Comparison(**each) for each in content.get("convention", ()))
        broken = dict(content.get("broken", {}))
    except (BghopError, AttributeError, TypeError, ValueError):
        return (), []
    findings = [
        Finding(
            level="suspicious", name="convention", words=str(each),
            remedy="the data set's convention is not the one that its adapter assumes; see its "
            "page in docs/data_sets",
        )
        for each in found
        if each.doubtful
    ]  # fmt: skip
    if broken:
        name, why = next(iter(broken.items()))
        findings.append(
            Finding(level="note", name="left out",
                    words=f"the import left out {len(broken)} that were broken ({name}: {why})",
                    remedy="download them again and import with --overwrite")
        )  # fmt: skip
    return found, findings
