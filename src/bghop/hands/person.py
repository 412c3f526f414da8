"""The hands of one person as a model: whoever works with it need not know of shape parameters.

Skinning costs one matrix product for a whole batch if all rows share their shape, and everything
that is measured on a model (spheres, capsules, probes) then belongs to that person.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.hands.model import HandModel
from bghop.hands.shaped_capsules import shaped_capsules
from bghop.hands.skinning import Skin, shaped

SPREAD = 0.4
"""Standard deviation of people's shape parameters, in parts of the model's limits."""


def person_model(model: HandModel, shape: Float[Tensor, "shape"]) -> HandModel:
    """A model whose average hands are those of a person.

    Args:
        model: The hands.
        shape: The person's shape parameters; left and right are alike.

    Returns:
        A model with `posed(shape=b) = model posed with shape=a + b`, for the given shape a. Its
        anatomy (axes, limits) and regions are those of the average.
    """
    both = shape.to(model.bone_joints).expand(2, -1)

    def skin(source: Skin) -> Skin:
        return replace(source, template=shaped(source.template, source.shape_directions, both))

    shift = torch.einsum("hsc,hs->hc", model.template_wrist_directions, both)
    return replace(
        model,
        surface=skin(model.surface),
        tips=skin(model.tips),
        bone_joints=shaped(model.bone_joints, model.bone_joint_directions, both),
        capsules=shaped_capsules(model, both),
        template_wrist=model.template_wrist + shift,
    )


def draw_shape(model: HandModel, generator: torch.Generator) -> Float[Tensor, "shape"]:
    """Shape parameters of a person: normal about the average adult, inside the limits."""
    unit = torch.randn(model.num_shape, generator=generator)
    return within_limits(model, unit * shape_spread(model).cpu())


def shape_spread(model: HandModel) -> Float[Tensor, "shape"]:
    """Standard deviation of each shape parameter over people."""
    return SPREAD * model.shape_limits.abs().amin(-1)


def within_limits(model: HandModel, shape: Float[Tensor, "*batch shape"]) -> Tensor:
    """Shapes moved to the nearest values that the model means to have."""
    low, high = model.shape_limits.to(shape).unbind(-1)
    return torch.minimum(torch.maximum(shape, low), high)
