"""The benchmark job: objects x methods x seeds into tables and a report, continued after a kill.

Every finished trial is one whole file below `parts/`; when all are there they become
`results.parquet`, `times.parquet` and the report, and `benchmark.json` says that it is finished.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bghop.errors import BghopError, OptionError, ResultError
from bghop.evaluation.benchmark import make_trials, prepare_pieces, run_trials
from bghop.evaluation.method_names import PRIOR_METHODS
from bghop.evaluation.methods import METHODS, Method
from bghop.evaluation.prior_methods import FromPrior
from bghop.evaluation.records import INSTALL, Row
from bghop.evaluation.trial import Trial, TrialResult, mesh_digest
from bghop.jobs.checkpoints import checkpoint_hash
from bghop.jobs.evaluate_folder import BenchmarkFolder
from bghop.jobs.evaluate_options import EvaluateJob, check_options
from bghop.jobs.evaluate_report import summaries, write_benchmark_report
from bghop.objects.sets import BenchmarkObject, object_set
from bghop.reporting.summary import MethodSummary
from bghop.reporting.timing import MethodTimes, summarize_times
from bghop.version import __version__

_FORMAT_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """What became of a benchmark."""

    folder: Path
    state: str
    """`done`, or `kept` (finished by an earlier run)."""
    num_objects: int
    num_trials: int
    methods: tuple[MethodSummary, ...]
    """What summary.json says, in the order of the methods."""
    times: Mapping[str, MethodTimes]
    """By method; of the runs that made the tables, whenever that was."""


class EvaluateListener:
    """Hears what a job does; this base class ignores it."""

    def stage(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of a stage are over."""

    def trial(self, label: str, result: TrialResult) -> None:
        """A trial is finished or has failed."""


def run_evaluate_job(
    job: EvaluateJob,
    *,
    methods: dict[str, Method] | None = None,
    listener: EvaluateListener | None = None,
) -> EvaluateResult:
    """Does the trials that are not done yet, then writes the tables and the report.

    Args:
        job: What to run.
        methods: Replaces the methods of those names; picklable. For tests.
        listener: Hears of the progress.

    Raises:
        BghopError: An option, a folder or an object cannot be used, a package is missing, or a
            trial failed (the others are kept).
    """
    check_options(job)
    _check_packages(job)
    listener = listener or EvaluateListener()
    methods = {**METHODS, **_prior_methods(job), **(methods or {})}
    there = object_set(job.objects)
    items = _chosen(there.items, job.only)
    settings = _settings(job, there.name, items, listener)
    folder = BenchmarkFolder(job.out, settings)
    trials = make_trials(
        there.name, items, methods=job.methods, seeds=job.seeds, num=job.num, hold=job.hold
    )
    if folder.is_finished(overwrite=job.overwrite):
        state = "kept"
        rows, times = folder.read_tables()
        found = summaries(rows)
    else:
        state = "done"
        folder.begin(overwrite=job.overwrite)
        rows, times = _run(job, trials, folder, methods, listener)
        listener.stage("report", 0, 1)
        found = write_benchmark_report(job, folder, items, rows, times)
        folder.finish()
        listener.stage("report", 1, 1)
    return EvaluateResult(
        folder=job.out, state=state, num_objects=len(items), num_trials=len(trials),
        methods=found, times=summarize_times(rows, times),
    )  # fmt: skip


def _run(
    job: EvaluateJob,
    trials: list[Trial],
    folder: BenchmarkFolder,
    methods: dict[str, Method],
    listener: EvaluateListener,
) -> tuple[list[Row], list[Row]]:
    """Does what is missing; rows and times of all trials, in their order."""
    missing = [trial for trial in trials if folder.read_part(trial) is None]
    if job.hold:
        wanted = list({trial.item.name: trial.item for trial in missing}.values())
        listener.stage("convex pieces", 0, len(wanted))
        for count, _ in enumerate(prepare_pieces(wanted, workers=job.workers)):
            listener.stage("convex pieces", count + 1, len(wanted))
    problems = []
    finished = len(trials) - len(missing)
    listener.stage("trials", finished, len(trials))
    for result in run_trials(missing, workers=job.workers, methods=methods):
        trial = trials[result.index]
        if result.problem:
            problems.append(f"{trial.label}: {result.problem}")
        else:
            folder.write_part(trial, result)
        finished += 1
        listener.trial(trial.label, result)
        listener.stage("trials", finished, len(trials))
    if problems:
        words = "; ".join(sorted(problems))
        msg = f"{len(problems)} of {len(trials)} trials failed, the others are kept: {words}"
        raise BghopError(msg)
    return folder.write_tables(trials)


def _chosen(items: tuple[BenchmarkObject, ...], only: tuple[str, ...]) -> list[BenchmarkObject]:
    """The items that match a pattern, in the order of the set."""
    names = [item.name for item in items]
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise OptionError(f"--only {pattern} matches no object: use {', '.join(names)}")
    wanted = only or ("*",)
    return [item for item in items if any(fnmatchcase(item.name, each) for each in wanted)]


def _settings(
    job: EvaluateJob, set_name: str, items: list[BenchmarkObject], listener: EvaluateListener
) -> dict[str, Any]:
    """Whatever decides the results. Reads every mesh: a bad file is known before any work."""

    def digests() -> Iterator[str]:
        for count, item in enumerate(items):
            listener.stage("reading objects", count, len(items))
            yield mesh_digest(item.mesh)

    return {
        "format_version": _FORMAT_VERSION,
        "bghop_version": __version__,
        "object_set": set_name,
        "objects": {item.name: digest for item, digest in zip(items, digests(), strict=True)},
        "methods": list(job.methods),
        "seeds": list(job.seeds),
        "num": job.num,
        "hold": job.hold,
        "hand_model": "open",
        **({} if job.prior_folder is None else {"checkpoint": checkpoint_hash(job.prior_folder)}),
    }


def _prior_methods(job: EvaluateJob) -> dict[str, Method]:
    if job.prior_folder is None:
        return {}
    return {kind: FromPrior(kind=kind, checkpoint=job.prior_folder) for kind in PRIOR_METHODS}


def _check_packages(job: EvaluateJob) -> None:
    needed = ["pyarrow", "matplotlib", *(["mujoco"] if job.hold else [])]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ResultError(INSTALL.format(names=", ".join(missing)))
