"""Which sequences of a data set an import reads, and what each is for."""

import fnmatch
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.errors import DataError, OptionError
from bghop.jobs.import_objects import OR_SKIP
from bghop.jobs.import_options import ImportDataJob


def chosen_sequences(job: ImportDataJob, adapter: Adapter) -> list[ForeignSequence]:
    """Those that the job names, in the adapter's order.

    Raises:
        DataError: There are none, or one is broken and may not be left out.
    """
    every = adapter.find(job.root)
    found = every
    if job.only:
        found = [e for e in every if any(fnmatch.fnmatch(e.key, word) for word in job.only)]
    if not found:
        raise DataError(
            f"--only {' '.join(job.only)} matches none of {len(every)} sequences: use names such "
            f"as {every[0].key} or patterns such as '*/box_*'"
        )
    _check(job, found)
    return [replace(each, stride=job.stride) for each in found]


def split_of(job: ImportDataJob, adapter: Adapter) -> str:
    """The protocol that was asked for, or the usual one.

    Raises:
        OptionError: The data set has no such protocol.
    """
    known = (*adapter.protocols, "own")
    if job.split and job.split not in known:
        raise OptionError(f"--split {job.split} is unknown: use one of {', '.join(known)}")
    return job.split or known[0]


def official_splits(adapter: Adapter, root: Path, split: str) -> dict[str, str]:
    """The split of each sequence in a protocol; empty for `own`.

    Raises:
        DataError: Its file is missing or damaged.
    """
    if split == "own":
        return {}
    try:
        return adapter.splits(root, split)
    except DataError as error:
        raise DataError(f"{error}, or give --split own") from error


def own_split(sequence: str) -> str:
    """By the sequence's name alone: 5 % val, 5 % test."""
    place = int(hashlib.sha256(sequence.encode()).hexdigest()[:8], 16) / 2**32
    return "val" if place < 0.05 else "test" if place < 0.10 else "train"


def _check(job: ImportDataJob, sequences: Sequence[ForeignSequence]) -> None:
    """Refuse broken sequences before any work, unless they may be left out and others remain.

    Raises:
        DataError: Names the first.
    """
    broken = [each for each in sequences if each.broken]
    if broken and (not job.skip_broken or len(broken) == len(sequences)):
        remedy = "" if job.skip_broken else OR_SKIP
        raise DataError(f"sequence {broken[0].key}: {broken[0].broken}{remedy}")
