"""The first stage's encoder and decoder for a CPU: equal to `VQVAE`'s, without gradients, faster.

Convolutions by `fast_conv`; a normalisation and its bend are done to the rows that a convolution is
about to read, so that the large grids are written once and read once per convolution.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bghop.prior.fast_conv import (
    Activation,
    DoublingConv,
    GridConv,
    NarrowConv,
    channels_first,
    channels_last,
    normalised,
    packed_conv,
    pointwise,
)
from bghop.prior.vqvae import CellAttention, Decoder, Encoder, Level, Middle, ResnetBlock

_Layer = Callable[[Tensor], Tensor]


class FastEncoder:
    """`Encoder`, then the convolution that follows it."""

    def __init__(self, encoder: Encoder, after: nn.Conv3d) -> None:
        self._first = packed_conv(*_parameters(encoder.conv_in), padding=(1, 1, 1))
        self._layers: list[_Layer] = []
        for level in encoder.down:
            self._layers += _level(level)
        self._layers += _middle(encoder.mid)
        self._norm, self._last = encoder.norm_out, GridConv(*_parameters(encoder.conv_out))
        self._after = pointwise(*_parameters(after))

    def __call__(self, sdf: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b d u v w"]:
        """The latent."""
        x = channels_last(self._first(sdf))
        for layer in self._layers:
            x = layer(x)
        x = self._last(x, _bent(x, self._norm))
        return channels_first(self._after(x)).contiguous()


class FastDecoder:
    """The convolution before the decoder, then `Decoder`."""

    def __init__(self, before: nn.Conv3d, decoder: Decoder) -> None:
        self._before = pointwise(*_parameters(before))
        self._first = GridConv(*_parameters(decoder.conv_in))
        self._layers = _middle(decoder.mid)
        for level in reversed(decoder.up):
            self._layers += _level(level)
        self._norm, self._last = decoder.norm_out, NarrowConv(*_parameters(decoder.conv_out))

    def __call__(self, z: Float[Tensor, "b d u v w"]) -> Float[Tensor, "b c x y z"]:
        """The grid."""
        x = self._first(self._before(channels_last(z)))
        for layer in self._layers:
            x = layer(x)
        return channels_first(self._last(x, _bent(x, self._norm))).contiguous()


class _Resnet:
    """`ResnetBlock`."""

    def __init__(self, block: ResnetBlock) -> None:
        self._norm1, self._norm2 = block.norm1, block.norm2
        self._conv1 = GridConv(*_parameters(block.conv1))
        self._conv2 = GridConv(*_parameters(block.conv2))
        shortcut = block.nin_shortcut
        narrows = isinstance(shortcut, nn.Conv3d)
        self._shortcut = pointwise(*_parameters(shortcut)) if narrows else lambda x: x

    def __call__(self, x: Tensor) -> Tensor:
        hidden = self._conv1(x, normalised(x, self._norm1))
        return self._conv2(hidden, normalised(hidden, self._norm2)).add_(self._shortcut(x))


class _Attention:
    """`CellAttention`."""

    def __init__(self, layer: CellAttention) -> None:
        self._norm = layer.norm
        parts = [_parameters(part) for part in (layer.q, layer.k, layer.v)]
        self._qkv = pointwise(
            torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])
        )
        self._out = pointwise(*_parameters(layer.proj_out))

    def __call__(self, x: Tensor) -> Tensor:
        cells = self._qkv(normalised(x, self._norm).scaled(x)).flatten(1, 3)
        q, k, v = cells[:, None].chunk(3, dim=3)
        mixed = functional.scaled_dot_product_attention(q, k, v)[:, 0]
        return self._out(mixed).view(x.shape).add_(x)


def _level(level: nn.Module) -> list[_Layer]:
    assert isinstance(level, Level)
    layers: list[_Layer] = []
    layers += [_Resnet(block) for block in level.block if isinstance(block, ResnetBlock)]
    if level.downsample is not None:
        strided = packed_conv(*_parameters(level.downsample.conv), stride=(2, 2, 2))
        layers.append(lambda x: _halved(x, strided))
    if level.upsample is not None:
        layers.append(DoublingConv(*_parameters(level.upsample.conv)))
    return layers


def _halved(x: Tensor, strided: _Layer) -> Tensor:
    padded = functional.pad(x, (0, 0, 0, 1, 0, 1, 0, 1))
    return channels_last(strided(channels_first(padded)))


def _middle(middle: nn.Module) -> list[_Layer]:
    assert isinstance(middle, Middle)
    return [_Resnet(middle.block_1), _Attention(middle.attn_1), _Resnet(middle.block_2)]


def _bent(x: Tensor, norm: nn.GroupNorm) -> Activation:
    """The last normalisation of either side, with its exact GELU."""
    return normalised(x, norm, bend=torch.ops.aten.gelu_)


def _parameters(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, nn.Conv3d)
    assert layer.bias is not None
    return layer.weight, layer.bias
