"""What the hands of records do, by the stored distances of their objects: contact, depth, limits.

Every vertex of both hands is looked up; 1.5 to 6 ms a record on one core.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.data.objects import ObjectStore
from bghop.data.quality import Quality, flagged
from bghop.data.record import Records
from bghop.evaluation.metrics import CONTACT_DISTANCE, FINGER_DISTANCE
from bghop.hands.model import HandModel

_AT_ONCE = 128


@dataclass(frozen=True, kw_only=True, eq=False)
class Measures:
    """Of each row and hand; NaN for hands that are absent."""

    clearance: Float[Tensor, "row hand=2"]
    """Signed distance of the nearest (or deepest) skin, metres, within the store's reach."""
    contact: Float[Tensor, "row hand=2"]
    """Share of the skin within 5 mm of the surface."""
    fingers: Float[Tensor, "row hand=2"]
    """Fingers whose pad is within 3 mm of the surface."""
    limit_excess: Float[Tensor, "row hand=2"]
    """Largest excess over a joint limit, radians."""
    wrist: Float[Tensor, "row hand=2"]
    """From the wrist to the box of the object, metres; 0 inside."""
    touched: Float[Tensor, "hand=2 vert"]
    """Share of the hands that are there whose vertex is within 5 mm of the surface."""

    def quality(
        self,
        *,
        moved: Float[Tensor, "row hand=2"] | None = None,
        rejected: Bool[Tensor, "row"] | None = None,
    ) -> Quality:
        """What records keep of it, see `bghop.data.quality`."""
        return flagged(
            clearance=self.clearance, contact=self.contact, limit_excess=self.limit_excess,
            moved=moved, rejected=rejected,
        )  # fmt: skip


@torch.no_grad()
def measure_records(
    records: Records,
    objects: ObjectStore,
    model: HandModel,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Measures:
    """Measure every row.

    Args:
        records: of the given hand model, all numbers finite.
        objects: has all of their objects.
        model: on the CPU, float32.
        progress: told how many rows of how many are done.
    """
    found = [torch.zeros(5, 0, 2)]
    eye = torch.eye(4)
    touched = torch.zeros(2, model.num_vertices)
    for first in range(0, len(records), _AT_ONCE):
        progress(first, len(records))
        some = records.rows(range(first, min(first + _AT_ONCE, len(records))))
        hands, index = some.hands, objects.index_of(some.object)
        skin = model.pose_hands(hands).vertices_object
        flat = objects.distance(index, some.joint_value, skin.flatten(1, 2))
        distance = flat.unflatten(1, (2, -1))
        near = distance.abs() <= CONTACT_DISTANCE
        touched += (near & hands.present[..., None]).float().sum(0)
        box = objects.box(index, some.joint_value, eye.expand(len(some), 4, 4))
        low, high = box[:, None].unbind(2)
        wrist = hands.T_object_hand[..., :3, 3]
        outside = torch.maximum(low - wrist, wrist - high).clamp_min(0)
        pads = [distance[..., pad].abs().amin(-1) <= FINGER_DISTANCE for pad in model.regions.pads]
        numbers = torch.stack(
            [
                distance.amin(-1), near.float().mean(-1), torch.stack(pads).float().sum(0),
                model.limit_violation(hands.pose).flatten(2).amax(-1), outside.norm(dim=-1),
            ]
        )  # fmt: skip
        found.append(numbers.masked_fill(~hands.present, torch.nan))
    progress(len(records), len(records))
    clearance, contact, fingers, excess, wrist = torch.cat(found, dim=1)
    counted = records.hands.present.float().sum(0)[:, None].clamp_min(1)
    return Measures(
        clearance=clearance, contact=contact, fingers=fingers, limit_excess=excess, wrist=wrist,
        touched=touched / counted,
    )  # fmt: skip
