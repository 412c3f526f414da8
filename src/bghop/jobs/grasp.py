"""The grasp job: meshes and options in, result folders out. Continues where a kill stopped it.

Per object: load -> hands (synthesis) -> metrics on the mesh itself -> ranking -> hold test (on
request) -> files. The picture is drawn in another process meanwhile; `grasps.json` comes last and
means "complete".
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from bghop.errors import BghopError
from bghop.evaluation.metrics import GraspMetrics
from bghop.evaluation.ranking import faults, object_faults
from bghop.evaluation.validity import ObjectValidity
from bghop.hands.model import HandModel
from bghop.jobs.grasp_hold import HoldRecord
from bghop.jobs.grasp_inputs import (
    ObjectInput,
    find_objects,
    identity_of,
    load_hands,
    load_object,
    up_of,
)
from bghop.jobs.grasp_methods import Synthesizer, optimize_hands, synthesizer_of
from bghop.jobs.grasp_options import GraspJob, check_options
from bghop.jobs.grasp_page import page_of
from bghop.jobs.grasps_file import Grasps, read_grasps
from bghop.jobs.ranked import Candidates
from bghop.jobs.result_folder import GRASPS, ResultFolder, ResultKind, folders_of
from bghop.jobs.result_writer import ResultWriter
from bghop.physics.engine import load_mujoco


@dataclass(frozen=True, kw_only=True)
class ObjectResult:
    """What became of one object."""

    name: str
    folder: Path
    state: str
    """`done`, `kept` (finished by an earlier run) or `failed`."""
    metrics: tuple[GraspMetrics, ...] = ()
    """Best first."""
    hold: tuple[HoldRecord, ...] | None = None
    """In the same order; None without `--verify`."""
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    problem: str = ""
    """Why it failed."""
    objects: tuple[ObjectValidity, ...] | None = None
    """What sampled objects are like; None if the object was given."""
    kind: ResultKind = GRASPS

    @staticmethod
    def of(name: str, folder: Path, state: str, grasps: Grasps) -> "ObjectResult":
        """From what is in its folder."""
        return ObjectResult(
            name=name,
            folder=folder,
            state=state,
            metrics=grasps.metrics,
            hold=grasps.hold,
            objects=grasps.objects,
            kind=grasps.kind,
        )

    def faults(self, index: int) -> tuple[str, ...]:
        """Demands that one result breaks, in words."""
        found = faults(self.metrics[index])
        return found if self.objects is None else object_faults(self.objects[index]) + found


class Listener:
    """Hears what a job does; this base class ignores it."""

    def stage(self, name: str, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of a stage of the object `name` are over."""

    def finished(self, result: ObjectResult, index: int, total: int) -> None:
        """Object `index` of `total` is finished, was finished before, or failed."""


def run_grasp_job(
    job: GraspJob, *, synthesizer: Synthesizer | None = None, listener: Listener | None = None
) -> list[ObjectResult]:
    """Does what is not done yet; returns what became of every object, in the order given.

    A batch goes on when one of its objects fails; the failure of a single object is raised.

    Raises:
        BghopError: An option, a folder or a file cannot be used, or MuJoCo is missing where the
            hold test is wanted. Nothing half-written stays.
    """
    check_options(job)
    items = find_objects(job)
    folders = folders_of([item.name for item in items], job.out)
    # All folders are looked at before any work: a clash is known at once, not after an hour.
    finished = [
        folder.is_finished(identity_of(job, item), overwrite=job.overwrite)
        for item, folder in zip(items, folders, strict=True)
    ]
    if job.verified and not all(finished):
        load_mujoco()
    if synthesizer is None:
        # A prior is loaded here, so that a bad checkpoint is known before any folder is touched.
        synthesizer = optimize_hands if all(finished) else synthesizer_of(job)
    results = []
    with _Runner(job, synthesizer, listener or Listener()) as runner:
        for index, (item, folder) in enumerate(zip(items, folders, strict=True)):
            if finished[index]:
                result = _kept(item, folder)
            else:
                result = runner.run(item, folder, alone=len(items) == 1)
            results.append(result)
            runner.listener.finished(result, index, len(items))
    return results


class _Runner:
    """What the objects of one job share: the hand model and the drawing process."""

    def __init__(self, job: GraspJob, synthesizer: Synthesizer, listener: Listener) -> None:
        self.job = job
        self.synthesizer = synthesizer
        self.listener = listener
        self.hand_model: HandModel | None = None
        self.writer = ResultWriter(verify=job.verified, strips=job.strips)

    def __enter__(self) -> "_Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def run(self, item: ObjectInput, folder: ResultFolder, *, alone: bool) -> ObjectResult:
        try:
            return self._run(item, folder)
        except BghopError as error:
            if alone:
                raise
            return ObjectResult(
                name=item.name, folder=folder.path, state="failed", problem=str(error)
            )

    def _run(self, item: ObjectInput, folder: ResultFolder) -> ObjectResult:
        start = time.perf_counter()
        self.listener.stage(item.name, "loading", 0, 1)
        mesh = load_object(self.job, item)
        if self.hand_model is None:
            self.hand_model = load_hands(self.job)
        try:
            folder.begin(identity_of(self.job, item))
            self.writer.warm_up()
            before = time.perf_counter()
            found = self.synthesizer(
                mesh,
                hand_model=self.hand_model,
                job=self.job,
                up=up_of(self.job, item),
                progress=lambda done, total: self.listener.stage(
                    item.name, "finding grasps", done, total
                ),
            )
            seconds = time.perf_counter() - before
            grasps, warnings = self.writer.write(
                folder,
                page_of(self.job, item, mesh, self.hand_model, found),
                self.hand_model,
                Candidates(
                    meshes=(mesh,),
                    hands=found.hands,
                    energy=found.energy,
                    terms=found.terms,
                    seconds=seconds,
                ),
                progress=lambda stage, done, total: self.listener.stage(
                    item.name, stage, done, total
                ),
            )
        except BaseException:  # Ctrl-C too: leave only what is complete
            folder.abandon()
            raise
        return replace(
            ObjectResult.of(item.name, folder.path, "done", grasps),
            warnings=warnings,
            seconds=time.perf_counter() - start,
        )


def _kept(item: ObjectInput, folder: ResultFolder) -> ObjectResult:
    return ObjectResult.of(item.name, folder.path, "kept", read_grasps(folder.path))
