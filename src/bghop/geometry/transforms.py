"""Rigid transforms as 4x4 matrices: `p_a = T_a_b @ p_b`. Any leading batch."""

import torch
from jaxtyping import Float
from torch import Tensor


def rigid(
    R: Float[Tensor, "*batch 3 3"], t: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 4 4"]:
    """`T = [R t; 0 1]`."""
    top = torch.cat([R, t[..., None]], dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*top.shape[:-2], 1, 4)
    return torch.cat([top, bottom], dim=-2)


def invert_rigid(T_a_b: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """`T_b_a` of a rigid `T_a_b`: `[R^T, -R^T t; 0 1]`. Not for similarities."""
    R = T_a_b[..., :3, :3].transpose(-1, -2)
    return rigid(R, -(R @ T_a_b[..., :3, 3:]).squeeze(-1))


def transform_points(
    T_a_b: Float[Tensor, "*batch 4 4"], points_b: Float[Tensor, "*batch n 3"]
) -> Float[Tensor, "*batch n 3"]:
    """`p_a = T_a_b @ p_b` for a set of points per transform."""
    return points_b @ T_a_b[..., :3, :3].transpose(-1, -2) + T_a_b[..., None, :3, 3]


def mirror_rigid(T: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """`M T M` with `M = diag(-1, 1, 1, 1)`: the transform as seen in the mirror `x = 0`."""
    sign = T.new_tensor([-1.0, 1.0, 1.0, 1.0])
    return sign[:, None] * T * sign


def mirror_rotvec(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vector as seen in the mirror `x = 0` (a pseudo-vector: x stays, y and z flip)."""
    return rotvec * rotvec.new_tensor([1.0, -1.0, -1.0])
