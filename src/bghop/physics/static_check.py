"""The hold test's fast companion: can the contacts balance gravity from six sides, at rest?

No simulation, no squeeze, no reward for depth: skin within 3 mm of the surface may push with a
force inside the friction cone, at most 15 N per finger and 40 N per hand, and the forces that
balance the weight best are found (physics/equilibrium.py). It does not know whether joints can give
these forces, nor what happens once something slips.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from bghop.geometry.mesh import MeshQuery
from bghop.hands.model import HandModel, HandParameters
from bghop.physics.contacts import CONTACT_REACH
from bghop.physics.equilibrium import (
    Contacts,
    gravity_loads,
    holding_forces,
    wrench,
)
from bghop.physics.hold import mass_of
from bghop.physics.pieces import Pieces
from bghop.physics.settings import HoldSettings

PALM_CONTACTS = 4
"""Points of a palm that may push: the nearest one, then those farthest from the ones taken."""
TOLERANCE = 0.1
"""Part of the weight (force, or torque over the object's radius) that may stay unbalanced."""
_ITERATIONS = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class StaticResult:
    """Six values, one per direction of gravity (`bghop.physics.hold.DIRECTIONS`)."""

    held: tuple[bool, ...]
    residual: tuple[float, ...]
    """Unbalanced wrench relative to the weight: 0 balanced, 1 nothing balanced."""
    num_contacts: tuple[int, int]
    """Of (left, right)."""
    seconds: float

    @property
    def success(self) -> bool:
        """Balanced in all six directions."""
        return all(self.held)


def static_check(
    query: MeshQuery,
    pieces: Pieces,
    hand_model: HandModel,
    hands: HandParameters,
    settings: HoldSettings | None = None,
    *,
    present: tuple[bool, bool] | None = None,
) -> StaticResult:
    """Force balance of one grasp (no leading batch).

    Args:
        query: Exact distances to the object.
        pieces: Of the object; only its mass and centre are used.
        hand_model: The hands.
        hands: One grasp, object frame.
        settings: Friction and force limits; see `HoldSettings`.
        present: Hands to keep of those that the grasp has; both if None.
    """
    settings = settings or HoldSettings()
    start = time.perf_counter()
    if present is not None:
        keep = torch.tensor(present, device=hands.present.device)
        hands = replace(hands, present=hands.present & keep)
    points, normals, limits, counts = _contacts(query, hand_model, hands, settings)
    if not len(points):
        return StaticResult(
            held=(False,) * 6, residual=(1.0,) * 6, num_contacts=(0, 0),
            seconds=time.perf_counter() - start,
        )  # fmt: skip
    contacts = Contacts(
        points=torch.from_numpy(points), normals=torch.from_numpy(normals),
        limits=torch.from_numpy(limits),
    )  # fmt: skip
    mesh = query.mesh
    length = float(np.linalg.norm(mesh.vertices - pieces.centre, axis=1).max())
    centre = torch.from_numpy(pieces.centre)
    loads = gravity_loads(mass_of(pieces), dtype=torch.float64, device=torch.device("cpu"))
    forces = holding_forces(
        contacts, loads, centre=centre, length=length, friction=settings.friction,
        iterations=_ITERATIONS, groups=(slice(0, counts[0]), slice(counts[0], None)),
        group_limit=settings.forces.wrist_force,
    )  # fmt: skip
    error = wrench(contacts.points[None], forces, centre, length) + loads
    residual = (error.norm(dim=-1) / loads.norm(dim=-1)).tolist()
    return StaticResult(
        held=tuple(value < TOLERANCE for value in residual),
        residual=tuple(residual),
        num_contacts=counts,
        seconds=time.perf_counter() - start,
    )


def _contacts(
    query: MeshQuery, hand_model: HandModel, hands: HandParameters, settings: HoldSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """Surface points, outward normals and force limits of left, then right, and their numbers."""
    regions = [each.cpu().numpy() for each in (*hand_model.regions.pads, hand_model.regions.palm)]
    wanted = np.concatenate(regions)
    ends = np.cumsum([0, *(len(each) for each in regions)])
    with torch.no_grad():
        skin, _ = hand_model.skin(hands, vertices=torch.from_numpy(wanted))
    points, normals, limits, counts = [], [], [], []
    for side in range(2):
        if not bool(hands.present[side]):
            counts.append(0)
            continue
        seen = query.closest(skin[side].cpu().double().numpy())
        before = len(points)
        for region in range(6):
            own = np.arange(ends[region], ends[region + 1])
            own = own[seen.distance[own] <= CONTACT_REACH]
            count = PALM_CONTACTS if region == 5 else 1
            limit = settings.forces.wrist_force if region == 5 else settings.forces.finger_force
            for k in _spread(seen.point[own], seen.distance[own], count):
                points.append(seen.point[own[k]])
                normals.append(seen.normal[own[k]])
                limits.append(limit)
        counts.append(len(points) - before)
    return (
        np.array(points).reshape(-1, 3),
        np.array(normals).reshape(-1, 3),
        np.array(limits, dtype=np.float64),
        (counts[0], counts[1]),
    )


def _spread(
    points: Float[np.ndarray, "n 3"], distance: Float[np.ndarray, "n"], count: int
) -> list[int]:
    """The nearest point, then always the one farthest from those taken."""
    if not len(points):
        return []
    taken = [int(distance.argmin())]
    away = np.linalg.norm(points - points[taken[0]], axis=1)
    while len(taken) < min(count, len(points)) and away.max() > 0.005:
        taken.append(int(away.argmax()))
        away = np.minimum(away, np.linalg.norm(points - points[taken[-1]], axis=1))
    return taken
