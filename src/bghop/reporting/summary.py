"""What a benchmark says in few numbers: from one row per grasp to means with intervals.

Three ways to choose grasps are told apart and never mixed: `all` candidates, the `best-ranked` one
of each run (chosen by scores alone), and the `verified` one (the first by rank that the hold test
itself says holds). The success of the last is by its making at least that of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from bghop.errors import ResultError
from bghop.reporting.columns import (
    IDENTITY,
    PER_HAND,
    REQUIRED_COLUMNS,
    Row,
    codes,
    metric_columns,
    order_columns,
)
from bghop.reporting.intervals import Estimate, Resampling, cluster_mean
from bghop.reporting.ordering import pairs_in_order

Estimates = Mapping[str, Estimate | None]
"""By the name of the metric; None where nothing was measured."""

SELECTIONS = ("all", "best-ranked", "verified")
LARGE_CM = 20.0
"""Objects whose longest edge is over this are the ones that want two hands."""


@dataclass(frozen=True, kw_only=True)
class StaticAgreement:
    """Static check against hold test, in grasps."""

    both: int
    static_only: int
    """Called held by the static check, dropped in the hold test."""
    hold_only: int
    neither: int
    agreement: Estimate | None
    """Share of grasps with the same answer."""


@dataclass(frozen=True, kw_only=True)
class GroupSummary:
    """One method on some of the objects. Shares are 0 to 1, other units as in the rows."""

    objects: int
    grasps: int
    selections: Mapping[str, Estimates]
    """By `SELECTIONS`, then by metric; `_points` are hundredths of a share."""
    lift_points: Estimate | None
    """Hold success of the best-ranked grasp over the mean candidate of its run."""
    left_minus_right: Estimates
    """Paired differences over all candidates."""
    static: StaticAgreement
    ordering: Estimates
    """Share of pairs of a held and a dropped candidate that each of `order_columns` orders right:
    of one run for `rank`, of one object for the others."""


@dataclass(frozen=True, kw_only=True)
class ObjectSummary:
    """One method on one object: plain means, for a single object has no interval."""

    object_set: str
    object: str
    family: str
    articulated: bool
    size_cm: float
    mass_kg: float | None
    grasps: int
    means: Mapping[str, Mapping[str, float | None]]
    """By selection, then by metric."""


@dataclass(frozen=True, kw_only=True)
class MethodSummary:
    """Everything that the rows of one method say."""

    method: str
    groups: Mapping[str, GroupSummary]
    """`all objects`, `over 20 cm`, then articulated or not and object sets where they differ."""
    objects: tuple[ObjectSummary, ...]
    extra: Mapping[str, Estimate | float | None]
    """Further numbers of the method, measured elsewhere (such as diversity)."""


def summarize(
    rows: Sequence[Row],
    *,
    extra: Mapping[str, Mapping[str, Estimate | float | None]] | None = None,
    options: Resampling | None = None,
) -> tuple[MethodSummary, ...]:
    """One summary per method, in the order of their first rows.

    Args:
        rows: One per grasp, with at least `REQUIRED_COLUMNS`.
        extra: Further columns by method and name, passed on as they are.
        options: How intervals are made.

    Raises:
        ResultError: There are no rows, or columns are missing.
    """
    _check(rows)
    methods = dict.fromkeys(str(row["method"]) for row in rows)
    return tuple(
        _method([row for row in rows if row["method"] == method], method,
                (extra or {}).get(method, {}), options or Resampling())
        for method in methods
    )  # fmt: skip


def select(rows: Sequence[Row], selection: str) -> Int[np.ndarray, "chosen"]:
    """Indices of the rows that a selection takes; runs are (method, object set, object, seed).

    `verified` takes the first row of a run that holds, or the best-ranked one where none does;
    runs in which nothing was tested are left out.
    """
    if selection == "all":
        return np.arange(len(rows))
    run = codes([tuple(row[k] for k in ("method", "object_set", "object", "seed")) for row in rows])
    order = [np.array([row["rank"] for row in rows])]
    if selection == "verified":
        order.append(np.array([not row["hold"] for row in rows]))
    first = np.lexsort((*order, run))
    first = first[np.unique(run[first], return_index=True)[1]]
    if selection == "verified":
        tested = {run[k] for k, row in enumerate(rows) if row["hold"] is not None}
        first = first[[run[k] in tested for k in first]]
    return first


def _method(
    rows: list[Row], method: str, extra: Mapping[str, Estimate | float | None], options: Resampling
) -> MethodSummary:
    groups = {"all objects": rows, f"over {LARGE_CM:.0f} cm": [
        row for row in rows if row["size_cm"] > LARGE_CM]}  # fmt: skip
    for title, column in (("", "object_set"), ("articulated", "articulated")):
        kinds = dict.fromkeys(row[column] for row in rows)
        if len(kinds) > 1:
            for kind in kinds:
                name = f"set {kind}" if not title else (title if kind else f"not {title}")
                groups[name] = [row for row in rows if row[column] == kind]
    return MethodSummary(
        method=method,
        groups={name: _group(part, options) for name, part in groups.items() if part},
        objects=_objects(rows),
        extra=dict(extra),
    )


def _group(rows: list[Row], options: Resampling) -> GroupSummary:
    columns = metric_columns(rows)
    objects = codes([(row["object_set"], row["object"]) for row in rows])
    run = codes([(row["object_set"], row["object"], row["seed"]) for row in rows])

    def estimates(chosen: Int[np.ndarray, "chosen"]) -> dict[str, Estimate | None]:
        return {
            name: cluster_mean(values[chosen], objects[chosen], options)
            for name, values in columns.items()
        }

    return GroupSummary(
        objects=int(objects.max()) + 1,
        grasps=len(rows),
        selections={name: estimates(select(rows, name)) for name in SELECTIONS},
        lift_points=_lift(rows, columns["hold"], run, objects, options),
        left_minus_right={
            name: cluster_mean(columns[f"{name}_left"] - columns[f"{name}_right"], objects, options)
            for name in PER_HAND
        },
        static=_agreement(columns["static"], columns["hold"], objects, options),
        ordering={
            name: pairs_in_order(
                values, columns["hold"], run if name == "rank" else objects, objects, options
            )
            for name, values in order_columns(rows).items()
        },
    )


def _lift(
    rows: list[Row],
    hold: Float[np.ndarray, "row"],
    run: Int[np.ndarray, "row"],
    objects: Int[np.ndarray, "row"],
    options: Resampling,
) -> Estimate | None:
    """Paired within each run, so that runs with more candidates do not weigh more."""
    best = select(rows, "best-ranked")
    tested = ~np.isnan(hold)
    counts = np.bincount(run[tested], minlength=run.max() + 1)
    sums = np.bincount(run[tested], weights=hold[tested], minlength=run.max() + 1)
    mean = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return cluster_mean(100 * (hold[best] - mean[run[best]]), objects[best], options)


def _agreement(
    static: Float[np.ndarray, "row"],
    hold: Float[np.ndarray, "row"],
    objects: Int[np.ndarray, "row"],
    options: Resampling,
) -> StaticAgreement:
    both_known = ~np.isnan(static) & ~np.isnan(hold)
    same = np.where(both_known, static == hold, np.nan)

    def count(first: bool, second: bool) -> int:
        return int((both_known & (static == first) & (hold == second)).sum())

    return StaticAgreement(
        both=count(True, True),
        static_only=count(True, False),
        hold_only=count(False, True),
        neither=count(False, False),
        agreement=cluster_mean(same, objects, options),
    )


def _objects(rows: list[Row]) -> tuple[ObjectSummary, ...]:
    """In the order of their first rows."""
    found = []
    for key in dict.fromkeys((row["object_set"], row["object"]) for row in rows):
        part = [row for row in rows if (row["object_set"], row["object"]) == key]
        columns = metric_columns(part)
        about = {name: part[0][name] for name in IDENTITY[:6]}
        means = {
            selection: {name: _plain_mean(values[select(part, selection)])
                        for name, values in columns.items()}
            for selection in SELECTIONS
        }  # fmt: skip
        found.append(ObjectSummary(**about, grasps=len(part), means=means))
    return tuple(found)


def _plain_mean(values: Float[np.ndarray, "_"]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _check(rows: Sequence[Row]) -> None:
    if not rows:
        msg = (
            "there are no grasps to summarise: give at least one object that grasps were found for"
        )
        raise ResultError(msg)
    missing = sorted({name for row in rows for name in REQUIRED_COLUMNS if name not in row})
    if missing:
        msg = (
            f"rows of grasps lack {', '.join(missing)}: run `bghop evaluate` of this version "
            "again, or write None for what was not measured"
        )
        raise ResultError(msg)
