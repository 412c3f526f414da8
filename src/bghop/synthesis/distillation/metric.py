"""How far joints move when the unknowns of a hand do: the metric of Gauss-Newton steps.

A loss that sees hands through their joints only, `c / 2 |joints - target|^2`, has curvature
`c J^T J` by the unknowns. Dividing its gradient by that moves wrist and fingers together to where
the joints should be; step sizes of Adam's kind take ten times as many iterations for it, as turning
a wrist and bending all fingers look almost alike to every single unknown.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.geometry.rotations import skew
from bghop.hands.jacobian import joints_and_jacobian
from bghop.hands.model import HandModel, HandParameters

SIZE = 3 + 3 + 45
"""Unknowns of a hand: middle of the palm, turn about it, angles."""
_EASE = 0.004
"""Metres per radian (and per metre): what a turn is at least thought to move, so that those which
hardly move a joint, like the twist of a last bone, stay small."""


def joint_metric(
    model: HandModel, hands: HandParameters, middle: Float[Tensor, "b hand=2 3"]
) -> Float[Tensor, "b hand=2 n n"]:
    """`J^T J` of the 21 joints by (middle, turn, angles), eased; square metres."""
    axes = model.anatomy.axes.expand(*hands.pose.shape[:2], -1, -1, -1)
    rest = model.joints_rest + torch.einsum(
        "bhs,hsjc->bhjc", hands.shape, model.joint_shape_directions
    )
    none = rest[..., None, :, :][..., :0, :, :]
    known = joints_and_jacobian(rest, axes, model.angles_from_pose(hands.pose), none)
    R, t = hands.T_object_hand[..., :3, :3], hands.T_object_hand[..., :3, 3]
    arms = known.joints_hand @ R.transpose(-1, -2) + (t - middle)[..., None, :]
    moved = R[..., None, None, :, :] @ known.by_angles
    J = arms.new_zeros(*arms.shape, SIZE)
    J[..., :3] = torch.eye(3).to(arms)
    J[..., 3:6] = -skew(arms)
    for finger in range(5):
        first = 6 + 9 * finger
        J[..., 1 + 4 * finger : 5 + 4 * finger, :, first : first + 9] = moved[..., finger, :, :, :]
    rows = J.flatten(-3, -2)
    metric = rows.transpose(-1, -2) @ rows
    metric.diagonal(dim1=-2, dim2=-1).add_(_EASE**2)
    return metric
