"""Read the data out of a pickle without ever running what is in it.

The official MANO files are Python 2 pickles that name numpy, scipy and chumpy. Here every admitted
name becomes a `Record`, an inert object that remembers its arguments and state; nothing that the
file names is imported or called. Arrays are then rebuilt from the recorded bytes
(bghop.inert_arrays). Any other name, above all one that could run code, is refused before it is
looked up.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bghop.errors import HandModelError
from bghop.inert_arrays import ArrayUnpickler, Rebuild
from bghop.inert_pickle import Record, RefusedNameError

_LARGEST = 200 * 2**20
"""Bytes; MANO files have 4 MB."""


class SparseRecord(Record):
    """`scipy.sparse` column-compressed matrix: state is its attributes."""


class ChumpyRecord(Record):
    """`chumpy` array: state has its data as `x`."""


class SelectRecord(Record):
    """`chumpy` selection: state has the source `a`, flat indices `idxs` and `preferred_shape`."""


class _Base(Record):
    """Stands for Python's `object` in the old way of remaking objects."""


def _remake(kind: Any, *_: Any) -> Record:
    """What `copyreg._reconstructor` does, for records only."""
    if not (isinstance(kind, type) and issubclass(kind, Record)):
        raise pickle.UnpicklingError("an object of a kind that MANO files do not hold")
    return kind()


_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("scipy.sparse.csc", "csc_matrix"): SparseRecord,
    ("scipy.sparse._csc", "csc_matrix"): SparseRecord,
    ("copy_reg", "_reconstructor"): _remake,
    ("copyreg", "_reconstructor"): _remake,
    ("__builtin__", "object"): _Base,
    ("builtins", "object"): _Base,
}
_CHUMPY = {"Ch": ChumpyRecord, "Select": SelectRecord}


class _PlainUnpickler(ArrayUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Only what is admitted; nothing is imported."""
        if module.split(".", maxsplit=1)[0] == "chumpy":
            return _CHUMPY.get(name, Record)
        return _ADMITTED.get((module, name)) or super().find_class(module, name)


def read_plain_pickle(path: Path) -> dict[str, Any]:
    """Top-level dictionary of a pickle, its arrays rebuilt, everything else as plain values.

    Raises:
        HandModelError: if the file is missing, too large, damaged, or names anything but data.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise HandModelError(f"{path} is larger than any MANO file: download it again")
        with path.open("rb") as file:
            content = _PlainUnpickler(file, encoding="latin1").load()
    except OSError as error:
        raise HandModelError(
            f"cannot read {path} ({error.strerror}): put the official MANO file there"
        ) from error
    except RefusedNameError as error:
        raise HandModelError(
            f"{path} names {error}, which no MANO file holds, so it was not read: "
            "use the original file from the MANO site"
        ) from None
    except HandModelError:
        raise
    except Exception as error:
        raise HandModelError(
            f"{path} is damaged or no pickle ({type(error).__name__}): download it again"
        ) from error
    if not isinstance(content, dict):
        raise HandModelError(f"{path} holds no dictionary: use the original MANO file")
    try:
        return {str(key): _plain(value) for key, value in content.items()}
    except HandModelError:
        raise
    except Exception as error:
        raise HandModelError(
            f"{path} holds a damaged array ({type(error).__name__}): download it again"
        ) from error


def _selection(record: SelectRecord) -> np.ndarray:
    source = np.asarray(_plain(record.state["a"])).ravel()
    chosen = source[np.asarray(_plain(record.state["idxs"]))]
    shape = record.state.get("preferred_shape")
    return chosen if shape is None else chosen.reshape(_plain(shape))


def _dense(state: dict[str, Any]) -> np.ndarray:
    """A column-compressed matrix written out."""
    shape = state["_shape"] if "_shape" in state else state["shape"]
    rows, columns = (int(_plain(size)) for size in shape)
    if rows * columns > 10**7:
        raise ValueError("sparse matrix of absurd size")
    data, indices, starts = (np.asarray(_plain(state[k])) for k in ("data", "indices", "indptr"))
    if len(starts) != columns + 1 or int(starts[-1]) != len(data) or len(indices) != len(data):
        raise ValueError("sparse matrix with contradictory sizes")
    dense = np.zeros((rows, columns))
    np.add.at(dense, (indices, np.repeat(np.arange(columns), np.diff(starts))), data)
    return dense


_REBUILD: dict[type, Callable[[Any], Any]] = {
    SparseRecord: lambda record: _dense(record.state),
    ChumpyRecord: lambda record: _plain(record.state["x"]),
    SelectRecord: _selection,
}
_plain = Rebuild(more=_REBUILD)
