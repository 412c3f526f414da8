"""Capsules of hands that are not average: fitted again to the skin of that shape."""

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.hands.capsules import fit_capsules
from bghop.hands.joints import BONE_JOINTS
from bghop.hands.model import Capsules, HandModel
from bghop.hands.skinning import shaped


def shaped_capsules(model: HandModel, shape: Float[Tensor, "hand=2 shape"]) -> Capsules:
    """Capsules inside the skin of hands of this shape; the model's own for the average one.

    Args:
        model: The hands.
        shape: Shape parameters of (left, right). Each side that is not average is fitted in some
            20 ms; bones and their order are those of `model.capsules`.
    """
    average = model.capsules
    if not bool(shape.any()):
        return average
    vertices = shaped(model.surface.template, model.surface.shape_directions, shape)
    joints = shaped(model.joints_rest, model.joint_shape_directions, shape)
    start, end, radius = average.start.clone(), average.end.clone(), average.radius.clone()
    for side in range(2):
        if not bool(shape[side].any()):
            continue
        bones, bars = fit_capsules(
            joints[side].cpu().double().numpy(),
            vertices[side].cpu().double().numpy(),
            model.faces[side].cpu().numpy(),
            model.skinning_weights[side].cpu().double().numpy(),
        )
        origin = joints[side, list(BONE_JOINTS)][bones]
        for k, bar in enumerate(bars):
            start[side, k] = torch.from_numpy(bar.start).to(start) - origin[k]
            end[side, k] = torch.from_numpy(bar.end).to(end) - origin[k]
            radius[side, k] = bar.radius
    return Capsules(bone=average.bone, start=start, end=end, radius=radius)
