"""`bghop evaluate`: the benchmark of methods on a set of objects."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bghop.jobs.evaluate import EvaluateResult
    from bghop.reporting.intervals import Estimate
    from bghop.reporting.summary import MethodSummary

ALL = "all objects"  # the group of a summary; its module would import numpy


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Run methods on a set of objects and measure what they find.

    Writes results.parquet (one row per grasp), times.parquet, summary.json, report.md, report.html
    and pictures. The same command continues after an interruption. Needs the extra
    bghop[benchmark].
    """

    objects: Annotated[str, tyro.conf.arg(metavar="SET|FOLDER|FILE")]
    """`shapes` (24 held-out objects of training families), `held-out` (27 objects of held-out
    families), `shapes:N` or `held-out:N` (the first N of them), a folder of mesh files in metres
    with z up, or one such file."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the results."""
    methods: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]")] = (
        "mixed",
        "random",
    )
    """Any of mixed (what `bghop grasp` does), optimize, optimize@STEPS, random, random-refined,
    random-refined@TIMES, reference, recovered, prior, prior-raw, prior-no-text, sds,
    sds-released."""
    checkpoint: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Of the methods that ask a prior; the shipped one if not given."""
    num: Annotated[int, tyro.conf.arg(metavar="N")] = 16
    """Grasps per object, method and seed."""
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="S [S ...]")] = (0,)
    """Seeds of all random choices."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]")] = ()
    """Objects of the set to run, by name or pattern (`box*`); all if not given."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes, one core each; the results do not depend on it. None: as many as there are
    cores."""
    no_hold: bool = False
    """Leave out the hold test."""
    no_pictures: bool = False
    """Write the report without diagrams and pictures of grasps."""
    overwrite: bool = False
    """Replace another benchmark in --out, and run finished trials again."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout at the end instead of the table."""

    def run(self) -> int:
        """Runs the benchmark; the exit code."""
        from bghop.jobs.evaluate_options import EvaluateJob, check_options
        from bghop.processes import available_cores

        job = EvaluateJob(
            objects=self.objects,
            out=self.out,
            methods=self.methods,
            num=self.num,
            seeds=self.seeds,
            only=self.only,
            workers=available_cores() if self.workers is None else self.workers,
            checkpoint=self.checkpoint,
            hold=not self.no_hold,
            pictures=not self.no_pictures,
            overwrite=self.overwrite,
        )
        check_options(job)  # before torch is imported: a typing error is told at once
        from bghop.cli.progress import Talker
        from bghop.evaluation.trial import TrialResult
        from bghop.jobs.evaluate import EvaluateListener, run_evaluate_job

        talker = Talker(quiet=self.quiet)
        quiet = self.quiet or sys.stderr.isatty()  # a terminal has the bar

        class Teller(EvaluateListener):
            def stage(self, stage: str, done: int, total: int) -> None:
                talker.stage("benchmark", stage, done, total)

            def trial(self, label: str, result: TrialResult) -> None:
                if not quiet:
                    words = result.problem or f"{len(result.rows)} grasps"
                    print(f"{label}: {words}", file=sys.stderr, flush=True)

        try:
            result = run_evaluate_job(job, listener=Teller())
        finally:
            talker.close()
        if self.json:
            print(json.dumps(_values(result)))
        elif not self.quiet:
            print(_table(result))
        return 0


def _values(result: "EvaluateResult") -> dict:
    """For machines: each share or mean with its interval, null where nothing was measured."""
    methods = {}
    for method in result.methods:
        cost = result.times[method.method].columns["grasp_s"]
        methods[method.method] = {
            "grasps": method.groups[ALL].grasps,
            **{
                name: None if value is None else asdict(value)
                for name, value in _numbers(method).items()
            },
            "s_per_grasp": None if cost is None else cost.mean,
        }
    return {
        "folder": str(result.folder),
        "state": result.state,
        "objects": result.num_objects,
        "trials": result.num_trials,
        "methods": methods,
    }


def _table(result: "EvaluateResult") -> str:
    kept = ", finished before (--overwrite runs them again)" if result.state == "kept" else ""
    width = max(len("method"), *(len(each.method) for each in result.methods))
    lines = [
        f"{result.num_objects} objects, {result.num_trials} trials{kept}",
        f"{'':<{width}}           holds                                both",
        f"{'method':<{width}}   grasps   best   all   verified   one hand   touch   good"
        "   depth mm   s/grasp",
    ]
    for method in result.methods:
        found = _numbers(method)

        def share(name: str, values: "Mapping[str, Estimate | None]" = found) -> str:
            value = values[name]
            return "-" if value is None else f"{value.mean:.0%}"

        depth, cost = found["depth_mm"], result.times[method.method].columns["grasp_s"]
        lines.append(
            f"{method.method:<{width}}   {method.groups[ALL].grasps:>6}"
            f"   {share('hold_best_ranked'):>4}  {share('hold_all'):>4}"
            f"   {share('hold_verified'):>8}   {share('hold_one_hand'):>8}"
            f"   {share('both_in_contact'):>5}   {share('good'):>4}"
            f"   {'-' if depth is None else format(depth.mean, '.2f'):>8}"
            f"   {'-' if cost is None else format(cost.mean, '.2f'):>7}"
        )
    lines += [
        "best: the best-ranked grasp of each trial; all: every grasp; verified: any grasp of the "
        "trial;",
        "one hand: every grasp, still held after one of the hands is removed. Intervals are in",
        f"{result.folder / 'report.html'}",
    ]
    return "\n".join(lines)


def _numbers(method: "MethodSummary") -> "dict[str, Estimate | None]":
    selections = method.groups[ALL].selections
    every = selections["all"]
    return {
        "hold_best_ranked": selections["best-ranked"]["hold"],
        "hold_all": every["hold"],
        "hold_verified": selections["verified"]["hold"],
        "hold_one_hand": every["one_hand"],
        "both_in_contact": every["both_in_contact"],
        "good": every["good"],
        "depth_mm": every["depth"],
    }
