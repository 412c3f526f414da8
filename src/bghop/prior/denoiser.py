"""What every denoiser is: one call, shapes said once. Samplers and losses know nothing else."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Prediction = Literal["eps", "x0", "v"]
"""What a network answers: the noise, the clean latent, or `v = alpha eps - sigma x_0`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """What a denoiser is told besides the latent; leading axis `b` as the latent's."""

    tokens: Float[Tensor, "b token dim"]
    """Text; rows without one are ignored where `text_given` is False."""
    text_given: Bool[Tensor, "b"]
    present: Bool[Tensor, "b hand=2"]
    """Hands that exist; what the latent says of the others is ignored."""

    def rows(self, index: Tensor) -> "Condition":
        """Entries by mask or index."""
        return Condition(
            tokens=self.tokens[index],
            text_given=self.text_given[index],
            present=self.present[index],
        )

    def without_text(self) -> "Condition":
        """The same, unconditional."""
        return Condition(
            tokens=self.tokens,
            text_given=torch.zeros_like(self.text_given),
            present=self.present,
        )

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> "Condition":
        """On another device, tokens in another type."""
        return Condition(
            tokens=self.tokens.to(device=device, dtype=dtype),
            text_given=self.text_given.to(device),
            present=self.present.to(device),
        )


def concatenated(first: Condition, second: Condition) -> Condition:
    """Two conditions one after the other along `b`."""
    return Condition(
        tokens=torch.cat([first.tokens, second.tokens]),
        text_given=torch.cat([first.text_given, second.text_given]),
        present=torch.cat([first.present, second.present]),
    )


@runtime_checkable
class Denoiser(Protocol):
    """A network over latents in our channel order (object, left, right)."""

    prediction: Prediction
    level_per_part: bool
    """Whether parts may have levels of their own, so that a clean part is `given` directly."""

    def __call__(
        self,
        x: Float[Tensor, "b ..."],
        levels: Float[Tensor, "b part=3"],
        condition: Condition,
    ) -> Float[Tensor, "b ..."]:
        """The prediction at levels of the schedule that the network was trained with."""
        ...


def clean_from(
    prediction: Prediction, output: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor
) -> Tensor:
    """`x_0` from what a network answers at `x = alpha x_0 + sigma eps`."""
    if prediction == "x0":
        return output
    if prediction == "v":
        return alpha * x - sigma * output
    return (x - sigma * output) / alpha


def target_of(
    prediction: Prediction, clean: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor
) -> Tensor:
    """What a network should answer."""
    if prediction == "x0":
        return clean
    if prediction == "v":
        return alpha * noise - sigma * clean
    return noise
