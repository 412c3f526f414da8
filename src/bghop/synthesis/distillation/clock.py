"""Each candidate's own time: who has come to rest leaps ahead, who reaches the end stops.

Losses at different noise levels cannot be compared, so rest is judged by the hands themselves:
their joints, smoothed over some iterations, no longer move. A leap skips iterations, not levels:
rest is judged again at the noise after it.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bghop.synthesis.distillation.options import DistillOptions

_SMOOTH = 0.8  # share of the last mean in the next one
_LEAP = 3  # times the patience


class Clock:
    """Time of every candidate, in iterations, from 0 to `steps`."""

    def __init__(self, num: int, options: DistillOptions, device: torch.device) -> None:
        self._options = options
        self._time = torch.zeros(num, device=device)
        self._done = torch.zeros(num, dtype=torch.int64, device=device)
        self._mean: Tensor | None = None
        self._before: Tensor | None = None

    @property
    def running(self) -> Int[Tensor, "b"]:
        """Candidates that have not reached the end."""
        return torch.nonzero(self._time < self._options.steps)[:, 0]

    @property
    def iterations(self) -> Int[Tensor, "n"]:
        """Iterations done by each candidate."""
        return self._done.clone()

    @property
    def slowest(self) -> int:
        """The least time of all, whole iterations, at most `steps`."""
        return min(int(self._time.min()), self._options.steps)

    def share(self, rows: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
        """Time from 0 to 1."""
        return (self._time[rows] / max(1, self._options.steps - 1)).clamp_max(1)

    def advance(
        self,
        rows: Int[Tensor, "b"],
        joints: Float[Tensor, "b hand=2 joint=21 3"],
        present: Bool[Tensor, "b hand=2"],
    ) -> None:
        """One iteration of some candidates, whose joints were here."""
        if self._mean is None or self._before is None:
            self._mean = joints.new_zeros(len(self._time), *joints.shape[1:])
            self._before = torch.full_like(self._mean, torch.inf)
        first = (self._done[rows] == 0)[:, None, None, None]
        self._mean[rows] = torch.where(
            first, joints, _SMOOTH * self._mean[rows] + (1 - _SMOOTH) * joints
        )
        self._done[rows] += 1
        self._time[rows] += 1
        judged = rows[self._done[rows] % self._options.patience == 0]
        moved = (self._mean[judged] - self._before[judged]).norm(dim=-1).amax(-1)
        here = present[self._done[rows] % self._options.patience == 0]
        resting = torch.where(here, moved, torch.zeros_like(moved)).amax(-1) < self._options.still
        self._leap(judged[resting])
        self._before[judged] = self._mean[judged]

    def _leap(self, rows: Int[Tensor, "b"]) -> None:
        """Ahead in time, but not past the moment from which physics counts."""
        options, now = self._options, self._time[rows]
        then = now + _LEAP * options.patience
        if options.physics > 0:
            change = options.physics_from * options.steps
            then = torch.where(now < change, then.clamp_max(change), then)
        self._time[rows] = then
