"""The folder of one benchmark: whose it is, which trials are finished, what a kill left behind.

`benchmark.json` names the settings that decide the results and their hash. Every finished trial is
one whole file below `parts/` until all are there.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from bghop.errors import ResultError
from bghop.evaluation.records import (
    RESULT_COLUMNS,
    TIME_COLUMNS,
    Row,
    from_parquet,
    to_parquet,
)
from bghop.evaluation.trial import Trial, TrialResult
from bghop.files import read_json, remove_leftovers, write_json, write_whole, writing
from bghop.jobs.result_folder import job_identity
from bghop.reporting.pictures import PICTURES
from bghop.reporting.report import HTML_FILE, MARKDOWN_FILE, SUMMARY_FILE

RESULTS, TIMES, STATE, PARTS = "results.parquet", "times.parquet", "benchmark.json", "parts"
_REPORT = (MARKDOWN_FILE, HTML_FILE, SUMMARY_FILE)
_FORMAT = "bghop-benchmark"


class BenchmarkFolder:
    """One folder. Checking changes nothing; `begin` to `finish` encloses the work."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        """The folder need not exist; `settings` decide the results."""
        self.path = path
        self.settings = settings
        self.identity = job_identity(settings)

    def is_finished(self, *, overwrite: bool = False) -> bool:
        """Whether this benchmark's tables are complete here; changes nothing.

        Raises:
            ResultError: The path is a file, or holds another benchmark (unless overwrite).
        """
        with writing(self.path):
            there = next(path for path in (self.path, *self.path.parents) if path.exists())
        if not there.is_dir():
            raise ResultError(f"{there} is a file: choose a folder with --out")
        if overwrite or not self.path.is_dir():
            return False
        remedy = "add --overwrite to replace it or choose another --out"
        if not (self.path / STATE).exists():
            if any((self.path / name).exists() for name in (RESULTS, PARTS)):
                raise ResultError(f"{self.path} holds tables of unknown origin: {remedy}")
            return False
        content = read_json(self.path / STATE)
        if not isinstance(content, dict) or content.get("job") != self.identity:
            raise ResultError(f"{self.path} holds a benchmark with other options: {remedy}")
        return content.get("state") == "finished" and (self.path / RESULTS).exists()

    def begin(self, *, overwrite: bool) -> None:
        """Makes the folder and says whose it is; finished parts of the same benchmark stay."""
        with writing(self.path):
            (self.path / PARTS).mkdir(parents=True, exist_ok=True)
            # What says "complete" goes first: a kill in between leaves no false claim.
            for name in (STATE, RESULTS, TIMES, *_REPORT) if overwrite else ():
                (self.path / name).unlink(missing_ok=True)
            for part in (self.path / PARTS).glob("*.parquet") if overwrite else ():
                part.unlink()
        if overwrite:
            self.clear_pictures()
        remove_leftovers(self.path)
        remove_leftovers(self.path / PARTS)
        self._write_state("running")

    def read_part(self, trial: Trial) -> tuple[list[Row], Row] | None:
        """Rows and times of a trial that is finished, or None."""
        path = self._part(trial)
        try:
            rows, metadata = from_parquet(path.read_bytes())
        except (OSError, ResultError):
            return None
        if metadata.get("job") != self.identity:
            return None
        return rows, json.loads(metadata["times"])

    def write_part(self, trial: Trial, result: TrialResult) -> None:
        """Keeps a finished trial."""
        metadata = {"job": self.identity, "times": json.dumps(result.times)}
        write_whole(self._part(trial), to_parquet(result.rows, RESULT_COLUMNS, metadata))

    def write_tables(self, trials: list[Trial]) -> tuple[list[Row], list[Row]]:
        """The two tables from all parts, in the order of the trials; returns their rows.

        Raises:
            ResultError: A part is missing, or a table cannot be written.
        """
        rows: list[Row] = []
        times: list[Row] = []
        for trial in trials:
            part = self.read_part(trial)
            if part is None:
                msg = f"the part of {trial.label} in {self.path} has gone: run the command again"
                raise ResultError(msg)
            rows += part[0]
            times.append(part[1])
        metadata = {"job": self.identity}
        write_whole(self.path / RESULTS, to_parquet(rows, RESULT_COLUMNS, metadata))
        write_whole(self.path / TIMES, to_parquet(times, TIME_COLUMNS, metadata))
        return rows, times

    def read_tables(self) -> tuple[list[Row], list[Row]]:
        """Rows and times of a finished benchmark.

        Raises:
            ResultError: A table is missing or damaged.
        """
        found = []
        for name in (RESULTS, TIMES):
            try:
                found.append(from_parquet((self.path / name).read_bytes())[0])
            except OSError as error:
                msg = f"cannot read {self.path / name}: add --overwrite to run the benchmark again"
                raise ResultError(msg) from error
        return found[0], found[1]

    def clear_pictures(self) -> None:
        """Deletes the pictures of an earlier report, and what a kill left of them."""
        pictures = self.path / PICTURES
        if pictures.is_dir():
            remove_leftovers(pictures)
            with writing(pictures):
                for path in pictures.glob("*.png"):
                    path.unlink()

    def write_report_file(self, name: str, content: bytes) -> None:
        """One file of the report; `name` may lie in a folder below."""
        path = self.path / name
        with writing(path):
            path.parent.mkdir(exist_ok=True)
        write_whole(path, content)

    def finish(self) -> None:
        """Says that everything is there; the parts go."""
        self._write_state("finished")
        shutil.rmtree(self.path / PARTS, ignore_errors=True)

    def _write_state(self, state: str) -> None:
        content = {
            "format": _FORMAT, "job": self.identity, "state": state, "settings": self.settings,
        }  # fmt: skip
        write_json(self.path / STATE, content, indent=1)

    def _part(self, trial: Trial) -> Path:
        words = re.sub(r"[^\w.@-]+", "_", f"{trial.item.name}_{trial.method}_{trial.seed}")
        return self.path / PARTS / f"{trial.index:05d}_{words[:100]}.parquet"
