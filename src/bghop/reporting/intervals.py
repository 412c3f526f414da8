"""Means with confidence intervals that respect that grasps of one object are alike.

Grasps of the same object succeed and fail together, so counting each of them as independent makes
intervals too narrow. The bootstrap here draws whole objects, with all their rows (Field and
Welsh 2007, "Bootstrapping clustered data", the cluster bootstrap), and takes percentiles.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How intervals are made; equal options give equal intervals."""

    num_resamples: int = 2000
    """Draws of the objects."""
    confidence: float = 0.95
    """Probability between the two ends."""
    seed: int = 0
    """Of the draws."""
    fewest_objects: int = 5
    """With fewer there is no interval: of two objects only three different draws exist."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean and how far to trust it."""

    mean: float
    """Over all rows that have a value."""
    low: float | None
    """Lower end of the interval; None for too few objects, where nothing can be said."""
    high: float | None
    """Upper end."""
    n: int
    """Rows that have a value."""
    objects: int
    """Objects that they belong to."""


def cluster_mean(
    values: Float[np.ndarray, "row"],
    clusters: Int[np.ndarray, "row"],
    options: Resampling | None = None,
) -> Estimate | None:
    """The mean over rows, with the percentile interval of a bootstrap over clusters.

    Args:
        values: One number a row; NaN where it is missing.
        clusters: Which object each row belongs to (integers from 0).
        options: Number of draws, confidence, seed.

    Returns:
        The estimate, or None if every value is missing. An interval of paired differences is the
        interval of the rows' differences.
    """
    options = options or Resampling()
    known = ~np.isnan(values)
    if not known.any():
        return None
    values, clusters = values[known], clusters[known]
    counts = np.bincount(clusters).astype(float)
    present = counts > 0
    counts = counts[present]
    mean = float(values.mean())
    low = high = None
    if len(counts) >= max(2, options.fewest_objects):
        # Deviations from the mean are summed, so that equal values give an interval of no width.
        sums = np.bincount(clusters, weights=values - mean)[present]
        times_drawn = _draws(len(counts), options.num_resamples, options.seed)
        means = (times_drawn @ sums) / (times_drawn @ counts) + mean
        tail = (1 - options.confidence) / 2
        low, high = (float(end) for end in np.quantile(means, [tail, 1 - tail]))
    return Estimate(mean=mean, low=low, high=high, n=len(values), objects=len(counts))


@lru_cache(maxsize=32)
def _draws(num_clusters: int, num_resamples: int, seed: int) -> Float[np.ndarray, "draw cluster"]:
    """How often each draw takes each cluster; the same for every column of a table."""
    random = np.random.default_rng(seed)
    drawn = random.integers(0, num_clusters, (num_resamples, num_clusters))
    flat = drawn + num_clusters * np.arange(num_resamples)[:, None]
    counts = np.bincount(flat.ravel(), minlength=num_resamples * num_clusters)
    return counts.reshape(num_resamples, num_clusters).astype(float)
