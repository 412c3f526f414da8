"""Forward kinematics of the 16 bones and linear blend skinning, batched, differentiable.

All five fingers are chains of three bones, so the kinematics is three batched products. Skin points
are `x = sum_k w_k (R_k (v - j_k) + p_k)` with rest points `v` and rest joints `j`; R and p are the
bones' rotations and positions. When all rows share their shape (the common case) this is ONE matrix
product for the whole batch: `x = P A`, with `P` = weights times rest points, `A` = bone matrices.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid


@dataclass(frozen=True, kw_only=True, eq=False)
class Skin:
    """Points that the bones carry, for both sides: all vertices, the fingertips, or a choice."""

    template: Float[Tensor, "hand=2 vert 3"]
    """Rest positions of the average shape in the wrist frame, metres."""
    shape_directions: Float[Tensor, "hand=2 shape vert 3"]
    pose_directions: Float[Tensor, "hand=2 135 vert 3"] | None
    """Correctives linear in the entries of `R_k - 1` (15 bones, row by row), or None."""
    weights: Float[Tensor, "hand=2 vert 16"]

    def subset(self, vertices: Int[Tensor, "n"]) -> "Skin":
        """The skin of some points only."""
        pose = self.pose_directions
        return Skin(
            template=self.template[:, vertices],
            shape_directions=self.shape_directions[:, :, vertices],
            pose_directions=None if pose is None else pose[:, :, vertices],
            weights=self.weights[:, vertices],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Bones:
    """Bone frames in some frame `f`: `p_f = R (p_rest - rest_joints) + position`, per bone."""

    R: Float[Tensor, "*batch hand=2 bone=16 3 3"]
    position: Float[Tensor, "*batch hand=2 bone=16 3"]
    rest_joints: Float[Tensor, "*#batch hand=2 bone=16 3"]
    local_R: Float[Tensor, "*batch hand=2 bone=15 3 3"]
    """The finger bones' rotations relative to their parents."""

    def matrices(self) -> Float[Tensor, "*batch hand=2 bone=16 4 4"]:
        """Frames with their origin at the bone's joint: `p_f = T (p_rest - rest_joint)`."""
        return rigid(self.R, self.position)


def shaped(
    template: Float[Tensor, "hand=2 n 3"],
    directions: Float[Tensor, "hand=2 shape n 3"],
    shape: Float[Tensor, "*batch hand=2 shape"],
) -> Float[Tensor, "*batch hand=2 n 3"]:
    """`template + shape . directions`."""
    offset = (shape[..., None, :] @ directions.flatten(-2)).squeeze(-2)
    return template + offset.unflatten(-1, template.shape[-2:])


def shared_shape(
    shape: Float[Tensor, "*batch hand=2 shape"],
) -> Float[Tensor, "hand=2 shape"] | None:
    """The one shape that all rows have, or None if they differ (or may: it needs gradients)."""
    rows = shape.flatten(0, -3) if shape.dim() > 2 else shape[None]
    if len(rows) == 0:
        return None
    if len(rows) == 1 or all(
        stride == 0 or size == 1
        for stride, size in zip(shape.stride()[:-2], shape.shape[:-2], strict=True)
    ):
        return rows[0]
    # Comparing values would make a GPU wait; there, expanded shapes are known by their strides.
    if shape.is_cuda or shape.requires_grad or torch.compiler.is_compiling():
        return None
    return rows[0] if bool((rows == rows[:1]).all()) else None


def pose_bones(
    T_f_hand: Float[Tensor, "*batch hand=2 4 4"],
    pose: Float[Tensor, "*batch hand=2 15 3"],
    rest_joints: Float[Tensor, "*#batch hand=2 bone=16 3"],
) -> Bones:
    """Forward kinematics: bone frames in `f` of hands whose wrist frames are `T_f_hand`.

    Args:
        T_f_hand: wrist poses, `p_f = T_f_hand @ p_hand`.
        pose: rotation vectors of the finger bones relative to their parents.
        rest_joints: the bones' joints in the wrist frame, wrist at the origin.
    """
    local_R = matrix_from_rotvec(pose)
    fingers = local_R.unflatten(-3, (5, 3))
    base, middle, end = fingers.unbind(-3)
    wrist_R, wrist_p = T_f_hand[..., None, :3, :3], T_f_hand[..., None, :3, 3]
    joints = rest_joints[..., 1:, :].unflatten(-2, (5, 3))
    first = joints[..., 0, :] - rest_joints[..., :1, :]
    second, third = (joints[..., 1:, :] - joints[..., :-1, :]).unbind(-2)

    def reach(R: Tensor, offset: Tensor) -> Tensor:
        return (R @ offset[..., None]).squeeze(-1)

    R_base = wrist_R @ base
    p_base = wrist_p + reach(wrist_R, first)
    R_middle = R_base @ middle
    p_middle = p_base + reach(R_base, second)
    R_end = R_middle @ end
    p_end = p_middle + reach(R_middle, third)
    R = torch.stack([R_base, R_middle, R_end], dim=-3).flatten(-4, -3)
    p = torch.stack([p_base, p_middle, p_end], dim=-2).flatten(-3, -2)
    return Bones(
        R=torch.cat([wrist_R, R], dim=-3),
        position=torch.cat([wrist_p, p], dim=-2),
        rest_joints=rest_joints,
        local_R=local_R,
    )


def skin_points(
    skin: Skin, bones: Bones, shape: Float[Tensor, "*batch hand=2 shape"]
) -> Float[Tensor, "*batch hand=2 vert 3"]:
    """Linear blend skinning of `skin` in the frame of `bones`."""
    offset = bones.position - (bones.R @ bones.rest_joints[..., None]).squeeze(-1)
    A = torch.cat([bones.R, offset[..., None]], dim=-1)  # *batch hand bone 3 4
    one_shape = shared_shape(shape)
    if skin.pose_directions is None and one_shape is not None:
        return _skin_one_shape(skin, A, one_shape)
    batch = A.shape[:-4]
    rows = A.reshape(-1, *A.shape[-4:])
    rest = _rest_points(
        skin, bones.local_R.expand(*batch, -1, -1, -1, -1), shape.expand(*batch, -1, -1), one_shape
    )
    # One product a hand for all rows; coordinates in front of vertices, so that what is left to do
    # for each vertex runs along memory.
    stacked = rows.permute(1, 0, 3, 4, 2).flatten(1, 3)  # hand (row 3 4) bone
    M = (stacked @ skin.weights.transpose(1, 2)).unflatten(1, (-1, 3, 4))  # hand row 3 4 vert
    points = (M[..., :3, :] * rest[:, :, None]).sum(-2) + M[..., 3, :]  # hand row 3 vert
    return points.permute(1, 0, 3, 2).reshape(*batch, *skin.template.shape)


def _rest_points(
    skin: Skin,
    local_R: Float[Tensor, "*batch hand=2 bone=15 3 3"],
    shape: Float[Tensor, "*batch hand=2 shape"],
    one_shape: Float[Tensor, "hand=2 shape"] | None,
) -> Float[Tensor, "hand=2 row 3 vert"]:
    """Shaped and corrected points before the bones move them, all rows of a hand side by side.

    A product over `*batch hand` would copy the directions for every row: 2.5 MB each of MANO's.
    """
    if one_shape is None:
        rows = shape.reshape(-1, *shape.shape[-2:]).transpose(0, 1)
        rest = rows @ skin.shape_directions.flatten(2)
        rest = rest + skin.template.flatten(1)[:, None]
    else:
        rest = shaped(skin.template, skin.shape_directions, one_shape).flatten(1)[:, None]
    if skin.pose_directions is not None:
        feature = local_R - torch.eye(3, dtype=rest.dtype, device=rest.device)
        flat = feature.reshape(-1, 2, 135).transpose(0, 1)
        rest = rest + flat @ skin.pose_directions.flatten(2)
    return rest.unflatten(-1, (-1, 3)).transpose(-1, -2)


def _skin_one_shape(
    skin: Skin, A: Float[Tensor, "*batch hand=2 bone=16 3 4"], shape: Float[Tensor, "hand=2 shape"]
) -> Float[Tensor, "*batch hand=2 vert 3"]:
    """One product `P A` for all rows."""
    rest = shaped(skin.template, skin.shape_directions, shape)
    homogeneous = torch.cat([rest, torch.ones_like(rest[..., :1])], dim=-1)
    P = (skin.weights[..., None] * homogeneous[..., None, :]).flatten(-2)  # hand vert 64
    batch = A.shape[:-4]
    rows = A.reshape(-1, *A.shape[-4:])
    stacked = rows.permute(1, 2, 4, 0, 3).reshape(2, 64, -1)  # hand (bone column) (row xyz)
    points = (P @ stacked).unflatten(-1, (-1, 3))  # hand vert row 3
    return points.permute(2, 0, 1, 3).reshape(*batch, *rest.shape)
