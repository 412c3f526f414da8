"""`bghop data check`: what a data set is like, and what in it looks wrong."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class Check:
    """Look at a data set: numbers, pictures, and whatever looks wrong.

    Writes check.html and check.md with pictures, prints what looks wrong and what to do. The exit
    code is 0 if nothing does, 1 if something does, 2 if the set cannot be read. Needs the extra
    bghop[benchmark].
    """

    folder: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="DIR")]]
    """Folder with records.parquet and objects.parquet."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the report; `check` in the data set's if not given."""
    mano: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with MANO_LEFT.pkl and MANO_RIGHT.pkl, to measure hands of that model."""
    sample: Annotated[int, tyro.conf.arg(metavar="N")] = 2000
    """Records that are measured, at random; 0 for all. Whatever needs no posed hands is told of
    all records."""
    seed: Annotated[int, tyro.conf.arg(metavar="S")] = 0
    """Of what is drawn at random."""
    no_pictures: bool = False
    """Write the report without pictures."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout at the end."""

    def run(self) -> int:
        """Looks; the exit code."""
        from bghop.jobs.check_options import CheckDataJob, check_check_options

        job = CheckDataJob(
            folder=self.folder, out=self.out, mano=self.mano, sample=self.sample, seed=self.seed,
            pictures=not self.no_pictures,
        )  # fmt: skip
        check_check_options(job)  # before torch is imported: a typing error is told at once
        from bghop.cli.progress import Talker
        from bghop.jobs.checked_data import numbers_of_check
        from bghop.jobs.data_check import CheckListener, run_check_job

        talker, quiet = Talker(quiet=self.quiet), self.quiet

        class Teller(CheckListener):
            def stage(self, stage: str, done: int, total: int) -> None:
                talker.stage("check", stage, done, total)

            def said(self, message: str) -> None:
                if not quiet:
                    print(message, file=sys.stderr)

        try:
            found = run_check_job(job, listener=Teller())
        finally:
            talker.close()
        if self.json:
            print(json.dumps(numbers_of_check(found)))
        elif not self.quiet:
            for each in found.findings:
                print(each)
            measured = 0 if found.measured is None else len(found.measured.records)
            print(
                f"{self.folder}: {len(found.records)} records of {found.objects} objects, "
                f"{measured} measured in {found.seconds:.1f} s; "
                f"{'nothing looks wrong' if found.fine else 'see above'}; "
                f"see {job.report / 'check.html'}"
            )
        return 0 if found.fine else 1
