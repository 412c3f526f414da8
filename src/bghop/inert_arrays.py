"""numpy arrays and plain values out of pickles, without running what is in them.

Names of numpy become `Record`s (bghop.inert_pickle) that remember arguments and state; `Rebuild`
makes arrays from the recorded bytes. Readers of MANO files and of data sets share this; each adds
what its own files name.
"""

import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bghop.inert_pickle import InertUnpickler, Record

_DTYPE = re.compile(r"[<>|=]?[fiub](1|2|4|8)|[<>|=]?[SU]\d{1,5}")
_OBJECTS = re.compile(r"[<>|=]?O8?")


class ArrayRecord(Record):
    """`numpy` array: state is (version, shape, dtype, is_fortran, bytes or a list of objects)."""


class ScalarRecord(Record):
    """`numpy` scalar: arguments are (dtype, bytes)."""


class DtypeRecord(Record):
    """`numpy` data type: arguments start with its code, state tells the byte order."""


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """What `_codecs.encode` does for byte strings; other codecs are refused."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("byte string in an unusual encoding")
    return text.encode("latin1")


NUMPY_NAMES: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): ArrayRecord,
    ("numpy", "dtype"): DtypeRecord,
    ("numpy.core.multiarray", "_reconstruct"): ArrayRecord,
    ("numpy._core.multiarray", "_reconstruct"): ArrayRecord,
    ("numpy.core.multiarray", "scalar"): ScalarRecord,
    ("numpy._core.multiarray", "scalar"): ScalarRecord,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
}
"""What numpy's pickles name."""


class ArrayUnpickler(InertUnpickler):
    """Arrays, containers, text, numbers; other names are refused before they are looked up."""

    def find_class(self, module: str, name: str) -> Any:
        """Only what is admitted; nothing is imported."""
        return NUMPY_NAMES.get((module, name)) or super().find_class(module, name)


@dataclass(frozen=True, kw_only=True)
class Rebuild:
    """Numpy arrays instead of records, in containers too; what is data already stays as it is."""

    more: Mapping[type, Callable[[Any], Any]] = field(default_factory=dict)
    """How records of other kinds are rebuilt."""
    objects: bool = False
    """Whether arrays may hold objects (of these same kinds)."""

    def __call__(self, value: Any) -> Any:
        """Plain values of an unpickler's.

        Raises:
            ValueError: An array is of a kind that is not read, or damaged.
        """
        if isinstance(value, ArrayRecord):
            return self._array(value)
        if isinstance(value, ScalarRecord):
            dtype, content = value.arguments
            return np.frombuffer(_bytes(content), dtype=_dtype(dtype))[0]
        if type(value) in self.more:
            return self.more[type(value)](value)
        if isinstance(value, (list, tuple)):
            return type(value)(self(item) for item in value)
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        return value

    def _array(self, record: ArrayRecord) -> np.ndarray:
        _, shape, dtype, is_fortran, content = record.state
        order = "F" if is_fortran else "C"
        if self.objects and _is_objects(dtype):
            flat = np.empty(len(content), dtype=object)
            for index, item in enumerate(content):  # a slice would spread lists
                flat[index] = self(item)
            return flat.reshape(shape, order=order)
        return np.frombuffer(_bytes(content), dtype=_dtype(dtype)).reshape(shape, order=order)


def _is_objects(dtype: DtypeRecord) -> bool:
    code = dtype.arguments[0]
    return isinstance(code, str) and bool(_OBJECTS.fullmatch(code))


def _dtype(record: DtypeRecord) -> np.dtype:
    """Numbers and text: structures are never needed."""
    code = record.arguments[0]
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        raise ValueError(f"array of type {code!r}")
    order = record.state[1] if record.state else "="
    return np.dtype(code).newbyteorder(order if order in ("<", ">") else "=")


def _bytes(content: Any) -> bytes:
    """Python 2 strings arrive as latin-1 text."""
    return content.encode("latin1") if isinstance(content, str) else bytes(content)
