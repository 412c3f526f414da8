"""Randomness as a function of (seed, step, micro-batch): resume and world size change nothing."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_MASK = 2**64 - 1


def mixed(*numbers: int) -> int:
    """One 63-bit seed from several numbers (the finaliser of splitmix64 after each)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


def generator_of(*numbers: int) -> torch.Generator:
    """A CPU generator for a place in training, e.g. `(seed, step, micro-batch)`."""
    return torch.Generator().manual_seed(mixed(*numbers))


class RowOrder:
    """Which rows each step sees, in an order of `(seed, epoch)`.

    Every row once an epoch; or, with weights, as often as its share of them says, rounded up or
    down at random so that the mean over epochs is exact (systematic sampling).
    """

    def __init__(
        self, num_rows: int, *, seed: int, weights: Float[Tensor, "row"] | None = None
    ) -> None:
        """Rows 0 to `num_rows - 1`; weights are relative and not negative, one more than 0."""
        self._num_rows = num_rows
        self._ends = None if weights is None else weights.double().cumsum(0) / weights.sum()
        self._seed = seed
        self._orders: dict[int, Tensor] = {}

    def rows(self, first: int, count: int) -> Int64[Tensor, "{count}"]:
        """Rows of the samples `first` to `first + count - 1` counted from the start of training."""
        place = torch.arange(first, first + count)
        epoch = place // self._num_rows
        place = place % self._num_rows
        return torch.stack(
            [self._order(e)[p] for e, p in zip(epoch.tolist(), place.tolist(), strict=True)]
        )

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            self._orders = {k: v for k, v in self._orders.items() if k == epoch - 1}
            generator = generator_of(self._seed, epoch, 0x0DE5)
            order = torch.randperm(self._num_rows, generator=generator)
            if self._ends is not None:
                place = torch.rand(1, generator=generator, dtype=torch.float64)
                places = (torch.arange(self._num_rows) + place) / self._num_rows
                drawn = torch.searchsorted(self._ends, places, right=True)
                order = drawn.clamp_max(self._num_rows - 1)[order]
            self._orders[epoch] = order
        return self._orders[epoch]
