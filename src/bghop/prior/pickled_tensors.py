"""Tensors of a checkpoint file, read one by one and without running what is in it.

A Lightning checkpoint is a zip file: a pickle that describes everything, and the raw numbers of
each storage beside it. The pickle of a released file names configuration classes, callbacks and
more; here all of them become inert records that nobody looks at. Only the three functions that
describe tensors are understood. Files in the safetensors format, which hold no code, are read too.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from bghop.errors import CheckpointError
from bghop.inert_pickle import InertUnpickler, Record
from bghop.inert_tensors import (
    BEFORE_1_6,
    DTYPES,
    TENSOR_NAMES,
    StorageRecord,
    TensorRecord,
    tensor_of,
)

_LARGEST_PICKLE = 64 * 2**20
"""Bytes; the pickle of a released file has about one million."""
_NO_FILES = {b"<": "a web page", b"ver": "a pointer of Git LFS"}


@dataclass(frozen=True, kw_only=True)
class TensorFile:
    """What tensors a file holds; each is read when it is asked for."""

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    """Name of every tensor, in the order of the file, with its shape."""
    not_run: tuple[str, ...]
    """Names of code in the file that was neither imported nor called."""
    fetch: Callable[[str], Tensor]

    def read(self, name: str) -> Tensor:
        """One tensor, on the CPU, in its own data type.

        Raises:
            CheckpointError: The numbers are not there, or not as many as the shape says.
        """
        try:
            return self.fetch(name)
        except CheckpointError:
            raise
        except Exception as error:
            msg = f"{self.path} is damaged at tensor {name} ({_words(error)}): download it again"
            raise CheckpointError(msg) from error


def open_tensor_file(path: Path) -> TensorFile:
    """Lists the tensors of a checkpoint (Lightning, a plain torch state dict, or safetensors).

    Raises:
        CheckpointError: The file is missing, empty, truncated, of another kind, or without tensors.
    """
    try:
        start = _start(path)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        msg = f"cannot read {path} ({reason}): check the path and its permissions"
        raise CheckpointError(msg) from error
    _refuse_other_files(path, start)
    try:
        return _open_safetensors(path) if start[8:9] == b"{" else _open_zip(path)
    except CheckpointError:
        raise
    except OSError as error:
        msg = f"cannot read {path} ({(error.strerror or str(error)).lower()}): check the disk"
        raise CheckpointError(msg) from error
    except Exception as error:
        msg = f"{path} is damaged or cut off ({_words(error)}): download it again"
        raise CheckpointError(msg) from error


def _start(path: Path) -> bytes:
    if path.is_dir():
        raise ValueError("it is a folder")
    with path.open("rb") as file:
        return file.read(64)


def _refuse_other_files(path: Path, start: bytes) -> None:
    if not start:
        raise CheckpointError(f"{path} is empty: download it again")
    if start.startswith(BEFORE_1_6):
        msg = (
            f"{path} is in the format of torch before 1.6, which cannot be read without running "
            "it: load it where you trust it and save it again with a newer torch"
        )
        raise CheckpointError(msg)
    if start.startswith(b"PK") or start[8:9] == b"{":
        return
    kind = next((kind for sign, kind in _NO_FILES.items() if start.startswith(sign)), "")
    what = f"is {kind}, not the checkpoint itself" if kind else "is no checkpoint of torch"
    msg = f"{path} {what}: give the .ckpt file of G-HOP or BG-HOP, or a .safetensors file"
    raise CheckpointError(msg)


def _open_safetensors(path: Path) -> TensorFile:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118

    if not shapes:
        raise CheckpointError(f"{path} holds no tensors: give the released weights")

    def fetch(name: str) -> Tensor:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(name)

    return TensorFile(path=path, shapes=shapes, not_run=(), fetch=fetch)


class _Anything(Record):
    """Whatever a file names, makes, calls, fills or appends to: nothing happens."""

    origin = ""

    def __new__(cls, *_: Any) -> "_Anything":
        return super().__new__(cls)

    def __call__(self, *_: Any) -> "_Anything":
        return _Anything()

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """Forgets it."""

    def extend(self, items: Any) -> None:
        """Forgets them."""

    def add(self, item: Any) -> None:
        """Forgets it."""


_ADMITTED: Mapping[tuple[str, str], Callable[..., Any]] = {
    **TENSOR_NAMES,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
}


class _CheckpointUnpickler(InertUnpickler):
    """Describes tensors; everything else is inert, and named in `not_run`."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="utf-8")
        self.not_run: dict[str, type[_Anything]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What describes tensors, or a class of records with the name."""
        if (module, name) in _ADMITTED:
            return _ADMITTED[module, name]
        full = f"{module}.{name}"
        if full not in self.not_run:
            self.not_run[full] = type("_Anything", (_Anything,), {"origin": full})
        return self.not_run[full]

    def persistent_load(self, pid: Any) -> StorageRecord:
        """A storage: kind, member of the zip file, number of numbers."""
        _, kind, key, _, num = pid
        name = kind.origin.removeprefix("torch.")
        if not isinstance(key, str) or type(num) is not int:
            raise pickle.UnpicklingError("a storage that makes no sense")
        return StorageRecord(DTYPES.get(name), key, num)

    def refuse_state(self, target: Any) -> None:
        """State dicts of torch carry version numbers, which nobody needs here."""
        if not isinstance(target, OrderedDict):
            super().refuse_state(target)


def _open_zip(path: Path) -> TensorFile:
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        roots = [name.removesuffix("data.pkl") for name in members if _is_description(name)]
        if len(roots) != 1:
            msg = f"{path} is a zip file but no checkpoint of torch: give the .ckpt file itself"
            raise CheckpointError(msg)
        root = roots[0]
        if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
            msg = f"{path} was written on a big-endian machine: save it again on a usual one"
            raise CheckpointError(msg)
        description = members[f"{root}data.pkl"]
        if description.file_size > _LARGEST_PICKLE:
            raise CheckpointError(f"{path} has an absurdly large description: download it again")
        with archive.open(description) as file:
            unpickler = _CheckpointUnpickler(file)
            content = unpickler.load()
    tensors = _state_dict(path, content)

    def fetch(name: str) -> Tensor:
        return _read_tensor(path, f"{root}data/{tensors[name].storage.key}", tensors[name])

    known = {f"torch.{kind}" for kind in DTYPES}
    return TensorFile(
        path=path,
        shapes={name: tensor.shape for name, tensor in tensors.items()},
        not_run=tuple(sorted(set(unpickler.not_run) - known)),
        fetch=fetch,
    )


def _is_description(name: str) -> bool:
    return name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)


def _state_dict(path: Path, content: Any) -> dict[str, TensorRecord[StorageRecord]]:
    """The tensors under `state_dict`, or of the file itself if it is a plain state dict."""
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no state dict: give the Lightning .ckpt file")
    state = content.get("state_dict", content)
    entries = state.items() if isinstance(state, dict) else ()
    tensors = {
        name: value
        for name, value in entries
        if isinstance(name, str) and isinstance(value, TensorRecord)
    }
    if not tensors:
        raise CheckpointError(f"{path} holds no state dict: give the Lightning .ckpt file")
    return tensors


def _read_tensor(path: Path, member: str, tensor: TensorRecord[StorageRecord]) -> Tensor:
    storage = tensor.storage
    if storage.dtype is None:
        raise ValueError("a data type that is not supported")
    size = storage.num * storage.dtype.itemsize
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
        # Torch never compresses; what is compressed could grow without bound.
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != size:
            raise ValueError(f"{info.file_size} bytes where {size} are needed")
        content = bytearray(archive.read(info))  # checks the checksum as well
    return tensor_of(tensor, storage.dtype, content)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:80] or type(error).__name__
