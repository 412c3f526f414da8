"""Making a data set in several processes, part by part, continued after a kill.

Every finished part (`PART` objects) is a folder below `parts/`; when all are there they become
one records.parquet, objects.parquet and provenance.parquet, the report is written, and
`dataset.json` says that the data set is finished.
"""

import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bghop.datagen.making import Made, MakeOptions, make
from bghop.datagen.parts import (
    OBJECTS_FILE,
    PROVENANCE_FILE,
    RECORDS_FILE,
    ObjectReport,
    commits_of,
    failure,
    join_parts,
    part_is_whole,
    read_reports,
    write_part,
)
from bghop.errors import BghopError
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.data_folder import DataFolder
from bghop.jobs.data_listener import DataListener
from bghop.jobs.data_options import SynthesizeDataJob, check_data_options
from bghop.jobs.data_report import write_data_report
from bghop.objects.catalog import family_named
from bghop.objects.splits import training_families
from bghop.processes import run_all
from bghop.training.run import commit_of, sha256
from bghop.version import __version__

PART = 8
"""Objects that are made in one go; what a kill can lose on each core.

A part depends on its number alone, not on how many there are: a set that is stopped may be finished
with fewer objects, or with more.
"""
STATE_FILE = "dataset.json"
_FORMAT, _FORMAT_VERSION = "bghop-dataset", 1


@dataclass(frozen=True, kw_only=True)
class SynthesizedData:
    """What became of the data set."""

    out: Path
    state: str
    """`done`, or `kept` (finished by an earlier run)."""
    objects: tuple[ObjectReport, ...]
    seconds: float
    """Of this run, wall clock, the report included."""

    @property
    def accepted(self) -> int:
        """Interactions."""
        return sum(report.accepted for report in self.objects)

    @property
    def core_seconds(self) -> float:
        """Of all objects together, on one core each."""
        return sum(report.seconds for report in self.objects)


def run_synthesize_data(
    job: SynthesizeDataJob, *, listener: DataListener | None = None
) -> SynthesizedData:
    """Make the parts that are missing, then join them and write the report.

    Args:
        job: What to make.
        listener: Hears of the progress.

    Raises:
        BghopError: An option or the folder cannot be used (it is finished with another number of
            objects, say), or no candidate was accepted.
    """
    start = time.perf_counter()
    check_data_options(job)
    for name in job.families:
        family_named(name)
    listener = listener or DataListener()
    options = MakeOptions(
        families=job.families or tuple(training_families()), hands=job.hands, num=job.grasps,
        hold_every=job.hold_every,
    )  # fmt: skip
    settings = {
        "format_version": _FORMAT_VERSION, "bghop_version": __version__, "seed": job.seed,
        "options": asdict(options),
    }  # fmt: skip
    folder = DataFolder(
        path=job.out, state_file=STATE_FILE, format=_FORMAT, settings=settings,
        files=(RECORDS_FILE, OBJECTS_FILE, PROVENANCE_FILE),
    )  # fmt: skip
    header = {"job": folder.identity}
    if folder.finished_with(job.objects, overwrite=job.overwrite):
        reports = read_reports(job.out / PROVENANCE_FILE)
        return SynthesizedData(
            out=job.out, state="kept", objects=tuple(reports), seconds=time.perf_counter() - start
        )
    folder.begin(overwrite=job.overwrite)
    parts = [folder.parts / f"{k:05d}" for k in range(-(-job.objects // PART))]
    spans = [range(k, min(job.objects, k + PART)) for k in range(0, job.objects, PART)]
    whole = [
        part_is_whole(part, header, len(span)) for part, span in zip(parts, spans, strict=True)
    ]
    made_by = {**header, "commit": commit_of(Path(__file__).parents[1])}
    tasks = [
        (options, job.seed, span, part, made_by)
        for part, span, made in zip(parts, spans, whole, strict=True)
        if not made
    ]
    kept = [
        report
        for part, made in zip(parts, whole, strict=True)
        if made
        for report in read_reports(part / PROVENANCE_FILE)
    ]
    done, accepted = len(kept), sum(report.accepted for report in kept)
    listener.stage("objects", done, job.objects)
    for count, found in run_all(_make_part, tasks, job.workers):
        done, accepted = done + count, accepted + found
        listener.stage("objects", done, job.objects)
        listener.part(done, job.objects, accepted)
    join_parts(parts, job.out, header)
    commits = commits_of(parts)
    if len(commits) > 1:
        listener.said(f"the parts were made by {len(commits)} commits: {', '.join(commits)}")
    reports = read_reports(job.out / PROVENANCE_FILE)
    listener.stage("report", 0, 1)
    for report in reports:
        if report.error:
            listener.said(f"{report.key} could not be made and is left out: {report.error}")
    write_data_report(job.out, reports, pictures=job.pictures, say=listener.said)
    hashes = {name: sha256(job.out / name) for name in (RECORDS_FILE, OBJECTS_FILE)}
    folder.finish(objects=job.objects, commits=commits, sha256=hashes)
    listener.stage("report", 1, 1)
    return SynthesizedData(
        out=job.out, state="done", objects=tuple(reports), seconds=time.perf_counter() - start
    )


def _make_part(
    options: MakeOptions, seed: int, numbers: range, folder: Path, header: dict[str, Any]
) -> tuple[int, int]:
    """Objects made and interactions accepted; runs in a process of its own.

    An object that fails is reported, for the others are worth having.
    """
    made: list[Made | ObjectReport] = []
    for number in numbers:
        try:
            made.append(make(options, seed, number, _hand_model()))
        except BghopError as error:
            made.append(failure(options, seed, number, error))
    write_part(folder, made, header)
    return len(made), sum(len(each.records) for each in made if isinstance(each, Made))


@cache
def _hand_model() -> HandModel:
    return load_open_hand()
