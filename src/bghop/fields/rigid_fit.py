"""Weighted rigid alignment of point sets (Kabsch), batched."""

import torch
from jaxtyping import Float
from torch import Tensor


def fit_rigid(
    points_b: Float[Tensor, "*batch n 3"],
    points_a: Float[Tensor, "*batch n 3"],
    weights: Float[Tensor, "*batch n"],
) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3"]]:
    """`R_a_b, t_a_b` that minimise `sum_k w_k |R p_b,k + t - p_a,k|^2`; never a reflection.

    All weights zero give the identity. Fewer than three points that are not in line leave the
    rotation about them free; the singular value decomposition then picks one.
    """
    total = weights.sum(-1, keepdim=True)
    share = (weights / torch.where(total > 0, total, torch.ones_like(total)))[..., None]
    mean_b, mean_a = (share * points_b).sum(-2), (share * points_a).sum(-2)
    moment = (share * (points_a - mean_a[..., None, :])).mT @ (points_b - mean_b[..., None, :])
    eye = torch.eye(3, dtype=moment.dtype, device=moment.device)
    moment = torch.where((total > 0)[..., None], moment, eye)
    U, _, Vh = torch.linalg.svd(moment)
    sign = torch.det(U @ Vh)[..., None, None]
    flip = torch.cat([torch.ones_like(sign).expand(*sign.shape[:-1], 2), sign], dim=-1)
    R = (U * flip) @ Vh
    return R, mean_a - (R @ mean_b[..., None]).squeeze(-1)
