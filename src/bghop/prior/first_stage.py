"""The object's first stage: a truncated distance grid to a latent and back.

A distance grid is `b 1 64 64 64`: signed distances divided by the stage's truncation and clamped to
[-1, 1], negative inside. A latent is `b c 16 16 16` with about unit variance per channel.

`BlockCodec` is the shipped one. Its encoder is linear in three pointwise functions of the distance:
filters of 8^3 samples with stride 4. Each filter is even or odd along every axis, so that mirroring
a scene is a flip and a change of signs of its latent, exactly. The decoder adds a small convolution
net to the linear synthesis, which joins the blocks and sharpens. It starts as the best orthonormal
block transform (Karhunen-Loeve) and is trained from there.
"""

import math
from dataclasses import dataclass
from itertools import product
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bghop.prior.block_basis import BLOCK, block_basis, mirror_signs

GRID = 64
"""Samples of a distance grid along each axis."""
PAD = 2
"""Samples by which a filter overlaps the next block on every side."""
_KERNEL = BLOCK + 2 * PAD
_FEATURES = 3


@runtime_checkable
class FirstStage(Protocol):
    """What every first stage is; an `nn.Module`."""

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        ...

    @property
    def truncation(self) -> float:
        """Metres at which distances are cut off; what 1 means in a distance grid."""
        ...

    def encode(self, sdf: Float[Tensor, "b 1 x y z"]) -> Float[Tensor, "b c i j k"]:
        """Distance grids to latents."""
        ...

    def decode(self, latent: Float[Tensor, "b c i j k"]) -> Float[Tensor, "b 1 x y z"]:
        """Latents to distance grids; values may pass [-1, 1] a little."""
        ...


def to_distance_grid(
    distance: Float[Tensor, "*batch x y z"], truncation: float
) -> Float[Tensor, "*batch x y z"]:
    """Signed distances in metres to what a first stage reads."""
    return (distance / truncation).clamp(-1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class BlockCodecConfig:
    """Numbers of a `BlockCodec`; saved with its weights."""

    channels: int = 8
    """Coefficients of each block of 64 samples."""
    width: int = 32
    """Features of the decoder's net."""
    depth: int = 2
    """Residual blocks of two convolutions each; with 0 the decoder is linear."""
    truncation: float = 0.04
    """Metres."""


class BlockCodec(nn.Module):
    """Mirror-symmetric filters of stride 4 and their inverse. Any grid of whole blocks."""

    signs: Tensor
    shift: Tensor

    def __init__(self, config: BlockCodecConfig) -> None:
        super().__init__()
        self.config = config
        k = config.channels
        self.register_buffer("signs", torch.ones(3, k))
        self.register_buffer("shift", torch.zeros(k))
        self.analysis = nn.Parameter(torch.zeros(k, _FEATURES, _KERNEL, _KERNEL, _KERNEL))
        self.synthesis = nn.Parameter(torch.zeros(k, 1, _KERNEL, _KERNEL, _KERNEL))
        self.net = _Refiner(k, config.width, config.depth) if config.depth else None

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return self.config.channels

    @property
    def truncation(self) -> float:
        """Metres; what 1 means in a distance grid."""
        return self.config.truncation

    @classmethod
    def fitted(cls, sdf: Float[Tensor, "b 1 x y z"], config: BlockCodecConfig) -> "BlockCodec":
        """The best block transform for these grids, in closed form; the net adds nothing yet."""
        codec = cls(config)
        basis, _ = block_basis(sdf[:, 0], config.channels)
        middle = slice(PAD, PAD + BLOCK)
        with torch.no_grad():
            codec.signs.copy_(mirror_signs(basis))
            codec.analysis[:, 0, middle, middle, middle] = basis
            codec.synthesis[:, 0, middle, middle, middle] = basis
        codec.normalise(sdf)
        return codec

    def encode(self, sdf: Float[Tensor, "b 1 x y z"]) -> Float[Tensor, "b c i j k"]:
        """Filter; empty space is 0 before the shift, and so is what lies beyond the border."""
        kernel = _symmetric(self.analysis, self.signs)
        return _filtered(sdf, kernel) - _per_channel(self.shift)

    def decode(self, latent: Float[Tensor, "b c i j k"]) -> Float[Tensor, "b 1 x y z"]:
        """Linear synthesis, and what the net adds to it."""
        raw = latent + _per_channel(self.shift)
        kernel = _symmetric(self.synthesis, self.signs)
        sdf = 1.0 + functional.conv_transpose3d(raw, kernel, stride=BLOCK, padding=PAD)
        return sdf if self.net is None else sdf + self.net(raw)

    def mirrored(
        self, latent: Float[Tensor, "*batch c i j k"], axis: int = 0
    ) -> Float[Tensor, "*batch c i j k"]:
        """The latent of the grid flipped along x (0), y (1) or z (2), exactly."""
        return latent.flip(axis - 3) * _per_channel(self.signs[axis])

    @torch.no_grad()
    def normalise(self, sdf: Float[Tensor, "b 1 x y z"]) -> None:
        """Scale and shift the latent so that these grids have mean 0 and variance 1 per channel.

        Channels that are odd along an axis get no shift, so that mirroring stays exact. The linear
        synthesis follows; the net does not.
        """
        raw = self.encode(sdf) + _per_channel(self.shift)
        even = (self.signs > 0).all(0)
        shift = torch.where(even, raw.mean(dim=(0, 2, 3, 4)), 0.0)
        scale = (raw - _per_channel(shift)).square().mean(dim=(0, 2, 3, 4)).sqrt()
        self.shift.copy_(shift / scale)
        self.analysis /= scale[:, None, None, None, None]
        self.synthesis *= scale[:, None, None, None, None]


def _features(sdf: Float[Tensor, "*any"]) -> tuple[Float[Tensor, "*any"], ...]:
    """The distance, its sign made soft, and nearness to the surface; all 0 in empty space.

    Being pointwise they keep every symmetry. The last two make thin walls, which hardly change a
    mean distance, visible to a linear filter.
    """
    soft_sign = torch.tanh(8.0 * sdf) - math.tanh(8.0)
    nearness = torch.exp(-(5.0 * sdf).square()) - math.exp(-25.0)
    return sdf - 1.0, soft_sign, nearness


def _filtered(
    sdf: Float[Tensor, "b 1 x y z"], kernel: Float[Tensor, "c 3 8 8 8"]
) -> Float[Tensor, "b c i j k"]:
    """`conv3d(features, kernel, stride=4, padding=2)`, as products of blocks of 4^3 samples.

    A window of 8^3 is two blocks along each axis, so each block is multiplied once with what it is
    worth to its eight windows. Most blocks are empty space, whose features are 0, and are left out.
    """
    channels = len(kernel)
    halves = kernel.unflatten(4, (2, BLOCK)).unflatten(3, (2, BLOCK)).unflatten(2, (2, BLOCK))
    # feature, sample of a block, (half along x, y, z; channel)
    weights = halves.permute(1, 3, 5, 7, 2, 4, 6, 0).flatten(1, 3).flatten(2)
    padded = functional.pad(sdf[:, 0], (PAD,) * 6, value=1.0)
    split = padded.unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).unflatten(1, (-1, BLOCK))
    b, i, _, j, _, k, _ = split.shape
    blocks = split.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, BLOCK**3)
    filled = (blocks < 1.0).any(1).nonzero().squeeze(1)
    features = torch.cat(_features(blocks[filled]), dim=1)
    worth = features.new_zeros(len(blocks), weights.shape[-1])
    products = (features @ weights.flatten(0, 1)).to(worth.dtype)  # autocast makes them bf16
    worth = worth.index_copy(0, filled, products)
    worth = worth.view(b, i, j, k, 2, 2, 2, channels)
    windows = [
        worth[:, x : i - 1 + x, y : j - 1 + y, z : k - 1 + z, x, y, z]
        for x, y, z in product(range(2), repeat=3)
    ]
    return torch.stack(windows).sum(0).movedim(-1, 1)


def _symmetric(
    kernel: Float[Tensor, "c n 8 8 8"], signs: Float[Tensor, "3 c"]
) -> Float[Tensor, "c n 8 8 8"]:
    """The part of each filter that has its channel's parity along every axis."""
    for axis in range(3):
        flipped = kernel.flip(axis + 2) * signs[axis][:, None, None, None, None]
        kernel = (kernel + flipped) / 2
    return kernel


class _Refiner(nn.Module):
    """Convolutions over the blocks; 64 values per block, laid out as the block's samples."""

    def __init__(self, channels: int, width: int, depth: int) -> None:
        super().__init__()
        self.stem = nn.Conv3d(channels, width, 3, padding=1)
        self.first = nn.ModuleList(nn.Conv3d(width, width, 3, padding=1) for _ in range(depth))
        self.second = nn.ModuleList(nn.Conv3d(width, width, 3, padding=1) for _ in range(depth))
        self.out = nn.Conv3d(width, BLOCK**3, 1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Float[Tensor, "b c i j k"]) -> Float[Tensor, "b 1 x y z"]:
        h = self.stem(x)
        for first, second in zip(self.first, self.second, strict=True):
            h = h + second(functional.silu(first(functional.silu(h))))
        return _unfold_blocks(self.out(functional.silu(h)))


def _unfold_blocks(values: Float[Tensor, "b n i j k"]) -> Float[Tensor, "b 1 x y z"]:
    """64 channels to 4^3 samples."""
    b, _, i, j, k = values.shape
    cells = values.reshape(b, BLOCK, BLOCK, BLOCK, i, j, k).permute(0, 4, 1, 5, 2, 6, 3)
    return cells.reshape(b, 1, BLOCK * i, BLOCK * j, BLOCK * k)


def _per_channel(values: Float[Tensor, "c"]) -> Float[Tensor, "c 1 1 1"]:
    return values[:, None, None, None]


def training_loss(
    first_stage: FirstStage,
    sdf: Float[Tensor, "b 1 x y z"],
    *,
    latent_noise: float = 0.0,
    near: float = 0.006,
    inside: float = 2.0,
    margin: int = 0,
) -> Float[Tensor, ""]:
    """Loss of a first stage on distance grids.

    Mean absolute error of the clamped values, weighted by `1 / (1 + (d / near)^2)` so that the
    surface counts and far space hardly does, in units of the truncation.

    Args:
        first_stage: any.
        sdf: distance grids.
        latent_noise: standard deviation of noise on the latent, whose channels have about one;
            makes the decoder forgive a denoiser's errors.
        near: metres within which an error counts most.
        inside: how many times more a sample inside counts than one outside: few samples lie within
            thin walls, and the median of what they could be is outside.
        margin: samples at the border that do not count (crops of larger grids).
    """
    latent = first_stage.encode(sdf)
    if latent_noise > 0:
        latent = latent + latent_noise * torch.randn_like(latent)
    decoded = first_stage.decode(latent)
    # The gradient passes where a value overshoots in the wrong direction only.
    error = (decoded - sdf).abs()
    saturated = (sdf.abs() >= 1) & (decoded * sdf >= 1)
    weight = 1 / (1 + (sdf * (first_stage.truncation / near)).square())
    weight = torch.where(sdf < 0, inside * weight, weight)
    loss = torch.where(saturated, 0.0, error) * weight
    if margin:
        inner = slice(margin, -margin)
        loss, weight = loss[..., inner, inner, inner], weight[..., inner, inner, inner]
    return loss.sum() / weight.sum()
