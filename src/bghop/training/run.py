"""A run's folder: what it was started with, so that any result can be traced and continued."""

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bghop.errors import TrainingError
from bghop.files import read_json, remove_leftovers, write_json
from bghop.training.config import UNBOUND
from bghop.training.state import STATE_FILE
from bghop.version import __version__

RUN_FILE = "run.json"
_FORMAT = "bghop-training-run"


def begin_run(folder: Path, kind: str, config: Mapping[str, Any], data: Mapping[str, Path]) -> bool:
    """Make a run's folder and note its origin, or check that it is the same run that goes on.

    A run that has not come to its first checkpoint begins anew, with whatever settings.

    Args:
        folder: of the run.
        kind: `prior`, `objects` or `autoencoder`.
        config: plain values.
        data: files that are trained on, by name; their hashes are noted.

    Returns:
        Whether the run goes on.

    Raises:
        TrainingError: The folder holds another run, or something else.
        ResultError: The folder cannot be written.
    """
    files = {name: {"path": str(path), "sha256": sha256(path)} for name, path in data.items()}
    path = folder / RUN_FILE
    if path.exists() and (folder / STATE_FILE).exists():
        _check_same(path, kind, config, files)
        remove_leftovers(folder)
        return True
    if folder.exists() and any(folder.iterdir()) and not path.exists():
        raise TrainingError(
            f"{folder} is not empty and holds no training run: choose a new folder with --out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    origin = {
        "format": _FORMAT,
        "format_version": 1,
        "kind": kind,
        "config": dict(config),
        "data": files,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "bghop_version": __version__,
        "commit": commit_of(Path(__file__).parent),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }
    write_json(path, origin, indent=2)
    return False


def _check_same(
    path: Path, kind: str, config: Mapping[str, Any], files: Mapping[str, Mapping[str, str]]
) -> None:
    before = read_json(path)
    if not isinstance(before, dict) or before.get("format") != _FORMAT:
        raise TrainingError(f"{path} is not of a training run: choose a new folder with --out")
    if before.get("kind") != kind:
        raise TrainingError(
            f"{path.parent} holds the training of a {before.get('kind')}: choose a new folder with "
            "--out"
        )
    old, new = _flat(before["config"]), _flat(config)
    changed = [
        f"{name} {old.get(name)!r} -> {new.get(name)!r}"
        for name in sorted(set(old) | set(new))
        if old.get(name) != new.get(name) and name.split(".")[-1] not in UNBOUND
    ]
    for name, file in files.items():
        if before["data"].get(name, {}).get("sha256") != file["sha256"]:
            changed.append(f"the file of {name} has changed")
    if changed:
        raise TrainingError(
            f"{path.parent} was begun with other settings ({'; '.join(changed[:4])}): use the same "
            "ones to go on, or choose a new folder with --out"
        )


def sha256(path: Path) -> str:
    """Of a file's content, or of the names and contents of a folder's files.

    Raises:
        TrainingError: It cannot be read.
    """
    if path.is_dir():
        each = "".join(f"{file.name} {sha256(file)}\n" for file in sorted(path.iterdir()))
        return hashlib.sha256(each.encode()).hexdigest()
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        words = (error.strerror or type(error).__name__).lower()
        raise TrainingError(f"cannot read {path} ({words}): correct the path") from error


def commit_of(folder: Path) -> str | None:
    """The commit of a checkout, with `+changes` if files differ from it; None if there is none.

    A folder that git does not track, such as an installed package inside another project, has none.
    """
    try:
        _, head, status = (
            subprocess.run(
                ["git", "-C", str(folder), *words],
                capture_output=True,
                text=True,
                check=True,
                timeout=20,
            ).stdout.strip()
            for words in (
                ["ls-files", "--error-unmatch", "."],
                ["rev-parse", "HEAD"],
                ["status", "--porcelain", "--", "."],
            )
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+changes" if status else "")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
