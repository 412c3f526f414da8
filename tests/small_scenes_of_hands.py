"""Hands in plain places, for tests of several layers."""

import torch

from bghop.geometry.transforms import rigid
from bghop.hands.model import HandModel, HandParameters


def palms_beside(model: HandModel, half_x: float, gap: float, *, num: int = 1) -> HandParameters:
    """Palms on the sides `x = -half_x` and `x = half_x`, `gap` metres off, thumbs up."""
    eye = torch.eye(3)
    R = torch.stack(
        [torch.stack([eye[1], -eye[0], eye[2]], 1), torch.stack([-eye[1], eye[0], eye[2]], 1)]
    )
    palm = model.vertices_rest[:, model.regions.palm].mean(1)
    touch = (R @ palm[..., None]).squeeze(-1)
    wanted = torch.tensor([[-half_x - gap, 0.0, 0.0], [half_x + gap, 0.0, 0.0]])
    rest = model.rest_parameters(num)
    T = rigid(R, wanted - touch).expand(num, 2, 4, 4)
    return HandParameters(
        present=rest.present, T_object_hand=T, pose=rest.pose.contiguous(), shape=rest.shape
    )
