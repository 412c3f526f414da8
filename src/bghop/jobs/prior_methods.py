"""`bghop grasp --method prior` and `sds`: hands for a mesh from a checkpoint."""

from collections.abc import Callable
from dataclasses import replace

from bghop.errors import OptionError
from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.prior_inputs import open_prior
from bghop.prior.prior import Prior
from bghop.synthesis.from_prior import hands_of, sample_hands, sample_options
from bghop.synthesis.placement import up_rotation
from bghop.synthesis.refine import refine_hands
from bghop.synthesis.synthesize import Film, Synthesis, choose_diverse
from bghop.threads import network_threads, one_thread

SAMPLES_PER_RESULT = 2.0
"""Samples drawn for every result of `--method prior`; the better ones that differ are kept."""


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
        shares = (0.5, 1.0) if job.refine else (1.0, 1.0)

        def part(start: float, end: float) -> Callable[[int, int], None]:
            def tick(done: int, total: int) -> None:
                if progress is not None:
                    progress(round(1000 * (start + (end - start) * done / total)), 1000)

            return tick

        find = _distilled if job.method == "sds" else _drawn
        hands, film = find(self._prior, mesh, hand_model, job, up, part(0.0, shares[0]))
        with one_thread():
            found = refine_hands(
                [mesh], hands, hand_model, only_score=not job.refine,
                progress=part(shares[0], 1.0),
            )  # fmt: skip
            order = choose_diverse(found.hands, found.energy, job.num)
        if film and job.refine:
            film = (*film, ("refined", found.hands))
        return Synthesis(
            hands=found.hands.rows(order),
            energy=found.energy[order],
            terms={name: value[order] for name, value in found.terms.items()},
            film=tuple((caption, each.rows(order)) for caption, each in film),
        )


def _drawn(
    prior: Prior,
    mesh: Mesh,
    hand_model: HandModel,
    job: GraspJob,
    up: str,
    progress: Callable[[int, int], None],
) -> tuple[HandParameters, Film]:
    """Samples of the prior."""
    options = sample_options(prior, steps=25 if job.steps is None else job.steps, given=True)
    hands = sample_hands(
        mesh, prior, hand_model, num=round(SAMPLES_PER_RESULT * job.num), prompt=job.text,
        seed=job.seed, up=up, present=hands_of(prior), options=options, progress=progress,
    )  # fmt: skip
    return hands, ()


def _distilled(
    prior: Prior,
    mesh: Mesh,
    hand_model: HandModel,
    job: GraspJob,
    up: str,
    progress: Callable[[int, int], None],
) -> tuple[HandParameters, Film]:
    """Score distillation, and the moments that the job wants to see."""
    from bghop.synthesis.score_distillation import default_options, distill

    options = default_options(prior)
    if job.steps is not None:
        options = replace(options, steps=job.steps)
    wanted = [k for k in job.progress_strip if k <= options.steps]
    options = replace(options, watch=tuple(k / options.steps for k in wanted))
    film: list[tuple[str, HandParameters]] = []

    def watch(iteration: int, hands: HandParameters) -> None:
        film.append((f"iteration {iteration}", hands))

    with network_threads():
        found = distill(
            mesh, prior, hand_model=hand_model, prompts=[job.text], num=job.num, seed=job.seed,
            options=options, R_prior_object=up_rotation(up).float(), progress=progress,
            watch=watch,
        )  # fmt: skip
    return found.hands, tuple(film) if job.progress_strip else ()
