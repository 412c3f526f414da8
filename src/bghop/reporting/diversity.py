"""How much a method's grasps differ, from the joints in the rows of a benchmark."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from bghop.evaluation.diversity import NUM_CLUSTERS, cluster_diversity, mean_pairwise_distance_cm
from bghop.hands.joints import SIDES
from bghop.reporting.columns import Row
from bghop.reporting.intervals import Estimate, Resampling, cluster_mean

FEWEST_HANDS = 5 * NUM_CLUSTERS
"""With fewer hands clusters are nearly single hands, and both of their numbers are empty."""
ENTROPY = "Entropy, nats (20 clusters, at most 3.00)"
CLUSTER_SIZE = "Cluster size, cm"
APART = "Two grasps of one object, cm apart"


def diversity_of(
    rows: Sequence[Row], options: Resampling | None = None
) -> dict[str, dict[str, Estimate | float | None]]:
    """By method and name: HALO's entropy and cluster size, and the distance between grasps.

    Entropy and cluster size take every hand of every grasp of the method as one pose, and are None
    for fewer than `FEWEST_HANDS`. The distance is the mean over objects of the mean pairwise
    distance of joints in the object's frame, over all grasps of an object; objects with fewer than
    two are left out. See docs/metrics.md.
    """
    found: dict[str, dict[str, Estimate | float | None]] = {}
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        mine = [row for row in rows if row["method"] == method]
        joints, present = _joints(mine)
        spread = None
        if present.sum() >= FEWEST_HANDS:
            spread = cluster_diversity(joints, present)
        found[method] = {
            ENTROPY: None if spread is None else spread.entropy_nats,
            CLUSTER_SIZE: None if spread is None else spread.cluster_size_cm,
            APART: _apart(mine, options),
        }
    return found


def _apart(rows: Sequence[Row], options: Resampling | None) -> Estimate | None:
    """One value for each object."""
    objects: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        objects.setdefault((row["object_set"], row["object"]), []).append(row)
    values = []
    for grasps in objects.values():
        joints, present = _joints(grasps)
        if (present.sum(axis=0) > 1).any():  # two grasps have a hand in common
            values.append(mean_pairwise_distance_cm(joints, present))
    return cluster_mean(np.array(values, dtype=float), np.arange(len(values)), options)


def _joints(
    rows: Sequence[Row],
) -> tuple[Float[np.ndarray, "grasp hand=2 joint=21 3"], Bool[np.ndarray, "grasp hand=2"]]:
    joints = np.full((len(rows), 2, 21, 3), np.nan)
    present = np.zeros((len(rows), 2), dtype=bool)
    for index, row in enumerate(rows):
        for k, side in enumerate(SIDES):
            values = row[f"joints_{side}"]
            if values is not None:
                joints[index, k] = np.asarray(values, dtype=float).reshape(21, 3)
                present[index, k] = True
    return joints, present
