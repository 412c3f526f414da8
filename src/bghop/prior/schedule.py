"""Noise schedules: `x_t = alpha x_0 + sigma eps`, with `alpha^2 + sigma^2 = 1`.

A schedule maps a *level* (what the network is told) to alpha and sigma of each part (object, left,
right). Samplers walk along a `NoisePath`, a list of levels from noise to clean, and need to know
nothing else.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from bghop.errors import OptionError


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisePath:
    """Levels that a sampler visits, noisiest first; the clean end (alpha 1, sigma 0) follows."""

    level: Float64[Tensor, "step part=3"]
    """What the network is told."""
    alpha: Float64[Tensor, "step part=3"]
    sigma: Float64[Tensor, "step part=3"]

    def __len__(self) -> int:
        """Number of network evaluations."""
        return len(self.level)


@dataclass(frozen=True, kw_only=True)
class ReleasedSchedule:
    """The discrete schedule of G-HOP and BG-HOP; levels are training steps 0 to 999.

    `betas = linspace(sqrt(beta_start), sqrt(beta_end), steps)^2` (their config calls it linear).
    """

    type: Literal["released"] = "released"
    steps: int = 1000
    beta_start: float = 0.0015
    beta_end: float = 0.0195

    def alphas_cumprod(self) -> Float64[Tensor, "step"]:
        """`alpha^2` at every training step."""
        root = np.linspace(self.beta_start**0.5, self.beta_end**0.5, self.steps, dtype=np.float64)
        return torch.from_numpy(np.cumprod(1.0 - root**2))

    def alpha_sigma(self, levels: Float[Tensor, "*batch part=3"]) -> tuple[Tensor, Tensor]:
        """Alpha and sigma at whole training steps, in the levels' type and shape."""
        squared = self.alphas_cumprod().to(levels.device)[levels.round().long()]
        return squared.sqrt().to(levels.dtype), (1 - squared).sqrt().to(levels.dtype)

    def path(self, num: int) -> NoisePath:
        """`num` steps spread evenly over the training steps, first and last among them.

        Raises:
            OptionError: More steps than were trained, or fewer than two.
        """
        if not 2 <= num <= self.steps:
            raise OptionError(f"{num} sampling steps: use 2 to {self.steps}")
        stride = (self.steps - 1) / (num - 1)
        places = [float(round(i * stride)) for i in reversed(range(num))]
        level = torch.tensor(places, dtype=torch.float64)[:, None].expand(-1, 3)
        alpha, sigma = self.alpha_sigma(level)
        return NoisePath(level=level, alpha=alpha, sigma=sigma)

    def draw(self, num: int, *, generator: torch.Generator | None = None) -> Float[Tensor, "num"]:
        """Training levels, uniform over all steps."""
        return torch.randint(0, self.steps, (num,), generator=generator).float()


@dataclass(frozen=True, kw_only=True)
class CosineSchedule:
    """Continuous levels 0 (clean, exactly) to 1 (noise): `tan(pi t / 2) = shift sigma / alpha`.

    A `shift` < 1 moves all levels towards more noise. Neighbouring cells of a grid say the same
    thing many times over, so noise that hides one cell hardly hides a surface (Hoogeboom et al.,
    simple diffusion, 2023, eq. 4): the more redundant a part is, the smaller its shift.
    """

    type: Literal["cosine"] = "cosine"
    object_shift: float = 0.3
    hand_shift: float = 1.0
    log_snr_min: float = -12.0
    """`log(alpha^2 / sigma^2)` at level 1."""
    log_snr_max: float = 14.0
    """Limit close to level 0; at level 0 itself there is no noise at all."""
    last_object: float = 0.15
    last_hand: float = 0.15
    """Levels of a path's last step, which goes to clean at once. A network that sees little noise
    believes what it sees: below its level a part's earlier errors are no longer mended, new ones
    add to them (docs/prior.md)."""

    def alpha_sigma(self, levels: Float[Tensor, "*batch part=3"]) -> tuple[Tensor, Tensor]:
        """Alpha and sigma in the levels' type and shape."""
        shifts = (self.object_shift, self.hand_shift, self.hand_shift)
        shift = torch.tensor(shifts, dtype=torch.float64, device=levels.device)
        log_snr = 2 * (shift.log() - torch.log(torch.tan(math.pi / 2 * levels.double())))
        log_snr = log_snr.clamp(self.log_snr_min, self.log_snr_max)
        alpha, sigma = log_snr.sigmoid().sqrt(), (-log_snr).sigmoid().sqrt()
        clean = levels <= 0
        alpha = torch.where(clean, torch.ones_like(alpha), alpha)
        sigma = torch.where(clean, torch.zeros_like(sigma), sigma)
        return alpha.to(levels.dtype), sigma.to(levels.dtype)

    def path(self, num: int) -> NoisePath:
        """`num` levels of each part, evenly from 1 to its last; only 1 if there is one.

        Raises:
            OptionError: Fewer than one step.
        """
        if num < 1:
            raise OptionError(f"{num} sampling steps: use 1 or more")
        ends = torch.tensor([self.last_object, self.last_hand, self.last_hand], dtype=torch.float64)
        way = torch.linspace(0, 1, num, dtype=torch.float64)[:, None]
        level = 1 + way * (ends - 1)
        alpha, sigma = self.alpha_sigma(level)
        return NoisePath(level=level, alpha=alpha, sigma=sigma)

    def draw(self, num: int, *, generator: torch.Generator | None = None) -> Float[Tensor, "num"]:
        """Training levels, uniform in (0, 1], one in each of `num` equal parts (less variance)."""
        place = torch.randperm(num, generator=generator) + torch.rand(num, generator=generator)
        return 1 - place / num


@runtime_checkable
class HasPath(Protocol):
    """What samplers need of a schedule."""

    def path(self, num: int) -> NoisePath:
        """`num` levels from noise to clean."""
        ...


Schedule = ReleasedSchedule | CosineSchedule
SCHEDULES: dict[str, type[ReleasedSchedule] | type[CosineSchedule]] = {
    "released": ReleasedSchedule,
    "cosine": CosineSchedule,
}


def schedule_from_config(config: dict[str, Any]) -> Schedule:
    """A schedule from the plain values of a checkpoint's config; `asdict` is the inverse.

    Raises:
        OptionError: There is no such schedule.
    """
    kind = str(config.get("type"))
    if kind not in SCHEDULES:
        raise OptionError(f"unknown noise schedule '{kind}': use one of {', '.join(SCHEDULES)}")
    return SCHEDULES[kind](**config)
