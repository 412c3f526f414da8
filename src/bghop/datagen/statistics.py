"""What a data set of synthetic grasps is like, in numbers: shares, contacts, balance, diversity."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from bghop.data.record import Records
from bghop.datagen.checks import REASONS
from bghop.datagen.making import shape_of
from bghop.datagen.parts import ObjectReport
from bghop.evaluation.diversity import (
    NUM_CLUSTERS,
    ClusterDiversity,
    canonical_joints,
    cluster_diversity,
    mean_pairwise_distance_cm,
)
from bghop.evaluation.metrics import CONTACT_DISTANCE
from bghop.geometry.sdf import sdf_from_mesh
from bghop.hands.model import HandModel

MOST_POSES = 2000
"""Hands that the diversity is computed of, at random."""


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
    diversity: ClusterDiversity | None
    """None of fewer hands than clusters."""
    apart_cm: float | None
    """Mean distance of joints between two grasps of one object."""
    fingers_apart_cm: float | None
    """The same of canonical joints: how different the fingers are."""


def statistics(
    records: Records, provenance: Sequence[dict[str, Any]], reports: Sequence[ObjectReport],
    model: HandModel,
) -> Statistics:  # fmt: skip
    """Everything but contact maps.

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
    some = np.random.default_rng(0).permutation(len(records))[:MOST_POSES]
    few = records.rows(np.sort(some).tolist())
    with torch.no_grad():
        joints = model.joints(few.hands).double().numpy()
    there = few.hands.present.numpy()
    canonical = canonical_joints(joints, there)

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
        diversity=cluster_diversity(joints, there) if there.sum() >= NUM_CLUSTERS else None,
        apart_cm=_apart(few.object, joints, there),
        fingers_apart_cm=_apart(few.object, canonical, there),
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


def _apart(keys: Sequence[str], joints: np.ndarray, present: np.ndarray) -> float | None:
    """Mean over the objects that have several grasps in common hands."""
    values = []
    for key in dict.fromkeys(keys):
        rows = [i for i, other in enumerate(keys) if other == key]
        if len(rows) > 1:
            values.append(mean_pairwise_distance_cm(joints[rows], present[rows]))
    return float(np.mean(values)) if values else None


@torch.no_grad()
def contact_maps(
    records: Records, reports: Sequence[ObjectReport], model: HandModel, *, objects: int = 60
) -> Float[np.ndarray, "hand=2 vert"]:
    """How often each vertex of either hand is within 5 mm of the object, 0 to 1.

    Counted over the grasps of some objects, taken evenly from all.
    """
    full = [report for report in reports if report.accepted]
    index = np.unique(np.linspace(0, len(full) - 1, min(objects, len(full))).round().astype(int))
    touched, counted = np.zeros((2, model.num_vertices)), np.zeros((2, 1))
    for report in (full[i] for i in index):
        rows = [i for i, key in enumerate(records.object) if key == report.key]
        hands = records.rows(rows).hands
        sdf = sdf_from_mesh(shape_of(report.family, report.parameters, report.joint_value),
                            resolution=72)  # fmt: skip
        distance = sdf.distance(model.pose_hands(hands).vertices_object)
        near = (distance.abs() <= CONTACT_DISTANCE) & hands.present[..., None]
        touched += near.double().sum(0).numpy()
        counted += hands.present.double().sum(0)[:, None].numpy()
    return touched / np.maximum(counted, 1)
