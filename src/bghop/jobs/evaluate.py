"""The benchmark job: objects x methods x seeds into tables and a report, continued after a kill.

Every finished trial is one whole file below `parts/`; when all are there they become
`results.parquet`, `times.parquet` and the report, and `benchmark.json` says that it is finished.
"""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import mean
from typing import Any

from bghop.errors import BghopError, OptionError, ResultError
from bghop.evaluation.benchmark import make_trials, prepare_pieces, run_trials
from bghop.evaluation.methods import Method
from bghop.evaluation.records import INSTALL, Row, from_parquet
from bghop.evaluation.trial import Trial, TrialResult, mesh_digest
from bghop.geometry.loading import FORMATS, load_mesh
from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import casserole, mug
from bghop.jobs.evaluate_folder import RESULTS, BenchmarkFolder
from bghop.jobs.evaluate_options import EvaluateJob, check_options
from bghop.jobs.files import write_whole
from bghop.version import __version__

REPORT = "report.md"
_FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """What became of a benchmark."""

    folder: Path
    state: str
    """`done`, or `kept` (finished by an earlier run)."""
    num_objects: int
    num_trials: int
    summary: dict[str, Row]
    """Per method: what the report's table shows, see `summarize`."""


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
    set_name, items = _objects(job.objects)
    items = _chosen(items, job.only)
    settings = _settings(job, set_name, items, listener)
    folder = BenchmarkFolder(job.out, settings)
    trials = make_trials(
        set_name, items, methods=job.methods, seeds=job.seeds, num=job.num, hold=job.hold
    )
    state = "kept"
    if not folder.is_finished(overwrite=job.overwrite):
        state = "done"
        folder.begin(overwrite=job.overwrite)
        _run(job, trials, folder, methods, listener)
    rows, _ = from_parquet((job.out / RESULTS).read_bytes())
    return EvaluateResult(
        folder=job.out, state=state, num_objects=len(items), num_trials=len(trials),
        summary=summarize(rows),
    )  # fmt: skip


def _run(
    job: EvaluateJob,
    trials: list[Trial],
    folder: BenchmarkFolder,
    methods: dict[str, Method] | None,
    listener: EvaluateListener,
) -> None:
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
    rows, times = folder.write_tables(trials)
    _report(folder.path, rows, times, folder.settings)
    folder.finish()


def summarize(rows: list[Row]) -> dict[str, Row]:
    """Per method, in order of appearance: shares and means over its grasps.

    `hold_best`: best-ranked grasp of each trial; `hold_verified`: any grasp of the trial, which is
    what comes first once the hold test has been asked; `hold_all`: all grasps. Null without it.
    """
    summary: dict[str, Row] = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        tested = mine[0]["hold"] is not None
        trials: dict[tuple[str, int], list[Row]] = {}
        for row in mine:
            trials.setdefault((row["object"], row["seed"]), []).append(row)
        summary[method] = {
            "grasps": len(mine),
            "hold_best": mean(each[0]["hold"] for each in trials.values()) if tested else None,
            "hold_verified": mean(any(row["hold"] for row in each) for each in trials.values())
            if tested
            else None,
            "hold_all": mean(row["hold"] for row in mine) if tested else None,
            **{
                name: mean(row[name] for row in mine)
                for name in ("depth_mm", "volume_cm3", "both_in_contact", "good")
            },
        }
    return summary


def _report(folder: Path, rows: list[Row], times: list[Row], settings: dict[str, Any]) -> None:
    """The report beside the tables."""
    del times, settings
    summary = summarize(rows)
    names = list(next(iter(summary.values())))
    lines = [
        "# Benchmark",
        "",
        f"| method | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for method, values in summary.items():
        cells = ["-" if value is None else f"{value:.3g}" for value in values.values()]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    write_whole(folder / REPORT, ("\n".join(lines) + "\n").encode())


@dataclass(frozen=True, kw_only=True)
class ObjectFile:
    """An object of a set: a mesh file or a built-in shape."""

    name: str
    family: str
    articulated: bool
    source: str
    """A path, or the name of a shape in `_SHAPES`."""

    @property
    def mesh(self) -> Mesh:
        """The mesh, metres."""
        shape = _SHAPES.get(self.source)
        return shape() if shape else load_mesh(self.source)


_SHAPES = {"casserole": casserole, "mug": mug}


def _objects(source: str) -> tuple[str, list[Any]]:
    """Name and items of an object set: `shapes`, a folder of mesh files, or one mesh file."""
    path = Path(source)
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix.lower()[1:] in FORMATS)
    elif path.is_file():
        found = [path]
    elif source == "shapes":
        return source, [
            ObjectFile(name=name, family=name, articulated=False, source=name) for name in _SHAPES
        ]
    else:
        raise OptionError(
            f"{source} is neither a set (shapes) nor a folder or file: check --objects"
        )
    if not found:
        raise OptionError(f"{source} holds no mesh file: use one of {', '.join(FORMATS)}")
    return path.stem, [
        ObjectFile(name=each.stem, family="file", articulated=False, source=str(each))
        for each in found
    ]


def _chosen(items: list[Any], only: tuple[str, ...]) -> list[Any]:
    """The items that match a pattern, in the order of the set; their names are distinct."""
    names = [item.name for item in items]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise OptionError(f"two objects are called {', '.join(twice)}: rename the files")
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise OptionError(f"--only {pattern} matches no object: use {', '.join(names)}")
    wanted = only or ("*",)
    return [item for item in items if any(fnmatchcase(item.name, each) for each in wanted)]


def _settings(
    job: EvaluateJob, set_name: str, items: list[Any], listener: EvaluateListener
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
    }


def _check_packages(job: EvaluateJob) -> None:
    needed = ["pyarrow", "matplotlib", *(["mujoco"] if job.hold else [])]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ResultError(INSTALL.format(names=", ".join(missing)))
