"""`Joint`: the one degree of freedom of an articulated object. Plain numbers, no mesh library."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid


@dataclass(frozen=True, kw_only=True)
class Joint:
    """One degree of freedom between the moving part and the rest, in the object frame."""

    kind: Literal["revolute", "prismatic"]
    axis: tuple[float, float, float]
    """Direction; its length does not matter. Positive values turn right-handed about it, or slide
    along it."""
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """A point on the axis, metres."""
    limits: tuple[float, float]
    """Smallest and largest value, radians or metres; 0 is the pose that the parts are given in.
    Only a record: other values work too."""
    moving: int = 1
    """Number of the part that moves."""

    def T_object_part(self, value: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 4 4"]:
        """`p_object = T_object_part @ p_part` for the moving part; smooth in the joint value."""
        axis = torch.nn.functional.normalize(value.new_tensor(self.axis), dim=-1)
        motion = value[..., None] * axis
        if self.kind == "prismatic":
            eye = torch.eye(3, dtype=value.dtype, device=value.device)
            return rigid(eye.expand(*value.shape, 3, 3), motion)
        R = matrix_from_rotvec(motion)
        origin = value.new_tensor(self.origin)
        return rigid(R, origin - R @ origin)
