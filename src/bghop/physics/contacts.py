"""Where the posed hands touch the object: exact distances from skin to mesh."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from bghop.geometry.mesh import MeshQuery
from bghop.hands.model import HandModel, HandParameters

CONTACT_REACH = 0.003
"""Metres between skin and surface up to which they touch (as for fingers in contact)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Touching:
    """The contact of each bone of one hand: its skin point that is nearest to the object."""

    touches: Bool[np.ndarray, "bone=16"]
    """Whether the bone's skin comes within `CONTACT_REACH` (or inside)."""
    distance: Float[np.ndarray, "bone=16"]
    """Signed, metres; infinite for skin that is far away."""
    point: Float[np.ndarray, "bone=16 3"]
    """The skin point, object frame, metres."""
    normal: Float[np.ndarray, "bone=16 3"]
    """Outward unit normal of the object there; zero without contact."""


def posed_skin(
    hand_model: HandModel, hands: HandParameters
) -> tuple[Float[np.ndarray, "hand=2 vert 3"], Float[np.ndarray, "hand=2 bone=16 4 4"]]:
    """Vertices and bone frames of one grasp in the object frame, double precision."""
    with torch.no_grad():
        posed = hand_model.pose_hands(hands)
    return (
        posed.vertices_object.cpu().double().numpy(),
        posed.Ts_object_bone.cpu().double().numpy(),
    )


def owners(hand_model: HandModel) -> Int[np.ndarray, "vert"]:
    """Bone that owns each vertex (largest skinning weight)."""
    return hand_model.skinning_weights[1].argmax(-1).cpu().numpy()


def touching(
    query: MeshQuery, vertices: Float[np.ndarray, "vert 3"], owner: Int[np.ndarray, "vert"]
) -> Touching:
    """Contacts of one hand, bone by bone.

    Args:
        query: The object.
        vertices: The hand's skin, object frame.
        owner: Bone of each vertex.
    """
    distance, point, normal = np.full(16, np.inf), np.zeros((16, 3)), np.zeros((16, 3))
    lower, upper = query.mesh.bounds
    near = np.flatnonzero(
        np.all((vertices > lower - CONTACT_REACH) & (vertices < upper + CONTACT_REACH), axis=-1)
    )
    if len(near):
        found = query.closest(vertices[near])
        for bone in range(16):
            mine = np.flatnonzero(owner[near] == bone)
            if len(mine) == 0:
                continue
            k = mine[found.distance[mine].argmin()]
            distance[bone] = found.distance[k]
            point[bone], normal[bone] = vertices[near[k]], found.normal[k]
    touches = distance <= CONTACT_REACH
    return Touching(
        touches=touches, distance=distance, point=point, normal=normal * touches[:, None]
    )
