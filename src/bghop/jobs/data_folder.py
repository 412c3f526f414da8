"""The folder of a data set that is made part by part: whose it is, what is finished, how to go on.

Parts are folders below `parts/` while the job runs; a state file names the job by its settings'
hash, so that the same command continues and another one is refused. A finished set has no parts.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bghop.errors import ResultError
from bghop.files import read_json, remove, remove_leftovers, write_json, writing
from bghop.jobs.result_folder import job_identity

PARTS = "parts"
RECORDS_FILE, OBJECTS_FILE = "records.parquet", "objects.parquet"


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """One folder and the job that it is for. Asking changes nothing; `begin` does."""

    path: Path
    state_file: str
    format: str
    """Value of the field `format` of the state file."""
    files: tuple[str, ...]
    """Of a finished set, besides the state."""
    settings: dict[str, Any]
    """Whatever decides the data."""

    @cached_property
    def identity(self) -> str:
        """Hash of the settings."""
        return job_identity(self.settings)

    @property
    def parts(self) -> Path:
        """Folder of the parts."""
        return self.path / PARTS

    def finished(self, *, overwrite: bool) -> dict[str, Any] | None:
        """What the state file of this job's complete data says; None if there is work to do.

        Raises:
            ResultError: The folder is a file, or holds another set (unless overwrite).
        """
        if self.path.exists() and not self.path.is_dir():
            raise ResultError(f"{self.path} is a file: choose a folder with --out")
        if overwrite or not self.path.exists():
            return None
        remedy = "add --overwrite to replace it or choose another --out"
        state = self.path / self.state_file
        if not state.exists():
            there = [name for name in (*self.files, PARTS) if (self.path / name).exists()]
            if there:
                raise ResultError(
                    f"{self.path} holds data of unknown origin ({there[0]} without "
                    f"{self.state_file}): {remedy}"
                )
            return None
        content = read_json(state)
        if not isinstance(content, dict) or content.get("job") != self.identity:
            raise ResultError(f"{self.path} holds data of other options or files: {remedy}")
        whole = all((self.path / name).exists() for name in self.files)
        return content if content.get("state") == "finished" and whole else None

    def finished_with(self, objects: int, *, overwrite: bool) -> bool:
        """Whether the data of this job are complete, with so many objects.

        Raises:
            ResultError: As `finished`, or they are complete with another number of objects.
        """
        facts = self.finished(overwrite=overwrite)
        if facts is not None and facts.get("objects") != objects:
            raise ResultError(
                f"{self.path} is finished with {facts.get('objects')} objects: add --overwrite to "
                "replace it or choose another --out"
            )
        return facts is not None

    def begin(self, *, overwrite: bool) -> None:
        """Make the folder, take away what a killed run (or another set) left, say that it runs."""
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            if overwrite:
                for name in (self.state_file, *self.files, PARTS):
                    remove(self.path / name)
            self.parts.mkdir(exist_ok=True)
        remove_leftovers(self.path)
        self._write("running", {})

    def finish(self, **facts: Any) -> None:
        """Say that the data are complete, then drop the parts."""
        self._write("finished", facts)
        with writing(self.parts):
            remove(self.parts)

    def _write(self, state: str, facts: dict[str, Any]) -> None:
        content = {
            "format": self.format, "job": self.identity, "state": state,
            "settings": self.settings, **facts,
        }  # fmt: skip
        write_json(self.path / self.state_file, content, indent=1)
