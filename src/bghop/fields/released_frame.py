"""The frame of the released models: axes of the right wrist, origin 8 cm before the palm."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.fields.grid_spec import PALM_SIDE
from bghop.geometry.transforms import invert_rigid, rigid
from bghop.hands.joints import JOINT_NAMES
from bghop.hands.model import HandModel, HandParameters

_INDEX_BASE = JOINT_NAMES.index("index1")


def wrist_frame_joints(
    model: HandModel, hands: HandParameters
) -> Float[Tensor, "*batch hand=2 joint=21 3"]:
    """The joints in the hands' own frames."""
    eye = torch.eye(4).to(hands.T_object_hand)
    return model.joints(replace(hands, T_object_hand=eye.expand_as(hands.T_object_hand)))


@torch.no_grad()
def origin_right(model: HandModel, hands: HandParameters) -> Float[Tensor, "*batch 3"]:
    """The frame's origin in the right wrist's frame, metres; a constant for autograd."""
    base = wrist_frame_joints(model, hands)[..., 1, _INDEX_BASE, :]
    return base - base.new_tensor([0.0, PALM_SIDE, 0.0])


def T_frame_object(model: HandModel, hands: HandParameters) -> Float[Tensor, "*batch 4 4"]:
    """`p_frame = T_frame_object @ p_object`, from the right hands; double, on the CPU."""
    T_right_object = invert_rigid(hands.T_object_hand[..., 1, :, :].detach().cpu().double())
    R, t = T_right_object[..., :3, :3], T_right_object[..., :3, 3]
    return rigid(R, t - origin_right(model, hands).cpu().double())
