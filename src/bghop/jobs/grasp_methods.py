"""The ways of `bghop grasp` to hands for a mesh, behind one call."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, runtime_checkable

from bghop.errors import PromptError
from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.prior_methods import PriorSynthesizer
from bghop.synthesis.optimize import OptimizeOptions
from bghop.synthesis.synthesize import Synthesis, SynthesizeOptions, synthesize, up_axis
from bghop.threads import one_thread


@runtime_checkable
class Synthesizer(Protocol):
    """The part of `synthesize` that a job needs; tests inject a fast one."""

    def __call__(
        self,
        mesh: Mesh,
        *,
        hand_model: HandModel,
        job: GraspJob,
        up: str,
        progress: Callable[[int, int], None] | None,
    ) -> Synthesis:
        """Up to `job.num` grasps, best first; `up` is an axis' name or none."""
        ...


def synthesizer_of(job: GraspJob) -> Synthesizer:
    """The way that a job asks for; a prior is loaded at once, so that errors come first.

    Raises:
        CheckpointError: The checkpoint cannot be read.
        OptionError: The prompt or the hand model does not fit it.
    """
    if job.prior_folder is None:
        return optimize_hands
    return PriorOrOptimizer(job) if job.method == "auto" else PriorSynthesizer(job)


class PriorOrOptimizer:
    """`--method auto`: starts from the prior and from geometry; geometry alone where it must be."""

    def __init__(self, job: GraspJob) -> None:
        """Load the prior; words that it does not know do not lead it.

        Raises:
            CheckpointError: The checkpoint cannot be read.
            OptionError: The hand model does not fit it.
        """
        self._notes: tuple[str, ...] = ()
        try:
            self._prior = PriorSynthesizer(job)
        except PromptError as error:
            self._prior = PriorSynthesizer(replace(job, text=""))
            self._notes = (f"--text does not lead the prior ({error})",)

    def __call__(
        self,
        mesh: Mesh,
        *,
        hand_model: HandModel,
        job: GraspJob,
        up: str,
        progress: Callable[[int, int], None] | None,
    ) -> Synthesis:
        """Up to `job.num` grasps, best first."""
        # Unrefined hands are the prior's alone: geometric starts are no results.
        method = "mixed" if job.refine else "prior"
        notes, way = self._notes, self._prior
        job = replace(job, text="") if notes else job
        if not self._prior.sees(mesh):
            method, way = "optimize", optimize_hands
            size = f"{100 * float(mesh.extents.max()):.0f} cm"
            notes = (f"{size} is more than the prior sees: hands are from the optimiser alone",)
        found = way(mesh, hand_model=hand_model, job=job, up=up, progress=progress)
        return replace(found, method=method, notes=notes)


def optimize_hands(
    mesh: Mesh,
    *,
    hand_model: HandModel,
    job: GraspJob,
    up: str,
    progress: Callable[[int, int], None] | None,
) -> Synthesis:
    """`--method optimize`; `steps` are its own."""
    optimize = OptimizeOptions() if job.steps is None else OptimizeOptions(steps=job.steps)
    options = SynthesizeOptions(optimize=optimize, up=up_axis(up))
    with one_thread():
        return synthesize(
            mesh,
            hand_model=hand_model,
            num=job.num,
            seed=job.seed,
            options=options,
            progress=progress,
        )
