"""Samplers: from noise to latents, jointly or with parts given. DDIM and DPM-Solver++(2M).

Both walk a `NoisePath`; they differ in one line (`_Solver`). Parts that are given never move: a
network with a level per part sees them clean (level 0), one with a single level sees them at its
own noise (replacement). Either way the result holds them exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.errors import OptionError
from bghop.prior.denoiser import Condition, Denoiser, clean_from, concatenated
from bghop.prior.layout import Layout
from bghop.prior.schedule import HasPath, NoisePath

Method = Literal["ddim", "dpm++"]


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """How to sample."""

    method: Method = "dpm++"
    """`ddim` (Song et al. 2021, eta 0) or `dpm++` (Lu et al. 2022, 2M, first order at the end)."""
    steps: int = 25
    guidance: float = 2.0
    """1: none; above, the conditional answer is extrapolated away from the unconditional one."""
    clip: float | None = None
    """Largest absolute value of a predicted clean latent; the released models use 1."""
    half: bool = False
    """Run the network in bfloat16 (matrices only; states and steps stay in single precision)."""
    resample: int = 1
    """With given parts and a network of one level: how often each step is taken. Going back to
    the noisier level and forward again lets free parts agree with given ones (RePaint, Lugmayr et
    al. 2022)."""

    def __post_init__(self) -> None:
        """Refuse what no sampler does.

        Raises:
            OptionError: Naming the option and what it may be.
        """
        if self.steps < 1:
            raise OptionError(f"{self.steps} sampling steps: use 1 or more")


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """Parts that are known; the others are sampled."""

    latent: Float[Tensor, "b ..."]
    """Clean latents; only given parts are read."""
    parts: Bool[Tensor, "b part=3"]


def noise_like(
    num: int,
    shape: tuple[int, ...],
    *,
    seed: int,
    first: int = 0,
    device: torch.device | str | None = None,
) -> Float[Tensor, "num ..."]:
    """Unit noise whose row `i` depends on `(seed, first + i)` only, not on batch or device."""
    rows = []
    for i in range(first, first + num):
        mixed = (seed * 0x9E3779B97F4A7C15 + (i + 1) * 0xBF58476D1CE4E5B9) % 2**63
        rows.append(torch.randn(shape, generator=torch.Generator().manual_seed(mixed)))
    return torch.stack(rows).to(device)


@torch.no_grad()
def sample_latents(
    denoiser: Denoiser,
    schedule: HasPath,
    layout: Layout,
    condition: Condition,
    noise: Float[Tensor, "b ..."],
    *,
    options: SampleOptions | None = None,
    given: Given | None = None,
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Float[Tensor, "b ..."]:
    """Clean latents from noise.

    Args:
        denoiser: the network; asked once a step, for twice the batch if there is guidance.
        schedule: the one that it was trained with.
        layout: where the parts are.
        condition: text and present hands.
        noise: start, see `noise_like`; rows are independent of each other.
        options: method, steps, guidance.
        given: parts that are known.
        progress: called with (steps done, steps in all).
        watch: called with (step, predicted clean latents, latents after the step).

    Returns:
        Latents; given parts equal `given.latent` exactly.
    """
    options = options or SampleOptions()
    path = schedule.path(options.steps)
    points = [_point(path, step, layout, noise) for step in range(len(path) + 1)]
    fixed = None if given is None else layout.spread(given.parts)
    replaced = given is not None and not denoiser.level_per_part
    times = options.resample if replaced else 1
    x = noise
    before: _Step | None = None
    for step, again in product(range(len(path)), range(times)):
        here, after = points[step], points[step + 1]
        levels = here.level.to(x).expand(len(x), 3)
        seen = x
        if given is not None and fixed is not None:
            known = given.latent
            if replaced:
                fresh = _turned(noise, step * times + again)
                known = here.alpha * known + here.sigma * fresh
            else:
                levels = torch.where(given.parts, torch.zeros_like(levels), levels)
            seen = torch.where(fixed, known, x)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=options.half):
            clean = predict_clean(denoiser, seen, levels, condition, here, options).to(x.dtype)
        if given is not None and fixed is not None:
            clean = torch.where(fixed, given.latent, clean)
        now = _Step(point=here, clean=clean)
        x = _SOLVERS[options.method](seen, now, after, before)
        before = now
        if again + 1 < times:
            x = _noisier(x, after, here, _turned(noise, -1 - step * times - again))
            before = None  # the solver's history is of another path
            continue
        if watch is not None:
            watch(step, clean, x)
        if progress is not None:
            progress(step + 1, len(path))
    return x if given is None or fixed is None else torch.where(fixed, given.latent, x)


def predict_clean(
    denoiser: Denoiser,
    x: Float[Tensor, "b ..."],
    levels: Float[Tensor, "b part=3"],
    condition: Condition,
    point: "Point",
    options: SampleOptions,
) -> Float[Tensor, "b ..."]:
    """The guided clean latent of noisy ones that all have the noise of `point`.

    Guidance is applied to what the network answers; as the clean latent is linear in that, it
    does not matter to which of them.
    """
    output = guided_answer(denoiser, x, levels, condition, options.guidance)
    clean = clean_from(denoiser.prediction, output, x, point.alpha, point.sigma)
    return clean if options.clip is None else clean.clamp(-options.clip, options.clip)


def guided_answer(
    denoiser: Denoiser,
    x: Float[Tensor, "b ..."],
    levels: Float[Tensor, "b part=3"],
    condition: Condition,
    guidance: float,
) -> Float[Tensor, "b ..."]:
    """The network's answer, every number of it led away from the unconditional one."""
    if guidance == 1.0 or not bool(condition.text_given.any()):
        return denoiser(x, levels, condition)
    both = concatenated(condition, condition.without_text())
    answers = denoiser(torch.cat([x, x]), torch.cat([levels, levels]), both)
    conditional, unconditional = answers.chunk(2)
    return unconditional + guidance * (conditional - unconditional)


def _turned(noise: Float[Tensor, "b ..."], number: int) -> Float[Tensor, "b ..."]:
    """More unit noise for every row from its own: the numbers moved on, so no seed is needed."""
    flat = noise.flatten(1)
    return flat.roll(number * 7919 % flat.shape[1], dims=1).reshape(noise.shape)


def _noisier(x: Tensor, here: "Point", target: "Point", noise: Tensor) -> Tensor:
    """From one point back to a noisier one."""
    keep = target.alpha / here.alpha
    return keep * x + (target.sigma**2 - keep**2 * here.sigma**2).clamp_min(0).sqrt() * noise


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """One place on a path; alpha and sigma broadcast with latents."""

    level: Float[Tensor, "part=3"]
    is_end: bool
    """Whether this is the clean end."""
    alpha: Tensor
    sigma: Tensor
    half_log_snr: Tensor
    """`log(alpha / sigma)`; infinite at the clean end."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Step:
    point: Point
    clean: Tensor


def _point(path: NoisePath, step: int, layout: Layout, like: Tensor) -> Point:
    is_end = step == len(path)
    if not is_end:
        level, alpha, sigma = path.level[step], path.alpha[step], path.sigma[step]
    else:
        level, sigma = torch.zeros(2, 3).double()
        alpha = torch.ones(3).double()
    numbers = (alpha, sigma, (alpha / sigma).log())
    spread = [layout.spread(number[None].to(like)) for number in numbers]
    return Point(
        level=level, is_end=is_end, alpha=spread[0], sigma=spread[1], half_log_snr=spread[2]
    )


def _ddim(x: Tensor, now: _Step, after: Point, before: _Step | None) -> Tensor:  # noqa: ARG001
    """DDIM with eta 0: keep the noise that the (clipped) clean latent leaves (eq. 12)."""
    eps = (x - now.point.alpha * now.clean) / now.point.sigma
    return after.alpha * now.clean + after.sigma * eps


def _dpm(x: Tensor, now: _Step, after: Point, before: _Step | None) -> Tensor:
    """DPM-Solver++(2M), algorithm 2: extrapolates the clean latent linearly in log(alpha/sigma).

    The first and the last step are of first order, as there is nothing to extrapolate from, and
    nothing to extrapolate to at infinity.
    """
    target = now.clean
    if before is not None and not after.is_end:
        step = after.half_log_snr - now.point.half_log_snr
        last = now.point.half_log_snr - before.point.half_log_snr
        # Schedules bound the noise: several steps in a row may have the same, and nothing to tell.
        ratio = torch.where(last > 0, step / (2 * last), torch.zeros_like(last))
        target = target + ratio * (now.clean - before.clean)
    shrink = after.sigma / now.point.sigma
    # alpha (1 - exp(-h)) with exp(-h) = (sigma'/alpha') (alpha/sigma), written without infinities.
    grow = after.alpha - shrink * now.point.alpha
    return shrink * x + grow * target


_SOLVERS: dict[Method, Callable[[Tensor, _Step, Point, _Step | None], Tensor]] = {
    "ddim": _ddim,
    "dpm++": _dpm,
}
