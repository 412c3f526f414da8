"""`bghop evaluate`: the benchmark of methods on a set of objects."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from bghop.jobs.evaluate import EvaluateResult


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Run methods on a set of objects and measure what they find.

    Writes results.parquet (one row per grasp), times.parquet and report.md. The same command
    continues after an interruption. Needs the extra bghop[benchmark].
    """

    objects: Annotated[str, tyro.conf.arg(metavar="SET|FOLDER|FILE")]
    """`shapes` (the built-in set), a folder of mesh files in metres with z up, or one such file."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the results."""
    methods: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]")] = (
        "optimize",
        "random",
    )
    """Any of optimize, optimize@STEPS, random, reference, recovered."""
    num: Annotated[int, tyro.conf.arg(metavar="N")] = 16
    """Grasps per object, method and seed."""
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="S [S ...]")] = (0,)
    """Seeds of all random choices."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]")] = ()
    """Objects of the set to run, by name or pattern (`box*`); all if not given."""
    workers: Annotated[int, tyro.conf.arg(metavar="N")] = 2
    """Processes, one core each. The results do not depend on it."""
    no_hold: bool = False
    """Leave out the hold test and the static check."""
    overwrite: bool = False
    """Replace another benchmark in --out, and run finished trials again."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout at the end instead of the table."""

    def run(self) -> int:
        """Runs the benchmark; the exit code."""
        from bghop.jobs.evaluate_options import EvaluateJob, check_options

        job = EvaluateJob(
            objects=self.objects,
            out=self.out,
            methods=self.methods,
            num=self.num,
            seeds=self.seeds,
            only=self.only,
            workers=self.workers,
            hold=not self.no_hold,
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
    return {
        "folder": str(result.folder),
        "state": result.state,
        "objects": result.num_objects,
        "trials": result.num_trials,
        "methods": result.summary,
    }


def _table(result: "EvaluateResult") -> str:
    kept = ", finished before (--overwrite runs them again)" if result.state == "kept" else ""
    lines = [
        f"{result.num_objects} objects, {result.num_trials} trials{kept}, in {result.folder}",
        "method          grasps   holds: best / verified / all   depth mm   volume cm3   good",
    ]
    for name, row in result.summary.items():
        held = [row[f"hold_{which}"] for which in ("best", "verified", "all")]
        shares = " / ".join("-" if share is None else f"{share:.0%}" for share in held)
        lines.append(
            f"{name:<15} {row['grasps']:>6}   {shares:>28}   {row['depth_mm']:>8.1f}"
            f"   {row['volume_cm3']:>10.2f}   {row['good']:>4.0%}"
        )
    return "\n".join(lines)
