"""All pairs of balls, one by one: what `summed_overlap` must equal."""

from torch import Tensor


def dense_overlap(first: Tensor, second: Tensor, reach: Tensor) -> Tensor:
    """Sum over pairs of `reach - distance` where positive; pairs of no reach are left out."""
    distance = (first[..., :, None, :] - second[..., None, :, :]).norm(dim=-1)
    return ((reach - distance).clamp_min(0) * (reach > 0)).sum((-1, -2))
