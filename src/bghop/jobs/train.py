"""The training job: a config file and options in, a run's folder out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bghop.errors import OptionError

KINDS = ("prior", "autoencoder", "objects")


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """What `bghop train` is told; options that are None leave the config as it is."""

    kind: str
    out: Path
    config: Path | None = None
    changes: tuple[str, ...] = ()
    """`name.name=value`, applied to the config."""
    records: Path | None = None
    objects: Path | None = None
    preset: str | None = None
    init: str | None = None
    source: Path | None = None
    """Checkpoint that `init` starts from."""
    steps: int | None = None
    minutes: float | None = None
    device: str = "auto"


def check_job(job: TrainJob) -> None:
    """Refuse what cannot work, before torch is imported.

    Raises:
        OptionError: With the option, its value, and what is allowed.
    """
    minutes = job.minutes
    demands = (
        (job.kind in KINDS, f"cannot train '{job.kind}': use one of {', '.join(KINDS)}"),
        (
            minutes is None or (math.isfinite(minutes) and minutes > 0),
            f"--minutes {minutes} is not a time: use a positive number",
        ),
        (job.steps is None or job.steps >= 1, f"--steps {job.steps}: use 1 or more"),
        (
            job.config is not None or (job.records is not None and job.objects is not None),
            "nothing to train on: give --records and --objects, or --config FILE",
        ),
        (
            job.kind == "prior" or (job.init is None and job.preset is None),
            "--preset and --init are options of `bghop train prior`: leave them out",
        ),
        (
            job.kind != "autoencoder" or job.source is None,
            "--from is an option of `bghop train prior` and `objects`: leave it out",
        ),
        (
            job.kind != "objects" or job.source is not None or job.config is not None,
            "an object prior belongs to a prior: give its folder (--from)",
        ),
    )
    for holds, message in demands:
        if not holds:
            raise OptionError(message)


def values_of(job: TrainJob) -> dict[str, Any]:
    """The config file with the job's changes and options.

    Raises:
        OptionError: The file or a change cannot be read.
    """
    from bghop.training.start import put, read_values

    values = read_values(job.config, job.changes)
    options: Mapping[str, Any] = {
        "data.records": job.records,
        "data.objects": job.objects,
        "preset": job.preset,
        "init": job.init,
        "source": job.source,
        "loop.steps": job.steps,
    }
    for name, value in options.items():
        if value is not None:
            put(values, name, str(value) if isinstance(value, Path) else value)
    return values


def run_train_job(job: TrainJob, *, listener: Any = None) -> Any:
    """Train; goes on where the folder's run stopped. Returns an `Outcome`.

    Raises:
        BghopError: Bad options or data, or a folder of another run.
    """
    check_job(job)
    from bghop.training.distributed import joined_world
    from bghop.training.loop import Listener
    from bghop.training.start import run_training

    with joined_world(job.device) as world:
        return run_training(
            job.kind,
            values_of(job),
            job.out,
            world=world,
            minutes=job.minutes,
            listener=listener if listener is not None and world.first else Listener(),
        )
