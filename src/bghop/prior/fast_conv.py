"""Convolutions over grids on a CPU, fast: the same numbers in fewer multiplications.

Used for inference only (`fast_unet`, `fast_vqvae`); training runs the plain layers. Grids lie in
memory with their channels last, `batch x y z channel`, so that every step is a matrix product or an
addition of long rows, and are worked on in slabs along x that stay in the cache.

- `GridConv`, kernel 3: Winograd's minimal filtering (Lavin and Gray 2016), four cells at a time
  over y, F(4, 3), two over z, F(2, 3), direct over x: three times fewer multiplications. The finite
  points over y are 0, 1, -1, 2 and -1/2, more exact than the usual 0, 1, -1, 2 and -2.
- `DoublingConv`, every cell repeated and then kernel 3: along one axis the two new cells at i are
  y0 = w0 (x[i-1] - x[i]) + (w0 + w1 + w2) x[i] and y1 = (w0 + w1 + w2) x[i] + w2 (x[i+1] - x[i]),
  three products instead of six; in three axes 27 instead of 216.
"""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Conv = Callable[[Tensor], Tensor]

_SMALLEST_GRID = 8
"""Cells along an edge; on smaller grids direct convolution skips so much padding that it wins."""
_SMALLEST_WIDTH = 32
"""Channels; with fewer, the transforms cost more than they save."""
_CACHE = 2**18
"""Numbers of one kind that a thread works on at a time (1 MiB)."""
_FEW_NUMBERS = 2**22
"""Grids up to this size (16 MiB) are normalised once more just for their moments."""


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
            self._winograd = packed_conv(
                *winograd_weights(self._weight, self._bias), groups=_GROUPS
            )
        out = x.new_empty(num, *sizes, len(self._bias))
        grids = max(1, _cache() // (x[0].numel() // channels * self._width))
        for first in range(0, num, grids):
            some = slice(first, first + grids)
            own = None if activation is None else activation.of_rows(some)
            self._by_winograd(x[some], own, out[some])
        return out

    @property
    def _width(self) -> int:
        """Numbers per cell after the transform, on the wider side."""
        return 3 * max(self._weight.shape[:2])

    def _by_winograd(self, x: Tensor, activation: Activation | None, out: Tensor) -> None:
        """In bands over y of slabs over x; a slab leaves its last two rows to the next one."""
        assert self._winograd is not None
        num, size, y, z, channels = x.shape
        band = min(y, max(4, _cache() // (4 * num * z * self._width) // 4 * 4))
        rows = max(2, _cache() // (num * band * z * self._width))
        for low in range(0, y, band):
            high = min(low + band, y)
            tiles = (high - low) // 4, z // 2
            points = _scratch("points", num, rows + 2, *tiles, 6, 4 * channels)
            points[:, 0] = 0
            _to_winograd(_plane(x[:, :1], activation, low, high), points[:, 1:2])
            for start in range(0, size, rows):
                stop = min(start + rows, size)
                length, fresh = stop - start, x[:, start + 1 : stop + 1]
                if stop - start > 1 or stop < size:
                    plane = _plane(fresh, activation, low, high)
                    _to_winograd(plane, points[:, 2 : 2 + fresh.shape[1]])
                if stop == size:
                    points[:, length + 1] = 0
                slab = points[:, : length + 2].flatten(4).flatten(2, 3)
                products = self._winograd(slab.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
                products = products.view(num, length, *tiles, 6, -1)
                _from_winograd(products, out[:, start:stop, low:high])
                if stop < size:
                    points[:, :2] = points[:, length : length + 2]

    def _directly(self, x: Tensor, activation: Activation | None) -> Tensor:
        if self._direct is None:
            self._direct = packed_conv(self._weight, self._bias, padding=(1, 1, 1))
        if activation is not None:
            x = torch.addcmul(_wide(activation.shift), x, _wide(activation.scale))
            x = activation.bend(x)
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
        rows = max(1, _cache() // (y * z * channels))
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
        rows = max(2, _cache() // (3 * y * z * len(self._bias)))
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
            cells_y = _scratch("along_y", rows, y - 2 + along_y, z, channels)
            _difference(padded, 1, along_y, cells_y)
            parts = []
            for along_z in range(2):
                cells = _scratch("along_z", rows, y - 2 + along_y, z - 2 + along_z, channels)
                _difference(cells_y, 2, along_z, cells)
                product = cells.view(-1, channels) @ self._products[kind][along_y][along_z]
                parts.append(product.view(*cells.shape[:3], -1))
            halves.append(_doubled(*parts, 2))
        return _doubled(*halves, 1)


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


_POINTS_Y = [
    [1, 0, 0],
    [1 / 6, 1 / 6, 1 / 6],
    [1 / 3, -1 / 3, 1 / 3],
    [1 / 30, 2 / 30, 4 / 30],
    [32 / 15, -16 / 15, 8 / 15],
    [0, 0, 1],
]
"""Weights at the points 0, 1, -1, 2, -1/2 and infinity, scaled to suit `_to_points_y`."""
_POINTS_Z = [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]
"""Weights at the points 0, 1, -1 and infinity."""
_GROUPS = len(_POINTS_Y) * len(_POINTS_Z)


def winograd_weights(
    weight: Float[Tensor, "out c 3 3 3"], bias: Float[Tensor, " out"]
) -> tuple[Float[Tensor, "groups*out c 3 1"], Float[Tensor, " groups*out"]]:
    """Weights of a 3x1 convolution in 24 groups, one per pair of Winograd points of y and z.

    The bias is added at the points (1, 1), which every cell contains exactly once.
    """
    over_y, over_z = (torch.tensor(p, dtype=torch.float64) for p in (_POINTS_Y, _POINTS_Z))
    grouped = torch.einsum("pj,qk,oxijk->pqoxi", over_y, over_z, weight.double()).float()
    biases = bias.new_zeros(len(over_y), len(over_z), len(bias))
    biases[1, 1] = bias
    return grouped.flatten(0, 2)[..., None], biases.flatten()


def _to_winograd(
    x: Float[Tensor, "n x y+2 z+2 c"], out: Float[Tensor, "n x tile_y tile_z 6 4*c"]
) -> None:
    """Tiles of 6x4 cells, 4x2 apart, at Winograd's points of z, then of y."""
    *rows, y, z, channels = x.shape
    over_z = _scratch("over_z", *rows, y, z // 2 - 1, 4, channels)
    d0, d1, d2, d3 = (x[..., k : k + z - 3 : 2, :] for k in range(4))
    points = over_z.unbind(-2)
    torch.sub(d0, d2, out=points[0])
    torch.add(d1, d2, out=points[1])
    torch.sub(d2, d1, out=points[2])
    torch.sub(d1, d3, out=points[3])
    over_z = over_z.flatten(-2)
    _to_points_y([over_z[..., k : k + y - 5 : 4, :, :] for k in range(6)], out.unbind(-2))


def _to_points_y(d: Sequence[Tensor], points: Sequence[Tensor]) -> None:
    """From six cells to the values at 0, 1, -1, 2, -1/2 and infinity (times 1, 2 or 1/2)."""
    odd = torch.sub(d[3], d[1], out=_scratch("odd", *d[0].shape))
    even = torch.sub(d[4], d[2], out=_scratch("even", *d[0].shape))
    torch.sub(d[0], d[2], out=points[0]).add_(odd, alpha=-1.5).add_(even)
    torch.add(odd, even, alpha=-2, out=points[1]).add_(d[1], alpha=3).add_(d[2], alpha=3)
    torch.sub(even, odd, out=points[2]).add_(d[2], alpha=1.5).add_(d[3], alpha=-1.5)
    torch.add(odd, even, alpha=2, out=points[3])
    torch.add(odd, even, alpha=-0.5, out=points[4])
    torch.sub(d[5], d[3], out=points[5]).add_(odd, alpha=-1).add_(even, alpha=-1.5)


def _from_winograd(
    products: Float[Tensor, "n x tile_y tile_z 6 4*c"], out: Float[Tensor, "n x y z c"]
) -> None:
    """The cells of the tiles from their points of y, then of z, into `out`."""
    *rows, tiles_y, tiles_z, _, width = products.shape
    over_y = _scratch("over_y", *rows, tiles_y, 4, tiles_z, width)
    _from_points_y(products.unbind(-2), over_y.unbind(-3))
    points = over_y.view(*rows, 4 * tiles_y, tiles_z, 4, width // 4).unbind(-2)
    cells = out.unflatten(-2, (tiles_z, 2)).unbind(-2)
    torch.add(points[1], points[2], out=cells[0]).add_(points[0])
    torch.sub(points[1], points[2], out=cells[1]).sub_(points[3])


def _from_points_y(points: Sequence[Tensor], cells: Sequence[Tensor]) -> None:
    """Four cells from six points: the polynomial's coefficients, so to speak."""
    even = torch.add(points[1], points[2], out=_scratch("even", *cells[0].shape))
    odd = torch.sub(points[1], points[2], out=_scratch("odd", *cells[0].shape))
    torch.add(even, points[0], out=cells[0]).add_(points[3]).add_(points[4])
    torch.add(odd, points[3], alpha=2, out=cells[1]).add_(points[4], alpha=-0.5)
    torch.add(even, points[3], alpha=4, out=cells[2]).add_(points[4], alpha=0.25)
    torch.add(odd, points[3], alpha=8, out=cells[3]).add_(points[4], alpha=-0.125).add_(points[5])


def _moments(x: Float[Tensor, "b x y z c"], groups: int, eps: float) -> tuple[Tensor, Tensor]:
    """Mean and reciprocal deviation of the channel's group, for every channel: `b c`."""
    num, *_, channels = x.shape
    cells = x.flatten(1, 3)
    if x.numel() <= _FEW_NUMBERS:
        sizes = num, channels, cells.shape[1], groups, eps
        _, mean, spread = torch.native_group_norm(channels_first(x), None, None, *sizes)
        return tuple(value.repeat_interleave(channels // groups, 1) for value in (mean, spread))
    # The kernel writes all it normalises, which is dear for large grids.
    means, spreads = [], []
    for row in cells:
        mean = _over_groups(row.mean(0), groups)
        squares = torch.zeros_like(mean)
        for part in row.split(max(1, _cache() // channels)):
            centred = torch.sub(part, mean, out=_scratch("centred", *part.shape))
            squares += centred.square_().sum(0)
        means.append(mean)
        spreads.append(torch.rsqrt(_over_groups(squares / len(row), groups) + eps))
    return torch.stack(means), torch.stack(spreads)


def _over_groups(x: Float[Tensor, " c"], groups: int) -> Float[Tensor, " c"]:
    return x.view(groups, -1).mean(1).repeat_interleave(len(x) // groups)


def _plane(
    x: Float[Tensor, "n rows y z c"],
    activation: Activation | None,
    low: int = 0,
    high: int | None = None,
) -> Float[Tensor, "n rows band+2 z+2 c"]:
    """A band of y and its neighbours, activated, with zeros around the grid; in scratch."""
    num, rows, y, z, channels = x.shape
    high = y if high is None else high
    padded = _scratch("plane", num, rows, high - low + 2, z + 2, channels)
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


def _cache() -> int:
    return _CACHE * min(torch.get_num_threads(), 8)


def _wide(x: Float[Tensor, "b c"]) -> Float[Tensor, "b 1 1 1 c"]:
    return x[:, None, None, None]


_buffers = threading.local()


def _scratch(name: str, *shape: int) -> Tensor:
    """Memory for numbers that are used up before the same name is asked for again.

    Fresh memory would cost more than the sums that are written to it.
    """
    num = 1
    for size in shape:
        num *= size
    buffer = getattr(_buffers, name, None)
    if buffer is None or len(buffer) < num:
        with torch.inference_mode(mode=False):
            buffer = torch.empty(num)
        setattr(_buffers, name, buffer)
    return buffer[:num].view(shape)
