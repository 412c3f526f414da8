"""p(object | text): a small network that draws an object before the hands are drawn for it.

Shape and size are apart: a shape is the first stage's latent of an object whose longest side fills
the grid, so that a mug has as many cells as a bucket. That is 32,768 numbers, far more than an
object of a known kind has of its own: principal components hold nearly all of them. A residual net
denoises these coefficients and the size, led by the text; whatever it says is a sum of principal
shapes. The joint network, which sees every cell, draws hands for the result, or an object for given
hands.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from bghop.errors import OptionError
from bghop.prior.first_stage import FirstStage, to_distance_grid

_WAVES = 32
_STEPS = 127
_SIZE_SPREAD = 4.0
"""Of the size's number; shapes have 1 in the mean and their first components about as much."""


@dataclass(frozen=True, kw_only=True)
class ObjectPriorConfig:
    """Numbers of an `ObjectPrior`; saved with its weights."""

    components: int = 512
    width: int = 384
    depth: int = 3
    text_dim: int = 384
    channels: int = 8
    """Of the first stage's latent."""
    resolution: int = 16
    fill: float = 0.5
    """Metres of an object's longest side where shapes are encoded; the grid is 0.6 wide."""
    words: tuple[str, ...] = ()
    """Of the training texts; other words are drawn after these (`known_words`). Empty: any word is
    taken as it is."""
    genus: tuple[tuple[int, int], ...] = ()
    """Of each of `words`: the fewest and the most handles that its objects have, but for one in ten
    at either end. A drawn object with more has torn walls, one with fewer has lost some. Empty:
    unknown."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shapes:
    """Objects as an object prior knows them."""

    latents: Float[Tensor, "b c x y z"]
    """Of `encode_shapes`."""
    sizes: Float[Tensor, "b"]
    """Longest sides, metres."""


def encode_shapes(stage: FirstStage, sdf: Float[Tensor, "b 1 n n n"]) -> Float[Tensor, "b c x y z"]:
    """Distances of objects that fill the grid (metres) as latents; `asinh` as in `JointCodec`."""
    return stage.encode(to_distance_grid(sdf, stage.truncation)).asinh()


def decode_shapes(
    stage: FirstStage, latents: Float[Tensor, "b c x y z"]
) -> Float[Tensor, "b n n n"]:
    """Distances over the first stage's truncation, negative inside."""
    return stage.decode(latents.sinh())[:, 0]


class ObjectPrior(nn.Module):
    """Principal shapes and the network over their coefficients; answers `v`."""

    mean: Tensor
    steps: Tensor
    peaks: Tensor
    scale: Tensor
    log_size: Tensor

    def __init__(self, config: ObjectPriorConfig) -> None:
        super().__init__()
        self.config = config
        size, width = config.channels * config.resolution**3, config.width
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("steps", torch.zeros(config.components, size, dtype=torch.int8))
        self.register_buffer("peaks", torch.zeros(config.components))
        self.register_buffer("scale", torch.ones(config.components))
        self.register_buffer("log_size", torch.tensor([0.0, 1.0]))  # mean and spread
        self.coefficients_in = nn.Linear(self.numbers, width)
        self.level_in = nn.Sequential(
            nn.Linear(2 * _WAVES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.text_in = nn.Linear(config.text_dim, width)
        self.no_text = nn.Parameter(torch.zeros(width))
        self.layers = nn.ModuleList(_Layer(width) for _ in range(config.depth))
        self.coefficients_out = nn.Linear(width, self.numbers)
        nn.init.zeros_(self.coefficients_out.weight)
        nn.init.zeros_(self.coefficients_out.bias)

    @property
    def numbers(self) -> int:
        """Of an object: its coefficients and its size."""
        return self.config.components + 1

    @property
    def basis(self) -> Float[Tensor, "k number"]:
        """The principal components, one a row, of about unit length.

        They are most of the file, and stored in a byte a number (127 steps to either side): twice
        as many fit as in half precision, for 0.03 % of the variance (docs/decisions.md).
        """
        return self.steps * (self.peaks / _STEPS)[:, None]

    @torch.no_grad()
    def fit(self, shapes: Shapes) -> None:
        """Take the principal components of some shapes, and what sizes are usual.

        Coefficients are divided by the root of their spread, so that fine shapes count less than
        large ones but are not lost in the noise.

        Raises:
            OptionError: Fewer shapes than components.
        """
        count = self.config.components
        flat = shapes.latents.flatten(1)
        if len(flat) <= count:
            raise OptionError(
                f"{len(flat)} objects (both mirrors) have no {count} principal components: use "
                "more objects or fewer components"
            )
        mean = flat.mean(0)
        flat = flat - mean
        values, vectors = torch.linalg.eigh(flat @ flat.T)
        values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
        spread = (values / len(flat)).clamp_min(1e-12).sqrt()
        basis = (vectors / values.clamp_min(1e-12).sqrt()).T @ flat
        self.mean.copy_(mean)
        self.peaks.copy_(basis.abs().amax(1))
        self.steps.copy_((basis * (_STEPS / self.peaks)[:, None]).round())
        self.scale.copy_((spread * spread.mean()).sqrt())
        self.scale *= (flat @ basis.T / self.scale).std()
        log_size = shapes.sizes.log()
        self.log_size.copy_(torch.stack([log_size.mean(), log_size.std().clamp_min(1e-3)]))

    def coefficients(self, shapes: Shapes) -> Float[Tensor, "b k"]:
        """Of principal shapes, about unit variance over all; then the size."""
        found = (shapes.latents.flatten(1) - self.mean) @ self.basis.T / self.scale
        size = _SIZE_SPREAD * (shapes.sizes.to(found).log() - self.log_size[0]) / self.log_size[1]
        return torch.cat([found, size[:, None]], dim=1)

    def shapes(self, coefficients: Float[Tensor, "b k"]) -> Shapes:
        """The objects that coefficients mean."""
        side = self.config.resolution
        flat = self.mean + (coefficients[:, :-1] * self.scale) @ self.basis
        log_size = coefficients[:, -1] / _SIZE_SPREAD * self.log_size[1] + self.log_size[0]
        return Shapes(
            latents=flat.view(-1, self.config.channels, side, side, side), sizes=log_size.exp()
        )

    def forward(
        self,
        noisy: Float[Tensor, "b k"],
        level: Float[Tensor, "b"],
        text: Float[Tensor, "b dim"],
        text_given: Bool[Tensor, "b"],
    ) -> Float[Tensor, "b k"]:
        """`v = alpha noise - sigma clean` at level 0 (clean) to 1 (noise)."""
        turns = math.pi * level[:, None] * torch.arange(1, _WAVES + 1, device=level.device)
        told = self.level_in(torch.cat([turns.sin(), turns.cos()], dim=1))
        words = torch.where(text_given[:, None], self.text_in(text), self.no_text)
        steer = functional.silu(told + words)
        hidden = self.coefficients_in(noisy)
        for layer in self.layers:
            hidden = layer(hidden, steer)
        return self.coefficients_out(functional.layer_norm(hidden, hidden.shape[-1:]))

    @torch.no_grad()
    def sample(
        self,
        text: Float[Tensor, "b dim"],
        text_given: Bool[Tensor, "b"],
        noise: Float[Tensor, "b k"],
        *,
        steps: int = 50,
        guidance: float = 1.0,
    ) -> Shapes:
        """Objects.

        Args:
            text: vectors of the prompts.
            text_given: whether there is a prompt.
            noise: unit noise; a row's object depends on its noise only.
            steps: of DDIM.
            guidance: 1 is none.
        """
        z = noise
        levels = torch.linspace(1, 0, steps + 1)
        for here, after in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
            level = torch.full((len(z),), here, device=z.device)
            v = self(z, level, text, text_given)
            if guidance != 1.0 and bool(text_given.any()):
                free = self(z, level, text, torch.zeros_like(text_given))
                v = free + guidance * (v - free)
            alpha, sigma = alpha_sigma(here)
            clean, eps = alpha * z - sigma * v, sigma * z + alpha * v
            alpha, sigma = alpha_sigma(after)
            z = alpha * clean + sigma * eps
        return self.shapes(z)


class _Layer(nn.Module):
    """A residual feed-forward net, steered."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(width, 3 * width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(
        self, x: Float[Tensor, "b width"], steer: Float[Tensor, "b width"]
    ) -> Float[Tensor, "b width"]:
        shift, scale, gate = self.modulation(steer).chunk(3, dim=1)
        normed = functional.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift
        hidden = functional.gelu(self.expand(normed), approximate="tanh")
        return x + gate * self.contract(hidden)


def alpha_sigma(level: float) -> tuple[float, float]:
    """Signal and noise of a level: a quarter of a circle."""
    return math.cos(math.pi / 2 * level), math.sin(math.pi / 2 * level)
