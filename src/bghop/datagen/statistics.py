"""What a data set of synthetic grasps is like, in numbers: shares, contacts, balance, diversity."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bghop.data.record import Records
from bghop.datagen.checks import REASONS
from bghop.datagen.parts import ObjectReport
from bghop.evaluation.spread import Spread, spread_of
from bghop.hands.model import HandModel


@dataclass(frozen=True, kw_only=True)
class FamilyStatistics:
    """One family of objects."""

    family: str
    objects: int
    candidates: int
    accepted: int
    seconds: float
    rejected: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Numbers of the whole."""

    families: tuple[FamilyStatistics, ...]
    roles: dict[str, int]
    depth_mm: tuple[float | None, float | None]
    """Means of (left, right)."""
    fingers: tuple[float | None, float | None]
    instability: float
    hold_tested: int
    held: int
    unbalanced_tested: int
    """Refused by the static check alone."""
    unbalanced_held: int
    spread: Spread


def statistics(
    records: Records, provenance: Sequence[dict[str, Any]], reports: Sequence[ObjectReport],
    model: HandModel,
) -> Statistics:  # fmt: skip
    """Everything but what is measured of the hands.

    Args:
        records: The data set.
        provenance: Rows of its provenance file.
        reports: Of all objects.
        model: The hands of the records.
    """
    depth, fingers = (np.array([row[name] for row in provenance], dtype=np.float64)
                      for name in ("depth_mm", "fingers"))  # fmt: skip
    present = records.hands.present.numpy()
    tested = [row["held"] for row in provenance if row["held"] is not None]

    def sides(values: Float[np.ndarray, "n hand=2"]) -> tuple[float | None, float | None]:
        means = [
            float(values[present[:, k], k].mean()) if present[:, k].any() else None
            for k in range(2)
        ]
        return means[0], means[1]

    return Statistics(
        families=_families(reports),
        roles=dict(Counter(row["role"] for row in provenance).most_common()),
        depth_mm=sides(depth),
        fingers=sides(fingers),
        instability=float(np.mean([row["instability"] for row in provenance])),
        hold_tested=len(tested),
        held=sum(tested),
        unbalanced_tested=sum(report.unbalanced_tested for report in reports),
        unbalanced_held=sum(report.unbalanced_held for report in reports),
        spread=spread_of(records, model),
    )


def _families(reports: Sequence[ObjectReport]) -> tuple[FamilyStatistics, ...]:
    found = []
    for name in dict.fromkeys(report.family for report in reports):
        own = [report for report in reports if report.family == name]
        found.append(
            FamilyStatistics(
                family=name,
                objects=len(own),
                candidates=sum(report.candidates for report in own),
                accepted=sum(report.accepted for report in own),
                seconds=sum(report.seconds for report in own),
                rejected={
                    reason: sum(report.rejected.get(reason, 0) for report in own)
                    for reason in REASONS
                },
            )
        )
    return tuple(found)
