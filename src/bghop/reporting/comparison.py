"""Methods against each other, paired: on the same objects with the same seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bghop.reporting.intervals import Estimate, Resampling, cluster_mean
from bghop.reporting.summary import Row, metric_columns, select

COMPARED = ("hold", "directions", "good", "depth", "contact_ratio", "fingers")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One method minus another, run by run."""

    method: str
    reference: str
    selections: Mapping[str, Mapping[str, Estimate | None]]
    """Differences by selection (`all`, `best-ranked`) and metric, in the metric's own unit."""


def compare(
    rows: Sequence[Row], *, reference: str, options: Resampling | None = None
) -> tuple[Comparison, ...]:
    """Every other method minus `reference`, over the runs that both have.

    The mean of a run's grasps is one value, so methods may differ in their number of grasps.
    Intervals draw objects (see `cluster_mean`); one that holds 0 shows no difference.
    """
    methods = dict.fromkeys(str(row["method"]) for row in rows)
    means = {method: _run_means(rows, method) for method in methods}
    found = []
    for method in methods:
        if method == reference or reference not in means:
            continue
        shared = [run for run in means[method] if run in means[reference]]
        objects = {run[:2]: index for index, run in enumerate(shared)}
        clusters = np.array([objects[run[:2]] for run in shared], dtype=np.int64)
        selections = {}
        for selection in ("all", "best-ranked"):
            selections[selection] = {
                name: cluster_mean(
                    np.array([means[method][run][selection, name]
                              - means[reference][run][selection, name] for run in shared]),
                    clusters, options,
                )
                for name in COMPARED
            }  # fmt: skip
        found.append(Comparison(method=method, reference=reference, selections=selections))
    return tuple(found)


Run = tuple[str, str, int]


def _run_means(rows: Sequence[Row], method: str) -> dict[Run, dict[tuple[str, str], float]]:
    """Means over the grasps of each run of a method, by selection and metric."""
    runs: dict[Run, list[Row]] = {}
    for row in rows:
        if row["method"] == method:
            runs.setdefault((row["object_set"], row["object"], row["seed"]), []).append(row)
    found = {}
    for run, part in runs.items():
        columns = metric_columns(part)
        found[run] = {}
        for selection in ("all", "best-ranked"):
            chosen = select(part, selection)
            for name in COMPARED:
                known = columns[name][chosen]
                known = known[~np.isnan(known)]
                found[run][selection, name] = float(known.mean()) if len(known) else np.nan
    return found
