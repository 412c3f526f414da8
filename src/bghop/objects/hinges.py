"""What objects with a joint share: rods to turn about, and parts that open."""

import numpy as np

from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.joint import Joint
from bghop.geometry.mesh import Mesh
from bghop.objects.solids import moved, turned


def rod(length: float, radius: float) -> Mesh:
    """A round rod along x about the origin."""
    half = length / 2
    upright = turned([(0, -half), (radius, -half), (radius, half), (0, half)],
                     rounding=0.001, segments=28)  # fmt: skip
    return moved(upright, turn_deg=90, about="y")


def opening(
    parts: tuple[Mesh, Mesh],
    origin: tuple[float, float, float],
    axis: tuple[float, float, float] = (-1.0, 0.0, 0.0),
    limit_deg: float = 180.0,
) -> ArticulatedObject:
    """A base and a part hinged to it; the default axis lifts the front (-y) of the part."""
    joint = Joint(kind="revolute", axis=axis, origin=origin, limits=(0.0, np.radians(limit_deg)))
    return ArticulatedObject(parts=parts, joint=joint)
