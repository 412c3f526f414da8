"""What a benchmark's runs cost in time; apart from the summary, for time never repeats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bghop.evaluation.records import TIME_COLUMNS

TIMES = tuple(name for name, kind in TIME_COLUMNS.items() if kind == "float")
"""Of a run: loading, synthesis, metrics (a grasp), convex pieces, hold test (a grasp), static
check (a grasp)."""


@dataclass(frozen=True, kw_only=True)
class MeanAndMost:
    """Over the runs that have a value."""

    mean: float
    most: float


@dataclass(frozen=True, kw_only=True)
class MethodTimes:
    """Wall-clock times of one method."""

    runs: int
    columns: Mapping[str, MeanAndMost | None]
    """By `TIMES`, and `grasp_s`: synthesis of a run divided by its grasps."""


def summarize_times(
    rows: Sequence[Mapping[str, Any]], times: Sequence[Mapping[str, Any]]
) -> dict[str, MethodTimes]:
    """Mean and largest of each column, by method.

    Args:
        rows: One per grasp; only counted here, by object, method and seed.
        times: One per run, with `object`, `method`, `seed` and `TIMES` (None or absent where not
            measured).
    """
    num: dict[tuple[Any, ...], int] = {}
    for row in rows:
        num[_run(row)] = num.get(_run(row), 0) + 1
    found = {}
    for method in dict.fromkeys(str(each["method"]) for each in times):
        runs = [each for each in times if each["method"] == method]
        columns = {name: _mean_and_most([each.get(name) for each in runs]) for name in TIMES}
        grasp = [
            None if each.get("synthesis_s") is None else each["synthesis_s"] / num[_run(each)]
            for each in runs
            if _run(each) in num
        ]
        found[method] = MethodTimes(
            runs=len(runs), columns=columns | {"grasp_s": _mean_and_most(grasp)}
        )
    return found


def _run(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["object"], row["method"], row["seed"]


def _mean_and_most(values: Sequence[float | None]) -> MeanAndMost | None:
    known = [float(value) for value in values if value is not None]
    return MeanAndMost(mean=sum(known) / len(known), most=max(known)) if known else None
