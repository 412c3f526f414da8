"""Joint positions and their exact derivatives by the anatomical angles and the shape.

All five fingers at once: they are equal chains of three bones that start at the palm. With the
rotation `R_k = R_parent exp(w_k)` of bone k about its joint `p_k` and `w_k = axes_k^T angles_k`,

    d p_m / d angles_k = -[p_m - p_k]x  R_parent  J_left(w_k)  axes_k^T      for joints m beyond k.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.geometry.rotations import matrix_from_rotvec, skew

_SMALL = 1e-6  # squared angle below which Taylor terms are used


@dataclass(frozen=True, kw_only=True, eq=False)
class JointsAndJacobian:
    """21 joints in the wrist frame and their derivatives."""

    joints_hand: Float[Tensor, "*batch joint=21 3"]
    by_angles: Float[Tensor, "*batch finger=5 joint=4 3 angle=9"]
    """`d joint / d angle` of each finger's base, middle, last joint and tip by its own nine
    angles (three bones times bend, splay, twist); other fingers' angles do not move them."""
    by_shape: Float[Tensor, "*batch joint=21 3 shape"]


def left_jacobian(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """`exp(w + dw) = exp(J_left(w) dw) exp(w)` to first order."""
    squared = rotvec.square().sum(-1)[..., None, None]
    small = squared < _SMALL
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    first = torch.where(small, 0.5 - squared / 24, 2 * torch.sin(angle / 2).square() / safe)
    second = torch.where(small, 1 / 6 - squared / 120, (angle - torch.sin(angle)) / (safe * angle))
    K = skew(rotvec)
    return torch.eye(3, dtype=rotvec.dtype, device=rotvec.device) + first * K + second * (K @ K)


def joints_and_jacobian(
    rest_joints: Float[Tensor, "*batch joint=21 3"],
    axes: Float[Tensor, "*batch bone=15 3 3"],
    angles: Float[Tensor, "*batch bone=15 3"],
    shape_directions: Float[Tensor, "*batch shape joint=21 3"],
) -> JointsAndJacobian:
    """Forward kinematics of one hand without its wrist pose, any leading batch.

    Args:
        rest_joints: Rest joints of the shape at hand, wrist frame, metres.
        axes: Rows are the bend, splay and twist axes of each finger bone (`Anatomy.axes`).
        angles: Anatomical angles, radians; `rotvec = axes^T angles`.
        shape_directions: Change of the rest joints per unit of each shape parameter; may be empty.
    """
    batch = angles.shape[:-2]
    rest = rest_joints[..., 1:, :].unflatten(-2, (5, 4))
    chain_axes = axes.unflatten(-3, (5, 3)).transpose(-1, -2)
    rotvec = (chain_axes @ angles.unflatten(-2, (5, 3))[..., None]).squeeze(-1)
    turns = matrix_from_rotvec(rotvec)
    spins = left_jacobian(rotvec) @ chain_axes
    directions = shape_directions[..., 1:, :].unflatten(-2, (5, 4)).movedim(-4, -1)

    R = turns[..., 0, :, :]
    points, shapes = [rest[..., 0, :]], [directions[..., 0, :, :]]
    swings = [spins[..., 0, :, :]]
    for part in range(3):
        segment = rest[..., part + 1, :] - rest[..., part, :]
        points.append(points[-1] + (R @ segment[..., None]).squeeze(-1))
        shapes.append(
            shapes[-1] + R @ (directions[..., part + 1, :, :] - directions[..., part, :, :])
        )
        if part < 2:
            swings.append(R @ spins[..., part + 1, :, :])
            R = R @ turns[..., part + 1, :, :]
    chain = torch.stack(points, dim=-2)

    by_angles = chain.new_zeros(*batch, 5, 4, 3, 9)
    for bone in range(3):
        arms = chain[..., bone + 1 :, :] - chain[..., bone : bone + 1, :]
        block = -skew(arms) @ swings[bone][..., None, :, :]
        by_angles[..., bone + 1 :, :, 3 * bone : 3 * bone + 3] = block
    wrist = rest_joints[..., :1, :]
    by_shape = torch.stack(shapes, dim=-3).flatten(-4, -3)
    return JointsAndJacobian(
        joints_hand=torch.cat([wrist, chain.flatten(-3, -2)], dim=-2),
        by_angles=by_angles,
        by_shape=torch.cat([shape_directions[..., :1, :].movedim(-3, -1), by_shape], dim=-3),
    )
