"""What each hand does: places of an object that invite a hand, and pairs of starts that use them.

People do not take hold of things anywhere: a pot by its handles, a lid while the other hand holds
the box, a tray from below. A role adds a penalty to pairs of starts that do not play it.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.mesh import Mesh
from bghop.geometry.topology import face_area_vectors, face_components, piece_volumes
from bghop.synthesis.starts import Pool

PENALTY = 6.0
"""What a pair pays that does not play the role; good pairs cost 3 to 6 in all."""
_GRIP_RADIUS = (0.0035, 0.024)
"""Metres; thinner bars are strings, thicker ones bodies."""
_GRIP_LENGTH = 0.06
_SLENDER = 5.0
"""A grip is this many times longer than thick (its radius), at least."""
_WINDING = 3.5
"""Way along a bent bar over its longest extent; sheets and walls come out far above."""
BELOW = 0.6
"""Cosine: how far up a supporting hand must push."""


class Role(StrEnum):
    """Who does what; both orders of left and right occur."""

    BOTH = "both"
    """Both hold, wherever it is good."""
    GRIP = "grip"
    """One hand at a handle, the other anywhere else or at another handle."""
    SUPPORT = "support"
    """One hand carries from below."""
    OPEN = "open"
    """One hand at the part that moves, the other at the rest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """Points of the surface and what they belong to; object frame, metres."""

    points: Float[Tensor, "point 3"]
    grip: Bool[Tensor, "point"]
    """On a handle: a slender bar."""
    moving: Bool[Tensor, "point"]
    """On the part that the joint moves."""

    def near(self, points: Float[Tensor, "*batch 3"]) -> tuple[Tensor, Tensor]:
        """Whether each point is at a handle, and whether at the moving part."""
        nearest = torch.cdist(points.flatten(0, -2), self.points).argmin(-1)
        shape = points.shape[:-1]
        return self.grip[nearest].reshape(shape), self.moving[nearest].reshape(shape)

    def roles(self) -> tuple[Role, ...]:
        """The roles that the object offers."""
        found = [Role.BOTH, Role.SUPPORT]
        if bool(self.grip.any()) and not bool(self.grip.all()):
            found.append(Role.GRIP)
        if bool(self.moving.any()):
            found.append(Role.OPEN)
        return tuple(found)


def places_of(
    mesh: Mesh,
    thing: ArticulatedObject | None = None,
    *,
    num: int = 3000,
    rng: np.random.Generator,
) -> Places:
    """Evenly spread points of the surface with their meaning.

    Args:
        mesh: The object; of a jointed one, its parts in order, at the joint value.
        thing: The parts and the joint, if it has one.
        num: Points.
        rng: Chooses them.
    """
    areas = np.linalg.norm(face_area_vectors(mesh.vertices, mesh.faces), axis=1)
    face = rng.choice(len(areas), num, p=areas / areas.sum())
    share = rng.dirichlet([1.0, 1.0, 1.0], num)
    points = np.einsum("nc,ncd->nd", share, mesh.vertices[mesh.faces[face]])
    moving = np.zeros(len(mesh.faces), dtype=bool)
    if thing is not None:
        counts = np.cumsum([0, *(len(part.faces) for part in thing.parts)])
        moving[counts[thing.joint.moving] : counts[thing.joint.moving + 1]] = True
    return Places(
        points=torch.from_numpy(points).float(),
        grip=torch.from_numpy(_grip_faces(mesh, areas)[face]),
        moving=torch.from_numpy(moving[face]),
    )


def role_penalties(
    role: Role, pool: Pool, places: Places, up: Float[Tensor, "3"]
) -> Float[Tensor, "left right"]:
    """What to add to `pair_costs`, so that pairs that play the role come first."""
    grip, moving = places.near(pool.contact)
    rising = torch.nn.functional.normalize(pool.push, dim=-1) @ up > BELOW

    def pairs(x: Tensor) -> tuple[Tensor, Tensor]:
        return x[0][:, None], x[1][None, :]

    left, right = pairs({Role.GRIP: grip, Role.OPEN: moving}.get(role, rising))
    if role is Role.BOTH:
        played = torch.ones_like(left & right)
    elif role is Role.GRIP:
        played = left | right
    else:
        played = left ^ right
    return PENALTY * (~played).float()


def _grip_faces(mesh: Mesh, areas: Float[np.ndarray, "face"]) -> np.ndarray:
    """Faces of pieces that are slender bars, straight or bent.

    A round bar of radius r and length L has `2 V / A = r` and `A^2 / (4 pi V) = L`; of anything
    else the second is far longer than the piece itself.
    """
    count, piece = face_components(mesh.faces)
    volume = piece_volumes(mesh.vertices, mesh.faces, piece)
    area = np.bincount(piece, areas, count)
    radius, length = 2 * volume / area, area**2 / (4 * np.pi * np.maximum(volume, 1e-12))
    extent = np.array([np.ptp(_corners(mesh, piece == i), axis=0).max() for i in range(count)])
    bar = (
        (radius > _GRIP_RADIUS[0]) & (radius < _GRIP_RADIUS[1])
        & (extent > _GRIP_LENGTH) & (length > _SLENDER * radius) & (length < _WINDING * extent)
    )  # fmt: skip
    return bar[piece]


def _corners(mesh: Mesh, chosen: np.ndarray) -> Float[np.ndarray, "n 3"]:
    index: Int64[np.ndarray, "n"] = np.unique(mesh.faces[chosen])
    return mesh.vertices[index]
