"""`bghop data objects`: objects with their words and no hands, for training an object prior.

Objects cost a second each, grasps for them ten: where only the object matters there may be many
more of them. Made part by part in several processes, continued after a kill, like
`bghop data synthesize`, and object `k` of a seed is the same in both.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bghop.data.objects_file import OBJECTS, write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.record import concatenate_records
from bghop.data.record_file import RECORDS, write_records
from bghop.data.shards import join_tables
from bghop.datagen.making import MakeOptions, make_object
from bghop.datagen.parts import OBJECTS_FILE, RECORDS_FILE
from bghop.files import writing
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.data_folder import DataFolder
from bghop.jobs.data_listener import DataListener
from bghop.jobs.data_options import ObjectsJob, check_data_options
from bghop.jobs.data_synthesize import STATE_FILE
from bghop.objects.catalog import family_named
from bghop.objects.splits import training_families
from bghop.processes import run_all
from bghop.version import __version__

PART = 16
"""Objects that are made in one go."""


@dataclass(frozen=True, kw_only=True)
class MadeObjects:
    """What became of the data set."""

    out: Path
    state: str
    """`done`, or `kept` (finished by an earlier run)."""
    objects: int


def run_objects_job(job: ObjectsJob, *, listener: DataListener | None = None) -> MadeObjects:
    """Make the parts that are missing, then join them.

    Args:
        job: What to make.
        listener: Hears of the progress.

    Raises:
        BghopError: An option or the folder cannot be used, or an object cannot be made.
    """
    check_data_options(job)
    for name in job.families:
        family_named(name)
    listener = listener or DataListener()
    options = MakeOptions(families=job.families or tuple(training_families()))
    settings = {
        "format_version": 1, "bghop_version": __version__, "seed": job.seed,
        "kind": "objects", "families": options.families,
    }  # fmt: skip
    folder = DataFolder(
        path=job.out, state_file=STATE_FILE, format="bghop-dataset", settings=settings,
        files=(RECORDS_FILE, OBJECTS_FILE),
    )  # fmt: skip
    if folder.finished_with(job.objects, overwrite=job.overwrite):
        return MadeObjects(out=job.out, state="kept", objects=job.objects)
    folder.begin(overwrite=job.overwrite)
    spans = [range(k, min(k + PART, job.objects)) for k in range(0, job.objects, PART)]
    parts = {folder.parts / f"{span.start:05d}-{span.stop:05d}": span for span in spans}
    # A part's objects are written last, and whole or not at all.
    tasks = [
        (options, job.seed, numbers, part)
        for part, numbers in parts.items()
        if not (part / OBJECTS_FILE).exists()
    ]
    done = job.objects - sum(len(task[2]) for task in tasks)
    listener.stage("objects", done, job.objects)
    for count in run_all(_make_part, tasks, job.workers):
        done += count
        listener.stage("objects", done, job.objects)
        listener.part(done, job.objects)
    for name, form in ((RECORDS_FILE, RECORDS), (OBJECTS_FILE, OBJECTS)):
        join_tables([part / name for part in parts], job.out / name, form)
    folder.finish(objects=job.objects)
    return MadeObjects(out=job.out, state="done", objects=job.objects)


def _make_part(options: MakeOptions, seed: int, numbers: range, folder: Path) -> int:
    """How many were made; runs in a process of its own."""
    made = [make_object(options, seed, number, _hand_model()) for number in numbers]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    records = concatenate_records([records for _, records in made])
    write_records(folder / RECORDS_FILE, records)
    write_objects(folder / OBJECTS_FILE, [stored for stored, _ in made], reach=REACH)
    return len(made)


@cache
def _hand_model() -> HandModel:
    return load_open_hand()
