"""Rotations: vectors (axis times angle), matrices, and the continuous 6D form. Any leading batch.

All maps are smooth and their gradients finite at the identity; the logarithm is exact up to the
angle pi, where its sign is arbitrary as it must be.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_SMALL = 1e-6  # squared angle below which Taylor terms are used (float32: error under 1e-13)


def skew(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Cross-product matrix: `skew(a) @ b = a x b`."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def matrix_from_rotvec(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues' formula: `R = I + sin(a)/a K + (1 - cos(a))/a^2 K^2` with `K = skew(rotvec)`."""
    squared = rotvec.square().sum(-1)[..., None, None]
    small = squared < _SMALL
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    first = torch.where(small, 1 - squared / 6, torch.sin(angle) / angle)
    # 2 sin^2(a/2)/a^2 instead of (1 - cos a)/a^2: no cancellation for small angles.
    second = torch.where(small, 0.5 - squared / 24, 2 * torch.sin(angle / 2).square() / safe)
    K = skew(rotvec)
    return torch.eye(3, dtype=rotvec.dtype, device=rotvec.device) + first * K + second * (K @ K)


def quaternion_from_matrix(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion (w, x, y, z), w >= 0 (Shepperd's method: the largest component first)."""
    m00, m11, m22 = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    # Four times the squares of w, x, y, z.
    squares = torch.stack(
        [1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22], -1
    )
    a, b, c = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    d, e, f = R[..., 1, 0] + R[..., 0, 1], R[..., 0, 2] + R[..., 2, 0], R[..., 2, 1] + R[..., 1, 2]
    rows = torch.stack(
        [
            torch.stack([squares[..., 0], a, b, c], -1),
            torch.stack([a, squares[..., 1], d, e], -1),
            torch.stack([b, d, squares[..., 2], f], -1),
            torch.stack([c, e, f, squares[..., 3]], -1),
        ],
        -2,
    )
    best = squares.argmax(-1, keepdim=True)[..., None].expand(*squares.shape[:-1], 1, 4)
    quaternion = functional.normalize(rows.gather(-2, best).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def rotvec_from_matrix(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Logarithm of a rotation matrix, angle in [0, pi]; inverse of `matrix_from_rotvec`."""
    quaternion = quaternion_from_matrix(R)
    w, v = quaternion[..., :1], quaternion[..., 1:]
    squared = v.square().sum(-1, keepdim=True)
    small = squared < _SMALL
    norm = torch.where(small, torch.ones_like(squared), squared).sqrt()
    scale = torch.where(small, 2 / w.clamp_min(0.5), 2 * torch.atan2(norm, w) / norm)
    return scale * v


def matrix_from_6d(columns: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Gram-Schmidt on two 3-vectors that become the first two columns (Zhou et al. 2019)."""
    x = functional.normalize(columns[..., :3], dim=-1)
    raw = columns[..., 3:]
    y = functional.normalize(raw - (x * raw).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y, dim=-1)], dim=-1)


def sixd_from_matrix(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """First two columns; `matrix_from_6d` of it gives `R` back."""
    return torch.cat([R[..., :, 0], R[..., :, 1]], dim=-1)


def rotation_angle(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Angle of a rotation in radians, accurate near zero too."""
    return rotvec_from_matrix(R).norm(dim=-1)


def random_rotations(
    num: int, *, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "{num} 3 3"]:
    """Uniform on SO(3), from normalised Gaussian quaternions."""
    w, x, y, z = functional.normalize(
        torch.randn(num, 4, generator=generator, dtype=dtype), dim=-1
    ).unbind(-1)
    return torch.stack(
        [
            1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
            2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
            2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
        ],
        dim=-1,
    ).unflatten(-1, (3, 3))  # fmt: skip
