"""`bghop sample` and `bghop complete`: from a prior to a folder of interactions.

Samples -> hands in contact (refinement) -> metrics -> order -> files, `interactions.json` last.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from bghop.hands.model import HandModel
from bghop.interaction import Interaction, stacked
from bghop.jobs.checkpoints import checkpoint_hash, checkpoint_name
from bghop.jobs.grasp import Listener, ObjectResult
from bghop.jobs.grasp_page import hand_model_header, mesh_header, size_words
from bghop.jobs.grasps_file import FORMAT_VERSION, read_grasps
from bghop.jobs.interaction_file import read_interaction
from bghop.jobs.prior_inputs import hands_for, open_prior
from bghop.jobs.prior_options import (
    CompleteJob,
    PriorJob,
    SampleJob,
    check_complete,
    check_sample,
)
from bghop.jobs.ranked import Candidates
from bghop.jobs.result_folder import INTERACTIONS, ResultFolder, job_identity
from bghop.jobs.result_writer import Page, ResultWriter
from bghop.prior.prior import Prior
from bghop.synthesis.completion import complete, kept_hands
from bghop.synthesis.from_prior import sample_interactions, sample_options
from bghop.synthesis.keep import check_keep
from bghop.synthesis.prior_grasps import best_of_more
from bghop.synthesis.refine import refine_hands
from bghop.synthesis.rows import Say
from bghop.synthesis.synthesize import joined_syntheses
from bghop.threads import one_thread


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What is different about the two commands."""

    name: str
    """For progress and titles."""
    settings: dict[str, Any]
    prompt: str
    draw: Callable[[Prior, HandModel, Callable[[int, int], None], Say], list[Interaction]]
    keep: tuple[str, ...] = ()
    header: dict[str, Any] | None = None


def run_sample_job(job: SampleJob, *, listener: Listener | None = None) -> ObjectResult:
    """Objects with hands from words; keeps what an earlier run has finished.

    Raises:
        BghopError: An option, the checkpoint, the prompt or the folder cannot be used.
    """
    check_sample(job)
    present = (job.hands != "right", job.hands != "left")

    def draw(
        prior: Prior, model: HandModel, progress: Callable[[int, int], None], say: Say
    ) -> list[Interaction]:
        return sample_interactions(
            prior, model, prompt=job.prompt, num=job.num, seed=job.seed, present=present,
            options=sample_options(prior, steps=job.steps, guidance=job.guidance),
            progress=progress, say=say,
        )  # fmt: skip

    task = _Task(
        name=job.prompt.strip() or "any object",
        settings={"command": "sample", "text": job.prompt, "hands": job.hands},
        prompt=job.prompt,
        draw=draw,
    )
    return _run(job, task, listener or Listener())


def run_complete_job(job: CompleteJob, *, listener: Listener | None = None) -> ObjectResult:
    """What is missing in an interaction; keeps what an earlier run has finished.

    Raises:
        BghopError: An option, the interaction, the checkpoint, the prompt or the folder cannot be
            used.
    """
    check_complete(job)
    given = read_interaction(job.interaction, job.index)
    if job.text is not None:
        given = replace(given, text=job.text)
    check_keep(job.keep, given.present)
    keep = tuple(sorted(set(job.keep)))

    def draw(
        prior: Prior, model: HandModel, progress: Callable[[int, int], None], say: Say
    ) -> list[Interaction]:
        return complete(
            given, keep, prior, model, num=job.num, seed=job.seed,
            options=sample_options(prior, steps=job.steps, guidance=job.guidance, given=True),
            progress=progress, say=say,
        )  # fmt: skip

    thing = {"object": {"name": given.mesh.name, **mesh_header(given.mesh)}}
    task = _Task(
        name=given.mesh.name,
        settings={
            "command": "complete",
            "text": given.text,
            "keep": list(keep),
            "up": given.up,
            "interaction": _fingerprint(given),
        },
        prompt=given.text,
        draw=draw,
        keep=keep,
        header={"source": job.interaction, **(thing if "object" in keep else {})},
    )
    return _run(job, task, listener or Listener())


def _run(job: PriorJob, task: _Task, listener: Listener) -> ObjectResult:
    settings = {
        "format_version": FORMAT_VERSION,
        "checkpoint": checkpoint_hash(job.checkpoint),
        "num": job.num,
        "seed": job.seed,
        "steps": job.steps,
        "guidance": job.guidance,
        "refine": job.refine,
        "hand_model": "open" if job.mano is None else "mano",
        **task.settings,
    }
    identity = job_identity(settings)
    folder = ResultFolder(job.out, INTERACTIONS)
    if folder.is_finished(identity, overwrite=job.overwrite):
        grasps = read_grasps(folder.path)
        result = ObjectResult.of(task.name, folder.path, "kept", grasps)
    else:
        start = time.perf_counter()
        listener.stage(task.name, "loading", 0, 1)
        prior = open_prior(
            job.checkpoint, mano=job.mano, device=job.device, text_model=job.text_model,
            prompts=[task.prompt],
        )  # fmt: skip
        model = hands_for(prior, job.mano)
        page = _page(job, task, prior, model, settings, identity)
        try:
            result = _written(folder, identity, job, task, prior, model, page, listener)
        except BaseException:  # Ctrl-C too: leave only what is complete
            folder.abandon()
            raise
        result = replace(result, seconds=time.perf_counter() - start)
    listener.finished(result, 0, 1)
    return result


def _written(
    folder: ResultFolder,
    identity: str,
    job: PriorJob,
    task: _Task,
    prior: Prior,
    model: HandModel,
    page: Page,
    listener: Listener,
) -> ObjectResult:
    def stage(name: str, done: int, total: int) -> None:
        listener.stage(task.name, name, done, total)

    writer, notes = ResultWriter(), []
    try:
        folder.begin(identity)
        writer.warm_up()
        before = time.perf_counter()
        drawn = task.draw(
            prior, model, lambda done, total: stage("sampling", done, total), notes.append
        )
        found = _in_contact(job, task, drawn, prior, model, stage)
        found = replace(found, seconds=time.perf_counter() - before)
        if len(found.meshes) == 1:
            page = replace(page, about=f"{size_words(found.meshes[0])}  ·  {page.about}")
        page = replace(page, warnings=tuple(notes))
        grasps, warnings = writer.write(folder, page, model, found, progress=stage)
    finally:
        writer.close()
    return replace(ObjectResult.of(task.name, folder.path, "done", grasps), warnings=warnings)


def _in_contact(
    job: PriorJob,
    task: _Task,
    drawn: Sequence[Interaction],
    prior: Prior,
    model: HandModel,
    stage: Callable[[str, int, int], None],
) -> Candidates:
    """Drawn hands, brought into contact if the job says so; kept hands stay as they are.

    Where the prior draws hands for an object well, more are drawn than are wanted, and the best are
    kept.
    """
    hands = stacked([each.hands for each in drawn])
    own = "object" not in task.keep
    meshes = tuple(each.mesh for each in drawn) if own else (drawn[0].mesh,)
    free = hands.present & ~kept_hands(hands, task.keep).present
    move = job.refine and bool(free.any())
    if move and prior.denoiser.level_per_part:
        options = sample_options(prior, steps=job.steps, guidance=job.guidance, given=True)
        groups = [[each] for each in drawn] if own else [list(drawn)]
        found = []
        for number, group in enumerate(groups):

            def tick(done: int, total: int, number: int = number) -> None:
                stage("bringing hands into contact", number * total + done, len(groups) * total)

            seed = (job.seed * 1_000_003 + number + 1) % 2**63  # other noise than that of `drawn`
            found.append(
                best_of_more(
                    group, prior, model, keep=task.keep, seed=seed, options=options, progress=tick
                )
            )
        refined = joined_syntheses(found)
    else:
        with one_thread():
            refined = refine_hands(
                meshes, hands, model, only_score=not move, free=free,
                progress=lambda done, total: stage("bringing hands into contact", done, total),
            )  # fmt: skip
    return Candidates(
        meshes=meshes,
        hands=refined.hands,
        energy=refined.energy,
        terms=refined.terms,
        seconds=0.0,
        sampled_objects=own,
    )


def _page(
    job: PriorJob,
    task: _Task,
    prior: Prior,
    model: HandModel,
    settings: dict[str, Any],
    identity: str,
) -> Page:
    kept = f"{' and '.join(task.keep)} kept" if task.keep else "sampled"
    return Page(
        title=task.name,
        about=kept + _sampler_words(job) + ("" if job.refine else ", not refined"),
        header={
            "job": identity,
            "method": settings["command"],
            "seed": job.seed,
            "text": task.prompt,
            "options": {"up": "z" if prior.codec.spec.frame == "object" else "none", **settings},
            "checkpoint": {
                "folder": checkpoint_name(job.checkpoint),
                "sha256": settings["checkpoint"],
                "origin": prior.origin,
            },
            "hand_model": hand_model_header(model),
            **(task.header or {}),
        },
    )


def _sampler_words(job: PriorJob) -> str:
    steps = "" if job.steps is None else f", {job.steps} steps"
    return steps + ("" if job.guidance is None else f", guidance {job.guidance:g}")


def _fingerprint(given: Interaction) -> str:
    """Hash of an interaction's numbers."""
    import hashlib

    digest = hashlib.sha256(given.mesh.vertices.tobytes() + given.mesh.faces.tobytes())
    for values in (given.hands.present, given.hands.T_object_hand, given.hands.pose,
                   given.hands.shape):  # fmt: skip
        digest.update(values.detach().cpu().to(torch.float32).numpy().tobytes())
    return digest.hexdigest()
