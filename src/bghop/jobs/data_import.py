"""Foreign data sets to records: a sequence is a part, continued after a kill, joined at the end.

A part is `records.parquet` and, written last, `counts.json`; it is done when that is there and of
this job. When all are, they become one records.parquet beside objects.parquet and import.json.
"""

import fnmatch
import hashlib
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.adapters import adapter_named
from bghop.data.convention import in_convention, retargeted
from bghop.data.mano_numbers import ManoHands
from bghop.data.objects import ObjectStore, StoredObject
from bghop.data.objects_file import read_objects, write_objects
from bghop.data.objects_from_mesh import REACH, object_from_articulated, object_from_mesh
from bghop.data.record import RECORDS, concatenate_records, write_records
from bghop.data.selection import NOTHING, Counts, SelectOptions, select
from bghop.data.tables import join_tables
from bghop.errors import DataError, OptionError, ResultError
from bghop.files import read_json, remove_leftovers, write_json, writing
from bghop.geometry.mesh import Mesh
from bghop.hands.mano import load_mano
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.import_options import ImportDataJob, check_import_options
from bghop.jobs.result_folder import job_identity
from bghop.processes import run_all
from bghop.version import __version__

STATE_FILE, PARTS, COUNTS = "import.json", "parts", "counts.json"
RECORDS_FILE, OBJECTS_FILE = "records.parquet", "objects.parquet"
_FORMAT, _FORMAT_VERSION = "bghop-import", 1


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
    sequences = _chosen(adapter.find(job.root), job.only)
    split = _split(job, adapter)
    splits = {} if split == "own" else adapter.splits(job.root, split)
    hand_models(job.source, job.mano, job.model)  # a bad folder is known before any work
    settings = _settings(job, adapter, split, sequences)
    identity = job_identity(settings)
    if _is_finished(job, identity):
        content = read_json(job.out / STATE_FILE)
        return ImportedData(
            out=job.out, state="kept", sequences=len(sequences),
            counts=Counts(**content["counts"]), error_mm=content["error_mm"],
            seconds=time.perf_counter() - start,
        )  # fmt: skip
    _begin(job, identity, settings)
    objects = job.out / OBJECTS_FILE
    names = sorted({name for each in sequences for name in each.objects})
    if not objects.exists():
        made: list[StoredObject] = []
        for number, name in enumerate(names):
            listener.stage("objects", number, len(names))
            thing = adapter.thing(job.root, name)
            made.append(
                object_from_mesh(name, thing)
                if isinstance(thing, Mesh)
                else object_from_articulated(name, thing)
            )
        write_objects(objects, made, reach=REACH)
    folders = [job.out / PARTS / _folder_name(each.key) for each in sequences]
    tasks = [
        (job, each, splits.get(each.key) or own_split(each.key), folder, identity)
        for each, folder in zip(sequences, folders, strict=True)
        if _counts_of(folder, identity) is None
    ]
    done = len(sequences) - len(tasks)
    listener.stage("sequences", done, len(sequences))
    for _ in run_all(_read_sequence, tasks, job.workers):
        done += 1
        listener.stage("sequences", done, len(sequences))
    listener.stage("joining", 0, 1)
    facts = [_counts_of(folder, identity) for folder in folders]
    found = [fact for fact in facts if fact is not None]
    counts = sum((Counts(**fact["counts"]) for fact in found), start=NOTHING)
    full = [f for f, fact in zip(folders, found, strict=True) if fact["counts"]["kept"]]
    if not full:
        raise DataError(
            f"none of {counts.looked_at} frames has the contact that is asked for: use a larger "
            "--distance, a smaller --share, or --contact any"
        )
    join_tables([folder / RECORDS_FILE for folder in full], job.out / RECORDS_FILE, RECORDS)
    error_mm = sum(f["error_mm"] * f["counts"]["kept"] for f in found) / max(counts.kept, 1)
    _write_state(job, identity, settings, "finished", counts=asdict(counts), error_mm=error_mm)
    shutil.rmtree(job.out / PARTS, ignore_errors=True)
    listener.stage("joining", 1, 1)
    return ImportedData(
        out=job.out, state="done", sequences=len(sequences), counts=counts, error_mm=error_mm,
        seconds=time.perf_counter() - start,
    )  # fmt: skip


def own_split(sequence: str) -> str:
    """By the sequence's name alone: 5 % val, 5 % test."""
    place = int(hashlib.sha256(sequence.encode()).hexdigest()[:8], 16) / 2**32
    return "val" if place < 0.05 else "test" if place < 0.10 else "train"


@cache
def hand_models(name: str, mano: Path, model: str) -> tuple[ManoHands, HandModel]:
    """MANO as a data set uses it, and the hands of the records."""
    adapter = adapter_named(name)
    source = ManoHands.of(
        mano, flat_hand_mean=adapter.flat_hand_mean,
        fix_left_shapedirs=adapter.fix_left_shapedirs,
    )  # fmt: skip
    if model == "open":
        return source, load_open_hand()
    return source, load_mano(mano, flat_hand_mean=True, fix_left_shapedirs="if needed")


@cache
def _objects(path: Path, _changed: int) -> ObjectStore:
    return read_objects(path)


def _read_sequence(
    job: ImportDataJob, sequence: ForeignSequence, split: str, folder: Path, identity: str
) -> int:
    """One part; runs in a process of its own."""
    source, target = hand_models(job.source, job.mano, job.model)
    options = SelectOptions(
        stride=job.stride, distance=job.distance, share=job.share, hands=job.hands,
        moved=job.moved,
    )  # fmt: skip
    path = job.out / OBJECTS_FILE
    objects = _objects(path, path.stat().st_mtime_ns)
    change = retargeted if job.model == "open" else in_convention
    parts, errors, total = [], [torch.zeros(0)], NOTHING
    for clip in adapter_named(job.source).clips(sequence, source, split):
        kept, counts = select(clip, source.model, objects, options)
        total += counts
        if len(kept):
            hands, error = change(kept.hands_object().to(dtype=torch.float32), source.model, target)
            parts.append(replace(kept.records(target), hands=hands))
            errors.append(error[kept.hands_world.present])
    error = torch.cat(errors)
    with writing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    if parts:
        write_records(folder / RECORDS_FILE, concatenate_records(parts))
    mean = 1000 * float(error.mean()) if len(error) else 0.0
    write_json(folder / COUNTS, {"job": identity, "counts": asdict(total), "error_mm": mean})
    return total.kept


def _split(job: ImportDataJob, adapter: Adapter) -> str:
    """The protocol that was asked for, or the usual one.

    Raises:
        OptionError: The data set has no such protocol.
    """
    known = (*adapter.protocols, "own")
    if job.split and job.split not in known:
        raise OptionError(f"--split {job.split} is unknown: use one of {', '.join(known)}")
    return job.split or known[0]


def _folder_name(key: str) -> str:
    """A sequence's key as one folder's name; keys that look alike stay apart."""
    words = re.sub(r"[^\w.-]+", "_", key)
    return f"{words[:80]}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _chosen(sequences: list[ForeignSequence], only: Sequence[str]) -> list[ForeignSequence]:
    if not only:
        return sequences
    found = [each for each in sequences if any(fnmatch.fnmatch(each.key, word) for word in only)]
    if not found:
        raise DataError(
            f"--only {' '.join(only)} matches none of {len(sequences)} sequences: use names such "
            f"as {sequences[0].key} or patterns such as '*/box_*'"
        )
    return found


def _settings(
    job: ImportDataJob, adapter: Adapter, split: str, sequences: list[ForeignSequence]
) -> dict[str, Any]:
    told = {
        name: getattr(job, name)
        for name in ("model", "stride", "distance", "share", "hands", "moved")
    }
    # Sizes, not hashes: reading all of a data set twice would take longer than the rest.
    files = {
        each.key: [path.stat().st_size for path in each.files.values() if path.is_file()]
        for each in sequences
    }
    return {
        "format_version": _FORMAT_VERSION, "bghop_version": __version__, "source": adapter.name,
        "options": {**told, "split": split}, "sequences": files,
    }  # fmt: skip


def _counts_of(folder: Path, identity: str) -> dict[str, Any] | None:
    """Facts of a part that is done; None if it is not."""
    try:
        content = read_json(folder / COUNTS)
    except ResultError:
        return None
    return content if isinstance(content, dict) and content.get("job") == identity else None


def _is_finished(job: ImportDataJob, identity: str) -> bool:
    if job.out.exists() and not job.out.is_dir():
        raise ResultError(f"{job.out} is a file: choose a folder with --out")
    if job.overwrite or not job.out.exists() or not any(job.out.iterdir()):
        return False
    remedy = "add --overwrite to replace it or choose another --out"
    state = job.out / STATE_FILE
    if not state.exists():
        raise ResultError(f"{job.out} is not empty and holds no import: {remedy}")
    content = read_json(state)
    if not isinstance(content, dict) or content.get("job") != identity:
        raise ResultError(f"{job.out} holds an import with other options or files: {remedy}")
    return content.get("state") == "finished"


def _begin(job: ImportDataJob, identity: str, settings: dict[str, Any]) -> None:
    with writing(job.out):
        job.out.mkdir(parents=True, exist_ok=True)
        if job.overwrite:
            shutil.rmtree(job.out / PARTS, ignore_errors=True)
            for name in (STATE_FILE, RECORDS_FILE, OBJECTS_FILE):
                (job.out / name).unlink(missing_ok=True)
    _write_state(job, identity, settings, "running")
    remove_leftovers(job.out)


def _write_state(
    job: ImportDataJob, identity: str, settings: dict[str, Any], state: str, **facts: Any
) -> None:
    content = {"format": _FORMAT, "job": identity, "state": state, "settings": settings, **facts}
    write_json(job.out / STATE_FILE, content, indent=1)
