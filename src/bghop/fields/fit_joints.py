"""Joint positions to hands: palm first, then fingers, then the tips' skin.

The same fit as `recover_hands` ends with, for joints that are known already (a denoiser's answer,
motion capture), all of them equally well.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.fields.articulation import fit_articulation, start_from_palm
from bghop.fields.recover import parameters_of, skeletons_of, skinned_tips
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.person import shape_spread, within_limits
from bghop.hands.postures import Postures

JOINT_SD = 0.0005
"""Metres; how far a joint may be from where it is said to be before the joint limits give way."""
SHAPE_JOINT_SD = 0.004
"""Metres; the same while the person's shape is looked for: sampled joints are that far off."""
_TIP_ROUNDS = 2


@torch.no_grad()
def fit_hands(
    joints_frame: Float[Tensor, "b hand=2 joint=21 3"],
    model: HandModel,
    *,
    present: Bool[Tensor, "b hand=2"],
    shape: Float[Tensor, "b hand=2 shape"] | None = None,
    estimate_shape: bool = False,
    joint_sd: float = JOINT_SD,
    postures: Postures | None = None,
) -> HandParameters:
    """Hands whose joints are as close as the hand model allows; no gradients.

    Args:
        joints_frame: metres, any frame; the wrist is not used, the 20 others are.
        model: hand model.
        present: hands that exist; the others get the identity and zero pose.
        shape: known shape parameters; the model's mean (zeros) if not given.
        estimate_shape: find the shape of the person from the lengths of the bones: that of both
            hands, which are alike, likely by how people differ, within the model's limits.
        joint_sd: standard deviation of the joints, metres.
        postures: how hands are bent, where the joints leave it open; by the joint limits if None.

    Returns:
        Hands with `T_object_hand` relative to the frame of the joints, float32, angles inside the
        joint limits.
    """
    if shape is None:
        shape = joints_frame.new_zeros(len(joints_frame), 2, model.num_shape)
    shape = shape.double()
    joints = joints_frame.double().flatten(0, 1)[:, 1:]
    if estimate_shape:
        shape = _person_shape(joints, model, present, shape)
    skeletons = skeletons_of(model, shape, estimate_shape=False, postures=postures)
    seen, covariance = _evidence(joints, present, joint_sd)
    fit = start_from_palm(skeletons, joints, covariance, seen)
    for turn in range(_TIP_ROUNDS):
        fit = fit_articulation(skeletons, fit, joints, covariance, seen)
        if turn + 1 < _TIP_ROUNDS:
            tips, _ = skinned_tips(model, skeletons, fit, shape)
            skeletons = replace(skeletons, rest_joints=tips)
    pose, _ = parameters_of(model, fit, shape)
    here = present.flatten()[:, None, None]
    neutral = torch.eye(4, dtype=torch.float64, device=joints.device)
    T = torch.where(here, rigid(fit.R, fit.t), neutral)
    pose = torch.where(here, pose, torch.zeros_like(pose))
    return HandParameters(
        present=present,
        T_object_hand=T.float().unflatten(0, (-1, 2)),
        pose=model.clamp(pose.float().unflatten(0, (-1, 2))),
        shape=(shape * present[..., None]).float(),
    )


def _person_shape(
    joints: Float[Tensor, "row channel=20 3"],
    model: HandModel,
    present: Bool[Tensor, "b hand=2"],
    start: Float[Tensor, "b hand=2 shape"],
) -> Float[Tensor, "b hand=2 shape"]:
    """The mean of what either hand says; equal for both."""
    spread = shape_spread(model).double()
    skeletons = skeletons_of(model, start, estimate_shape=True)
    # In units of the spread over people, as the fit's prior is a unit Gaussian.
    directions = skeletons.shape_directions * spread[:, None, None]
    skeletons = replace(skeletons, shape_directions=directions)
    seen, covariance = _evidence(joints, present, SHAPE_JOINT_SD)
    palm = start_from_palm(skeletons, joints, covariance, seen)
    fit = fit_articulation(skeletons, palm, joints, covariance, seen)
    found = start + (spread * fit.shape).unflatten(0, (-1, 2))
    count = present.sum(1, keepdim=True).clamp_min(1)
    person = (found * present[..., None]).sum(1) / count
    return within_limits(model, person)[:, None].expand_as(start)


def _evidence(
    joints: Float[Tensor, "row channel=20 3"], present: Bool[Tensor, "b hand=2"], joint_sd: float
) -> tuple[Bool[Tensor, "row channel=20"], Float[Tensor, "row channel=20 3 3"]]:
    """All joints of present hands, equally well known."""
    seen = present.flatten()[:, None].expand(-1, joints.shape[1])
    eye = torch.eye(3, dtype=joints.dtype, device=joints.device)
    return seen, (joint_sd**2 * eye).expand(*joints.shape[:2], 3, 3)
