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
from bghop.jobs.data_listener import DataListener

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
    """Grasps of one object in N, drawn, are also tested by simulation, for the report; 0: none."""
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
        from bghop.jobs.data_synthesize import run_synthesize_data

        talker = _Teller(quiet=self.quiet)
        try:
            made = run_synthesize_data(job, listener=talker)
        finally:
            talker.close()
        if self.json:
            print(json.dumps(_numbers(made)))
        elif not self.quiet:
            print(_words(made))
        return 0


class _Teller(DataListener):
    """A bar on a terminal, plain lines elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        from bghop.cli.progress import Talker

        self._quiet, self._talker = quiet, Talker(quiet=quiet)

    def stage(self, stage: str, done: int, total: int) -> None:
        self._talker.stage("data", stage, done, total)

    def part(self, done: int, total: int, accepted: int | None = None) -> None:
        if not self._quiet and not sys.stderr.isatty():  # a terminal has the bar
            found = "" if accepted is None else f", {accepted} interactions"
            print(f"data: {done} of {total} objects{found}", file=sys.stderr, flush=True)

    def said(self, message: str) -> None:
        if not self._quiet:
            print(message, file=sys.stderr)

    def close(self) -> None:
        """Takes the bar off the screen."""
        self._talker.close()


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
class Objects:
    """Make objects with their words and no hands, for `bghop train objects`.

    Writes records.parquet and objects.parquet. The same command continues after an interruption;
    the same seed makes the same objects, those of `synthesize`. Needs the extra bghop[train].
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the data set."""
    objects: Annotated[int, tyro.conf.arg(metavar="N")] = 3000
    """Objects; families take turns."""
    families: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]")] = ()
    """Families of objects; all that are not held out if not given."""
    seed: Annotated[int, tyro.conf.arg(metavar="S")] = 0
    """Of everything."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes, one core each; the data do not depend on it. None: as many as there are cores."""
    overwrite: bool = False
    """Replace another data set in --out."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout at the end."""

    def run(self) -> int:
        """Makes the objects; the exit code."""
        from bghop.jobs.data_options import ObjectsJob, check_data_options
        from bghop.processes import available_cores

        job = ObjectsJob(
            out=self.out, objects=self.objects, families=self.families, seed=self.seed,
            workers=available_cores() if self.workers is None else self.workers,
            overwrite=self.overwrite,
        )  # fmt: skip
        check_data_options(job)
        from bghop.jobs.data_objects import run_objects_job

        talker = _Teller(quiet=self.quiet)
        try:
            made = run_objects_job(job, listener=talker)
        finally:
            talker.close()
        if self.json:
            facts = {"out": str(made.out), "state": made.state, "objects": made.objects}
            print(json.dumps(facts))
        elif not self.quiet:
            before = " (finished before)" if made.state == "kept" else ""
            print(f"{made.out}: {made.objects} objects{before}")
        return 0


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
        | Annotated[Objects, tyro.conf.subcommand("objects", prefix_name=False)]
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
