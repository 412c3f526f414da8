"""Winograd's minimal filtering over two axes of a grid (Lavin and Gray 2016).

Over y four cells at a time from six, F(4, 3), over z two from four, F(2, 3): 3x3 taps cost 24
products for 8 cells instead of 72. The finite points over y are 0, 1, -1, 2 and -1/2, which round
less than the usual 0, 1, -1, 2 and -2. Grids lie with their channels last.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.prior.scratch import scratch

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
GROUPS = len(_POINTS_Y) * len(_POINTS_Z)


def winograd_weights(
    weight: Float[Tensor, "out c 3 3 3"], bias: Float[Tensor, " out"]
) -> tuple[Float[Tensor, "rows c 3 1"], Float[Tensor, " rows"]]:
    """Weights of a 3x1 convolution in 24 groups, one per pair of Winograd points of y and z.

    The bias is added at the points (1, 1), which every cell contains exactly once.
    """
    over_y, over_z = (torch.tensor(p, dtype=torch.float64) for p in (_POINTS_Y, _POINTS_Z))
    grouped = torch.einsum("pj,qk,oxijk->pqoxi", over_y, over_z, weight.double()).float()
    biases = bias.new_zeros(len(over_y), len(over_z), len(bias))
    biases[1, 1] = bias
    return grouped.flatten(0, 2)[..., None], biases.flatten()


def to_winograd(
    x: Float[Tensor, "n x padded_y padded_z c"], out: Float[Tensor, "n x tile_y tile_z 6 4*c"]
) -> None:
    """Tiles of 6x4 cells, 4x2 apart, at Winograd's points of z, then of y."""
    num, rows, y, z, channels = x.shape
    over_z = scratch("over_z", num, rows, y, z // 2 - 1, 4, channels)
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
    odd = torch.sub(d[3], d[1], out=scratch("odd", *d[0].shape))
    even = torch.sub(d[4], d[2], out=scratch("even", *d[0].shape))
    torch.sub(d[0], d[2], out=points[0]).add_(odd, alpha=-1.5).add_(even)
    torch.add(odd, even, alpha=-2, out=points[1]).add_(d[1], alpha=3).add_(d[2], alpha=3)
    torch.sub(even, odd, out=points[2]).add_(d[2], alpha=1.5).add_(d[3], alpha=-1.5)
    torch.add(odd, even, alpha=2, out=points[3])
    torch.add(odd, even, alpha=-0.5, out=points[4])
    torch.sub(d[5], d[3], out=points[5]).add_(odd, alpha=-1).add_(even, alpha=-1.5)


def from_winograd(
    products: Float[Tensor, "n x tile_y tile_z 6 points"], out: Float[Tensor, "n x y z c"]
) -> None:
    """The cells of the tiles from their points of y, then of z, into `out`."""
    num, rows, tiles_y, tiles_z, _, width = products.shape
    over_y = scratch("over_y", num, rows, tiles_y, 4, tiles_z, width)
    _from_points_y(products.unbind(-2), over_y.unbind(-3))
    points = over_y.view(num, rows, 4 * tiles_y, tiles_z, 4, width // 4).unbind(-2)
    cells = out.unflatten(-2, (tiles_z, 2)).unbind(-2)
    torch.add(points[1], points[2], out=cells[0]).add_(points[0])
    torch.sub(points[1], points[2], out=cells[1]).sub_(points[3])


def _from_points_y(points: Sequence[Tensor], cells: Sequence[Tensor]) -> None:
    """Four cells from six points: the polynomial's coefficients, so to speak."""
    even = torch.add(points[1], points[2], out=scratch("even", *cells[0].shape))
    odd = torch.sub(points[1], points[2], out=scratch("odd", *cells[0].shape))
    torch.add(even, points[0], out=cells[0]).add_(points[3]).add_(points[4])
    torch.add(odd, points[3], alpha=2, out=cells[1]).add_(points[4], alpha=-0.5)
    torch.add(even, points[3], alpha=4, out=cells[2]).add_(points[4], alpha=0.25)
    torch.add(odd, points[3], alpha=8, out=cells[3]).add_(points[4], alpha=-0.125).add_(points[5])
