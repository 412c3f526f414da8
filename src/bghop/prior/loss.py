"""The denoising loss: a level per part, given parts clean, absent hands uncounted."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.prior.denoiser import Condition, Denoiser, target_of
from bghop.prior.layout import Layout
from bghop.prior.schedule import CosineSchedule, Schedule

MOST_WEIGHT = 10.0
"""Largest weight of a squared error of a clean latent. Levels that hide less than a third of a
part's spread (4 cm of a joint) count no more than this one: there the answer is nearly what is
seen, and the loss of `v` would be mostly that noise (docs/decisions.md)."""
OBJECT_SHARE = 0.6
"""Weight of the object's part, against one for each hand: its grid has far more to learn than can
be used at a contact."""

SEPARATE = 0.25
"""Share of the rows whose parts have levels of their own. Samplers end each part at another level,
and editing noises parts unequally."""


def denoising_loss(
    denoiser: Denoiser,
    schedule: Schedule,
    layout: Layout,
    latent: Float[Tensor, "b ..."],
    condition: Condition,
    given: Bool[Tensor, "b part=3"],
    generator: torch.Generator,
) -> Float[Tensor, "b"]:
    """Mean squared error of the answers at random levels, one number per scene.

    Networks that answer noise (the released ones) get its plain mean over all cells that count;
    those that answer clean latents get `min(1 + signal-to-noise, MOST_WEIGHT)` per part, which is
    the loss of `v` but for a cap.

    Args:
        denoiser: the network.
        schedule: levels to alpha and sigma.
        layout: where the parts are.
        latent: clean latents.
        condition: text and present hands.
        given: parts that stay clean; only for networks with a level per part.
        generator: on the CPU; decides levels and noise.
    """
    levels = _levels(schedule, len(latent), denoiser.level_per_part, generator).to(latent.device)
    levels = torch.where(given, torch.zeros_like(levels), levels)
    noise = torch.randn(latent.shape, generator=generator).to(latent)
    alpha, sigma = schedule.alpha_sigma(levels)
    alpha_x, sigma_x = layout.spread(alpha), layout.spread(sigma)
    answer = denoiser(alpha_x * latent + sigma_x * noise, levels, condition).to(latent.dtype)
    wanted = target_of(denoiser.prediction, latent, noise, alpha_x, sigma_x)
    here = torch.cat([torch.ones_like(condition.present[:, :1]), condition.present], dim=1)
    counted = (here & ~given).to(latent.dtype)
    error = layout.means((answer - wanted).square())
    if denoiser.prediction != "x0":
        share = counted * latent.new_tensor(layout.sizes)
        return (error * share).sum(1) / share.sum(1).clamp_min(1e-9)
    weight = 1 + (alpha / sigma.clamp_min(1e-6)).square() / _redundancy(schedule, latent)
    share = counted * latent.new_tensor([OBJECT_SHARE, 1.0, 1.0])
    return (error * weight.clamp_max(MOST_WEIGHT) * share).sum(1)


def _levels(
    schedule: Schedule, num: int, level_per_part: bool, generator: torch.Generator | None
) -> Float[Tensor, "num part=3"]:
    """One level for all parts of most rows, one for each part of the others (`SEPARATE`)."""
    level = schedule.draw(num, generator=generator)[:, None].expand(-1, 3)
    if not level_per_part:
        return level
    own = torch.stack([schedule.draw(num, generator=generator) for _ in range(3)], dim=1)
    separate = torch.rand(num, 1, generator=generator) < SEPARATE
    return torch.where(separate, own, level)


def _redundancy(schedule: Schedule, like: Tensor) -> Tensor:
    """What a signal-to-noise ratio of cells is divided by to be one of what the cells say."""
    if not isinstance(schedule, CosineSchedule):
        return like.new_ones(3)
    shifts = (schedule.object_shift, schedule.hand_shift, schedule.hand_shift)
    return like.new_tensor(shifts).square()
