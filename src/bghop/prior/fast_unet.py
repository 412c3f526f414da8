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
                return _Transformer(layer, readers.index(layer.transformer_blocks[0]))
            return _plain_layer(layer)

        made = [[fast(layer) for layer in stage] for stage in stages]
        num = len(unet.input_blocks)
        self._down, self._middle, self._up = made[:num], made[num], made[num + 1 :]
        self._norm, _, last = unet.out
        self._last = _grid_conv(last)

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
        self._place = place
        self._norm1, self._norm2 = block.in_layers[0], block.out_layers[0]
        self._block = block
        self._conv1, self._conv2 = _grid_conv(block.in_layers[2]), _grid_conv(block.out_layers[3])
        self._skip = _skip(block)
        self._halves: dict[int, tuple[_Half, _Half]] = {}

    def __call__(self, x: Tensor, said: _Said) -> Tensor:
        return self._second(self._conv1(x, normalised(x, self._norm1)), self._skip(x), said)

    def joined(self, x: Tensor, skip: Tensor, said: _Said) -> Tensor:
        """The block of `x` and `skip` side by side; `skip` may have half the rows."""
        groups = x.shape[-1] * self._norm1.num_groups / self._norm1.num_channels
        if len(skip) == len(x) or not groups.is_integer():
            return self(torch.cat([x, _repeated(skip, len(x))], dim=-1), said)
        # No group of the normalisation has channels of both, so each can go its own way.
        if x.shape[-1] not in self._halves:
            self._halves[x.shape[-1]] = _halves(self._block, x.shape[-1])
        mine, common = self._halves[x.shape[-1]]
        hidden, added = mine(x)
        more_hidden, more_added = common(skip)
        pairs = (len(x) // len(skip), len(skip))
        hidden.unflatten(0, pairs).add_(more_hidden)
        added.unflatten(0, pairs).add_(more_added)
        return self._second(hidden, added, said)

    def _second(self, hidden: Tensor, added: Tensor, said: _Said) -> Tensor:
        scale_shift = _repeated(said.scales[self._place], len(hidden))
        activation = normalised(hidden, self._norm2, scale_shift)
        return self._conv2(hidden, activation).add_(added)


class _Half:
    """The way of some of a block's input channels to the sums that they are part of."""

    def __init__(self, block: ResBlock, channels: slice, *, bias: bool) -> None:
        norm, _, conv = block.in_layers
        start, stop, _ = channels.indices(norm.num_channels)
        groups = (stop - start) * norm.num_groups // norm.num_channels
        self._norm = nn.GroupNorm(groups, stop - start, eps=norm.eps)
        self._norm.weight = nn.Parameter(norm.weight[channels], requires_grad=False)
        self._norm.bias = nn.Parameter(norm.bias[channels], requires_grad=False)
        self._conv = GridConv(conv.weight[:, channels], conv.bias * bias)
        skip = block.skip_connection
        assert isinstance(skip, nn.Conv3d)
        assert skip.bias is not None
        self._skip = pointwise(skip.weight[:, channels], skip.bias * bias)

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._conv(x, normalised(x, self._norm)), self._skip(x)


def _halves(block: ResBlock, split: int) -> tuple[_Half, _Half]:
    first, second = slice(0, split), slice(split, None)
    return _Half(block, first, bias=True), _Half(block, second, bias=False)


class _Transformer:
    """`GridTransformer`."""

    def __init__(self, layer: GridTransformer, place: int) -> None:
        self._norm = layer.norm
        self._proj_in = pointwise(*_parameters(layer.proj_in))
        self._proj_out = pointwise(*_parameters(layer.proj_out))
        self._blocks = [
            (place + k, block, torch.cat([w.weight for w in _projections(block)]))
            for k, block in enumerate(layer.transformer_blocks)
            if isinstance(block, TransformerBlock)
        ]

    def __call__(self, x: Tensor, said: _Said) -> Tensor:
        cells = self._proj_in(channels_last(self._norm(channels_first(x)))).flatten(1, 3)
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


def _skip(block: ResBlock) -> Callable[[Tensor], Tensor]:
    skip = block.skip_connection
    return pointwise(*_parameters(skip)) if isinstance(skip, nn.Conv3d) else lambda x: x


def _is_pair(x: Tensor, t: Tensor) -> bool:
    half = len(x) // 2
    return (
        len(x) == 2 * half and torch.equal(t[:half], t[half:]) and torch.equal(x[:half], x[half:])
    )


def _repeated(x: Tensor, rows: int) -> Tensor:
    """As many rows; one row is left to broadcasting."""
    if len(x) in {1, rows} and (len(x) == rows or x.ndim == 2):
        return x
    return x.repeat(rows // len(x), *[1] * (x.ndim - 1))
