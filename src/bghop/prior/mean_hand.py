"""Where noisy joints say that hands are: hands of the mean posture, moved to fit them.

Noise of a single joint is far larger than that of a whole hand: 21 joints share it. A rigid fit of
the mean hand alone is as good an answer as a network gave that had to learn it (docs/decisions.md),
and a place at which to ask what the object is like there.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.fields.rigid_fit import fit_rigid
from bghop.hands.model import HandModel
from bghop.hands.postures import Postures


@torch.no_grad()
def fit_mean_hands(
    joints: Float[Tensor, "b hand=2 joint=21 3"], mean: Float[Tensor, "hand=2 joint=21 3"]
) -> tuple[Float[Tensor, "b hand=2 joint=21 3"], Float[Tensor, "b hand=2 3 3"]]:
    """Mean hands moved rigidly to the joints (Kabsch), and their rotations `R_grid_hand`.

    Args:
        joints: with noise.
        mean: joints of the mean hands, each in its own frame.
    """
    with torch.autocast(joints.device.type, enabled=False):  # millimetres need all digits
        hands = mean.to(joints).expand_as(joints)
        R, t = fit_rigid(hands, joints, torch.ones_like(joints[..., 0]))
        return hands @ R.mT + t[..., None, :], R


@torch.no_grad()
def mean_hands(model: HandModel, postures: Postures) -> Float[Tensor, "hand=2 joint=21 3"]:
    """Joints of hands of average shape and mean posture, each in the frame of its wrist, metres."""
    rest = model.rest_parameters(1)
    angles = postures.mean.to(model.vertices_rest).expand(1, 2, -1, -1)
    eye = torch.eye(4).to(model.vertices_rest).expand(1, 2, 4, 4)
    posed = type(rest)(
        present=rest.present, T_object_hand=eye, pose=model.pose_from_angles(angles),
        shape=rest.shape,
    )  # fmt: skip
    return model.joints(posed)[0]
