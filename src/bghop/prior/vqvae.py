"""The first stage of the released models: distance grids to latents and back, with a codebook.

A 64^3 grid of signed distances (clamped to +-1 in units of the truncation) becomes a 16^3 grid of
3 numbers. The diffusion latent is what comes out *before* the nearest code is taken; `decode` takes
that.
The parameters have the names of the released files without their prefix `ae.model.`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bghop.prior.fast_inference import FastInference


@dataclass(frozen=True, kw_only=True)
class VQVAEConfig:
    """Size and shape of a `VQVAE`; the defaults are the released first stage."""

    in_channels: int = 1
    """Channels of the grid."""
    base_channels: int = 64
    """Channels at full resolution; a multiple of 32 (the groups of the normalisation)."""
    channel_mult: tuple[int, ...] = (1, 2, 4)
    """Channels of each level in multiples of `base_channels`; each level halves the grid."""
    num_res_blocks: int = 1
    """Residual blocks of each level."""
    latent_channels: int = 3
    """Numbers per latent cell."""
    num_codes: int = 8192
    """Entries of the codebook."""
    commitment: float = 0.25
    """Weight of the codebook's term in `codebook_loss`."""
    truncation: float = 0.04
    """Metres at which distances are cut off."""


class ResnetBlock(nn.Module):
    """Two convolutions, added to the input."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels)
        self.conv1 = nn.Conv3d(channels, out_channels, 3, padding=1)
        self.norm2 = _norm(out_channels)
        self.conv2 = nn.Conv3d(out_channels, out_channels, 3, padding=1)
        self.nin_shortcut = (
            nn.Identity() if channels == out_channels else nn.Conv3d(channels, out_channels, 1)
        )

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b d x y z"]:
        """Same grid."""
        hidden = self.conv1(functional.silu(self.norm1(x)))
        hidden = self.conv2(functional.silu(self.norm2(hidden)))
        return self.nin_shortcut(x) + hidden


class CellAttention(nn.Module):
    """Every cell attends to every cell, one head; added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q = nn.Conv3d(channels, channels, 1)
        self.k = nn.Conv3d(channels, channels, 1)
        self.v = nn.Conv3d(channels, channels, 1)
        self.proj_out = nn.Conv3d(channels, channels, 1)

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b c x y z"]:
        """Same grid."""
        normal = self.norm(x)
        q, k, v = (
            layer(normal).flatten(2).transpose(1, 2)[:, None] for layer in (self.q, self.k, self.v)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)[:, 0]
        return x + self.proj_out(mixed.transpose(1, 2).unflatten(2, x.shape[2:]))


class Middle(nn.Module):
    """Block, attention, block at the lowest resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResnetBlock(channels, channels)
        self.attn_1 = CellAttention(channels)
        self.block_2 = ResnetBlock(channels, channels)

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b c x y z"]:
        """Same grid."""
        return self.block_2(self.attn_1(self.block_1(x)))


class Halve(nn.Module):
    """Strided convolution; the zeros are put at the high side of each axis only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, 3, stride=2)

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b c u v w"]:
        """Half the cells along each axis."""
        return self.conv(functional.pad(x, (0, 1, 0, 1, 0, 1)))


class Double(nn.Module):
    """Every cell repeated, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b c u v w"]:
        """Twice the cells along each axis."""
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """The blocks of one resolution, then the step to the next one, if there is one."""

    def __init__(
        self,
        blocks: list[ResnetBlock],
        *,
        downsample: Halve | None = None,
        upsample: Double | None = None,
    ) -> None:
        super().__init__()
        self.block = nn.ModuleList(blocks)
        self.downsample = downsample
        self.upsample = upsample

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b d u v w"]:
        """In order."""
        for block in self.block:
            x = block(x)
        if self.downsample is not None:
            return self.downsample(x)
        return x if self.upsample is None else self.upsample(x)


class Encoder(nn.Module):
    """Grid to latent."""

    def __init__(self, config: VQVAEConfig) -> None:
        super().__init__()
        widths = [config.base_channels * mult for mult in config.channel_mult]
        self.conv_in = nn.Conv3d(config.in_channels, config.base_channels, 3, padding=1)
        self.down = nn.ModuleList()
        channels = config.base_channels
        for level, width in enumerate(widths):
            blocks = _blocks(channels, width, config.num_res_blocks)
            last = level == len(widths) - 1
            self.down.append(Level(blocks, downsample=None if last else Halve(width)))
            channels = width
        self.mid = Middle(channels)
        self.norm_out = _norm(channels)
        self.conv_out = nn.Conv3d(channels, config.latent_channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b d u v w"]:
        """A quarter of the cells along each axis (three levels)."""
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        # GELU here, SiLU in the blocks: so it was trained.
        return self.conv_out(functional.gelu(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    """Latent to grid."""

    def __init__(self, config: VQVAEConfig) -> None:
        super().__init__()
        widths = [config.base_channels * mult for mult in config.channel_mult]
        channels = widths[-1]
        self.conv_in = nn.Conv3d(config.latent_channels, channels, 3, padding=1)
        self.mid = Middle(channels)
        levels = []
        for level, width in reversed(list(enumerate(widths))):
            blocks = _blocks(channels, width, config.num_res_blocks)
            levels.append(Level(blocks, upsample=Double(width) if level else None))
            channels = width
        self.up = nn.ModuleList(reversed(levels))
        self.norm_out = _norm(channels)
        self.conv_out = nn.Conv3d(channels, config.in_channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b d u v w"]) -> Float[Tensor, "b c x y z"]:
        """Four times the cells along each axis (three levels)."""
        x = self.mid(self.conv_in(x))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(functional.gelu(self.norm_out(x)))


class Codebook(nn.Module):
    """The vectors that a latent cell may take."""

    def __init__(self, num: int, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num, channels)
        nn.init.uniform_(self.embedding.weight, -1 / num, 1 / num)


@dataclass(frozen=True, kw_only=True)
class VQVAEOutput:
    """A reconstruction and what training needs to know about it."""

    reconstruction: Float[Tensor, "b c x y z"]
    codes: Int[Tensor, "b u v w"]
    codebook_loss: Float[Tensor, ""]


class VQVAE(nn.Module):
    """Vector-quantised autoencoder of distance grids."""

    def __init__(self, config: VQVAEConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or VQVAEConfig()
        self._fast_encoder = FastInference(_prepared_encoder)
        self._fast_decoder = FastInference(_prepared_decoder)
        latent = config.latent_channels
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantize = Codebook(config.num_codes, latent)
        self.quant_conv = nn.Conv3d(latent, latent, 1)
        self.post_quant_conv = nn.Conv3d(latent, latent, 1)

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return self.config.latent_channels

    @property
    def truncation(self) -> float:
        """Metres; what 1 means in a distance grid."""
        return self.config.truncation

    def encode(self, sdf: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b d u v w"]:
        """The latent of a grid, before the nearest code is taken: what the denoiser works on.

        Args:
            sdf: Signed distances, clamped and scaled to [-1, 1].
        """
        fast = self._fast_encoder.of(self, sdf)
        return self.quant_conv(self.encoder(sdf)) if fast is None else fast(sdf)

    def codes(self, h: Float[Tensor, "b d u v w"]) -> Int[Tensor, "b u v w"]:
        """Index of the nearest entry of the codebook, for every cell."""
        vectors = h.detach().movedim(1, -1)
        return nearest_codes(vectors.flatten(0, -2), self.quantize.embedding.weight).unflatten(
            0, vectors.shape[:-1]
        )

    def lookup(self, codes: Int[Tensor, "b u v w"]) -> Float[Tensor, "b d u v w"]:
        """The entries of the codebook with these indices."""
        return self.quantize.embedding(codes).movedim(-1, 1)

    def quantise(self, h: Float[Tensor, "b d u v w"]) -> Float[Tensor, "b d u v w"]:
        """The nearest entry of the codebook; gradients pass to `h` as if it were `h` itself."""
        nearest = self.lookup(self.codes(h))
        return h + (nearest - h).detach() if h.requires_grad else nearest

    def decode(self, latent: Float[Tensor, "b d u v w"]) -> Float[Tensor, "b c x y z"]:
        """The grid of a latent: quantises, then decodes.

        Returns:
            Signed distances in units of the truncation, about [-1, 1].
        """
        return self.decode_quantised(self.quantise(latent))

    def decode_quantised(self, z: Float[Tensor, "b d u v w"]) -> Float[Tensor, "b c x y z"]:
        """The grid of entries of the codebook."""
        fast = self._fast_decoder.of(self, z)
        return self.decoder(self.post_quant_conv(z)) if fast is None else fast(z)

    def forward(self, sdf: Float[Tensor, "b c x y z"]) -> VQVAEOutput:
        """Encodes, quantises and decodes, with gradients to everything."""
        h = self.encode(sdf)
        codes = self.codes(h)
        nearest = self.lookup(codes)
        straight = h + (nearest - h).detach()
        return VQVAEOutput(
            reconstruction=self.decode_quantised(straight),
            codes=codes,
            codebook_loss=codebook_loss(h, nearest, weight=self.config.commitment),
        )

    def train(self, mode: bool = True) -> "VQVAE":
        """Training or evaluation mode."""
        self._fast_encoder.forget()
        self._fast_decoder.forget()
        return super().train(mode)


def codebook_loss(
    h: Float[Tensor, "b d *cells"], nearest: Float[Tensor, "b d *cells"], *, weight: float = 0.25
) -> Float[Tensor, ""]:
    """Pulls latents towards their codes, and the codes, with a weight, towards their latents.

    Source: van den Oord et al. 2017, eq. 3, but with the weight on the codebook's term instead of
    the encoder's: the released first stage was trained with this "legacy" form.
    """
    to_codes = functional.mse_loss(h, nearest.detach())
    return to_codes + weight * functional.mse_loss(nearest, h.detach())


def nearest_codes(
    vectors: Float[Tensor, "rows channels"], codebook: Float[Tensor, "codes channels"]
) -> Int[Tensor, " rows"]:
    """Index of the nearest entry for every row, in chunks that stay in the cache."""
    squares = codebook.square().sum(1)
    chunk = max(1, 2**18 // len(codebook)) if vectors.device.type == "cpu" else 2**14
    return torch.cat(
        [
            torch.addmm(squares, rows, codebook.T, alpha=-2).argmin(1)
            for rows in vectors.split(chunk)
        ]
    )


def _prepared_encoder(vqvae: VQVAE) -> Callable[[Tensor], Tensor]:
    from bghop.prior.fast_vqvae import FastEncoder

    return FastEncoder(vqvae.encoder, vqvae.quant_conv)


def _prepared_decoder(vqvae: VQVAE) -> Callable[[Tensor], Tensor]:
    from bghop.prior.fast_vqvae import FastDecoder

    return FastDecoder(vqvae.post_quant_conv, vqvae.decoder)


def _blocks(channels: int, width: int, num: int) -> list[ResnetBlock]:
    return [ResnetBlock(channels if k == 0 else width, width) for k in range(num)]


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)
