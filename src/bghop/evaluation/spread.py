"""How different the hands of a data set are from each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bghop.data.record import Records
from bghop.evaluation.diversity import (
    NUM_CLUSTERS,
    ClusterDiversity,
    canonical_joints,
    cluster_diversity,
    mean_pairwise_distance_cm,
)
from bghop.hands.model import HandModel

MOST_POSES = 2000
"""Rows that are looked at, at random."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Numbers of some rows; None of too few."""

    diversity: ClusterDiversity | None
    """None of fewer hands than clusters."""
    apart_cm: float | None
    """Mean distance of joints between two grasps of one object."""
    fingers_apart_cm: float | None
    """The same of canonical joints: how different the fingers are."""


def spread_of(records: Records, model: HandModel) -> Spread:
    """Of at most `MOST_POSES` rows at random."""
    some = np.random.default_rng(0).permutation(len(records))[:MOST_POSES]
    few = records.rows(np.sort(some).tolist())
    with torch.no_grad():
        joints = model.joints(few.hands).double().numpy()
    there = few.hands.present.numpy()
    return Spread(
        diversity=cluster_diversity(joints, there) if there.sum() >= NUM_CLUSTERS else None,
        apart_cm=_apart(few.object, joints, there),
        fingers_apart_cm=_apart(few.object, canonical_joints(joints, there), there),
    )


def _apart(keys: Sequence[str], joints: np.ndarray, present: np.ndarray) -> float | None:
    """Mean over the objects that have several grasps in common hands."""
    values = []
    for key in dict.fromkeys(keys):
        rows = [i for i, other in enumerate(keys) if other == key]
        some = present[rows]
        if len(rows) > 1 and (some.sum(0) > 1).any():
            values.append(mean_pairwise_distance_cm(joints[rows], some))
    return float(np.mean(values)) if values else None
