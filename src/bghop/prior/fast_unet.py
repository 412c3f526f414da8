"""The denoiser's forward pass for a CPU: equal to `UNet3D.forward`, without gradients, faster.

What is saved, none of it an approximation:

- convolutions by `fast_conv`, with weights prepared once;
- a guidance pair (both halves of the batch hold the same grids at the same steps, only the texts
  differ) is one computation up to the first transformer, and wherever a skip connection comes from
  there;
- one text token is a constant vector per block: all of them are one matrix product;
- rows at the same step share scale and shift, which then merge with the normalisation's own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bghop.prior.attention import GridTransformer, TransformerBlock
from bghop.prior.fast_conv import (
    DoublingConv,
    GridConv,
    channels_first,
    channels_last,
    normalised,
    packed_conv,
    pointwise,
)
from bghop.prior.unet import Downsample, ResBlock, UNet3D, Upsample, time_features


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What layers know besides the grid, one entry for each that asks."""

    scales: Sequence[Tensor]
    """Scale and shift of every residual block, `row 2*channels`; one row if all are equal."""
    texts: Sequence[Tensor]
    """What every cross-attention adds if there is one token, `row 1 channels`; else empty."""
    context: Tensor


_Layer = Callable[[Tensor, _Said], Tensor]


class FastUNet:
    """A `UNet3D` with prepared weights."""

    def __init__(self, unet: UNet3D) -> None:
        self._width, self._time_embed = unet.config.model_channels, unet.time_embed
        stages = [*unet.input_blocks, unet.middle_block, *unet.output_blocks]
        modules = [module for stage in stages for module in stage.modules()]
        blocks = [module for module in modules if isinstance(module, ResBlock)]
        readers = [module for module in modules if isinstance(module, TransformerBlock)]
        self._scales = _stacked([_linear(block.emb_layers[1]) for block in blocks])
        self._texts = _stacked([_value_map(reader) for reader in readers])

        def fast(layer: nn.Module) -> _Layer:
            if isinstance(layer, ResBlock):
                return _Res(layer, blocks.index(layer))
            if isinstance(layer, GridTransformer):
                return _Transformer(layer, readers)
            return _plain_layer(layer)

        made = [[fast(layer) for layer in stage] for stage in stages]
        num = len(unet.input_blocks)
        self._down, self._middle, self._up = made[:num], made[num], made[num + 1 :]
        norm, _, last = unet.out
        self._norm, self._last = _group_norm(norm), _grid_conv(last)

    def __call__(
        self,
        x: Float[Tensor, "batch channels x y z"],
        t: Float[Tensor, " batch"],
        context: Float[Tensor, "batch tokens dim"],
    ) -> Float[Tensor, "batch out x y z"]:
        """The noise in `x`, see `UNet3D.forward`."""
        rows = len(x)
        if _is_pair(x, t):
            x, t = x[: rows // 2], t[: rows // 2]
        if (t == t[:1]).all():
            t = t[:1]
        features = time_features(t, self._width).to(x.dtype)
        said = _Said(
            scales=self._scales(functional.silu(self._time_embed(features))),
            texts=self._texts(context) if context.shape[1] == 1 else [],
            context=context,
        )
        x = channels_last(x).contiguous()
        skips = []
        for stage in self._down:
            for layer in stage:
                x = layer(x, said)
            skips.append(x)
        for layer in self._middle:
            x = layer(x, said)
        for first, *rest in self._up:
            assert isinstance(first, _Res)
            x = first.joined(x, skips.pop(), said)
            for layer in rest:
                x = layer(x, said)
        x = self._last(x, normalised(x, self._norm))
        return channels_first(_repeated(x, rows)).contiguous()


class _Res:
    """`ResBlock`."""

    def __init__(self, block: ResBlock, place: int) -> None:
        self._block, self._place = block, place
        norm1, _, conv1 = block.in_layers
        norm2, _, _, conv2 = block.out_layers
        self._norm1, self._conv1 = _group_norm(norm1), _grid_conv(conv1)
        self._norm2, self._conv2 = _group_norm(norm2), _grid_conv(conv2)
        narrows = isinstance(block.skip_connection, nn.Conv3d)
        self._skip = pointwise(*_parameters(block.skip_connection)) if narrows else None
        self._halves: tuple[_Half, _Half] | None = None

    def __call__(self, x: Tensor, said: _Said) -> Tensor:
        hidden = self._conv1(x, normalised(x, self._norm1))
        return self._second(hidden, x if self._skip is None else self._skip(x), said)

    def joined(self, x: Tensor, skip: Tensor, said: _Said) -> Tensor:
        """The block of `x` and `skip` side by side; `skip` may have half the rows."""
        split = x.shape[-1]
        group = self._norm1.num_channels // self._norm1.num_groups
        if len(skip) == len(x) or split % group or self._skip is None:
            return self(torch.cat([x, _repeated(skip, len(x))], dim=-1), said)
        # No group of the normalisation has channels of both, so each can go its own way.
        if self._halves is None:
            mine, common = slice(0, split), slice(split, self._norm1.num_channels)
            self._halves = _Half(self._block, mine), _Half(self._block, common, bias=False)
        hidden, added = self._halves[0](x)
        common_hidden, common_added = self._halves[1](skip)
        pairs = (len(x) // len(skip), len(skip))
        hidden.unflatten(0, pairs).add_(common_hidden)
        added.unflatten(0, pairs).add_(common_added)
        return self._second(hidden, added, said)

    def _second(self, hidden: Tensor, added: Tensor, said: _Said) -> Tensor:
        scale_shift = said.scales[self._place]
        if len(scale_shift) > 1:
            scale_shift = _repeated(scale_shift, len(hidden))
        activation = normalised(hidden, self._norm2, scale_shift)
        return self._conv2(hidden, activation).add_(added)


class _Half:
    """The way of some of a block's input channels to the sums that they are part of."""

    def __init__(self, block: ResBlock, channels: slice, *, bias: bool = True) -> None:
        norm, weight, shift = _group_norm(block.in_layers[0]), *_parameters(block.in_layers[2])
        num = channels.stop - channels.start
        groups = num * norm.num_groups // norm.num_channels
        self._norm = nn.GroupNorm(groups, num, eps=norm.eps).requires_grad_(requires_grad=False)
        self._norm.weight.copy_(norm.weight[channels])
        self._norm.bias.copy_(norm.bias[channels])
        self._conv = GridConv(weight[:, channels], shift * bias)
        weight, shift = _parameters(block.skip_connection)
        self._skip = pointwise(weight[:, channels], shift * bias)

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._conv(x, normalised(x, self._norm)), self._skip(x)


class _Transformer:
    """`GridTransformer`."""

    def __init__(self, layer: GridTransformer, readers: list[TransformerBlock]) -> None:
        self._norm = layer.norm
        self._proj_in = pointwise(*_parameters(layer.proj_in))
        self._proj_out = pointwise(*_parameters(layer.proj_out))
        self._blocks = [
            (readers.index(block), block, torch.cat([part.weight for part in _projections(block)]))
            for block in layer.transformer_blocks
            if isinstance(block, TransformerBlock)
        ]

    def __call__(self, x: Tensor, said: _Said) -> Tensor:
        cells = self._proj_in(normalised(x, self._norm).scaled(x)).flatten(1, 3)
        for place, block, qkv in self._blocks:
            attn = block.attn1
            q, k, v = (
                functional.linear(block.norm1(cells), qkv)
                .unflatten(2, (3, attn.heads, -1))
                .permute(2, 0, 3, 1, 4)
            )
            mixed = functional.scaled_dot_product_attention(q, k, v)
            cells = cells.add_(attn.to_out(mixed.transpose(1, 2).flatten(2)))
            # Up to here nothing depends on the text.
            cells = _repeated(cells, len(said.context))
            if said.texts:
                cells = cells.add_(said.texts[place][:, None])
            else:
                cells = cells.add_(block.attn2(block.norm2(cells), said.context))
            cells = cells.add_(block.ff(block.norm3(cells)))
        x = _repeated(x, len(said.context))
        return self._proj_out(cells).view(x.shape).add_(x)


def _plain_layer(layer: nn.Module) -> _Layer:
    """Convolutions that are alone in their stage, or change the grid."""
    if isinstance(layer, nn.Conv3d):
        conv = _grid_conv(layer)
        return lambda x, _: conv(x)
    if isinstance(layer, Downsample):
        weight, bias = _parameters(layer.op)
        strided = packed_conv(weight, bias, stride=layer.op.stride, padding=(1, 1, 1))
        return lambda x, _: channels_last(strided(channels_first(x)))
    if isinstance(layer, Upsample) and layer.factors == (2, 2, 2):
        doubling = DoublingConv(*_parameters(layer.conv))
        return lambda x, _: doubling(x)
    # What is left is rare (legacy strides): the plain layer.
    return lambda x, _: channels_last(layer(channels_first(x))).contiguous()


def _stacked(maps: Sequence[tuple[Tensor, Tensor]]) -> Callable[[Tensor], Sequence[Tensor]]:
    """Several linear maps of the same vectors as one matrix product."""
    if not maps:
        return lambda _: []
    weight = torch.cat([weight for weight, _ in maps])
    bias = torch.cat([bias for _, bias in maps])
    sizes = [len(bias) for _, bias in maps]
    return lambda x: functional.linear(x.flatten(1), weight, bias).split(sizes, dim=1)


def _value_map(block: TransformerBlock) -> tuple[Tensor, Tensor]:
    """From a single text token to what the cross-attention adds."""
    out = block.attn2.to_out[0]
    assert isinstance(out, nn.Linear)
    return (out.weight.double() @ block.attn2.to_v.weight.double()).float(), out.bias


def _projections(block: TransformerBlock) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
    return block.attn1.to_q, block.attn1.to_k, block.attn1.to_v


def _linear(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, nn.Linear)
    return layer.weight, layer.bias


def _parameters(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, nn.Conv3d)
    assert layer.bias is not None
    return layer.weight, layer.bias


def _grid_conv(layer: nn.Module) -> GridConv:
    return GridConv(*_parameters(layer))


def _group_norm(layer: nn.Module) -> nn.GroupNorm:
    assert isinstance(layer, nn.GroupNorm)
    return layer


def _is_pair(x: Tensor, t: Tensor) -> bool:
    half = len(x) // 2
    return (
        len(x) == 2 * half and torch.equal(t[:half], t[half:]) and torch.equal(x[:half], x[half:])
    )


def _repeated(x: Tensor, rows: int) -> Tensor:
    """As many rows, in the order in which a pair lies in the batch."""
    return x if len(x) == rows else x.repeat(rows // len(x), *[1] * (x.ndim - 1))
