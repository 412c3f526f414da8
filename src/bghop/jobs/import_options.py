"""What `bghop data arctic` and its like are told; needs no torch."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from bghop.errors import OptionError
from bghop.processes import MOST_WORKERS, available_cores

HANDS = ("both", "any")
MODELS = ("mano", "open")


@dataclass(frozen=True, kw_only=True)
class ImportDataJob:
    """A data set on disk to turn into records."""

    source: str
    """Name of the data set, as in bghop.data.adapters."""
    root: Path
    """Folder of the data set as it was downloaded."""
    out: Path
    mano: Path
    """Folder with MANO_LEFT.pkl and MANO_RIGHT.pkl."""
    model: str = "mano"
    """Hands of the records: one of `MODELS`."""
    split: str = ""
    """An official protocol; `own`: by a hash of the sequence's name, 5 % val and 5 % test; empty
    for the data set's usual one."""
    stride: int = 1
    distance: float = 0.010
    """Metres from the surface that count as contact."""
    share: float = 0.2
    """Of a hand's skin that must be in contact."""
    hands: str = "both"
    """One of `HANDS`: whether both hands must be."""
    moved: float = 0.005
    """Metres that a joint must have moved since the last kept frame."""
    only: tuple[str, ...] = ()
    """Patterns of sequence names; all if empty."""
    workers: int = field(default_factory=available_cores)
    skip_broken: bool = False
    """Leave out sequences and objects that cannot be read, instead of stopping."""
    overwrite: bool = False


def check_import_options(job: ImportDataJob) -> None:
    """Refuse what cannot be done, before anything is loaded.

    Raises:
        OptionError: With the option, its value, and what is allowed.
    """
    choices = {"hand": (job.model, MODELS), "contact": (job.hands, HANDS)}
    for name, (value, known) in choices.items():
        if value not in known:
            raise OptionError(f"--{name} {value} is unknown: use one of {', '.join(known)}")
    bounds = {
        "stride": (job.stride, 1, 10**6), "distance": (job.distance, 0.0, 0.045),
        "share": (job.share, 0.0, 1.0), "moved": (job.moved, 0.0, 1.0),
        "workers": (job.workers, 1, MOST_WORKERS),
    }  # fmt: skip
    for name, (value, low, high) in bounds.items():
        if not (math.isfinite(value) and low <= value <= high):
            raise OptionError(f"--{name} {value} is out of range: use {low} to {high}")
