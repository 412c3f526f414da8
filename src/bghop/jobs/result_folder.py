"""The folder of one object's results: whose it is, what is finished, what a kill left behind.

While a job works on a folder it holds `job.json`; when all files are there `grasps.json` (or
`interactions.json`) is written last and `job.json` goes. Both name the job's identity, a hash of
its options and of the object's file, so that the same command continues and another one is refused.
"""

import errno
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bghop.errors import ResultError
from bghop.files import read_json, remove_leftovers, write_json, writing

JOB_FILE = "job.json"


@dataclass(frozen=True, kw_only=True)
class ResultKind:
    """What the files of one kind of results are called."""

    noun: str

    @property
    def nouns(self) -> str:
        """More than one of them; also the name of the list in the result file."""
        return f"{self.noun}s"

    @property
    def format(self) -> str:
        """Value of the field `format` of the result file."""
        return f"bghop-{self.nouns}"

    @property
    def result_file(self) -> str:
        """Everything in numbers; its presence means that the results are complete."""
        return f"{self.nouns}.json"

    @property
    def sheet_file(self) -> str:
        """The contact sheet."""
        return f"{self.nouns}.png"

    def scene_file(self, index: int) -> str:
        """The GLB file of one result; index 0 is the best."""
        return f"{self.noun}_{index:03d}.glb"

    @property
    def progress_file(self) -> str:
        """How the best results came to be, moment by moment."""
        return f"{self.nouns}_progress.png"

    def hold_file(self, index: int) -> str:
        """The hold test of one result, moment by moment."""
        return f"{self.noun}_{index:03d}_hold.png"

    def owns(self, name: str) -> bool:
        """Whether a file of this name is a result."""
        pattern = rf"^{self.noun}_\d{{3,}}(\.glb|_hold\.png)$"
        return name in (self.sheet_file, self.progress_file) or bool(re.match(pattern, name))


GRASPS = ResultKind(noun="grasp")
"""Hands for a mesh: `bghop grasp`."""
INTERACTIONS = ResultKind(noun="interaction")
"""Hands and objects: `bghop sample`, `bghop complete`."""
KINDS = (GRASPS, INTERACTIONS)


def job_identity(settings: dict[str, Any]) -> str:
    """Hash of whatever decides the results."""
    text = json.dumps(settings, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class ResultFolder:
    """One folder. Checking changes nothing; `begin` to `finish` encloses the work."""

    def __init__(self, path: Path, kind: ResultKind = GRASPS) -> None:
        """The folder need not exist."""
        self.path = path
        self.kind = kind
        self._created: list[Path] = []

    def is_finished(self, identity: str, *, overwrite: bool = False) -> bool:
        """Whether this job's results are complete here.

        Raises:
            ResultError: The folder is a file, or holds results of another job (unless overwrite).
        """
        with writing(self.path):
            there = next(path for path in (self.path, *self.path.parents) if path.exists())
            if not there.is_dir():
                msg = f"{there} is a file: choose a folder with --out"
                raise ResultError(msg)
            if not os.access(there, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "Permission denied")
            names = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()
        if overwrite:
            return False
        for name in (*(kind.result_file for kind in KINDS), JOB_FILE):
            if name in names:
                if self._belongs_to(identity, name):
                    return name == self.kind.result_file
                msg = (
                    f"{self.path} holds results of another command or object: "
                    "add --overwrite to replace them or choose another --out"
                )
                raise ResultError(msg)
        if any(_is_result(name) for name in names):
            msg = (
                f"{self.path} holds result files of unknown origin: "
                "add --overwrite to replace them or choose another --out"
            )
            raise ResultError(msg)
        return False

    def begin(self, identity: str) -> None:
        """Makes the folder, removes what an earlier run left, and marks the job as under way."""
        with writing(self.path):
            ways = (self.path, *self.path.parents)
            self._created = [path for path in ways if not path.exists()]
            self.path.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.path)
        self._remove_results()
        write_json(self.path / JOB_FILE, {"format": "bghop-job", "job": identity})

    def finish(self, content: dict[str, Any]) -> None:
        """Writes the result file: from here on the results are complete."""
        write_json(self.path / self.kind.result_file, content)
        with writing(self.path):
            (self.path / JOB_FILE).unlink(missing_ok=True)

    def abandon(self) -> None:
        """Takes back what an interrupted job wrote; folders that `begin` made go if empty."""
        try:
            if self.path.is_dir():
                remove_leftovers(self.path)
                self._remove_results()
            for path in self._created:
                if path.is_dir():
                    path.rmdir()
        except (OSError, ResultError):
            return  # the disk that made the job fail may refuse this too; the next run cleans up

    def _remove_results(self) -> None:
        with writing(self.path):
            # The file that says "complete" goes first: a kill in between leaves no false claim.
            for kind in KINDS:
                (self.path / kind.result_file).unlink(missing_ok=True)
            for entry in self.path.iterdir():
                if _is_result(entry.name):
                    entry.unlink(missing_ok=True)
            (self.path / JOB_FILE).unlink(missing_ok=True)

    def _belongs_to(self, identity: str, name: str) -> bool:
        try:
            content = read_json(self.path / name)
        except ResultError:
            return False
        return isinstance(content, dict) and content.get("job") == identity


def folders_of(names: list[str], out: Path) -> list[ResultFolder]:
    """One object: the folder itself. Several: a subfolder each, equal names numbered in order."""
    if len(names) == 1:
        return [ResultFolder(out)]
    taken: set[str] = set()
    folders = []
    for name in names:
        unique, count = name, 1
        # Compared without case: some file systems do not tell `Mug` from `mug`.
        while unique.casefold() in taken:
            count += 1
            unique = f"{name}_{count}"
        taken.add(unique.casefold())
        folders.append(ResultFolder(out / unique))
    return folders


def _is_result(name: str) -> bool:
    return any(kind.owns(name) for kind in KINDS)
