"""Orthonormal functions on blocks of 4^3 samples, each even or odd along every axis.

The covariance of blocks is averaged over the 48 rotations and mirrors of a cube, as if every shape
had been seen in all of them. Its eigenvectors (Karhunen-Loeve) can then be chosen with a definite
parity along each axis: one small eigenproblem per parity.
"""

from itertools import permutations, product

import torch
from jaxtyping import Float, Float64
from torch import Tensor

BLOCK = 4
"""Samples of a block along each axis."""


def block_basis(
    grids: Float[Tensor, "n x y z"], channels: int
) -> tuple[Float[Tensor, "c 4 4 4"], Float64[Tensor, "64"]]:
    """The functions that keep most of the variance of the grids' blocks.

    Args:
        grids: distance grids (normalised); `1`, empty space, is the origin.
        channels: how many functions; 1, 4, 7, 8, 10 keep those together that rotations by
            90 degrees mix, for shapes of everyday objects.

    Returns:
        The functions by falling variance, and the variances of all 64.
    """
    blocks = _blocks(grids - 1.0)
    blocks = blocks[blocks.abs().amax(dim=1) > 1e-3].double()
    covariance = _symmetrised(blocks.T @ blocks / max(len(blocks), 1))
    values, vectors = [], []
    for parity in product((0, 1), repeat=3):
        frame = _parity_frame(parity)
        value, vector = torch.linalg.eigh(frame.T @ covariance @ frame)
        values.append(value)
        vectors.append(frame @ vector)
    value, vector = torch.cat(values), torch.cat(vectors, dim=1)
    order = value.argsort(descending=True, stable=True)
    chosen = vector[:, order[:channels]].T
    # The sign of an eigenvector is arbitrary: make the first corner positive.
    chosen = chosen * torch.where(chosen[:, :1] < 0, -1.0, 1.0)
    return chosen.reshape(-1, BLOCK, BLOCK, BLOCK).float(), value[order]


def mirror_signs(basis: Float[Tensor, "c 4 4 4"]) -> Float[Tensor, "axis=3 c"]:
    """1 for functions that are even along an axis, -1 for odd ones."""
    return torch.stack([(basis * basis.flip(axis)).sum(dim=(1, 2, 3)).sign() for axis in (1, 2, 3)])


def _blocks(grids: Float[Tensor, "n x y z"]) -> Float[Tensor, "block 64"]:
    n, x, y, z = grids.shape
    split = grids.reshape(n, x // BLOCK, BLOCK, y // BLOCK, BLOCK, z // BLOCK, BLOCK)
    return split.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, BLOCK**3)


def _symmetrised(covariance: Float64[Tensor, "64 64"]) -> Float64[Tensor, "64 64"]:
    places = torch.arange(BLOCK**3).reshape(BLOCK, BLOCK, BLOCK)
    total = torch.zeros_like(covariance)
    for axes in permutations(range(3)):
        for flips in product((False, True), repeat=3):
            turned = places.permute(axes).flip([i for i in range(3) if flips[i]]).reshape(-1)
            total += covariance[turned][:, turned]
    return total / 48


def _parity_frame(parity: tuple[int, ...]) -> Float64[Tensor, "64 8"]:
    """Orthonormal basis of the functions with this parity (0 even, 1 odd) along x, y, z."""
    half = 0.5**0.5
    even = torch.tensor([[half, 0, 0, half], [0, half, half, 0]], dtype=torch.float64)
    odd = torch.tensor([[half, 0, 0, -half], [0, half, -half, 0]], dtype=torch.float64)
    x, y, z = (odd if side else even for side in parity)
    return torch.einsum("ai,bj,ck->ijkabc", x, y, z).reshape(BLOCK**3, 8)
