"""`bghop data`: making and looking at data sets."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bghop.cli.data_check import Check
from bghop.cli.data_import import (
    Arctic,
    ContactPose,
    DexYcb,
    GigaHands,
    Grab,
    H2o,
    H2o3d,
    Ho3d,
    Hoi4d,
    Hot3d,
    OakInk2,
    Taco,
)

if TYPE_CHECKING:
    from bghop.jobs.data_synthesize import SynthesizedData


@dataclass(frozen=True, kw_only=True)
class Synthesize:
    """Make a data set: parametric objects, hands for them, checks.

    Writes records.parquet, objects.parquet and provenance.parquet (docs/records.md), report.md,
    report.html and pictures. The same command continues after an interruption; the same seed makes
    the same data. Needs the extra bghop[benchmark].
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the data set."""
    objects: Annotated[int, tyro.conf.arg(metavar="N")] = 200
    """Objects; families take turns."""
    grasps: Annotated[int, tyro.conf.arg(metavar="N")] = 24
    """Candidates an object; some of them are rejected."""
    hands: Literal["both", "one"] = "both"
    """`one`: one-hand grasps, left and right in turn."""
    families: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]")] = ()
    """Families of objects; all that are not held out if not given."""
    seed: Annotated[int, tyro.conf.arg(metavar="S")] = 0
    """Of everything."""
    hold_every: Annotated[int, tyro.conf.arg(metavar="N")] = 40
    """Every N-th object's grasps are also tested by simulation, for the report; 0 for none."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes, one core each; the data do not depend on it. None: as many as there are cores."""
    no_pictures: bool = False
    """Write the report without pictures."""
    overwrite: bool = False
    """Replace another data set in --out."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout at the end."""

    def run(self) -> int:
        """Makes the data; the exit code."""
        from bghop.jobs.data_options import SynthesizeDataJob, check_data_options
        from bghop.processes import available_cores

        job = SynthesizeDataJob(
            out=self.out,
            objects=self.objects,
            grasps=self.grasps,
            hands=self.hands,
            families=self.families,
            seed=self.seed,
            hold_every=self.hold_every,
            workers=available_cores() if self.workers is None else self.workers,
            pictures=not self.no_pictures,
            overwrite=self.overwrite,
        )
        check_data_options(job)  # before torch is imported: a typing error is told at once
        from bghop.cli.progress import Talker
        from bghop.jobs.data_synthesize import DataListener, run_synthesize_data

        talker, quiet = Talker(quiet=self.quiet), self.quiet
        lines = not quiet and not sys.stderr.isatty()  # a terminal has the bar

        class Teller(DataListener):
            def stage(self, stage: str, done: int, total: int) -> None:
                talker.stage("data", stage, done, total)

            def part(self, done: int, total: int, accepted: int) -> None:
                if lines:
                    words = f"data: {done} of {total} objects, {accepted} interactions"
                    print(words, file=sys.stderr, flush=True)

            def said(self, message: str) -> None:
                if not quiet:
                    print(message, file=sys.stderr)

        try:
            made = run_synthesize_data(job, listener=Teller())
        finally:
            talker.close()
        if self.json:
            print(json.dumps(_numbers(made)))
        elif not self.quiet:
            print(_words(made))
        return 0


def _numbers(made: "SynthesizedData") -> dict[str, object]:
    return {
        "out": str(made.out),
        "state": made.state,
        "objects": len(made.objects),
        "candidates": sum(report.candidates for report in made.objects),
        "interactions": made.accepted,
        "core_seconds": round(made.core_seconds, 1),
        "seconds": round(made.seconds, 1),
    }


def _words(made: "SynthesizedData") -> str:
    candidates = sum(report.candidates for report in made.objects)
    share = made.accepted / max(candidates, 1)
    rate = made.accepted / max(made.core_seconds, 1e-9)
    before = " (finished before)" if made.state == "kept" else ""
    return (
        f"{made.out}: {made.accepted} interactions with {len(made.objects)} objects{before}; "
        f"{share:.0%} of the candidates, {rate:.1f} /s and core; see {made.out / 'report.html'}"
    )


@dataclass(frozen=True, kw_only=True)
class Families:
    """List the families of objects that `synthesize` can make."""

    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Lists; the exit code."""
        from bghop.objects.catalog import FAMILIES
        from bghop.objects.splits import held_out_families

        if self.json:
            print(json.dumps({name: list(kind.texts) for name, kind in FAMILIES.items()}))
        else:
            width = max(len(name) for name in FAMILIES)
            for name, kind in FAMILIES.items():
                notes = ["has a joint"] if kind.articulated else []
                notes += ["held out of training"] if name in held_out_families() else []
                note = f" ({', '.join(notes)})" if notes else ""
                print(f"{name:{width}}  {', '.join(kind.texts)}{note}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Join data sets of one hand model, each with its share of the training."""

    folders: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR DIR")]]
    """Data sets: folders with records.parquet and objects.parquet."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the joined set."""
    weights: Annotated[tuple[float, ...], tyro.conf.arg(metavar="X [X ...]")] = ()
    """Share of each set in the training, relative; all alike if not given."""
    skip_broken: bool = False
    """Leave out damaged files of sets in many files, and name them, instead of stopping."""
    overwrite: bool = False
    """Replace a data set in --out."""

    def run(self) -> int:
        """Joins; the exit code."""
        from bghop.jobs.data_mix import MixDataJob, run_mix_job

        job = MixDataJob(
            folders=self.folders, out=self.out, weights=self.weights,
            skip_broken=self.skip_broken, overwrite=self.overwrite,
        )  # fmt: skip
        for each in run_mix_job(job):
            for broken in each.broken:
                print(f"{each.name}: left out: {broken}", file=sys.stderr)
            print(f"{each.name}: {each.rows} records, {each.share:.0%} of the training")
        return 0


@dataclass(frozen=True, kw_only=True)
class Data:
    """Make data sets, or read those on disk."""

    verb: (
        Annotated[Synthesize, tyro.conf.subcommand("synthesize", prefix_name=False)]
        | Annotated[Arctic, tyro.conf.subcommand("arctic", prefix_name=False)]
        | Annotated[Grab, tyro.conf.subcommand("grab", prefix_name=False)]
        | Annotated[DexYcb, tyro.conf.subcommand("dexycb", prefix_name=False)]
        | Annotated[Ho3d, tyro.conf.subcommand("ho3d", prefix_name=False)]
        | Annotated[H2o3d, tyro.conf.subcommand("h2o3d", prefix_name=False)]
        | Annotated[H2o, tyro.conf.subcommand("h2o", prefix_name=False)]
        | Annotated[Hot3d, tyro.conf.subcommand("hot3d", prefix_name=False)]
        | Annotated[ContactPose, tyro.conf.subcommand("contactpose", prefix_name=False)]
        | Annotated[Taco, tyro.conf.subcommand("taco", prefix_name=False)]
        | Annotated[OakInk2, tyro.conf.subcommand("oakink2", prefix_name=False)]
        | Annotated[Hoi4d, tyro.conf.subcommand("hoi4d", prefix_name=False)]
        | Annotated[GigaHands, tyro.conf.subcommand("gigahands", prefix_name=False)]
        | Annotated[Check, tyro.conf.subcommand("check", prefix_name=False)]
        | Annotated[Mix, tyro.conf.subcommand("mix", prefix_name=False)]
        | Annotated[Families, tyro.conf.subcommand("families", prefix_name=False)]
    )

    def run(self) -> int:
        """Runs what was asked for; the exit code."""
        return self.verb.run()
