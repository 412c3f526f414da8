"""The ways of `bghop grasp` to hands for a mesh, behind one call."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.prior_methods import PriorSynthesizer
from bghop.synthesis.optimize import OptimizeOptions
from bghop.synthesis.synthesize import Synthesis, SynthesizeOptions, synthesize
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
    return PriorSynthesizer(job)


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
    axis = (float(up == "x"), float(up == "y"), float(up == "z"))
    options = SynthesizeOptions(optimize=optimize, up=axis if any(axis) else None)
    with one_thread():
        return synthesize(
            mesh,
            hand_model=hand_model,
            num=job.num,
            seed=job.seed,
            options=options,
            progress=progress,
        )
