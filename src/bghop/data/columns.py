"""Columns of a parquet table to tensors and back. Null is NaN: a number that is not known.

Lists of fixed size hold tensors row by row; pyarrow, pandas, polars and duckdb read them as lists.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bghop.data.tables import TableFile
from bghop.errors import DataError


def number_column(values: Tensor) -> Any:
    """One number a row; NaN becomes null."""
    import pyarrow as pa

    return pa.array(values.detach().cpu().numpy(), from_pandas=True)


def list_column(values: Tensor) -> Any:
    """A list of fixed size a row; rows of NaN only become null, and so do single NaN."""
    import pyarrow as pa

    rows = values.detach().cpu().reshape(len(values), -1)
    unknown = rows.isnan().all(-1).numpy() if rows.is_floating_point() else None
    return pa.FixedSizeListArray.from_arrays(
        number_column(rows.flatten()), rows.shape[1],
        mask=pa.array(unknown) if unknown is not None and unknown.any() else None,
    )  # fmt: skip


def words_of(file: TableFile, name: str) -> tuple[str, ...]:
    """A column of words; null is the empty word.

    Raises:
        DataError: There is no such column.
    """
    return tuple("" if word is None else str(word) for word in file.column(name).to_pylist())


def numbers_of(file: TableFile, name: str, dtype: torch.dtype = torch.float32) -> Tensor:
    """A column of numbers `(row)`; null is NaN.

    Raises:
        DataError: There is no such column, or it has no numbers.
    """
    import pyarrow as pa

    try:
        column = file.column(name).cast(pa.float64())
    except pa.ArrowException as error:
        raise DataError(f"{file.path}: column '{name}' has no numbers: write it again") from error
    return torch.from_numpy(np.array(column.to_numpy(zero_copy_only=False))).to(dtype)


def lists_of(file: TableFile, name: str, *shape: int) -> Tensor:
    """A column of lists as one tensor `(row, *shape)`, float32; null is NaN.

    Raises:
        DataError: There is no such column, or its lists have another length.
    """
    import pyarrow as pa

    column = file.column(name)
    there = column.is_valid().to_numpy(zero_copy_only=False)
    try:
        values = column.flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
    except (AttributeError, pa.ArrowException) as error:
        raise DataError(f"{file.path}: column '{name}' has no lists: write it again") from error
    size = int(np.prod(shape))
    if values.size != there.sum() * size:
        raise DataError(
            f"{file.path}: column '{name}' has {values.size} numbers in {len(there)} rows, not "
            f"{' x '.join(map(str, shape))} a row: write the file again"
        )
    found = np.full((len(there), size), np.nan, dtype=np.float32)
    found[there] = values.reshape(-1, size)
    return torch.from_numpy(found).reshape(len(there), *shape)


def word_lists_of(file: TableFile, name: str) -> tuple[tuple[str, ...], ...]:
    """A column of lists of words; null is the empty list.

    Raises:
        DataError: There is no such column.
    """
    return tuple(tuple(map(str, words or ())) for words in file.column(name).to_pylist())


def word_list_column(values: Sequence[Sequence[str]]) -> Any:
    """A list of words a row."""
    import pyarrow as pa

    return pa.array([list(words) for words in values], type=pa.list_(pa.string()))
