"""Which candidates become data: reasons of rejection, one word each, and near-copies.

Cheap looks at distance grids come first; what passes them is weighed by the static check with exact
distances (docs/hold_test.md).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.datagen.candidates import Candidates
from bghop.evaluation.metrics import FINGER_DISTANCE
from bghop.geometry.mesh import MeshQuery
from bghop.geometry.sdf import SdfGrid
from bghop.hands.model import HandModel, HandParameters
from bghop.physics.body import Body
from bghop.physics.static_check import static_check

UNBALANCED = "unbalanced"
REASONS = ("deep", "few fingers", "hands collide", "copy", UNBALANCED)
"""Of rejection, in the order in which they are asked for."""


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """What a grasp must be to become data."""

    deepest_mm: float = 2.5
    """Deepest vertex of a hand inside the object, on the distance grid."""
    fewest_fingers: int = 3
    """Fingers of each hand whose pad is within 3 mm of the surface."""
    overlap_cm: float = 0.1
    """Of the balls of hands and fingers with each other, in all."""
    unbalanced: float = 0.1
    """Part of the weight that may stay unbalanced, in the worst of six directions."""
    copy_distance: float = 0.015
    """Metres: mean distance of all joints to another accepted grasp of the object."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """What the checks found of every candidate; NaN where an earlier one had spoken already."""

    reason: tuple[str, ...]
    """One of `REASONS`; empty for accepted ones."""
    depth_mm: Float[Tensor, "n hand=2"]
    fingers: Float[Tensor, "n hand=2"]
    residual: Float[Tensor, "n"]
    """Part of the weight that stays unbalanced in the worst direction."""
    instability: Float[Tensor, "n"]

    @property
    def accepted(self) -> Bool[Tensor, "n"]:
        """Whether a candidate becomes data."""
        return torch.tensor([not reason for reason in self.reason], dtype=torch.bool)


@torch.no_grad()
def check(
    candidates: Candidates,
    sdf: SdfGrid,
    query: MeshQuery,
    body: Body,
    person: HandModel,
    options: CheckOptions | None = None,
) -> Checked:
    """Ask every candidate; the best in energy first, so that of two copies the better one stays."""
    options = options or CheckOptions()
    hands = candidates.hands
    posed = person.pose_hands(hands)
    depth, fingers = look(sdf, posed.vertices_object, hands, person)
    num = len(depth)
    reason = [""] * num
    residual, instability = torch.full((2, num), torch.nan)
    kept: list[Tensor] = []
    for i in candidates.energy.argsort(stable=True).tolist():
        there = hands.present[i]
        joints = posed.joints_object[i][there]
        if bool((depth[i][there] > options.deepest_mm).any()):
            reason[i] = "deep"
        elif bool((fingers[i][there] < options.fewest_fingers).any()):
            reason[i] = "few fingers"
        elif float(candidates.hand_overlap_cm[i]) > options.overlap_cm:
            reason[i] = "hands collide"
        elif any(_distance(joints, other) < options.copy_distance for other in kept):
            reason[i] = "copy"
        else:
            result = static_check(query, body, person, hands.rows(i))
            residual[i], instability[i] = max(result.residual), result.instability
            if residual[i] > options.unbalanced:
                reason[i] = UNBALANCED
            else:
                kept.append(joints)
    return Checked(
        reason=tuple(reason), depth_mm=depth, fingers=fingers, residual=residual,
        instability=instability,
    )  # fmt: skip


def look(
    sdf: SdfGrid, vertices_object: Float[Tensor, "n hand=2 vert 3"], hands: HandParameters,
    person: HandModel,
) -> tuple[Float[Tensor, "n hand=2"], Float[Tensor, "n hand=2"]]:  # fmt: skip
    """Depth (mm) and fingers in contact of each hand; zero for absent ones."""
    distance = sdf.distance(vertices_object)
    depth = 1000 * (-distance).amax(-1).clamp_min(0)
    nearest = torch.stack([distance[..., pad].abs().amin(-1) for pad in person.regions.pads], -1)
    fingers = (nearest <= FINGER_DISTANCE).float().sum(-1)
    return depth * hands.present, fingers * hands.present


def _distance(first: Tensor, second: Tensor) -> float:
    return (
        float(np.inf)
        if first.shape != second.shape
        else float((first - second).norm(dim=-1).mean())
    )
