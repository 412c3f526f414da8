"""What a benchmark job is told, and the checks that need neither torch nor the files."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from bghop.errors import OptionError
from bghop.evaluation.method_names import NUMBERED_WORDS, PRIOR_METHODS, numbered_method
from bghop.prior.shipped import SHIPPED_PRIOR
from bghop.processes import MOST_WORKERS, available_cores

METHODS = ("optimize", "random", "random-refined", "reference", "recovered")
"""Those of bghop.evaluation.methods; `optimize@STEPS` is the first with other step counts,
`random-refined@TIMES` has so many times the hands."""
MOST_GRASPS = 1000
MOST_STEPS, MOST_TIMES = 100_000, 100


@dataclass(frozen=True, kw_only=True)
class EvaluateJob:
    """One benchmark: objects x methods x seeds into one folder."""

    objects: str
    """Name of a built-in set, a folder of meshes, or one mesh file."""
    out: Path
    methods: tuple[str, ...] = ("mixed", "random")
    """What `bghop grasp` does, against the floor."""
    num: int = 16
    """Grasps per object, method and seed."""
    seeds: tuple[int, ...] = (0,)
    only: tuple[str, ...] = ()
    """Names of objects, or patterns such as `box*`; all if empty."""
    workers: int = field(default_factory=available_cores)
    """Processes; each takes one core. The results do not depend on it."""
    hold: bool = True
    """Whether the hold test runs (the static check always does)."""
    checkpoint: Path | None = None
    """Of the methods that ask a prior; None for the shipped one."""
    pictures: bool = True
    """Whether the report has pictures."""
    overwrite: bool = False

    @property
    def prior_folder(self) -> Path | None:
        """Folder of the prior that some method asks; None if none does."""
        learned = any(name in PRIOR_METHODS for name in self.methods)
        return self.checkpoint or SHIPPED_PRIOR if learned else None


def command_of(job: EvaluateJob) -> str:
    """The command that asks for this job: what decides the numbers, and what is no default."""
    words = ["bghop", "evaluate", "--objects", job.objects, "--out", str(job.out)]
    words += ["--methods", *job.methods, "--num", str(job.num), "--seeds", *map(str, job.seeds)]
    words += ["--only", *job.only] if job.only else []
    words += ["--workers", str(job.workers)] if job.workers != available_cores() else []
    words += ["--checkpoint", str(job.checkpoint)] if job.checkpoint is not None else []
    flags = (
        (not job.hold, "--no-hold"), (not job.pictures, "--no-pictures"),
        (job.overwrite, "--overwrite"),
    )  # fmt: skip
    return shlex.join([*words, *(flag for given, flag in flags if given)])


def check_options(job: EvaluateJob) -> None:
    """Refuses what cannot work, before anything is loaded.

    Raises:
        OptionError: With the option, its value, and what is allowed.
    """
    demands = (
        (bool(job.objects), "--objects is empty: name a set, a folder or a mesh file"),
        (1 <= job.num <= MOST_GRASPS, f"--num {job.num} is out of range: use 1 to {MOST_GRASPS}"),
        (
            1 <= job.workers <= MOST_WORKERS,
            f"--workers {job.workers} is out of range: use 1 to {MOST_WORKERS}",
        ),
        (bool(job.methods), "--methods is empty: name at least one method"),
        (bool(job.seeds), "--seeds is empty: give at least one number"),
        (_distinct(job.methods), "--methods names a method twice: name each once"),
        (_distinct(job.seeds), "--seeds gives a number twice: give each once"),
    )
    for holds, message in demands:
        if not holds:
            raise OptionError(message)
    for seed in job.seeds:
        if not 0 <= seed < 2**63:
            raise OptionError(f"--seeds {seed} is out of range: use 0 to 2^63 - 1")
    for name in job.methods:
        check_method(name)


def check_method(name: str) -> None:
    """Refuses a method that does not exist.

    Raises:
        OptionError: With the names that do.
    """
    there = ", ".join((*METHODS, *PRIOR_METHODS))
    numbered = numbered_method(name)
    if numbered is None and name not in (*METHODS, *PRIOR_METHODS):
        raise OptionError(f"method {name} is unknown: use {there}, {NUMBERED_WORDS}")
    if numbered is not None:
        steps = numbered[0] == "optimize"
        most, what = (MOST_STEPS, "the number of steps") if steps else (MOST_TIMES, "the factor")
        if not 1 <= numbered[1] <= most:
            raise OptionError(f"method {name}: {what} is out of range, use 1 to {most}")


def _distinct(values: tuple) -> bool:
    return len(set(values)) == len(values)
