"""Joints to hand channels: channel j at cell x holds `min(|x - joint_j|^2, truncation)`.

Squared, in grid units, 20 channels per hand in the order of `JOINT_NAMES` without the wrist, as the
released G-HOP and BG-HOP models have them (there called a distance).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.fields.grid_spec import GridSpec

NUM_CHANNELS = 20
"""Channels per hand."""


def hand_field(
    joints_frame: Float[Tensor, "*batch joint=21 3"],
    spec: GridSpec,
    *,
    present: Bool[Tensor, "*batch"] | None = None,
) -> Float[Tensor, "*batch channel=20 x y z"]:
    """Truncated squared distances of 20 joints; gradients flow to the joints.

    Args:
        joints_frame: 21 joints in `spec.frame`, metres; a hand axis is part of the batch.
        spec: Grid; the same one decodes.
        present: Hands that exist; the channels of the others hold the truncation everywhere.

    Returns:
        Field in grid units squared, `0 <= field <= spec.truncation`.
    """
    joints = spec.to_grid(joints_frame[..., 1:, :])
    axis = spec.axis(dtype=joints.dtype, device=joints.device)
    # The squared distance is a sum over axes: three short rows instead of N^3 points.
    x, y, z = (axis - joints[..., None]).square().unbind(-2)
    squared = x[..., :, None, None] + y[..., None, :, None] + z[..., None, None, :]
    field = squared.clamp_max(spec.truncation)
    if present is None:
        return field
    absent = ~present[..., None, None, None, None]
    return torch.where(absent, torch.full_like(field, spec.truncation), field)
