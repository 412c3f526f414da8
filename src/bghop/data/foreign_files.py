"""Files of other people's data sets: arrays and plain values, never code.

`.npy` with objects inside and `.pkl` are pickles; they are read by bghop.inert_arrays and
bghop.inert_tensors, which import nothing that the file names.
"""

import io
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import DataError
from bghop.files import reason
from bghop.inert_arrays import ArrayUnpickler, Rebuild
from bghop.inert_pickle import RefusedNameError
from bghop.inert_tensors import STORED_TENSORS, TensorRecord, stored_tensor

_LARGEST = 2 * 2**30
"""Bytes of one file."""
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_ZIP = b"PK\x03\x04"


def _numbers_of(record: TensorRecord[Any]) -> np.ndarray:
    """A tensor as an array."""
    tensor = stored_tensor(record)
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


_rebuild = Rebuild(objects=True, more={TensorRecord: _numbers_of})


class _DataUnpickler(ArrayUnpickler):
    """Arrays, tensors, containers, text, numbers."""

    def find_class(self, module: str, name: str) -> Any:
        """Only what is admitted; nothing is imported."""
        return STORED_TENSORS.get((module, name)) or super().find_class(module, name)


def read_npy(path: Path) -> Any:
    """The content of an `.npy` file; the object itself where it holds one (`np.save(path, {...})`).

    Raises:
        DataError: Missing, damaged, or it names something that is no data.
    """
    return _guarded(path, _npy)


def read_npz(path: Path) -> dict[str, Any]:
    """The arrays and objects of an `.npz` file by name.

    Raises:
        DataError: Missing, damaged, or it names something that is no data.
    """

    def read(file: BinaryIO) -> dict[str, Any]:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError("absurd size")
            return {
                name.removesuffix(".npy"): _npy(io.BytesIO(archive.read(name)))
                for name in archive.namelist()
            }

    return _guarded(path, read)


def read_pickle(path: Path, *, choose: Callable[[Any], Any] = lambda content: content) -> Any:
    """The content of a `.pkl` file: containers, numbers, text, arrays (tensors become arrays).

    Args:
        path: of the file.
        choose: what is wanted of the content, whose arrays are not made yet; they cost most.

    Raises:
        DataError: Missing, damaged, or it names something that is no data.
    """

    def read(file: BinaryIO) -> Any:
        start = file.read(len(_ZIP))
        file.seek(0)
        if start == _ZIP:
            raise DataError(
                f"{path} is a file of torch.save, not the pickle that the data set has: download "
                "it again, or load it where you trust it and save it with pickle.dump"
            )
        return _rebuild(choose(_DataUnpickler(file, encoding="latin1").load()))

    return _guarded(path, read)


def read_json_file(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: Missing or damaged.
    """
    return _guarded(path, lambda file: json.loads(file.read().decode("utf-8")))


def read_lines(path: Path) -> list[str]:
    """Lines of a text file that are not empty.

    Raises:
        DataError: It cannot be read.
    """
    text = _guarded(path, lambda file: file.read().decode("utf-8", errors="replace"))
    return [line for line in text.splitlines() if line.strip()]


def read_numbers(path: Path, count: int) -> Float[np.ndarray, "count"]:
    """Numbers of a text file, separated by white space.

    Raises:
        DataError: It cannot be read, or has more, fewer, or other things.
    """
    words = " ".join(read_lines(path)).split()
    try:
        found = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}): download it again") from error
    if len(found) != count:
        raise DataError(f"{path} has {len(found)} numbers, not {count}: download it again")
    return found


def number_table(
    values: Any, shape: tuple[int | None, int], path: Path, what: str
) -> Float[Tensor, "frame number"]:
    """Finite numbers of one row a frame, in double precision.

    Args:
        values: as the file has them.
        shape: rows (any if None) and columns.
        path: of the file, for errors.
        what: the numbers are, for errors.

    Raises:
        DataError: They are something else.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.ndim != 2:
        raise DataError(f"{path}: {what} are no table of numbers: download it again")
    wanted = tuple(n if n is not None else array.shape[0] for n in shape)
    if array.shape != wanted:
        raise DataError(f"{path}: {what} have shape {array.shape}, not {wanted}: download it again")
    bad = np.flatnonzero(~np.isfinite(array).all(1))
    if len(bad):
        raise DataError(f"{path}: {what} of frame {bad[0]} are NaN or infinite: leave the file out")
    return torch.from_numpy(array.astype(np.float64))


def _npy(file: Any) -> Any:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"npy version {version}")
    shape, is_fortran, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        found = _rebuild(_DataUnpickler(file, encoding="latin1").load())
        return found.item() if isinstance(found, np.ndarray) and found.ndim == 0 else found
    count = math.prod(shape)
    content = file.read(count * dtype.itemsize)
    values = np.frombuffer(content, dtype=dtype)
    if len(values) != count:
        raise ValueError(f"{len(values)} of {count} numbers")
    return values.reshape(shape, order="F" if is_fortran else "C")


def _guarded(path: Path, read: Any) -> Any:
    """What `read` makes of the open file, with every trouble as one line."""
    again = "download it again"
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path} is larger than any file of its data set: {again}")
        with path.open("rb") as file:
            return read(file)
    except OSError as error:
        raise DataError(f"cannot read {path} ({reason(error)}): check the data set's folder") from (
            error
        )
    except RefusedNameError as error:
        raise DataError(
            f"{path} names {error}, which no data need, so it was not read: {again} from the data "
            "set's own site"
        ) from None
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path} is damaged ({type(error).__name__}: {error}): {again}") from error
