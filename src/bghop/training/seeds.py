"""Randomness as a function of (seed, step, micro-batch): resume and world size change nothing."""

import torch
from jaxtyping import Int64
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
    """Which rows each step sees: every row once an epoch, in an order of `(seed, epoch)`."""

    def __init__(self, num_rows: int, *, seed: int) -> None:
        """Rows 0 to `num_rows - 1`."""
        self._num_rows = num_rows
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
            self._orders[epoch] = torch.randperm(self._num_rows, generator=generator)
        return self._orders[epoch]
