"""One sequence of a foreign data set as a part: its frames chosen, in the records' hands, measured.

A part is a folder of `records.parquet` and, written last, `counts.json`; it is done when that is
there and of this job.
"""

import hashlib
import re
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.adapters import adapter_named
from bghop.data.clips import Clip
from bghop.data.convention import in_convention, retargeted
from bghop.data.mano_numbers import ManoHands
from bghop.data.objects import ObjectStore
from bghop.data.objects_file import read_objects
from bghop.data.record import Records, concatenate_records
from bghop.data.record_file import write_records
from bghop.data.record_problems import problems_of
from bghop.data.selection import NOTHING, Counts, SelectOptions, select
from bghop.errors import BghopError, DataError, ResultError
from bghop.evaluation.record_measures import measure_records
from bghop.files import read_json, remove, write_json, writing
from bghop.hands.mano import load_mano_files
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.data_folder import OBJECTS_FILE, RECORDS_FILE
from bghop.jobs.import_objects import OR_SKIP
from bghop.jobs.import_options import ImportDataJob

COUNTS = "counts.json"
_NO_SHARDS = 10**9  # a part is one file


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
    return source, load_mano_files(mano)


@cache
def _objects(path: Path, _changed: int) -> ObjectStore:
    return read_objects(path)


def read_part(
    job: ImportDataJob, sequence: ForeignSequence, split: str, folder: Path, identity: str
) -> int:
    """One part; runs in a process of its own."""
    adapter = adapter_named(job.source)
    source, _ = hand_models(job.source, job.mano, job.model)
    path = job.out / OBJECTS_FILE
    objects = _objects(path, path.stat().st_mtime_ns)
    found, errors, total, broken = [], [torch.zeros(0)], NOTHING, ""
    try:
        for clip in adapter.read(sequence, source, split):
            if job.skip_broken and clip.object not in objects.keys:
                continue  # said where objects are read
            records, error, counts = _records(job, clip, objects, adapter)
            total += counts
            found += [records] if counts.kept else []
            errors.append(error)
    except BghopError as problem:
        if not job.skip_broken:
            raise type(problem)(f"sequence {sequence.key}: {problem}{OR_SKIP}") from problem
        found, errors, total, broken = [], [torch.zeros(0)], NOTHING, str(problem)
    with writing(folder):
        remove(folder)
        folder.mkdir(parents=True)
    if found:
        write_records(folder / RECORDS_FILE, concatenate_records(found), rows=_NO_SHARDS)
    error = torch.cat(errors)
    mean = 1000 * float(error.mean()) if len(error) else 0.0
    content = {"job": identity, "counts": asdict(total), "error_mm": mean, "broken": broken}
    write_json(folder / COUNTS, content)
    return total.kept


def _records(
    job: ImportDataJob, clip: Clip, objects: ObjectStore, adapter: Adapter
) -> tuple[Records, Tensor, Counts]:
    """The frames of a clip that are kept, measured; how far each hand moved, metres; counts.

    Raises:
        DataError: A row cannot be, such as one whose object's pose is not rigid.
    """
    source, target = hand_models(job.source, job.mano, job.model)
    options = SelectOptions(
        stride=1 if adapter.strides else job.stride, distance=job.distance, share=job.share,
        hands=job.hands, moved=job.moved,
    )  # fmt: skip
    kept, counts = select(clip, source.model, objects, options)
    records = kept.records(target, frame_rate=adapter.frame_rate)
    for problem in problems_of(records)[:1]:
        raise DataError(f"{problem}")
    if not len(kept):
        return records, torch.zeros(0), counts
    change = retargeted if job.model == "open" else in_convention
    hands, moved = change(records.hands, source.model, target)
    present = kept.hands_world.present
    records = replace(records, hands=hands)
    quality = measure_records(records, objects, target).quality(
        moved=moved.masked_fill(~present, torch.nan), rejected=kept.rejected
    )
    return replace(records, quality=quality), moved[present], counts


def part_name(key: str) -> str:
    """A sequence's key as one folder's name; keys that look alike stay apart."""
    words = re.sub(r"[^\w.-]+", "_", key)
    return f"{words[:80]}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def part_facts(folder: Path, identity: str, *, skip_broken: bool) -> dict[str, Any] | None:
    """Facts of a part that is done; None if it is not, or is broken and may not be."""
    try:
        content = read_json(folder / COUNTS)
    except ResultError:
        return None
    if not isinstance(content, dict) or content.get("job") != identity:
        return None
    return None if content.get("broken") and not skip_broken else content
