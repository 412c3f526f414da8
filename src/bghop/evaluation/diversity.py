"""How much grasps differ from each other, in numbers. One definition per metric.

All functions take joints of many grasps in the object's frame, metres, and who is present; results
are centimetres or nats. Values of hands that are absent are never read.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.cluster.vq import kmeans, vq

from bghop.errors import HandModelError, OptionError
from bghop.hands.joints import JOINT_NAMES

NUM_CLUSTERS = 20
"""As in HALO; the entropy is at most ln 20 = 2.996 nats."""

_WRIST, _MIDDLE, _INDEX = (JOINT_NAMES.index(name) for name in ("wrist", "middle1", "index1"))


def canonical_joints(
    joints_object: Float[np.ndarray, "grasp hand=2 joint=21 3"],
    present: Bool[np.ndarray, "grasp hand=2"],
) -> Float[np.ndarray, "grasp hand=2 joint=21 3"]:
    """Joints without the pose of the wrist, both sides in one space (metres); zero where absent.

    Wrist at the origin, the middle finger's knuckle on the first axis, the index finger's in the
    plane of the first two on the positive side. Left hands are mirrored before: a hand and its
    mirror image have the same canonical joints. This is HALO's canonical frame
    (`transform_to_canonical`) up to the order of the axes, which no distance sees.

    Raises:
        HandModelError: if joints are not finite or the three that make the frame lie on a line.
    """
    canonical = np.zeros(joints_object.shape, dtype=np.float64)
    if not np.isfinite(joints_object[present]).all():
        raise HandModelError("joints have NaN or infinity: leave such grasps out")
    signs = np.ones((2, 1, 3))
    signs[0, :, 0] = -1
    hands = (joints_object * signs)[present]
    hands = hands - hands[:, [_WRIST]]
    first = _unit(hands[:, _MIDDLE])
    index = hands[:, _INDEX]
    along = np.einsum("hi,hi->h", index, first)
    second = _unit(index - along[:, None] * first)
    axes = np.stack([first, second, np.cross(first, second)], axis=1)
    canonical[present] = np.einsum("hai,hji->hja", axes, hands)
    return canonical


@dataclass(frozen=True, kw_only=True)
class ClusterDiversity:
    """How evenly and how widely hand poses spread over the clusters of k-means."""

    entropy_nats: float
    """Entropy of the histogram of cluster members; at most ln of the number of clusters. Values of
    2.65 to 2.87 in papers are near the 2.996 of 20 clusters: it tells little."""
    cluster_size_cm: float
    """Mean distance of a pose to its cluster's centre, in 63 dimensions (21 joints)."""


def cluster_diversity(
    joints_object: Float[np.ndarray, "grasp hand=2 joint=21 3"],
    present: Bool[np.ndarray, "grasp hand=2"],
    *,
    num_clusters: int = NUM_CLUSTERS,
    seed: int = 0,
) -> ClusterDiversity:
    """HALO's entropy and cluster size, of the canonical joints of all hands of all objects.

    Every present hand is one pose (`halo/evaluate_cluster.py`: k-means of scipy with random
    starts, the best of 20; 21 joints in centimetres). Use one hand by the mask. Both
    numbers depend on how many poses there are, so compare sets of equal size.

    Args:
        joints_object: Grasps of all objects together.
        present: Which hands to count.
        num_clusters: Other numbers than 20 cannot be compared with papers.
        seed: Of the starts; equal seeds give equal numbers.

    Raises:
        OptionError: if there are fewer poses than clusters.
        HandModelError: if joints cannot be brought to the canonical frame.
    """
    poses_cm = canonical_joints(joints_object, present)[present].reshape(-1, 63) * 1e2
    if num_clusters < 1 or len(poses_cm) < num_clusters:
        raise OptionError(
            f"{len(poses_cm)} hands cannot be sorted into {num_clusters} clusters: evaluate more "
            "grasps (all objects together), or a num_clusters from 1 to the number of hands"
        )
    labels, distances_cm, num_found = _clusters(poses_cm, num_clusters, seed)
    return ClusterDiversity(
        entropy_nats=histogram_entropy(np.bincount(labels, minlength=num_found)),
        cluster_size_cm=float(distances_cm.mean()),
    )


def histogram_entropy(counts: Int[np.ndarray, "bin"]) -> float:
    """Entropy in nats of the shares of the counts; empty bins add nothing.

    Raises:
        OptionError: if nothing was counted.
    """
    if counts.sum() == 0:
        raise OptionError("the entropy of no poses has no value: evaluate at least one grasp")
    shares = counts[counts > 0] / counts.sum()
    return float(max(0.0, -(shares * np.log(shares)).sum()))


def mean_pairwise_distance_cm(
    joints: Float[np.ndarray, "grasp hand=2 joint=21 3"],
    present: Bool[np.ndarray, "grasp hand=2"],
) -> float:
    """Mean distance in cm between corresponding joints, over all pairs of grasps of one object.

    Per pair the mean over the joints of the hands that both grasps have (left with left, right with
    right); pairs without a common hand are left out. Of joints in the object's frame it says how
    different the two-handed configurations are; of `canonical_joints`, how different the fingers
    are.

    Raises:
        OptionError: if no two grasps have a hand in common.
    """
    known = np.where(present[..., None, None], joints, 0.0)  # absent hands may hold NaN
    means = []
    for k in range(len(known) - 1):
        both = present[k] & present[k + 1 :]
        apart = np.linalg.norm(known[k + 1 :] - known[k], axis=-1).mean(axis=-1)
        shared = both.sum(axis=1)
        means.append((apart * both).sum(axis=1)[shared > 0] / shared[shared > 0])
    pairs = np.concatenate(means) if means else np.zeros(0)
    if len(pairs) == 0:
        raise OptionError(
            "no two grasps have a hand in common, so they have no distance: ask for more grasps "
            "of the same object"
        )
    return float(pairs.mean() * 1e2)


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if (length < 1e-6).any():
        raise HandModelError(
            "wrist, index and middle knuckle of a hand lie on a line: "
            "mark hands without joints as absent"
        )
    return vectors / length


def _clusters(
    poses: Float[np.ndarray, "pose 63"], num: int, seed: int
) -> tuple[Int[np.ndarray, "pose"], Float[np.ndarray, "pose"], int]:
    """Cluster and distance to its centre of each pose, and how many clusters there are.

    scipy drops clusters that lose their members, so there may be fewer than asked for.
    """
    # scipy 1.15 renamed `seed` to `rng`; the old name works in both.
    centres, _ = kmeans(poses, num, seed=np.random.default_rng(seed))  # pyright: ignore[reportCallIssue]
    labels, distances = vq(poses, centres)
    return labels, distances, len(centres)
