"""Rows to Parquet and back: exact, and equal bytes for equal rows."""

import math
import sys

import numpy as np
import pytest

from bghop.errors import ResultError
from bghop.evaluation.records import (
    HOLD_COLUMNS,
    RESULT_COLUMNS,
    TIME_COLUMNS,
    from_parquet,
    to_parquet,
)

VALUES = {"str": "a; b", "bool": True, "int": 3, "float": 0.1, "floats": [0.5, float("nan")]}


def row(columns, **changes):
    return {name: VALUES[kind] for name, kind in columns.items()} | changes


@pytest.mark.parametrize("columns", [RESULT_COLUMNS, TIME_COLUMNS])
def test_rows_come_back_with_their_columns_in_order(columns):
    rows = [row(columns), row(columns, object="other", seed=2**62)]
    back, metadata = from_parquet(to_parquet(rows, columns, {"job": "x"}))
    assert metadata == {"job": "x"}
    assert [list(each) for each in back] == [list(columns)] * 2
    assert repr(back) == repr([{name: each[name] for name in columns} for each in rows])


def test_numbers_come_back_exactly():
    single = np.random.default_rng(0).normal(size=16).astype(np.float32).tolist()
    given = row(RESULT_COLUMNS, energy=1 / 3, T_object_left=single)
    (back,), _ = from_parquet(to_parquet([given], RESULT_COLUMNS))
    assert back["energy"] == 1 / 3
    assert back["T_object_left"] == single


def test_null_is_not_nan():
    given = row(RESULT_COLUMNS, energy=float("nan"), **dict.fromkeys(HOLD_COLUMNS))
    (back,), _ = from_parquet(to_parquet([given], RESULT_COLUMNS))
    assert math.isnan(back["energy"])
    assert all(back[name] is None for name in HOLD_COLUMNS)


def test_equal_rows_give_equal_bytes_and_others_do_not():
    rows = [row(RESULT_COLUMNS, rank=k) for k in range(5)]
    assert to_parquet(rows, RESULT_COLUMNS) == to_parquet(rows, RESULT_COLUMNS)
    assert to_parquet(rows, RESULT_COLUMNS) != to_parquet(rows[::-1], RESULT_COLUMNS)


def test_a_table_without_rows_has_its_columns():
    back, _ = from_parquet(to_parquet([], TIME_COLUMNS))
    assert back == []


def test_missing_and_unknown_columns_are_refused():
    with pytest.raises(KeyError, match="seed"):
        to_parquet([{name: VALUES[k] for name, k in TIME_COLUMNS.items() if name != "seed"}],
                   TIME_COLUMNS)  # fmt: skip
    with pytest.raises(ValueError, match="colour"):
        to_parquet([row(TIME_COLUMNS, colour="red")], TIME_COLUMNS)


@pytest.mark.parametrize("cut", [0, 5, -20])
def test_a_damaged_table_is_one_line_with_the_remedy(cut):
    content = to_parquet([row(TIME_COLUMNS)], TIME_COLUMNS)
    with pytest.raises(ResultError, match="run again") as caught:
        from_parquet(content[:cut])
    assert "\n" not in str(caught.value)


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ResultError, match=r"pip install 'bghop\[benchmark\]'"):
        to_parquet([], TIME_COLUMNS)
