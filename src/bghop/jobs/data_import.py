"""Foreign data sets to records: a sequence is a part, continued after a kill, joined at the end.

Before any of it some frames are tried in other conventions (import_convention.py). When all parts
(import_part.py) are there, they become one records.parquet beside objects.parquet and import.json.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.adapters import adapter_named
from bghop.data.objects_file import read_objects
from bghop.data.readings import Comparison
from bghop.data.record_file import RECORDS
from bghop.data.selection import NOTHING, Counts
from bghop.data.shards import join_tables
from bghop.errors import DataError, HandModelError
from bghop.jobs.data_folder import OBJECTS_FILE, RECORDS_FILE, DataFolder
from bghop.jobs.import_convention import compare_conventions
from bghop.jobs.import_objects import write_import_objects
from bghop.jobs.import_options import ImportDataJob, check_import_options
from bghop.jobs.import_part import hand_models, part_facts, part_name, read_part
from bghop.jobs.import_sequences import (
    chosen_sequences,
    official_splits,
    own_split,
    split_of,
)
from bghop.processes import run_all
from bghop.version import __version__

STATE_FILE = "import.json"
_FORMAT, _FORMAT_VERSION = "bghop-import", 2


@dataclass(frozen=True, kw_only=True)
class ImportedData:
    """What became of the data set."""

    out: Path
    state: str
    """`done`, or `kept` (finished by an earlier run)."""
    sequences: int
    counts: Counts
    """Over all sequences."""
    error_mm: float
    """Of the hands in their new convention or model, mean."""
    seconds: float
    broken: Mapping[str, str] = field(default_factory=dict)
    """Sequences and objects that were left out because they cannot be read, and why."""
    convention: tuple[Comparison, ...] = ()
    """The data set's conventions against other ones."""
    unlisted: int = 0
    """Sequences that the official split does not name; theirs is by a hash of the name."""

    @property
    def warnings(self) -> list[str]:
        """What a person should know."""
        found = [
            f"the data look as if they were of another convention: {each}; see docs/data_sets"
            for each in self.convention
            if each.doubtful
        ]
        if not any(each.decides for each in self.convention):
            found.append(
                "the data set's conventions could not be checked: too few hands touch their object "
                "in the frames that were tried; see docs/data_sets"
            )
        if self.unlisted:
            found.append(
                f"{self.unlisted} of {self.sequences} sequences are not in the official split, "
                "their split is by a hash of the name: leave them out with --only, or give "
                "--split own for all"
            )
        if self.broken:
            name, why = next(iter(self.broken.items()))
            found.append(f"left out {len(self.broken)} that are broken, the first: {name}: {why}")
        return found


class ImportListener:
    """Hears what a job does; this base class ignores it."""

    def stage(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of a stage are over."""


def run_import_job(job: ImportDataJob, *, listener: ImportListener | None = None) -> ImportedData:
    """Read the sequences that are missing, then join them.

    Raises:
        BghopError: An option, a file or the folder cannot be used, or no frame is left.
    """
    start, listener = time.perf_counter(), listener or ImportListener()
    check_import_options(job)
    adapter = adapter_named(job.source)
    if not job.root.is_dir():
        raise DataError(f"{job.root} is no folder: give the folder of the data set")
    sequences = chosen_sequences(job, adapter)
    split = split_of(job, adapter)
    splits = official_splits(adapter, job.root, split)
    _check_mano(job)  # a bad folder is known before any work
    folder = DataFolder(
        path=job.out, state_file=STATE_FILE, format=_FORMAT, files=(RECORDS_FILE, OBJECTS_FILE),
        settings=_settings(job, adapter, split, sequences),
    )  # fmt: skip
    facts = folder.finished(overwrite=job.overwrite)
    state = "kept" if facts else "done"
    if facts is None:
        folder.begin(overwrite=job.overwrite)
        broken_objects = write_import_objects(
            job, sequences, progress=partial(listener.stage, "objects")
        )
        facts = _read_all(job, adapter, sequences, splits, folder, listener)
        facts["broken"] = {**broken_objects, **facts["broken"]}
        folder.finish(**facts)
        listener.stage("joining", 1, 1)
    return ImportedData(
        out=job.out, state=state, sequences=len(sequences), counts=Counts(**facts["counts"]),
        error_mm=facts["error_mm"], seconds=time.perf_counter() - start,
        broken=facts.get("broken", {}),
        unlisted=0 if split == "own" else sum(each.key not in splits for each in sequences),
        convention=tuple(Comparison(**each) for each in facts.get("convention", ())),
    )  # fmt: skip


def _read_all(
    job: ImportDataJob,
    adapter: Adapter,
    sequences: list[ForeignSequence],
    splits: dict[str, str],
    folder: DataFolder,
    listener: ImportListener,
) -> dict[str, Any]:
    """Read the sequences into parts, join them; what the state file keeps of it."""
    comparisons = compare_conventions(
        adapter, sequences, job.mano, read_objects(job.out / OBJECTS_FILE),
        progress=lambda done, total: listener.stage("convention", done, total),
    )  # fmt: skip
    identity, skip = folder.identity, job.skip_broken
    parts = [folder.parts / part_name(each.key) for each in sequences]
    tasks = [
        (job, each, splits.get(each.key) or own_split(each.key), part, identity)
        for each, part in zip(sequences, parts, strict=True)
        if part_facts(part, identity, skip_broken=skip) is None
    ]
    done = len(sequences) - len(tasks)
    listener.stage("sequences", done, len(sequences))
    for _ in run_all(read_part, tasks, job.workers):
        done += 1
        listener.stage("sequences", done, len(sequences))
    listener.stage("joining", 0, 1)
    facts = [part_facts(part, identity, skip_broken=skip) for part in parts]
    found = [fact for fact in facts if fact is not None]
    counts = sum((Counts(**fact["counts"]) for fact in found), start=NOTHING)
    broken = {
        each.key: fact["broken"]
        for each, fact in zip(sequences, found, strict=True)
        if fact.get("broken")
    }
    full = [part for part, fact in zip(parts, found, strict=True) if fact["counts"]["kept"]]
    if not full:
        doubts = "".join(f"; {each}" for each in comparisons if each.doubtful)
        some = f" ({len(broken)} sequences were left out)" if broken else ""
        raise DataError(
            f"none of {counts.looked_at} frames has the contact that is asked for{some}{doubts}: "
            "use a larger --distance, a smaller --share, or --contact any"
        )
    join_tables([part / RECORDS_FILE for part in full], job.out / RECORDS_FILE, RECORDS)
    error_mm = sum(f["error_mm"] * f["counts"]["kept"] for f in found) / max(counts.kept, 1)
    return {
        "counts": asdict(counts), "error_mm": error_mm, "broken": broken,
        "convention": [asdict(each) for each in comparisons],
    }  # fmt: skip


def _check_mano(job: ImportDataJob) -> None:
    """Read the user's files once.

    Raises:
        HandModelError: They are missing or damaged.
    """
    try:
        hand_models(job.source, job.mano, job.model)
    except HandModelError as error:
        words = str(error).split(", or use the open hand")[0]
        raise HandModelError(
            f"{words}; the data set's numbers are MANO's, so that --hand open needs its files, too"
        ) from error


def _settings(
    job: ImportDataJob, adapter: Adapter, split: str, sequences: list[ForeignSequence]
) -> dict[str, Any]:
    told = {
        name: getattr(job, name)
        for name in ("model", "stride", "distance", "share", "hands", "moved")
    }
    source, _ = hand_models(job.source, job.mano, job.model)
    hands = hashlib.sha256(source.model.vertices_rest.numpy().tobytes())
    hands.update(source.model.joint_shape_directions.numpy().tobytes())
    # Sizes, not hashes: reading all of a data set twice would take longer than the rest.
    files = {
        each.key: [path.stat().st_size for path in each.files.values() if path.is_file()]
        for each in sequences
    }
    return {
        "format_version": _FORMAT_VERSION, "bghop_version": __version__, "source": adapter.name,
        "options": {**told, "split": split}, "hands": hands.hexdigest(), "sequences": files,
    }  # fmt: skip
