"""What the hands of a finished grasp do: which role was played, whatever was planned."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from bghop.datagen.candidates import UP
from bghop.datagen.roles import BELOW, Places, Role
from bghop.evaluation.metrics import CONTACT_DISTANCE
from bghop.geometry.sdf import SdfGrid
from bghop.hands.model import HandModel, HandParameters


@dataclass(frozen=True, kw_only=True, eq=False)
class Played:
    """Where the skin of each hand touches, for the most part."""

    grip: Bool[Tensor, "n hand=2"]
    moving: Bool[Tensor, "n hand=2"]
    support: Bool[Tensor, "n hand=2"]

    def roles(self) -> list[Role]:
        """The most specific role of each grasp."""
        found = []
        for grip, moving, support in zip(
            self.grip.tolist(), self.moving.tolist(), self.support.tolist(), strict=True
        ):
            if moving[0] != moving[1]:
                found.append(Role.OPEN)
            elif any(grip):
                found.append(Role.GRIP)
            elif support[0] != support[1]:
                found.append(Role.SUPPORT)
            else:
                found.append(Role.BOTH)
        return found


@torch.no_grad()
def played(hands: HandParameters, sdf: SdfGrid, places: Places, person: HandModel) -> Played:
    """Look at the skin of pads and palms within 5 mm of the object."""
    skin = torch.cat([*person.regions.pads, person.regions.palm])
    points, _ = person.skin(hands, vertices=skin)
    distance, normals = sdf.distance_and_normal(points)
    touching = ((distance.abs() <= CONTACT_DISTANCE) & hands.present[..., None]).float()
    count = touching.sum(-1).clamp_min(1)
    grip, moving = places.near(points)

    def mostly(marks: Bool[Tensor, "n hand=2 point"]) -> Bool[Tensor, "n hand=2"]:
        return (marks * touching).sum(-1) / count > 0.5

    push = -(normals * touching[..., None]).sum(-2)
    up = torch.nn.functional.normalize(push, dim=-1) @ push.new_tensor(UP)
    return Played(grip=mostly(grip), moving=mostly(moving), support=(up > BELOW) & hands.present)
