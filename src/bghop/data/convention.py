"""Hands of a data set as the hands of our records: MANO in one convention, or the open hand.

Records of MANO hands count poses from the flat hand, and left shapes have the mended left file
(`load_mano(folder, flat_hand_mean=True, fix_left_shapedirs="if needed")`). Data sets differ in
both.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.fields.fit_joints import fit_hands
from bghop.hands.model import HandModel, HandParameters
from bghop.interaction import joined

_AT_ONCE = 512


def in_convention(
    hands: HandParameters, source: HandModel, target: HandModel
) -> tuple[HandParameters, Float[Tensor, "b hand=2"]]:
    """The same hands with another reading of the same MANO files.

    Poses are exact. Shapes are, where both readings have the same shape directions; where not (left
    hands that were fitted with the official file as it is), those whose skin is nearest.

    Args:
        hands: with the shapes and poses of `source`; one leading axis.
        source: model as the data set uses it.
        target: model of the records.

    Returns:
        The hands, and how far their skin is from what it was at rest (root mean square, metres).
    """
    shape, away = [], []
    for side in range(2):
        before = source.surface.shape_directions[side].flatten(1).double()
        after = target.surface.shape_directions[side].flatten(1).double()
        # A sequence has one person: what few shapes there are is done once, not for every frame.
        own, person = hands.shape[:, side].double().unique(dim=0, return_inverse=True)
        skin = own @ before
        found = torch.linalg.lstsq(after.T, skin.T).solution.T
        found = own if torch.equal(before, after) else found
        shape.append(found[person])
        off = (found @ after - skin).unflatten(1, (-1, 3))
        away.append(off.square().sum(-1).mean(-1).sqrt()[person])
    turned = hands.pose + (source.mean_pose - target.mean_pose).to(hands.pose)
    here = hands.present[..., None]
    return (
        replace(
            hands,
            pose=torch.where(here[..., None], turned, torch.zeros_like(turned)),
            shape=torch.stack(shape, dim=1).to(hands.shape) * here,
        ),
        torch.stack(away, dim=1).float() * hands.present,
    )


def retargeted(
    hands: HandParameters, source: HandModel, target: HandModel
) -> tuple[HandParameters, Float[Tensor, "b hand=2"]]:
    """Hands of another model whose joints are as near as its skeleton and limits allow.

    Args:
        hands: of `source`, float32; one leading axis.
        source: model that they belong to.
        target: model that is wanted, such as the open hand; its shape is found, too.

    Returns:
        The hands, and the mean distance of their joints from where they were, metres.
    """
    found, away = [], []
    for first in range(0, len(hands.present), _AT_ONCE):
        rows = hands.rows(slice(first, first + _AT_ONCE))
        with torch.no_grad():
            joints = source.joints(rows)
            fitted = fit_hands(joints, target, present=rows.present, estimate_shape=True)
            reached = target.joints(fitted)
        found.append(fitted)
        away.append((reached - joints).norm(dim=-1).mean(-1) * rows.present)
    return (
        joined(found),
        torch.cat(away),
    )
