"""What every job that samples from a prior is told, and the checks that need no torch."""

import math
from dataclasses import dataclass
from pathlib import Path

from bghop.errors import OptionError
from bghop.jobs.grasp_options import MOST_GRASPS, MOST_TEXT, is_device
from bghop.prior.shipped import SHIPPED_PRIOR
from bghop.synthesis.keep import check_keep

HANDS = ("both", "left", "right")
MOST_SAMPLER_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class PriorJob:
    """What `sample` and `complete` have in common."""

    out: Path
    checkpoint: Path = SHIPPED_PRIOR
    """Folder of `bghop train` or `bghop import-checkpoint`."""
    num: int = 8
    seed: int = 0
    steps: int | None = None
    """Of the sampler; None for what suits the prior (`synthesis.from_prior.sample_options`)."""
    guidance: float | None = None
    """1 is none; more follows the prompt more closely; None for what suits the prior."""
    refine: bool = True
    """Whether sampled hands are brought into contact."""
    text_model: Path | None = None
    """Files of the text encoder, where it needs some or allows some."""
    mano: Path | None = None
    """Folder with the official MANO files, for checkpoints that were trained with MANO."""
    device: str = "auto"
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class SampleJob(PriorJob):
    """`bghop sample`: objects with hands from words."""

    prompt: str = ""
    """Empty for any object."""
    hands: str = "both"
    """One of `HANDS`."""


@dataclass(frozen=True, kw_only=True)
class CompleteJob(PriorJob):
    """`bghop complete`: what is missing in an interaction."""

    interaction: str
    """Results, `results#K`, or the GLB file of one result."""
    index: int | None = None
    """Which result, as its GLB file is numbered; None for what `interaction` says, or 0."""
    keep: tuple[str, ...]
    """Some of object, left, right."""
    text: str | None = None
    """Prompt; None for the interaction's own."""


def check_sample(job: SampleJob) -> None:
    """Refuses what cannot work, before anything is loaded.

    Raises:
        OptionError: With the option, its value, and what is allowed.
    """
    _demand(
        (job.hands in HANDS, f"--hands {job.hands} is unknown: use one of {', '.join(HANDS)}"),
        (
            len(job.prompt) <= MOST_TEXT,
            f"the prompt has {len(job.prompt)} characters: use at most {MOST_TEXT}",
        ),
        *_common(job),
    )


def check_complete(job: CompleteJob) -> None:
    """Refuses what cannot work, before anything is loaded.

    Raises:
        OptionError: With the option, its value, and what is allowed.
    """
    index, text = job.index, job.text or ""
    check_keep(job.keep)
    _demand(
        (index is None or index >= 0, f"--index {index} is out of range: use 0 or more"),
        (
            len(text) <= MOST_TEXT,
            f"--text has {len(text)} characters: use at most {MOST_TEXT}",
        ),
        *_common(job),
    )


def _common(job: PriorJob) -> tuple[tuple[bool, str], ...]:
    return (
        (1 <= job.num <= MOST_GRASPS, f"--num {job.num} is out of range: use 1 to {MOST_GRASPS}"),
        (0 <= job.seed < 2**63, f"--seed {job.seed} is out of range: use 0 to 2^63 - 1"),
        (
            job.steps is None or 1 <= job.steps <= MOST_SAMPLER_STEPS,
            f"--steps {job.steps} is out of range: use 1 to {MOST_SAMPLER_STEPS}",
        ),
        (
            job.guidance is None or (math.isfinite(job.guidance) and job.guidance >= 0),
            f"--guidance {job.guidance} is out of range: use 1 (none) to about 10",
        ),
        (
            is_device(job.device),
            f"--device {job.device} is unknown: use auto, cpu, cuda or cuda:0",
        ),
    )


def _demand(*demands: tuple[bool, str]) -> None:
    for holds, message in demands:
        if not holds:
            raise OptionError(message)
