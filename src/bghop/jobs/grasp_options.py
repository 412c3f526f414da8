"""What a grasp job is told, and the checks that need neither torch nor the files."""

import math
from dataclasses import dataclass
from pathlib import Path

from bghop.errors import OptionError
from bghop.jobs.joint_option import parse_at, parse_joint
from bghop.prior.shipped import SHIPPED_PRIOR

METHODS = ("auto", "prior", "optimize", "sds")
UNITS = ("m", "dm", "cm", "mm", "in", "inch", "ft")
"""Those of bghop.geometry.loading that an object's file may have."""
UPS = ("auto", "x", "y", "z", "none")
"""`auto` is y for glTF files, whose standard says so, and z for all others."""
HOW_TO_GET_ONE = (
    "train one with `bghop train prior`, or bring a released one in with `bghop import-checkpoint`"
)
MOST_GRASPS = 1000
MOST_TEXT = 1000
MOST_STEPS = 100_000


@dataclass(frozen=True, kw_only=True)
class GraspJob:
    """One command: grasps for one or more meshes into a folder."""

    meshes: tuple[str, ...]
    """Files, or names of built-in objects."""
    out: Path
    parts: tuple[str, ...] = ()
    """Instead of meshes: two lists of files, separated by commas; what stays and what moves."""
    joint: str = ""
    """Of the parts, as `parse_joint` reads it."""
    at: str = ""
    """Joint value of the parts, or of URDF and MJCF files, as `parse_at` reads it; 0 if empty."""
    num: int = 16
    text: str = ""
    seed: int = 0
    scale: float = 1.0
    unit: str = "m"
    method: str = "auto"
    """One of `METHODS`; `auto` starts from the prior and from geometry, and from geometry alone
    where the prior cannot help: for hands or objects that it has never seen."""
    steps: int | None = None
    """Steps of the optimiser, the sampler or the distillation; None for the method's own."""
    up: str = "auto"
    """Axis against gravity in the mesh's frame; see `UPS`."""
    mano: Path | None = None
    """Folder with the official MANO files; None for the open hand."""
    device: str = "auto"
    overwrite: bool = False
    verify: bool = False
    """Whether every result gets the hold test and what holds comes first."""
    checkpoint: Path | None = None
    """Folder of a prior, for the methods `prior` and `sds`; None for the shipped one."""
    text_model: Path | None = None
    """Files of the prior's text encoder, where it needs some or allows some."""
    refine: bool = True
    """Whether hands of a prior are brought into contact by the optimiser."""
    progress_strip: tuple[int, ...] = ()
    """Iterations of `sds` that a picture of the best grasps shows."""
    strips: int = 0
    """How many of the first results get a picture of their hold test; more than 0 verifies."""

    @property
    def prior_folder(self) -> Path | None:
        """Folder of the prior that the method asks; None if it asks none."""
        # The shipped prior knows the open hand only.
        no_prior = self.method == "auto" and self.mano is not None and self.checkpoint is None
        if self.method == "optimize" or no_prior:
            return None
        return self.checkpoint or SHIPPED_PRIOR

    @property
    def verified(self) -> bool:
        """Whether the hold test is run."""
        return self.verify or self.strips > 0


def check_options(job: GraspJob) -> None:
    """Refuses what cannot work, before anything is loaded.

    Raises:
        OptionError: With the option, its value, and what is allowed.
    """
    length = len(job.text)
    steps = job.steps
    demands = (
        (bool(job.meshes or job.parts), "no mesh is given: name at least one mesh file"),
        *_joint_demands(job),
        (1 <= job.num <= MOST_GRASPS, f"--num {job.num} is out of range: use 1 to {MOST_GRASPS}"),
        (0 <= job.seed < 2**63, f"--seed {job.seed} is out of range: use 0 to 2^63 - 1"),
        (
            math.isfinite(job.scale) and job.scale > 0,
            f"--scale {job.scale} is not a size: use a positive number such as 1 or 0.4",
        ),
        (job.unit in UNITS, f"--unit {job.unit} is unknown: use one of {', '.join(UNITS)}"),
        (job.up in UPS, f"--up {job.up} is unknown: use one of {', '.join(UPS)}"),
        (
            job.method in METHODS,
            f"--method {job.method} is unknown: use one of {', '.join(METHODS)}",
        ),
        *_prior_demands(job),
        (
            steps is None or 1 <= steps <= MOST_STEPS,
            f"--steps {steps} is out of range: use 1 to {MOST_STEPS}",
        ),
        (
            0 <= job.strips <= MOST_GRASPS,
            f"--strips {job.strips} is out of range: use 0 to {MOST_GRASPS}",
        ),
        (length <= MOST_TEXT, f"--text has {length} characters: use at most {MOST_TEXT}"),
        (
            is_device(job.device),
            f"--device {job.device} is unknown: use auto, cpu, cuda or cuda:0",
        ),
    )
    for holds, message in demands:
        if not holds:
            raise OptionError(message)


def _joint_demands(job: GraspJob) -> tuple[tuple[bool, str], ...]:
    kind = parse_joint(job.joint).kind if job.joint else ""
    if job.at:
        parse_at(job.at, kind)
    return (
        (not (job.meshes and job.parts), "--parts is one object by itself: leave out the meshes"),
        (
            not job.parts or len(job.parts) == 2,
            f"--parts has {len(job.parts)} lists: give what stays and what moves, each with commas "
            "between its files",
        ),
        (bool(job.parts) == bool(job.joint), "--parts and --joint belong together: give both"),
    )


def _prior_demands(job: GraspJob) -> tuple[tuple[bool, str], ...]:
    wanted, learned = job.progress_strip, job.prior_folder is not None
    return (
        (
            learned or job.checkpoint is None,
            "--checkpoint is not used by --method optimize: leave it out, or add --method prior",
        ),
        (
            learned or (job.text_model is None and job.refine),
            "--text-model and --no-refine are for hands of a prior: leave them out, or add "
            "--method prior",
        ),
        (
            not wanted or job.method == "sds",
            "--progress-strip shows the iterations of --method sds: leave it out, or use that",
        ),
        (
            all(0 <= k <= MOST_STEPS for k in wanted),
            f"--progress-strip {','.join(map(str, wanted))} is out of range: use iterations from "
            f"0 to {MOST_STEPS}",
        ),
    )


def is_device(name: str) -> bool:
    """Whether a device may be called so."""
    kind, _, index = name.partition(":")
    return name in {"auto", "cpu", "cuda"} or (kind == "cuda" and index.isdecimal())
