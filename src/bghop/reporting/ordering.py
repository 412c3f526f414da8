"""How well scores order grasps by whether they hold: the area under the ROC curve, within groups.

Of a pair of candidates of which one holds and one does not, a score is right if it is lower for
the one that holds. The share of such pairs is the area under the curve of Mann and Whitney (1947);
0.5 is chance. Pairs are formed within an object, for easy and hard objects need no score to tell.
"""

import numpy as np
from jaxtyping import Float, Int

from bghop.reporting.intervals import Estimate, Resampling, cluster_mean


def pairs_in_order(
    scores: Float[np.ndarray, "row"],
    held: Float[np.ndarray, "row"],
    groups: Int[np.ndarray, "row"],
    objects: Int[np.ndarray, "row"],
    options: Resampling | None = None,
) -> Estimate | None:
    """Share of pairs of a held and a dropped grasp that a score orders right.

    Args:
        scores: Lower is better; NaN rows are left out.
        held: 1, 0, or NaN where it was not tested.
        groups: Pairs are formed within a group only (an object, or a run).
        objects: What the bootstrap of the interval draws; a group lies within one object.
        options: How the interval is made.

    Returns:
        The share with its interval, `n` counts pairs (a tie is half right); None without any pair.
    """
    known = ~np.isnan(scores) & ~np.isnan(held)
    right: list[Float[np.ndarray, "_"]] = [np.zeros(0)]
    owner: list[Int[np.ndarray, "_"]] = [np.zeros(0, dtype=np.int64)]
    for group in np.unique(groups[known]):
        mine = known & (groups == group)
        good, bad = scores[mine & (held > 0)], scores[mine & (held == 0)]
        gap = bad[None, :] - good[:, None]
        outcome = (0.5 + 0.5 * np.sign(gap)).ravel()
        right.append(outcome)
        owner.append(np.full(len(outcome), objects[mine][0]))
    return cluster_mean(np.concatenate(right), np.concatenate(owner), options)
