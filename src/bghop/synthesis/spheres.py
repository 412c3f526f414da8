"""Hands as balls: cheap stand-ins for collisions between hands, fingers and the object."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bghop.hands.axes import forearm_directions
from bghop.hands.joints import BONE_PARENTS
from bghop.hands.model import HandModel

OVERLAP = 0.9
"""Share of two radii at which balls of one hand touch: skin gives way by a millimetre."""
HANDS_APART = 0.002
"""Metres that two hands keep from each other."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HandSpheres:
    """Balls along the axes of the capsules, rigid on the bones."""

    bone: Int[Tensor, "sphere"]
    centre: Float[Tensor, "hand=2 sphere 3"]
    """In the bone's rest frame, metres."""
    radius: Float[Tensor, "hand=2 sphere"]
    may_touch: Bool[Tensor, "sphere sphere"]
    """Pairs of one hand that are apart in every healthy pose (upper triangle)."""

    @cached_property
    def self_reach(self) -> Float[Tensor, "hand=2 sphere sphere"]:
        """Distances at which pairs of one hand touch, 0 for those that always may."""
        both = self.radius[:, :, None] + self.radius[:, None, :]
        return OVERLAP * both * self.may_touch

    @cached_property
    def hand_reach(self) -> Float[Tensor, "sphere sphere"]:
        """Distances at which balls of the left and of the right hand touch, skin to skin."""
        return self.radius[0][:, None] + self.radius[1] + HANDS_APART

    def centres_object(
        self, Ts_object_bone: Float[Tensor, "*batch hand=2 bone=16 4 4"]
    ) -> Float[Tensor, "*batch hand=2 sphere 3"]:
        """Centres of the posed balls in the object frame."""
        T = Ts_object_bone[..., self.bone, :, :]
        return (T[..., :3, :3] @ self.centre[..., None]).squeeze(-1) + T[..., :3, 3]


def make_spheres(model: HandModel) -> HandSpheres:
    """Balls at most 1.2 radii apart along every capsule of the model."""
    capsules = model.capsules
    bones: list[int] = []
    shares: list[float] = []
    index: list[int] = []
    lengths = (capsules.end - capsules.start).norm(dim=-1).amax(0)
    for i in range(len(capsules.bone)):
        ratio = float(lengths[i] / capsules.radius[:, i].amin())
        count = max(2, math.ceil(ratio / 1.2) + 1)
        for step in range(count):
            bones.append(int(capsules.bone[i]))
            shares.append(step / (count - 1))
            index.append(i)
    device = capsules.start.device
    share = torch.tensor(shares, dtype=capsules.start.dtype, device=device)[:, None]
    centre = (1 - share) * capsules.start[:, index] + share * capsules.end[:, index]
    bone = torch.tensor(bones, device=device)
    radius = capsules.radius[:, index]
    at_rest = model.bone_joints[:, bone] + centre
    gap = torch.cdist(at_rest, at_rest) - OVERLAP * (radius[..., None, :] + radius[..., None])
    # Neighbours that are this near at rest are near in every pose.
    may_touch = _separate_pairs(bone) & (gap > 0).all(0)
    return HandSpheres(bone=bone, centre=centre, radius=radius, may_touch=may_touch)


def summed_overlap(
    first: Float[Tensor, "*batch s 3"],
    second: Float[Tensor, "*batch t 3"],
    reach: Float[Tensor, "*last s t"],
) -> Float[Tensor, "*batch"]:
    """Sum over all pairs of `reach - distance` where that is positive, with gradients.

    Of thousands of pairs some dozens overlap: those are found without gradients, by squared
    distances from one matrix product, and only they are measured (`benchmarks/energy.py`).

    Args:
        first: Centres of balls, metres.
        second: Centres of other balls.
        reach: Distance at which a pair begins to overlap, for the last axes of the batch; pairs
            of no reach are left out.
    """
    batch, s, t = first.shape[:-2], first.shape[-2], second.shape[-2]
    with torch.no_grad():
        # About the middle of the first, so that squares are of the size of what is compared.
        middle = first.mean(-2, keepdim=True)
        a, b = first - middle, second - middle
        squares = a.square().sum(-1)[..., :, None] + b.square().sum(-1)[..., None, :]
        squared = torch.baddbmm(
            squares.flatten(0, -3), a.flatten(0, -3), b.flatten(0, -3).mT, alpha=-2
        )
        # A little farther than the reach, for the product's rounding.
        bound = torch.where(reach > 0, (1.01 * reach + 1e-4).square(), -1.0)
        near = (squared.view(squares.shape) < bound).view(-1).nonzero().squeeze(1)
        row, pair = near.div(s * t, rounding_mode="floor"), near % (s * t)
        i, j = row * s + pair.div(t, rounding_mode="floor"), row * t + pair % t
    between = first.reshape(-1, 3).index_select(0, i) - second.reshape(-1, 3).index_select(0, j)
    distance = between.square().sum(-1).clamp_min(1e-12).sqrt()
    overlap = (reach.reshape(-1).take(near % reach.numel()) - distance).clamp_min(0)
    return overlap.new_zeros(batch.numel()).index_add(0, row, overlap).reshape(batch)


def _separate_pairs(bone: Int[Tensor, "sphere"]) -> Bool[Tensor, "sphere sphere"]:
    """Different fingers, or a middle or end segment against the palm; the upper triangle.

    Bases of neighbours are left out, because their skin always touches.
    """
    finger = (bone - 1).div(3, rounding_mode="floor")  # -1: the palm
    palm = finger < 0
    base = torch.tensor(BONE_PARENTS, device=bone.device)[bone] <= 0
    either_palm = palm[:, None] | palm
    either_base = (base & ~palm)[:, None] | (base & ~palm)
    touching = (base[:, None] & base) | (either_palm & either_base)
    return ((finger[:, None] != finger) & ~touching).triu(1)


def forearm_points(
    T_object_hand: Float[Tensor, "*batch hand=2 4 4"],
) -> Float[Tensor, "*batch hand=2 point=5 3"]:
    """Points along the forearm's axis, 3 to 19 cm behind the wrist, away from the fingers."""
    along = torch.linspace(0.03, 0.19, 5).to(T_object_hand)
    back = forearm_directions(T_object_hand[..., :3, :3])
    return T_object_hand[..., None, :3, 3] + along[:, None] * back[..., None, :]


FOREARM_RADIUS = 0.032
"""Metres; a slim adult forearm near the wrist."""
