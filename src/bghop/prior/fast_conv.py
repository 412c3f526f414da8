"""Convolutions over grids on a CPU, fast: the same numbers in fewer multiplications.

Used for inference only (`fast_unet`, `fast_vqvae`); training runs the plain layers. Grids lie in
memory with their channels last, `batch x y z channel`, so that every step is a matrix product or an
addition of long rows, and are worked on in slabs along x that stay in the cache.

- `GridConv`, kernel 3: Winograd's minimal filtering F(2x2, 3x3) over y and z, direct over x: 2.25
  times fewer multiplications (Lavin and Gray 2016). Its numbers are sums and halves of the weights,
  so it is about as exact as the direct way.
- `DoublingConv`, every cell repeated and then kernel 3: along one axis the two new cells at i are
  y0 = w0 (x[i-1] - x[i]) + (w0 + w1 + w2) x[i] and y1 = (w0 + w1 + w2) x[i] + w2 (x[i+1] - x[i]),
  three products instead of six; in three axes 27 instead of 216.
"""

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
"""Numbers of one kind that are worked on at a time (1 MiB)."""


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


def normalised(
    x: Float[Tensor, "b x y z c"],
    norm: nn.GroupNorm,
    scale_shift: Float[Tensor, "rows 2*c"] | None = None,
    *,
    bend: Callable[[Tensor], Tensor] = torch.ops.aten.silu_,
) -> Activation:
    """Group normalisation as an `Activation`, optionally scaled (by 1 + scale) and shifted."""
    mean, variance = _moments(x, norm.num_groups)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
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
        big = min(sizes) >= _SMALLEST_GRID and sizes[1] % 2 == 0 and sizes[2] % 2 == 0
        if not big or min(channels, len(self._bias)) < _SMALLEST_WIDTH:
            return self._directly(x, activation)
        if self._winograd is None:
            self._winograd = packed_conv(*winograd_weights(self._weight, self._bias), groups=16)
        out = x.new_empty(num, *sizes, len(self._bias))
        rows = _rows(sizes, 4 * max(channels, len(self._bias)))
        for row in range(num):
            for start in range(0, sizes[0], rows):
                stop = min(start + rows, sizes[0])
                points = _to_winograd(_slab(x, row, start, stop, activation))
                tiles = points.shape[1:3]
                products = self._winograd(points.flatten(3).flatten(1, 2).permute(2, 0, 1)[None])
                products = products[0].permute(1, 2, 0).unflatten(1, tiles).unflatten(3, (4, -1))
                _from_winograd(products, out[row, start:stop])
        return out

    def _directly(self, x: Tensor, activation: Activation | None) -> Tensor:
        if self._direct is None:
            self._direct = packed_conv(self._weight, self._bias, padding=(1, 1, 1))
        if activation is not None:
            x = torch.addcmul(_wide(activation.shift), x, _wide(activation.scale))
            x = activation.bend(x)
        return channels_last(self._direct(channels_first(x)))


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
        num, *sizes, _ = x.shape
        width = len(self._bias)
        out = x.new_empty(num, sizes[0], 2, 2 * sizes[1], 2 * sizes[2], width)
        rows = _rows(sizes, 9 * width)
        for row in range(num):
            for start in range(0, sizes[0], rows):
                stop = min(start + rows, sizes[0])
                slab = _slab(x, row, start, stop, None)
                before, here, after = slab[:-2], slab[1:-1], slab[2:]
                common = self._plane(here, 0).add_(self._bias)
                torch.add(common, self._plane(here - before, 1), out=out[row, start:stop, 0])
                torch.add(common, self._plane(after - here, 2), out=out[row, start:stop, 1])
        return out.flatten(1, 2)

    def _plane(self, x: Float[Tensor, "x y+2 z+2 c"], kind: int) -> Float[Tensor, "x 2*y 2*z out"]:
        """Doubled over y and z; `kind` says which weights along x."""
        halves = []
        for over_y, cells_y in enumerate((x[:, 1:-1], x[:, 1:] - x[:, :-1])):
            inner = cells_y[:, :, 1:-1], cells_y[:, :, 1:] - cells_y[:, :, :-1]
            same, differing = (
                cells @ weight
                for cells, weight in zip(inner, self._products[kind][over_y], strict=True)
            )
            halves.append(_doubled(same, differing, 2))
        return _doubled(*halves, 1)


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


def winograd_weights(
    weight: Float[Tensor, "out c 3 3 3"], bias: Float[Tensor, " out"]
) -> tuple[Float[Tensor, "16*out c 3 1"], Float[Tensor, " 16*out"]]:
    """Weights of a 3x1 convolution in 16 groups, one per pair of Winograd points of y and z.

    The bias is added at the points (1, 1), which every output contains exactly once.
    """
    points = torch.tensor(
        [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=torch.float64
    )
    grouped = torch.einsum("pj,qk,oxijk->pqoxi", points, points, weight.double()).float()
    biases = bias.new_zeros(4, 4, len(bias))
    biases[1, 1] = bias
    return grouped.flatten(0, 2)[..., None], biases.flatten()


def _to_winograd(x: Float[Tensor, "x y z c"]) -> Float[Tensor, "x tile_y tile_z 4 4*c"]:
    """Per tile of 4x4 cells (2 apart): B' d B of Winograd's scheme over z, then over y."""
    rows, y, z, channels = x.shape
    over_z = _scratch("over_z", rows, y, z // 2 - 1, 4, channels)
    _combine([x[:, :, k : k + z - 3 : 2] for k in range(4)], over_z.unbind(3))
    over_z = over_z.flatten(3)
    both = _scratch("points", rows, y // 2 - 1, z // 2 - 1, 4, 4 * channels)
    _combine([over_z[:, k : k + y - 3 : 2] for k in range(4)], both.unbind(3))
    return both


def _combine(cells: list[Tensor], points: Sequence[Tensor]) -> None:
    torch.sub(cells[0], cells[2], out=points[0])
    torch.add(cells[1], cells[2], out=points[1])
    torch.sub(cells[2], cells[1], out=points[2])
    torch.sub(cells[1], cells[3], out=points[3])


def _from_winograd(
    products: Float[Tensor, "x tile_y tile_z 4 4*c"], out: Float[Tensor, "x y z c"]
) -> None:
    """Two cells from four points: A' m A over y, then over z, into `out`."""
    rows, tiles_y, tiles_z, _, width = products.shape
    over_y = _scratch("over_y", rows, tiles_y, 2, tiles_z, width)
    _resolve(products.unbind(3), over_y.unbind(2))
    over_y = over_y.view(rows, 2 * tiles_y, tiles_z, 4, width // 4)
    cells = out.view(rows, 2 * tiles_y, tiles_z, 2, width // 4)
    _resolve(over_y.unbind(3), cells.unbind(3))


def _resolve(points: Sequence[Tensor], cells: Sequence[Tensor]) -> None:
    torch.add(points[1], points[2], out=cells[0]).add_(points[0])
    torch.sub(points[1], points[2], out=cells[1]).sub_(points[3])


def _moments(x: Float[Tensor, "b x y z c"], groups: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of the channel's group, for every channel: `b c`."""
    cells = x.flatten(1, 3)
    means, variances = [], []
    for row in cells:
        mean = row.mean(0).unflatten(0, (groups, -1)).mean(1, keepdim=True)
        mean = mean.expand(groups, x.shape[-1] // groups).flatten()
        squares = sum(
            torch.sub(part, mean, out=_scratch("squares", *part.shape)).square_().sum(0)
            for part in row.split(max(1, _CACHE // row.shape[1]))
        )
        variance = squares.unflatten(0, (groups, -1)).mean(1, keepdim=True) / len(row)
        means.append(mean)
        variances.append(variance.expand(groups, x.shape[-1] // groups).flatten())
    return torch.stack(means), torch.stack(variances)


def _slab(
    x: Float[Tensor, "b x y z c"], row: int, start: int, stop: int, activation: Activation | None
) -> Float[Tensor, "rows+2 y+2 z+2 c"]:
    """Cells start - 1 to stop + 1 along x, activated, with zeros around the grid; in scratch."""
    _, x_size, y_size, z_size, channels = x.shape
    slab = _scratch("slab", stop - start + 2, y_size + 2, z_size + 2, channels)
    slab[:, :: y_size + 1] = 0
    slab[:, :, :: z_size + 1] = 0
    low, high = max(start - 1, 0), min(stop + 1, x_size)
    inside = slab[low - start + 1 : high - start + 1, 1:-1, 1:-1]
    if start == 0:
        slab[0] = 0
    if stop == x_size:
        slab[-1] = 0
    cells = x[row, low:high]
    if activation is None:
        inside.copy_(cells)
        return slab
    row = min(row, len(activation.scale) - 1)
    torch.addcmul(activation.shift[row], cells, activation.scale[row], out=inside)
    activation.bend(slab)
    return slab


def _rows(sizes: Sequence[int], width: int) -> int:
    """Rows along x at a time."""
    return max(2, _CACHE // (sizes[1] * sizes[2] * width))


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
