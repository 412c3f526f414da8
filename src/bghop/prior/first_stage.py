"""The object's first stage: a truncated distance grid to a latent and back.

A distance grid is `b 1 64 64 64`: signed distances divided by the stage's truncation and clamped to
[-1, 1], negative inside. A latent is `b c 16 16 16` with about unit variance per channel.

`BlockCodec` is the shipped one. Its encoder is linear: each block of 4^3 samples is projected on a
few orthonormal functions (a Karhunen-Loeve basis of training shapes). Each function is even or odd
along each axis, so mirroring a scene is a flip and a change of signs of its latent, exactly. The
decoder adds a small convolution net to the linear synthesis, which joins the blocks and sharpens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bghop.prior.block_basis import BLOCK, mirror_signs

GRID = 64
"""Samples of a distance grid along each axis."""


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
    """Coefficients kept of each block of 64 samples."""
    width: int = 32
    """Features of the decoder's net."""
    depth: int = 2
    """Residual blocks of two convolutions each; with 0 the codec is linear."""
    truncation: float = 0.04
    """Metres."""


class BlockCodec(nn.Module):
    """Linear block transform; its inverse plus a small net. Any grid of whole blocks."""

    basis: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, config: BlockCodecConfig) -> None:
        super().__init__()
        self.config = config
        k = config.channels
        self.register_buffer("basis", torch.zeros(k, 1, BLOCK, BLOCK, BLOCK))
        self.register_buffer("shift", torch.zeros(k))
        self.register_buffer("scale", torch.ones(k))
        self.net = _Refiner(k, config.width, config.depth) if config.depth else None

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return self.config.channels

    @property
    def truncation(self) -> float:
        """Metres; what 1 means in a distance grid."""
        return self.config.truncation

    @property
    def mirror_signs(self) -> Float[Tensor, "axis=3 c"]:
        """Sign of each channel under a flip of x, y or z; see `mirrored`."""
        return mirror_signs(self.basis[:, 0])

    def encode(self, sdf: Float[Tensor, "b 1 x y z"]) -> Float[Tensor, "b c i j k"]:
        """Project every block; empty space has coefficients zero before normalisation."""
        coefficients = functional.conv3d(sdf - 1.0, self.basis, stride=BLOCK)
        return (coefficients - _per_channel(self.shift)) / _per_channel(self.scale)

    def decode(self, latent: Float[Tensor, "b c i j k"]) -> Float[Tensor, "b 1 x y z"]:
        """Linear synthesis, and what the net adds to it."""
        coefficients = latent * _per_channel(self.scale) + _per_channel(self.shift)
        sdf = 1.0 + functional.conv_transpose3d(coefficients, self.basis, stride=BLOCK)
        if self.net is None:
            return sdf
        # Scaled but not shifted: the net's zero padding then means empty space.
        return sdf + self.net(coefficients / _per_channel(self.scale))

    def mirrored(
        self, latent: Float[Tensor, "*batch c i j k"], axis: int = 0
    ) -> Float[Tensor, "*batch c i j k"]:
        """The latent of the grid flipped along x (0), y (1) or z (2), exactly."""
        return latent.flip(axis - 3) * self.mirror_signs[axis][:, None, None, None]

    @torch.no_grad()
    def fit_normalisation(self, sdf: Float[Tensor, "b 1 x y z"]) -> None:
        """Set scale and shift so that these grids have mean 0 and variance 1 in each channel.

        Channels that are odd along an axis get no shift, so that mirroring stays exact.
        """
        raw = functional.conv3d(sdf - 1.0, self.basis, stride=BLOCK)
        even = (self.mirror_signs > 0).all(0)
        mean = raw.mean(dim=(0, 2, 3, 4))
        self.shift.copy_(torch.where(even, mean, 0.0))
        self.scale.copy_((raw - _per_channel(self.shift)).square().mean(dim=(0, 2, 3, 4)).sqrt())


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


@runtime_checkable
class HasLatentLoss(Protocol):
    """A first stage that wants more than reconstruction, as a quantiser does."""

    def latent_loss(self, latent: Float[Tensor, "b c i j k"]) -> Float[Tensor, ""]:
        """Added to the loss with weight one."""
        ...


def training_loss(
    first_stage: FirstStage,
    sdf: Float[Tensor, "b 1 x y z"],
    *,
    latent_noise: float = 0.0,
    near: float = 0.006,
    margin: int = 0,
) -> tuple[Float[Tensor, ""], Mapping[str, Float[Tensor, ""]]]:
    """Loss of a first stage on distance grids, and its parts for the log.

    Mean absolute error of the clamped values, weighted by `1 / (1 + (d / near)^2)` so that the
    surface counts and far space hardly does, in units of the truncation; plus `latent_loss` where
    the stage has one.

    Args:
        first_stage: any.
        sdf: distance grids.
        latent_noise: standard deviation of noise on the latent, whose channels have about one;
            makes the decoder forgive a denoiser's errors.
        near: metres within which an error counts most.
        margin: samples at the border that do not count (crops of larger grids).
    """
    latent = first_stage.encode(sdf)
    parts: dict[str, Tensor] = {}
    if isinstance(first_stage, HasLatentLoss):
        parts["latent"] = first_stage.latent_loss(latent)
    if latent_noise > 0:
        latent = latent + latent_noise * torch.randn_like(latent)
    decoded = first_stage.decode(latent)
    # The gradient passes where a value overshoots in the wrong direction only.
    error = (decoded - sdf).abs()
    saturated = (sdf.abs() >= 1) & (decoded * sdf >= 1)
    weight = 1 / (1 + (sdf * (first_stage.truncation / near)).square())
    loss = torch.where(saturated, 0.0, error) * weight
    if margin:
        inner = slice(margin, -margin)
        loss, weight = loss[..., inner, inner, inner], weight[..., inner, inner, inner]
    parts["surface"] = loss.sum() / weight.sum()
    return sum(parts.values(), sdf.new_zeros(())), parts


