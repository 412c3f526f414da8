"""Where distillation starts: open hands a few centimetres before the surface, facing it.

The released code starts with the left hand within 5 cm of the right hand's grid, mostly inside it,
and with the object anywhere; from there a truncated field may give no direction at all.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.geometry.rotations import matrix_from_6d
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis.distillation.variables import palm_middle
from bghop.synthesis.preshapes import tilt
from bghop.synthesis.surface import SurfaceSamples

_NEAR, _FAR = 0.05, 0.09
"""Metres from the surface to the middle of the palm."""
_TILT = 0.3
_CHOICES = 16
"""Places for the left hand; the one farthest from the right hand is taken."""
_BEND = 0.25
"""Of every joint's range: a hand at ease."""


def random_starts(
    model: HandModel,
    samples: SurfaceSamples,
    present: Bool[Tensor, "n hand=2"],
    *,
    seed: int,
) -> HandParameters:
    """One start a candidate; candidate `i` depends on `(seed, i)` only.

    Args:
        model: the hands.
        samples: surface points and normals; the frame of the result.
        present: hands that exist.
        seed: of all choices.
    """
    num, device = len(present), samples.points.device
    rest = model.rest_parameters(num)
    low, high = model.anatomy.limits.unbind(-1)
    angles = torch.zeros_like(low).clamp(low, high)
    angles[:, 0] = low[:, 0] + _BEND * (high[:, 0] - low[:, 0])
    pose = model.pose_from_angles(angles.expand(num, 2, 15, 3))
    placed = [_placed(samples, seed, row) for row in range(num)]
    R = torch.stack([R for R, _ in placed])
    middle = torch.stack([middle for _, middle in placed])
    hands = HandParameters(
        present=present.to(device),
        T_object_hand=rest.T_object_hand,
        pose=pose,
        shape=rest.shape,
    )
    anchor = palm_middle(model, hands)
    t = middle - (R @ anchor[..., None]).squeeze(-1)
    return HandParameters(
        present=hands.present, T_object_hand=rigid(R, t), pose=pose, shape=rest.shape
    )


def _placed(
    samples: SurfaceSamples, seed: int, row: int
) -> tuple[Float[Tensor, "hand=2 3 3"], Float[Tensor, "hand=2 3"]]:
    """Rotations and middles of the palms of one candidate."""
    mixed = (seed * 0x9E3779B97F4A7C15 + (row + 1) * 0xD1342543DE82EF95) % 2**63
    generator = torch.Generator().manual_seed(mixed)
    points = samples.points
    right = torch.randint(len(points), (1,), generator=generator)
    choices = torch.randint(len(points), (_CHOICES,), generator=generator)
    gaps = (points[choices.to(points.device)] - points[right.to(points.device)]).norm(dim=-1)
    index = torch.cat([choices[gaps.argmax().cpu()][None], right]).to(points.device)
    normals = tilt(samples.normals[index], _TILT, generator)
    distance = _NEAR + (_FAR - _NEAR) * torch.rand(2, 1, generator=generator)
    fingers = torch.randn(2, 3, generator=generator).to(normals)
    # Wrist frames: the palm faces -y on both sides, fingers are +x of the left, -x of the right.
    x = fingers * fingers.new_tensor([[1.0], [-1.0]])
    x = x - (x * normals).sum(-1, keepdim=True) * normals
    R_yx = matrix_from_6d(torch.cat([normals, x], dim=-1))  # columns y, x, y cross x
    R = torch.stack([R_yx[..., 1], R_yx[..., 0], -R_yx[..., 2]], dim=-1)
    return R, points[index] + distance.to(normals) * normals
