"""The denoiser of the released models: a 3D U-Net with text by cross-attention.

One network, two sizes: 23 channels (object latent and right hand, G-HOP) and 43 (object latent,
right and left hand, BG-HOP). The parameters have the names of the released files without their
prefix `glide_model.`. The released channel order is object, right, left; it becomes ours in
`prior/layout.py`, not here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bghop.prior.attention import GridTransformer
from bghop.prior.fast_inference import FastInference


@dataclass(frozen=True, kw_only=True)
class UNet3DConfig:
    """Size and shape of a `UNet3D`; the defaults are the released two-hand denoiser."""

    in_channels: int = 43
    """Channels of the noisy grid: 3 of the object latent and 20 per hand."""
    out_channels: int | None = None
    """Channels of the prediction; as many as go in if None."""
    model_channels: int = 64
    """Channels at full resolution; a multiple of 32 (the groups of the normalisation)."""
    channel_mult: tuple[int, ...] = (1, 2, 3)
    """Channels of each level in multiples of `model_channels`; each level halves the grid."""
    num_res_blocks: int = 3
    """Residual blocks of each level on the way down; one more on the way up."""
    attention_levels: tuple[int, ...] = (1, 2)
    """Levels with a transformer after every residual block (0 is full resolution)."""
    head_channels: int = 64
    """Channels of one attention head."""
    transformer_depth: int = 1
    """Blocks in each transformer."""
    context_dim: int = 768
    """Numbers per text token (768: CLIP ViT-L/14)."""
    dropout: float = 0.1
    """Share of activations dropped in training, before the second convolution of each block."""
    legacy_strides: bool = False
    """Halve and double only y and z, as the code behind older checkpoints does.

    The tensors have the same shapes either way, so a file cannot tell which one it was trained
    with; both released configurations say no.
    """


class ResBlock(nn.Module):
    """Two convolutions; the time embedding scales and shifts between them; added to the input."""

    def __init__(self, channels: int, out_channels: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(32, channels), nn.SiLU(), nn.Conv3d(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * out_channels))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, out_channels),
            nn.SiLU(),
            nn.Dropout(dropout),
            _zero(nn.Conv3d(out_channels, out_channels, 3, padding=1)),
        )
        self.skip_connection = (
            nn.Identity() if channels == out_channels else nn.Conv3d(channels, out_channels, 1)
        )

    def forward(
        self,
        x: Float[Tensor, "batch channels x y z"],
        embedding: Float[Tensor, "batch embedding"],
    ) -> Float[Tensor, "batch out x y z"]:
        """Same grid, `out_channels` channels."""
        scale, shift = self.emb_layers(embedding)[..., None, None, None].chunk(2, dim=1)
        norm, *rest = self.out_layers
        hidden = norm(self.in_layers(x)) * (1 + scale) + shift
        for layer in rest:
            hidden = layer(hidden)
        return self.skip_connection(x) + hidden


class Downsample(nn.Module):
    """Strided convolution."""

    def __init__(self, channels: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.op = nn.Conv3d(channels, channels, 3, stride=stride, padding=1)

    def forward(
        self, x: Float[Tensor, "batch channels x y z"]
    ) -> Float[Tensor, "batch channels u v w"]:
        """Half the cells along each strided axis."""
        return self.op(x)


class Upsample(nn.Module):
    """Every cell repeated, then a convolution."""

    def __init__(self, channels: int, factors: tuple[int, int, int]) -> None:
        super().__init__()
        self.factors = factors
        self.conv = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(
        self, x: Float[Tensor, "batch channels x y z"]
    ) -> Float[Tensor, "batch channels u v w"]:
        """Twice the cells along each axis whose factor is 2."""
        factors = [float(factor) for factor in self.factors]
        return self.conv(functional.interpolate(x, scale_factor=factors, mode="nearest"))


class Stage(nn.Sequential):
    """Layers in a row; each takes of time and text what it knows to use."""

    def forward(self, x: Tensor, embedding: Tensor, context: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The grid after all layers."""
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, embedding)
            elif isinstance(layer, GridTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


class UNet3D(nn.Module):
    """Predicts the noise in a grid, given the time step and text."""

    def __init__(self, config: UNet3DConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or UNet3DConfig()
        self._fast = FastInference(_prepared)
        width, embedding = config.model_channels, 4 * config.model_channels
        factors = (1, 2, 2) if config.legacy_strides else (2, 2, 2)
        self.time_embed = nn.Sequential(
            nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )

        def blocks(channels: int, out_channels: int, level: int) -> list[nn.Module]:
            made: list[nn.Module] = [ResBlock(channels, out_channels, embedding, config.dropout)]
            if level in config.attention_levels:
                made.append(_transformer(out_channels, config))
            return made

        channels = width * config.channel_mult[0]
        self.input_blocks = nn.ModuleList(
            [Stage(nn.Conv3d(config.in_channels, channels, 3, padding=1))]
        )
        skips = [channels]
        levels = list(enumerate(config.channel_mult))
        for level, mult in levels:
            for _ in range(config.num_res_blocks):
                self.input_blocks.append(Stage(*blocks(channels, width * mult, level)))
                channels = width * mult
                skips.append(channels)
            if level != levels[-1][0]:
                self.input_blocks.append(Stage(Downsample(channels, factors)))
                skips.append(channels)
        self.middle_block = Stage(
            ResBlock(channels, channels, embedding, config.dropout),
            _transformer(channels, config),
            ResBlock(channels, channels, embedding, config.dropout),
        )
        self.output_blocks = nn.ModuleList()
        for level, mult in reversed(levels):
            for index in range(config.num_res_blocks + 1):
                layers = blocks(channels + skips.pop(), width * mult, level)
                channels = width * mult
                if level and index == config.num_res_blocks:
                    layers.append(Upsample(channels, factors))
                self.output_blocks.append(Stage(*layers))
        out_channels = config.out_channels or config.in_channels
        self.out = nn.Sequential(
            nn.GroupNorm(32, channels),
            nn.SiLU(),
            _zero(nn.Conv3d(channels, out_channels, 3, padding=1)),
        )

    def forward(
        self,
        x: Float[Tensor, "batch channels x y z"],
        t: Float[Tensor, " batch"],
        context: Float[Tensor, "batch tokens dim"],
    ) -> Float[Tensor, "batch out x y z"]:
        """The noise in `x`.

        Args:
            x: Noisy grid, 16 cells an edge in the released models (any multiple of 4).
            t: Step of the training schedule, 0 to 999.
            context: Text tokens; the released models take one, CLIP's pooled vector.

        Returns:
            The prediction, once (the released code returns it twice along the channels). Without
            gradients, in evaluation mode and on a CPU it is made by `FastUNet`; a guidance pair as
            one batch, the same grids with one text and then with the other, costs less than twice
            as much there.
        """
        fast = self._fast.of(self, x, context)
        if fast is not None:
            return fast(x, t, context)
        embedding = self.time_embed(time_features(t, self.config.model_channels).to(x.dtype))
        skips = []
        for block in self.input_blocks:
            x = block(x, embedding, context)
            skips.append(x)
        x = self.middle_block(x, embedding, context)
        for block in self.output_blocks:
            x = block(torch.cat([x, skips.pop()], dim=1), embedding, context)
        return self.out(x)

    def train(self, mode: bool = True) -> "UNet3D":
        """Training or evaluation mode."""
        self._fast.forget()
        return super().train(mode)


def time_features(
    t: Float[Tensor, " batch"], num: int, *, longest: float = 10000.0
) -> Float[Tensor, "batch num"]:
    """Cosines, then sines, of `t` at frequencies from 1 down to 1 / `longest` (nearly)."""
    half = num // 2
    frequencies = torch.exp(
        -math.log(longest) * torch.arange(half, dtype=torch.float32, device=t.device) / half
    )
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _prepared(unet: UNet3D) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    from bghop.prior.fast_unet import FastUNet

    return FastUNet(unet)


def _transformer(channels: int, config: UNet3DConfig) -> GridTransformer:
    return GridTransformer(
        channels, config.head_channels, config.context_dim, depth=config.transformer_depth
    )


def _zero(layer: nn.Conv3d) -> nn.Conv3d:
    """A layer that starts at zero, so that its block starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
