"""`bghop grasp --method prior` and `sds`: hands for a mesh from a checkpoint."""

from dataclasses import replace

from bghop.errors import OptionError
from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.prior_inputs import open_prior
from bghop.prior.prior import Prior
from bghop.prior.sampling import SampleOptions
from bghop.synthesis.from_prior import hands_of, sample_hands, sample_options
from bghop.synthesis.placement import fits, up_rotation
from bghop.synthesis.prior_grasps import grasps_from_prior, mixed_grasps
from bghop.synthesis.refine import refine_hands
from bghop.synthesis.rows import Progress
from bghop.synthesis.synthesize import Synthesis
from bghop.threads import network_threads, one_thread

_DISTILLING_SHARE = 0.5
"""Of the whole time, for progress bars."""


class PriorSynthesizer:
    """Samples, or distils, then refines. The prior is loaded at once, so that errors come first."""

    def __init__(self, job: GraspJob) -> None:
        """Load the prior and see that it can do what the job asks.

        Raises:
            CheckpointError: The checkpoint cannot be read.
            OptionError: The prompt or the hand model does not fit it.
        """
        if job.prior_folder is None:
            raise OptionError(f"--method {job.method} asks no prior")
        self._prior: Prior = open_prior(
            job.prior_folder, mano=job.mano, device=job.device, text_model=job.text_model,
            prompts=[job.text],
        )  # fmt: skip

    def sees(self, mesh: Mesh) -> bool:
        """Whether an object fits into the prior's grid."""
        return fits(mesh, self._prior.codec.spec)

    def __call__(
        self,
        mesh: Mesh,
        *,
        hand_model: HandModel,
        job: GraspJob,
        up: str,
        progress: Progress | None,
    ) -> Synthesis:
        """Up to `job.num` grasps, best first."""
        if job.method == "sds":
            return _distilled(self._prior, mesh, hand_model, job, up, progress)
        if job.refine:
            find = mixed_grasps if job.method == "auto" else grasps_from_prior
            return find(
                mesh, self._prior, hand_model, num=job.num, prompt=job.text, seed=job.seed, up=up,
                options=_sampler(self._prior, job), progress=progress,
            )  # fmt: skip
        return _drawn(self._prior, mesh, hand_model, job, up, progress)


def _sampler(prior: Prior, job: GraspJob) -> SampleOptions:
    return sample_options(prior, steps=job.steps, given=True)


def _drawn(
    prior: Prior,
    mesh: Mesh,
    hand_model: HandModel,
    job: GraspJob,
    up: str,
    progress: Progress | None,
) -> Synthesis:
    """Samples of the prior as they are, in the order of their energy."""
    hands = sample_hands(
        mesh, prior, hand_model, num=job.num, prompt=job.text, seed=job.seed, up=up,
        present=hands_of(prior), options=_sampler(prior, job), progress=progress,
    )  # fmt: skip
    with one_thread():
        return refine_hands([mesh], hands, hand_model, only_score=True).best(job.num)


def _distilled(
    prior: Prior,
    mesh: Mesh,
    hand_model: HandModel,
    job: GraspJob,
    up: str,
    progress: Progress | None,
) -> Synthesis:
    """Score distillation, refined, with the moments that the job wants to see."""
    from bghop.synthesis.score_distillation import default_options, distill

    options = default_options(prior)
    if job.steps is not None:
        options = replace(options, steps=job.steps)
    wanted = [k for k in job.progress_strip if k <= options.steps]
    options = replace(options, watch=tuple(k / options.steps for k in wanted))
    film: list[tuple[str, HandParameters]] = []
    share = _DISTILLING_SHARE if job.refine else 1.0

    def watch(iteration: int, hands: HandParameters) -> None:
        film.append((f"iteration {iteration}", hands))

    def part(start: float, end: float) -> Progress:
        def tick(done: int, total: int) -> None:
            if progress is not None:
                progress(round(1000 * (start + (end - start) * done / total)), 1000)

        return tick

    with network_threads():
        found = distill(
            mesh, prior, hand_model=hand_model, prompts=[job.text], num=job.num, seed=job.seed,
            options=options, R_prior_object=up_rotation(up).float(), progress=part(0.0, share),
            watch=watch,
        )  # fmt: skip
    with one_thread():
        refined = refine_hands(
            [mesh], found.hands, hand_model, only_score=not job.refine, progress=part(share, 1.0)
        )
    if film and job.refine:
        film.append(("refined", refined.hands))
    return replace(refined, film=tuple(film) if job.progress_strip else ()).best(job.num)
