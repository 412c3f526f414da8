"""Convolutions over grids on a CPU, fast: the same numbers in fewer multiplications.

Used for inference only (`fast_unet`, `fast_vqvae`); training runs the plain layers. Grids lie in
memory with their channels last, `batch x y z channel`, so that every step is a matrix product or an
addition of long rows, and are worked on in slabs along x that stay in the cache.

- `GridConv`, kernel 3: Winograd's minimal filtering over y and z, direct over x: three times fewer
  multiplications, see `winograd`.
- `DoublingConv`, every cell repeated and then kernel 3: along one axis the two new cells at i are
  y0 = w0 (x[i-1] - x[i]) + (w0 + w1 + w2) x[i] and y1 = (w0 + w1 + w2) x[i] + w2 (x[i+1] - x[i]),
  three products instead of six; in three axes 27 instead of 216.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bghop.prior.scratch import cache_size, scratch
from bghop.prior.winograd import GROUPS, from_winograd, to_winograd, winograd_weights

Conv = Callable[[Tensor], Tensor]

_SMALLEST_GRID = 8
"""Cells along an edge; on smaller grids direct convolution skips so much padding that it wins."""
_SMALLEST_WIDTH = 32
"""Channels; with fewer, the transforms cost more than they save."""


def available() -> bool:
    """Whether the library is there whose kernels make this faster than the plain layers."""
    return torch.backends.mkldnn.is_available()


@dataclass(frozen=True, kw_only=True)
class Activation:
    """What is done to a grid on its way into a convolution: scaled, shifted, then bent."""

    scale: Float[Tensor, "rows channels"]
    shift: Float[Tensor, "rows channels"]
    """One row for all of the batch, or one each."""
    bend: Callable[[Tensor], Tensor]
    """In place, and 0 at 0: `torch.ops.aten.silu_` or `gelu_`."""

    def scaled(self, x: Float[Tensor, "b x y z c"]) -> Float[Tensor, "b x y z c"]:
        """A new grid, not bent."""
        return torch.addcmul(_wide(self.shift), x, _wide(self.scale))

    def of_rows(self, rows: slice) -> "Activation":
        """That of some rows of the batch."""
        if len(self.scale) == 1:
            return self
        return Activation(scale=self.scale[rows], shift=self.shift[rows], bend=self.bend)


def normalised(
    x: Float[Tensor, "b x y z c"],
    norm: nn.GroupNorm,
    scale_shift: Float[Tensor, "rows 2*c"] | None = None,
    *,
    bend: Callable[[Tensor], Tensor] = torch.ops.aten.silu_,
) -> Activation:
    """Group normalisation as an `Activation`, optionally scaled (by 1 + scale) and shifted."""
    mean, spread = _moments(x, norm.num_groups, norm.eps)
    scale = norm.weight * spread
    shift = torch.addcmul(norm.bias, mean, scale, value=-1)
    if scale_shift is not None:
        more, added = scale_shift.chunk(2, dim=1)
        scale, shift = scale * (1 + more), torch.addcmul(added, shift, 1 + more)
    return Activation(scale=scale, shift=shift, bend=bend)


class GridConv:
    """Convolution with kernel 3, stride 1 and one cell of zeros around the grid."""

    def __init__(self, weight: Float[Tensor, "out c 3 3 3"], bias: Float[Tensor, " out"]) -> None:
        self._weight, self._bias = weight, bias
        self._width = 3 * max(weight.shape[:2])  # numbers per cell after the transform
        self._direct: Conv | None = None
        self._winograd: Conv | None = None

    def __call__(
        self, x: Float[Tensor, "b x y z c"], activation: Activation | None = None
    ) -> Float[Tensor, "b x y z out"]:
        """The convolved grid, of `x` after the activation."""
        num, *sizes, channels = x.shape
        big = min(sizes) >= _SMALLEST_GRID and sizes[1] % 4 == 0 and sizes[2] % 2 == 0
        if not big or min(channels, len(self._bias)) < _SMALLEST_WIDTH:
            return self._directly(x, activation)
        if self._winograd is None:
            self._winograd = packed_conv(*winograd_weights(self._weight, self._bias), groups=GROUPS)
        out = x.new_empty(num, *sizes, len(self._bias))
        grids = max(1, cache_size() // (x[0].numel() // channels * self._width))
        for first in range(0, num, grids):
            some = slice(first, first + grids)
            own = None if activation is None else activation.of_rows(some)
            self._by_winograd(x[some], own, out[some])
        return out

    def _by_winograd(self, x: Tensor, activation: Activation | None, out: Tensor) -> None:
        """In bands over y of slabs over x; a slab leaves its last two rows to the next one."""
        assert self._winograd is not None
        num, size, y, z, channels = x.shape
        band = min(y, max(4, cache_size() // (4 * num * z * self._width) // 4 * 4))
        rows = max(2, cache_size() // (num * band * z * self._width))
        for low in range(0, y, band):
            high = min(low + band, y)
            tiles = (high - low) // 4, z // 2
            points = scratch("points", num, rows + 2, *tiles, 6, 4 * channels)
            points[:, 0] = 0
            to_winograd(_plane(x[:, :1], activation, low, high), points[:, 1:2])
            for start in range(0, size, rows):
                stop = min(start + rows, size)
                length, fresh = stop - start, x[:, start + 1 : stop + 1]
                if stop - start > 1 or stop < size:
                    plane = _plane(fresh, activation, low, high)
                    to_winograd(plane, points[:, 2 : 2 + fresh.shape[1]])
                if stop == size:
                    points[:, length + 1] = 0
                slab = points[:, : length + 2].flatten(4).flatten(2, 3)
                products = self._winograd(slab.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
                products = products.view(num, length, *tiles, 6, -1)
                from_winograd(products, out[:, start:stop, low:high])
                if stop < size:
                    points[:, :2] = points[:, length : length + 2]

    def _directly(self, x: Tensor, activation: Activation | None) -> Tensor:
        if self._direct is None:
            self._direct = packed_conv(self._weight, self._bias, padding=(1, 1, 1))
        if activation is not None:
            x = activation.bend(activation.scaled(x))
        return channels_last(self._direct(channels_first(x)))


class NarrowConv:
    """The convolution of `GridConv` for few output channels: all taps as one matrix product."""

    def __init__(self, weight: Float[Tensor, "out c 3 3 3"], bias: Float[Tensor, " out"]) -> None:
        self._taps = weight.permute(2, 3, 4, 0, 1).reshape(-1, weight.shape[1]).contiguous()
        self._bias = bias

    def __call__(
        self, x: Float[Tensor, "b x y z c"], activation: Activation | None = None
    ) -> Float[Tensor, "b x y z out"]:
        """The convolved grid, of `x` after the activation."""
        num, size, y, z, channels = x.shape
        out = self._bias.view(-1, 1, 1, 1).repeat(num, 1, size + 2, y, z)
        rows = max(1, cache_size() // (y * z * channels))
        for row, start in itertools.product(range(num), range(0, size, rows)):
            one = slice(row, row + 1)
            own = None if activation is None else activation.of_rows(one)
            plane = _plane(x[one, start : start + rows], own)[0]
            taps = self._taps @ plane.view(-1, channels).T
            taps = taps.view(3, 3, 3, len(self._bias), *plane.shape[:3])
            for i, j, k in itertools.product(range(3), repeat=3):
                # What lies at x adds to the cells x + 1, x and x - 1, here one further.
                reached = slice(start + 2 - i, start + 2 - i + len(plane))
                out[row, :, reached] += taps[i, j, k, :, :, j : j + y, k : k + z]
        return channels_last(out[:, :, 1:-1])


class DoublingConv:
    """Every cell repeated along each axis, then a convolution with kernel 3 on the doubled grid."""

    def __init__(self, weight: Float[Tensor, "out c 3 3 3"], bias: Float[Tensor, " out"]) -> None:
        # Along each axis: sum of all, minus the first, the last (see the top of the file).
        ways = torch.tensor([[1.0, 1, 1], [-1, 0, 0], [0, 0, 1]], dtype=torch.float64)
        full = torch.einsum("pi,qj,rk,oxijk->pqrxo", ways, ways, ways, weight.double()).float()
        both, first = slice(1, 3), slice(0, 1)
        self._products = [
            [
                # Columns: the two of z, if any, then the two of y, if any, then channels.
                [full[kind, y, z].permute(2, 1, 0, 3).flatten(1) for z in (first, both)]
                for y in (first, both)
            ]
            for kind in range(3)
        ]
        self._bias = bias

    def __call__(self, x: Float[Tensor, "b x y z c"]) -> Float[Tensor, "b 2*x 2*y 2*z out"]:
        """The doubled, convolved grid."""
        num, size, y, z, _ = x.shape
        out = x.new_empty(num, size, 2, 2 * y, 2 * z, len(self._bias))
        rows = max(2, cache_size() // (3 * y * z * len(self._bias)))
        for grid, doubled in zip(x, out, strict=True):
            for start in range(0, size, rows):
                part = slice(start, min(start + rows, size))
                here = grid[part]
                # The cells before and after; outside the grid there are zeros.
                low, high = max(start - 1, 0), min(part.stop + 1, size)
                before, after = here.clone(), here.neg()
                before[low - start + 1 :].sub_(grid[low : part.stop - 1])
                after[: high - start - 1].add_(grid[start + 1 : high])
                common = self._planes(here, 0).add_(self._bias)
                torch.add(common, self._planes(before, 1), out=doubled[part, 0])
                torch.add(common, self._planes(after, 2), out=doubled[part, 1])
        return out.flatten(1, 2)

    def _planes(self, x: Float[Tensor, "x y z c"], kind: int) -> Float[Tensor, "x 2*y 2*z out"]:
        """Doubled over y and z; `kind` says which weights along x."""
        padded = _plane(x[None], None)[0]
        rows, y, z, channels = padded.shape
        halves = []
        for along_y in range(2):
            cells_y = scratch("along_y", rows, y - 2 + along_y, z, channels)
            _difference(padded, 1, along_y, cells_y)
            parts = []
            for along_z in range(2):
                cells = scratch("along_z", rows, y - 2 + along_y, z - 2 + along_z, channels)
                _difference(cells_y, 2, along_z, cells)
                product = cells.view(-1, channels) @ self._products[kind][along_y][along_z]
                parts.append(product.view(*cells.shape[:3], -1))
            halves.append(_doubled(parts[0], parts[1], 2))
        return _doubled(halves[0], halves[1], 1)


def _difference(x: Tensor, axis: int, along: int, out: Tensor) -> None:
    """Neighbouring cells' differences along an axis of a padded grid, or the cells inside."""
    if along:
        size = x.shape[axis] - 1
        torch.sub(x.narrow(axis, 1, size), x.narrow(axis, 0, size), out=out)
    else:
        out.copy_(x.narrow(axis, 1, x.shape[axis] - 2))


def _doubled(same: Tensor, differing: Tensor, axis: int) -> Tensor:
    """Twice the cells along an axis, from the common and the differing products."""
    first, second = differing.unflatten(3, (2, -1)).unbind(3)
    length = same.shape[axis]
    done = same.new_empty(*same.shape[: axis + 1], 2, *same.shape[axis + 1 :])
    torch.add(same, first.narrow(axis, 0, length), out=done.select(axis + 1, 0))
    torch.add(same, second.narrow(axis, 1, length), out=done.select(axis + 1, 1))
    return done.flatten(axis, axis + 1)


def channels_first(x: Float[Tensor, "b x y z c"]) -> Float[Tensor, "b c x y z"]:
    """The same memory as torch's layers name its axes."""
    return x.permute(0, 4, 1, 2, 3)


def channels_last(x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b x y z c"]:
    """The same memory as this file names its axes."""
    return x.permute(0, 2, 3, 4, 1)


def pointwise(weight: Float[Tensor, "out c 1 1 1"], bias: Float[Tensor, " out"]) -> Conv:
    """Convolution with kernel 1: a matrix product."""
    matrix = weight[..., 0, 0, 0]
    return lambda x: functional.linear(x, matrix, bias)


def packed_conv(
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Sequence[int] = (1, 1, 1),
    padding: Sequence[int] = (0, 0, 0),
    groups: int = 1,
) -> Conv:
    """A convolution (2 or 3 axes) with its weights in the order that the library wants."""
    axes = weight.ndim - 2
    strides, paddings, ones = list(stride)[:axes], list(padding)[:axes], [1] * axes
    last = torch.channels_last if axes == 2 else torch.channels_last_3d
    packed: list[Tensor] = []

    def run(x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=last)
        ops = torch.ops.mkldnn
        if not hasattr(ops, "_convolution_pointwise"):  # not a public function of torch
            return torch.mkldnn_convolution(x, weight, bias, paddings, strides, ones, groups)
        if not packed:
            plain, size = weight.contiguous(), list(x.shape)
            packed.append(
                ops._reorder_convolution_weight(plain, paddings, strides, ones, groups, size)
            )
        return ops._convolution_pointwise(
            x, packed[0], bias, paddings, strides, ones, groups, "none", [], ""
        )

    return run


def _moments(x: Float[Tensor, "b x y z c"], groups: int, eps: float) -> tuple[Tensor, Tensor]:
    """Mean and reciprocal deviation of the channel's group, for every channel: `b c`.

    In two passes: torch's kernel for this order of axes subtracts the mean's square from the mean
    square, and so loses the digits of channels that are far from zero.
    """
    cells = x.flatten(1, 3)
    mean = _over_groups(cells.mean(1), groups)
    squares = torch.zeros_like(mean)
    for part in cells.split(max(1, cache_size() // mean.numel()), dim=1):
        centred = torch.sub(part, mean[:, None], out=scratch("centred", *part.shape))
        squares += centred.square_().sum(1)
    spread = torch.rsqrt(_over_groups(squares, groups) / cells.shape[1] + eps)
    return mean, spread


def _over_groups(x: Float[Tensor, "b c"], groups: int) -> Float[Tensor, "b c"]:
    mean = x.unflatten(1, (groups, -1)).mean(2, keepdim=True)
    return mean.expand(-1, -1, x.shape[1] // groups).flatten(1)


def _plane(
    x: Float[Tensor, "n rows y z c"],
    activation: Activation | None,
    low: int = 0,
    high: int | None = None,
) -> Float[Tensor, "n rows band z+2 c"]:
    """A band of y and its neighbours, activated, with zeros around the grid; in scratch."""
    num, rows, y, z, channels = x.shape
    high = y if high is None else high
    padded = scratch("plane", num, rows, high - low + 2, z + 2, channels)
    padded[..., :: z + 1, :] = 0
    first, last = max(low - 1, 0), min(high + 1, y)
    if low == 0:
        padded[:, :, 0] = 0
    if high == y:
        padded[:, :, -1] = 0
    inside = padded[:, :, first - low + 1 : last - low + 1, 1:-1]
    cells = x[:, :, first:last]
    if activation is None:
        inside.copy_(cells)
    else:
        torch.addcmul(_wide(activation.shift), cells, _wide(activation.scale), out=inside)
        activation.bend(padded)
    return padded


def _wide(x: Float[Tensor, "b c"]) -> Float[Tensor, "b 1 1 1 c"]:
    return x[:, None, None, None]
