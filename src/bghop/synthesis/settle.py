"""Sampled hands taken out of the object before they are refined.

A sample of a prior says where the hands come from and how they close, but not to the centimetre:
some fingers lie deep inside. The nearest surface of a deep finger is often the wrong one, and an
optimiser that pushes each point outwards pulls the hand apart. So every hand goes back the way it
came, and each finger opens, as little as needed: of all ways back the cheapest after which no ball
of the hand is in the object.
"""

from dataclasses import replace
from itertools import product

import torch
from jaxtyping import Bool
from torch import Tensor

from bghop.geometry.sdf import SdfGrid
from bghop.hands.axes import FINGERS_HAND, PALM_HAND
from bghop.hands.model import HandParameters
from bghop.synthesis.preshapes import Preshape, preshape_angles
from bghop.synthesis.probe import Probe

WAYS = ((1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, -0.5))
"""Ways in as (palm direction, finger direction): with the palm, between, fingers first, and wrist
first (over a rim)."""
FLAT = Preshape(
    name="flat", kind="palm", fingers=(0.2, 0.05, 0.08), thumb=(0.1, 0.2, 0.15), thumb_splay=0.0
)
WIDE = replace(FLAT, name="wide", thumb_splay=1.0)
"""Postures that fingers open towards: the thumb beside the palm, or opposite it."""
OPENINGS = ((FLAT, 0.0), (FLAT, 0.4), (FLAT, 0.7), (FLAT, 1.0), (WIDE, 0.5), (WIDE, 1.0))
"""Postures and shares of the way to them."""
STEP, FARTHEST = 0.005, 0.08
"""Metres: how finely and how far back is looked."""
SLACK = 0.003
"""Metres that a ball may overlap the object: the optimiser mends as much without going astray."""
OPENING_COST = 0.8
"""A finger that is opened all the way costs as much as this many centimetres of way back."""
_OVERLAP_COST = 200.0


@torch.no_grad()
def settle(
    probe: Probe,
    sdf: SdfGrid,
    hands: HandParameters,
    *,
    moving: Bool[Tensor, "n hand=2"] | None = None,
) -> HandParameters:
    """Hands next to the object instead of inside it; those that are outside stay as they are.

    Each hand by itself: whether the two overlap is not looked at.

    Args:
        probe: the hands' balls.
        sdf: the object.
        hands: samples in the object's frame.
        moving: hands that may move; all that are there if None.
    """
    model = probe.model
    limits = model.anatomy.limits
    sampled = model.angles_from_pose(hands.pose).clamp(limits[..., 0], limits[..., 1])
    moving = hands.present if moving is None else moving & hands.present
    R = hands.T_object_hand[..., :3, :3]
    ways = torch.tensor(WAYS).to(R)
    axes_hand = torch.stack([PALM_HAND, FINGERS_HAND], dim=1).to(R)  # hand axis 3
    ways_hand = torch.nn.functional.normalize(
        torch.einsum("wa,hax->whx", ways, axes_hand), dim=-1
    )  # way hand 3
    ways_object = torch.einsum("nhij,whj->wnhi", R, ways_hand)

    shares = torch.tensor([share for _, share in OPENINGS]).to(R)
    opened = torch.stack(
        [sampled.lerp(preshape_angles(model, shape).to(sampled), x) for shape, x in OPENINGS]
    )
    posed = [
        model.pose_hands(replace(hands, pose=model.pose_from_angles(angles))) for angles in opened
    ]
    centres = torch.stack(
        [probe.spheres.centres_object(each.Ts_object_bone) for each in posed]
    )  # opening n hand sphere 3
    finger = (probe.spheres.bone - 1).div(3, rounding_mode="floor")  # -1: the palm

    cheapest = torch.full(moving.shape, torch.inf).to(R)
    shift = torch.zeros_like(R[..., 0])
    opening = torch.zeros(*moving.shape, 5, dtype=torch.long, device=R.device)
    for way, step in product(ways_object, range(round(FARTHEST / STEP) + 1)):
        back = -STEP * step * way
        gap = sdf.distance(centres + back[..., None, :]) - probe.spheres.radius
        overlap = (-gap - SLACK).clamp_min(0) / 0.01
        palm = overlap[0][..., finger < 0].amax(-1)
        fingers = torch.stack([overlap[..., finger == k].amax(-1) for k in range(5)], dim=-1)
        # Every finger by itself: opening it costs something, leaving it inside costs more.
        price = OPENING_COST * shares[:, None, None, None] + _OVERLAP_COST * fingers
        least, chosen = price.min(0)
        cost = STEP * step / 0.01 + least.sum(-1) + _OVERLAP_COST * palm
        better = cost < cheapest
        cheapest = torch.where(better, cost, cheapest)
        opening = torch.where(better[..., None], chosen, opening)
        shift = torch.where(better[..., None], back, shift)
    by_joint = opening.repeat_interleave(3, dim=-1)[None, ..., None].expand(1, *sampled.shape)
    angles = opened.gather(0, by_joint)[0]
    T = hands.T_object_hand.clone()
    T[..., :3, 3] += torch.where(moving[..., None], shift, 0.0)
    pose = model.pose_from_angles(angles)
    changed = moving & (opening > 0).any(-1)
    return replace(
        hands, T_object_hand=T, pose=torch.where(changed[..., None, None], pose, hands.pose)
    )
