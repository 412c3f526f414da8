"""Winograd's minimal filtering over two axes of a grid (Lavin and Gray 2016).

Over y four cells at a time from six, F(4, 3), over z two from four, F(2, 3): 3x3 taps cost 24
products for 8 cells instead of 72. The finite points over y are 0, 1, -1, 2 and -1/2, which round
less than the usual 0, 1, -1, 2 and -2. Grids lie with their channels last.
"""

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
"""Weights at the points 0, 1, -1, 2, -1/2 and infinity, scaled to suit the next."""
_CELLS_TO_POINTS_Y = torch.tensor(
    [
        [1, 1.5, -2, -1.5, 1, 0],
        [0, 2, 5, 1, -2, 0],
        [0, 1, 0.5, -2.5, 1, 0],
        [0, -1, -2, 1, 2, 0],
        [0, -1, 0.5, 1, -0.5, 0],
        [0, 1, 1.5, -2, -1.5, 1],
    ]
)
_POINTS_TO_CELLS_Y = torch.tensor(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -0.5, 0],
        [0, 1, 1, 4, 0.25, 0],
        [0, 1, -1, 8, -0.125, 1],
    ]
)
_POINTS_Z = [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]
"""Weights at the points 0, 1, -1 and infinity."""
GROUPS = len(_POINTS_Y) * len(_POINTS_Z)


def winograd_weights(
    weight: Float[Tensor, "out c 3 3 3"], bias: Float[Tensor, " out"]
) -> tuple[Float[Tensor, "24*out c 3 1"], Float[Tensor, " 24*out"]]:
    """Weights of a 3x1 convolution in 24 groups, one per pair of Winograd points of y and z.

    The bias is added at the points (1, 1), which every cell contains exactly once.
    """
    over_y, over_z = (torch.tensor(p, dtype=torch.float64) for p in (_POINTS_Y, _POINTS_Z))
    grouped = torch.einsum("pj,qk,oxijk->pqoxi", over_y, over_z, weight.double()).float()
    biases = bias.new_zeros(len(over_y), len(over_z), len(bias))
    biases[1, 1] = bias
    return grouped.flatten(0, 2)[..., None], biases.flatten()


def to_winograd(
    x: Float[Tensor, "n x y z c"], out: Float[Tensor, "n x tile_y tile_z 6 width"]
) -> None:
    """Tiles of 6x4 cells, 4x2 apart, at Winograd's points of y, then of z.

    Args:
        x: Rows of padded grids, contiguous.
        out: What they are at the points; may be part of something larger.
    """
    num, rows, y, z, channels = x.shape
    tiles = num, rows, (y - 2) // 4
    row = z * channels
    # Six rows of cells, of which the next tile has two again.
    overlapping = x.as_strided((num * rows, tiles[2], 6, row), (y * row, 4 * row, row, 1))
    cells = scratch("tiles", num * rows, tiles[2], 6, row).copy_(overlapping).flatten(0, 1)
    over_y = scratch("over_y", len(cells), 6, row)
    torch.bmm(_CELLS_TO_POINTS_Y.expand(len(cells), 6, 6), cells, out=over_y)
    over_y = over_y.view(*tiles, 6, z, channels)
    d0, d1, d2, d3 = (over_y[..., k : k + z - 3 : 2, :].transpose(3, 4) for k in range(4))
    points = out.unflatten(-1, (4, channels)).unbind(-2)
    torch.sub(d0, d2, out=points[0])
    torch.add(d1, d2, out=points[1])
    torch.sub(d2, d1, out=points[2])
    torch.sub(d1, d3, out=points[3])


def from_winograd(
    products: Float[Tensor, "n x tile_y tile_z 6 width"], out: Float[Tensor, "n x y z c"]
) -> None:
    """The cells of the tiles from their points of z, then of y, into `out`."""
    num, rows, tiles_y, tiles_z, _, width = products.shape
    channels = width // 4
    points = products.unflatten(-1, (4, channels)).unbind(-2)
    over_z = scratch("over_z", num, rows, tiles_y, 6, tiles_z, 2, channels)
    even, odd = over_z.transpose(3, 4).unbind(-2)
    torch.add(points[1], points[2], out=even).add_(points[0])
    torch.sub(points[1], points[2], out=odd).sub_(points[3])
    over_z = over_z.flatten(4)
    if out.is_contiguous():
        matrices = _POINTS_TO_CELLS_Y.expand(num * rows * tiles_y, 4, 6)
        torch.bmm(matrices, over_z.flatten(0, 2), out=out.view(len(matrices), 4, -1))
        return
    matrices = _POINTS_TO_CELLS_Y.expand(tiles_y, 4, 6)
    for grid, cells in zip(over_z, out, strict=True):
        for tiles, row in zip(grid, cells, strict=True):
            torch.bmm(matrices, tiles, out=row.view(tiles_y, 4, -1))
