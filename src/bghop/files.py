"""Files that are either whole or not there: temporary name in the same folder, then rename."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bghop.errors import ResultError

_TEMPORARY = re.compile(r"^\..+\.[0-9a-f]{8}\.part$")


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file such that a reader, or a kill at any moment, sees the old or the new one.

    Raises:
        ResultError: The disk is full, the folder is not writable, and the like.
    """
    temporary = temporary_name(path)
    with writing(path):
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any, *, indent: int | None = None) -> None:
    """`write_whole` of one JSON value; NaN and infinity are refused, they are not JSON."""
    text = json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False)
    write_whole(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """The JSON value in a file.

    Raises:
        ResultError: The file is missing, not readable, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"{path} does not exist: give a folder that `bghop grasp` has written"
    except OSError as error:
        msg = f"cannot read {path} ({reason(error)}): check its permissions"
    except (ValueError, RecursionError):
        msg = f"{path} is not a JSON file: delete it and run the command again"
    raise ResultError(msg)


def remove_leftovers(folder: Path) -> None:
    """Deletes the temporary files and folders that a killed run left in a folder (not below)."""
    with writing(folder):
        for path in folder.iterdir():
            if _TEMPORARY.match(path.name):
                remove(path)


def remove(path: Path) -> None:
    """Deletes a file, or a folder with what is in it; nothing happens if it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that becomes `path`, in place of what is there, when all went well.

    Raises:
        ResultError: The disk is full, the folder is not writable, and the like.
    """
    temporary = temporary_name(path)
    with writing(path):
        try:
            temporary.mkdir()
            yield temporary
            remove(path)
            temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def temporary_name(path: Path) -> Path:
    """A new name beside a file, as `remove_leftovers` knows it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError while writing `path` into a ResultError that names the remedy."""
    try:
        yield
    except OSError as error:
        remedy = {
            "No space left on device": "free some space or choose another --out",
            "File name too long": "choose a shorter --out",
        }.get(error.strerror or "", "choose a folder that you may write to with --out")
        msg = f"cannot write {path} ({reason(error)}): {remedy}"
        raise ResultError(msg) from error


def reason(error: OSError) -> str:
    """The operating system's words for an error, without numbers and paths."""
    return (error.strerror or type(error).__name__).lower()
