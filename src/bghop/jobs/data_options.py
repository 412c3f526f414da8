"""What `bghop data synthesize` is told; needs no torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bghop.errors import OptionError
from bghop.processes import MOST_WORKERS, available_cores


@dataclass(frozen=True, kw_only=True)
class ObjectsJob:
    """Objects to make."""

    out: Path
    objects: int = 200
    families: tuple[str, ...] = ()
    """Names; those for training if empty."""
    seed: int = 0
    workers: int = field(default_factory=available_cores)
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class SynthesizeDataJob(ObjectsJob):
    """A data set to make: objects and grasps of them."""

    grasps: int = 24
    """Candidates an object."""
    hands: Literal["both", "one"] = "both"
    hold_every: int = 40
    """One object in so many, drawn, is also tested by simulation; 0 for none."""
    pictures: bool = True


def check_data_options(job: ObjectsJob) -> None:
    """Refuse what cannot be done.

    Raises:
        OptionError: A number is out of range.
    """
    bounds = {
        "objects": (job.objects, 1, 10**6), "workers": (job.workers, 1, MOST_WORKERS),
        "seed": (job.seed, 0, 2**62),
    }  # fmt: skip
    if isinstance(job, SynthesizeDataJob):
        bounds |= {"grasps": (job.grasps, 1, 1024), "hold-every": (job.hold_every, 0, 10**6)}
    for name, (value, low, high) in bounds.items():
        if not low <= value <= high:
            raise OptionError(f"--{name} {value} is out of range: use {low} to {high}")
    if len(set(job.families)) != len(job.families):
        raise OptionError("--families names one twice: name each once")
