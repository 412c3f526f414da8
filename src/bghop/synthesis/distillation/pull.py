"""What a prior says about candidates: one interface for priors over joints and over fields."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bghop.hands.model import HandParameters
from bghop.prior.sampling import noise_like
from bghop.synthesis.distillation.options import DistillOptions


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """Some candidates in one iteration, in the prior's frame of the object."""

    rows: Int[Tensor, "b"]
    """Numbers of the candidates."""
    hands: HandParameters
    joints: Float[Tensor, "b hand=2 joint=21 3"]
    """With gradients."""
    share: Float[Tensor, "b"]
    """Time of each candidate, 0 to 1."""
    iteration: int
    """Decides the noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pulled:
    """The answer."""

    loss: Float[Tensor, "b"]
    """Its gradient by the candidates is the score's; its value means little."""
    correction: Float[Tensor, "b"]
    """Root mean square of what the prior would change at this level."""
    curvature: Float[Tensor, "b"] | None = None
    """Second derivative of the loss by the joints, where that is one number."""


@runtime_checkable
class Pull(Protocol):
    """A prior's pull on candidates."""

    def __call__(self, moment: Moment) -> Pulled:
        """At the noise of the moment."""
        ...

    def objective(self, moment: Moment) -> Float[Tensor, "b"]:
        """Correction at fixed levels and noise, the same for all candidates: less is likelier."""
        ...


def row_noise(
    rows: Int[Tensor, "b"], shape: tuple[int, ...], *, seed: int, iteration: int
) -> Float[Tensor, "b ..."]:
    """Unit noise that depends on seed, candidate and iteration only."""
    mixed = (seed + 1) * 1_000_003 + iteration
    each = [noise_like(1, shape, seed=mixed, first=row) for row in rows.tolist()]
    return torch.cat(each).to(rows.device)


def row_uniform(rows: Int[Tensor, "b"], *, seed: int, iteration: int) -> Float[Tensor, "b"]:
    """Uniform numbers in (0, 1), one a candidate."""
    normal = row_noise(rows, (1,), seed=seed ^ 0x5D5, iteration=iteration)[:, 0]
    return torch.special.ndtr(normal)


def falling_levels(share: Float[Tensor, "b"], options: DistillOptions) -> Float[Tensor, "b"]:
    """From the highest to the lowest level, linearly in time."""
    high, low = options.levels
    return high + (low - high) * share
