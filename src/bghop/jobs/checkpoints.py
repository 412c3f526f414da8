"""The identity of a checkpoint: a hash of its files."""

import hashlib
from functools import lru_cache
from pathlib import Path

from bghop.errors import CheckpointError
from bghop.files import reason
from bghop.jobs.grasp_options import HOW_TO_GET_ONE
from bghop.prior.checkpoint import CONFIG, WEIGHTS
from bghop.prior.shipped import SHIPPED_PRIOR


def checkpoint_hash(folder: Path) -> str:
    """SHA-256 over both files of a checkpoint: equal hashes, equal priors.

    Raises:
        CheckpointError: There is no such folder, or a file is missing.
    """
    try:
        stamps = tuple((folder / name).stat().st_mtime_ns for name in (CONFIG, WEIGHTS))
        return _hash(folder, stamps)
    except OSError as error:
        there = "is not a checkpoint" if folder.is_dir() else "does not exist"
        missing = Path(error.filename or WEIGHTS).name
        what = f"{missing} is missing" if folder.is_dir() else reason(error)
        raise CheckpointError(
            f"checkpoint {folder} {there} ({what}): name a folder with {CONFIG} and {WEIGHTS}; "
            f"{HOW_TO_GET_ONE}"
        ) from error


def checkpoint_name(folder: Path) -> str:
    """Where a checkpoint is, as results say it: its folder, or `shipped`."""
    return "shipped" if folder == SHIPPED_PRIOR else str(folder)


@lru_cache(16)
def _hash(folder: Path, _stamps: tuple[int, ...]) -> str:
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
