"""`bghop data arctic` and its like: the user's copy of a data set as records."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro

if TYPE_CHECKING:
    from bghop.jobs.data_import import ImportedData


@dataclass(frozen=True, kw_only=True)
class Import:
    """What the verbs of all data sets are told."""

    source: ClassVar[str] = ""

    root: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="ROOT")]]
    """Folder of the data set as it was downloaded."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the records."""
    mano: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder with MANO_LEFT.pkl and MANO_RIGHT.pkl."""
    hand: Literal["mano", "open"] = "mano"
    """Hands of the records: MANO's, or the open hand fitted to the same joints."""
    split: Annotated[str, tyro.conf.arg(metavar="NAME")] = ""
    """An official protocol, or `own`: 5 % val and 5 % test by a hash of the sequence's name; the
    usual protocol if not given."""
    stride: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Look at every N-th frame."""
    distance: Annotated[float, tyro.conf.arg(metavar="M")] = 0.01
    """Metres from the surface that count as contact."""
    share: Annotated[float, tyro.conf.arg(metavar="X")] = 0.2
    """Share of a hand's skin that must be in contact."""
    contact: Literal["both", "any"] = "both"
    """Keep frames in which both hands are in contact; or any, without the hand that is not."""
    moved: Annotated[float, tyro.conf.arg(metavar="M")] = 0.005
    """Metres that some joint must have moved since the last kept frame; 0 keeps all."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME [NAME ...]")] = ()
    """Sequences by name or pattern, such as s01/box_grab_01 or '*/box_*'; all if not given."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes, one core each. None: as many as there are cores."""
    skip_broken: bool = False
    """Leave out sequences and objects that cannot be read, and count them, instead of stopping."""
    overwrite: bool = False
    """Replace another import in --out."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout at the end."""

    def run(self) -> int:
        """Reads; the exit code."""
        from bghop.jobs.import_options import ImportDataJob, check_import_options
        from bghop.processes import available_cores

        job = ImportDataJob(
            source=self.source,
            root=self.root,
            out=self.out,
            mano=self.mano,
            model=self.hand,
            split=self.split,
            stride=self.stride,
            distance=self.distance,
            share=self.share,
            hands=self.contact,
            moved=self.moved,
            only=self.only,
            workers=available_cores() if self.workers is None else self.workers,
            skip_broken=self.skip_broken,
            overwrite=self.overwrite,
        )
        check_import_options(job)  # before torch is imported: a typing error is told at once
        from bghop.cli.progress import Talker
        from bghop.jobs.data_import import ImportListener, run_import_job

        talker, name = Talker(quiet=self.quiet), self.source

        class Teller(ImportListener):
            def stage(self, stage: str, done: int, total: int) -> None:
                talker.stage(name, stage, done, total)

        try:
            made = run_import_job(job, listener=Teller())
        finally:
            talker.close()
        for warning in made.warnings:
            print(f"{self.source}: warning: {warning}", file=sys.stderr)
        if self.json:
            print(json.dumps(_numbers(made)))
        elif not self.quiet:
            print(_words(made))
        return 0


@dataclass(frozen=True, kw_only=True)
class Arctic(Import):
    """Turn ARCTIC's raw sequences into records.

    Writes records.parquet, objects.parquet and import.json. The same command continues after an
    interruption. ARCTIC and MANO need a registration at their sites; nothing of them is part of
    bghop. Needs the extra bghop[train]. ROOT holds raw_seqs, meta and splits_json.
    """

    source: ClassVar[str] = "arctic"


@dataclass(frozen=True, kw_only=True)
class Grab(Import):
    """Turn GRAB into records. ROOT holds grab and tools."""

    source: ClassVar[str] = "grab"


@dataclass(frozen=True, kw_only=True)
class DexYcb(Import):
    """Turn DexYCB into records. ROOT holds its subjects, calibration and models."""

    source: ClassVar[str] = "dexycb"


@dataclass(frozen=True, kw_only=True)
class Ho3d(Import):
    """Turn HO-3D into records. ROOT holds train, evaluation and models."""

    source: ClassVar[str] = "ho3d"


@dataclass(frozen=True, kw_only=True)
class H2o3d(Import):
    """Turn H2O-3D into records. ROOT holds train, evaluation and models."""

    source: ClassVar[str] = "h2o3d"


@dataclass(frozen=True, kw_only=True)
class H2o(Import):
    """Turn H2O into records. ROOT holds its subjects and object."""

    source: ClassVar[str] = "h2o"


@dataclass(frozen=True, kw_only=True)
class Hot3d(Import):
    """Turn HOT3D into records. ROOT holds its sequences and assets."""

    source: ClassVar[str] = "hot3d"


@dataclass(frozen=True, kw_only=True)
class ContactPose(Import):
    """Turn ContactPose into records. ROOT holds contactpose_data."""

    source: ClassVar[str] = "contactpose"


@dataclass(frozen=True, kw_only=True)
class Taco(Import):
    """Turn TACO into records. ROOT holds Hand_Poses, Object_Poses and Object_Models."""

    source: ClassVar[str] = "taco"


@dataclass(frozen=True, kw_only=True)
class OakInk2(Import):
    """Turn OakInk2 into records. ROOT holds anno_preview, program and object_repair."""

    source: ClassVar[str] = "oakink2"


@dataclass(frozen=True, kw_only=True)
class Hoi4d(Import):
    """Turn HOI4D into records.

    ROOT holds handpose, HOI4D_annotations and HOI4D_CAD_Model_for_release.
    """

    source: ClassVar[str] = "hoi4d"


@dataclass(frozen=True, kw_only=True)
class GigaHands(Import):
    """Turn GigaHands into records. ROOT holds hand_poses, object_poses and object_meta."""

    source: ClassVar[str] = "gigahands"


def _numbers(made: "ImportedData") -> dict[str, object]:
    counts = made.counts
    return {
        "out": str(made.out),
        "state": made.state,
        "sequences": made.sequences,
        "frames": counts.read,
        "looked_at": counts.looked_at,
        "in_contact": counts.in_contact,
        "kept": counts.kept,
        "error_mm": round(made.error_mm, 3),
        "broken": dict(made.broken),
        "warnings": made.warnings,
        "seconds": round(made.seconds, 1),
    }


def _words(made: "ImportedData") -> str:
    counts = made.counts
    before = " (finished before)" if made.state == "kept" else ""
    return (
        f"{made.out}: {counts.kept} records from {made.sequences} sequences{before}; of "
        f"{counts.read} frames {counts.looked_at} were looked at, {counts.in_contact} had the "
        f"contact, {counts.kept} differ from the one before; hands {made.error_mm:.2f} mm off"
    )
