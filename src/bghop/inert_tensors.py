"""torch tensors out of pickles, without running what is in them.

A pickled tensor names a function that views a storage, and the storage: a member of a checkpoint's
zip file (bghop.prior.pickled_tensors), or, in a plain pickle, bytes in torch's format of before
1.6, which is five pickles and the raw numbers (`STORED_TENSORS`). Here the names become records
that remember what they were told; the numbers are taken from the bytes.
"""

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from bghop.inert_pickle import InertUnpickler, Record

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "FloatStorage": torch.float32,
        "DoubleStorage": torch.float64,
        "HalfStorage": torch.float16,
        "BFloat16Storage": torch.bfloat16,
        "LongStorage": torch.int64,
        "IntStorage": torch.int32,
        "ShortStorage": torch.int16,
        "CharStorage": torch.int8,
        "ByteStorage": torch.uint8,
        "BoolStorage": torch.bool,
    }
)
"""Kinds of storages and what they hold."""
BEFORE_1_6 = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch before 1.6 begin, and storages in plain pickles to this day."""

_MOST_NUMBERS = 2**28
"""Of one tensor of a plain pickle."""


@dataclass(frozen=True)
class StorageRecord:
    """Numbers that are elsewhere."""

    dtype: torch.dtype | None
    """None for kinds that are not read."""
    key: str
    num: int


class StoredBytes(Record):
    """A storage in a plain pickle: its argument is what `torch.save` made of it."""


_Storage = TypeVar("_Storage", bound=StorageRecord | StoredBytes)


@dataclass(frozen=True)
class TensorRecord(Generic[_Storage]):
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be a view."""
        numbers = (self.offset, *self.shape, *self.strides)
        known = isinstance(self.storage, (StorageRecord, StoredBytes))
        if not known or len(self.shape) != len(self.strides):
            raise pickle.UnpicklingError("a tensor that makes no sense")
        if not all(type(number) is int and 0 <= number < 2**40 for number in numbers):
            raise pickle.UnpicklingError("a tensor of absurd size")
        if isinstance(self.storage, StorageRecord):
            self.check_inside(self.storage.num)

    def check_inside(self, num: int) -> None:
        """Refuse a view of more than the storage's numbers."""
        last = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if 0 not in self.shape and self.offset + last >= num:
            raise pickle.UnpicklingError("a tensor larger than its numbers")


def rebuild_tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, *_: Any
) -> TensorRecord[Any]:
    """Stands for torch's function of that name; gradients and hooks are not looked at."""
    return TensorRecord(storage, offset, tuple(shape), tuple(strides))


def rebuild_parameter(tensor: Any, *_: Any) -> Any:
    """A parameter is its tensor."""
    return tensor


TENSOR_NAMES: Mapping[tuple[str, str], Callable[..., Any]] = MappingProxyType(
    {
        ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
        ("collections", "OrderedDict"): OrderedDict,
    }
)
"""What describes tensors everywhere."""
STORED_TENSORS: Mapping[tuple[str, str], Callable[..., Any]] = MappingProxyType(
    {**TENSOR_NAMES, ("torch.storage", "_load_from_bytes"): StoredBytes}
)
"""What plain pickles with tensors name."""


def tensor_of(record: TensorRecord[Any], dtype: torch.dtype, content: bytearray) -> Tensor:
    """The tensor, from all bytes of its storage; on the CPU."""
    if not content or 0 in record.shape:
        return torch.empty(record.shape, dtype=dtype)
    flat = torch.frombuffer(content, dtype=dtype)
    return flat.as_strided(record.shape, record.strides, record.offset).contiguous()


def stored_tensor(record: TensorRecord[Any]) -> Tensor:
    """The tensor of a plain pickle.

    Raises:
        pickle.UnpicklingError: Its bytes are damaged, or name anything but a kind of storage.
    """
    if not isinstance(record.storage, StoredBytes):
        raise pickle.UnpicklingError("a tensor whose numbers are in another file")
    if math.prod(record.shape) > _MOST_NUMBERS:  # strides of 0 make many out of few
        raise pickle.UnpicklingError("a tensor of absurd size")
    dtype, content = _storage(*record.storage.arguments)
    record.check_inside(len(content) // dtype.itemsize)
    return tensor_of(record, dtype, content)


class _StorageUnpickler(InertUnpickler):
    """The five pickles before the numbers; all they may name is a kind of storage."""

    def find_class(self, module: str, name: str) -> Any:
        """The data type; nothing is imported."""
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """(`storage`, kind, key, place, number of numbers, view); views were only before 1.0."""
        _, dtype, key, _, num, view = pid
        if not isinstance(dtype, torch.dtype) or type(num) is not int or view is not None:
            raise pickle.UnpicklingError("a storage that makes no sense")
        return StorageRecord(dtype, str(key), num)


def _storage(data: Any) -> tuple[torch.dtype, bytearray]:
    """Data type and bytes of one storage as torch saved it before 1.6."""
    if not isinstance(data, bytes) or not data.startswith(BEFORE_1_6):
        raise pickle.UnpicklingError("a storage in an unknown format")
    file = io.BytesIO(data)
    _magic, _version, system, storage, keys = (_StorageUnpickler(file).load() for _ in range(5))
    if not isinstance(storage, StorageRecord) or storage.dtype is None or keys != [storage.key]:
        raise pickle.UnpicklingError("a storage that makes no sense")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise pickle.UnpicklingError("a storage of a big-endian machine")
    num = int.from_bytes(file.read(8), "little")
    content = bytearray(file.read())
    if num != storage.num or len(content) != num * storage.dtype.itemsize:
        raise pickle.UnpicklingError(f"{len(content)} bytes for {storage.num} numbers")
    return storage.dtype, content
