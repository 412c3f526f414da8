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
from bghop.physics.body import Body
from bghop.physics.contacts import CONTACT_REACH
from bghop.physics.equilibrium import (
    Contacts,
    gravity_loads,
    holding_forces,
    wrench,
)
from bghop.physics.settings import HoldSettings

PALM_CONTACTS = 4
"""Points of a palm that may push: the nearest one, then those farthest from the ones taken."""
TOLERANCE = 0.1
"""Part of the weight (force, or torque over the object's radius) that may stay unbalanced."""
POOR_FRICTION, HEAVY = 0.5, 2.0
"""`instability` asks for the balance of this many times the weight with this friction."""
IMBALANCE_WEIGHT, IMBALANCE_ARM = 0.03, 0.1
"""Share of the squeeze's imbalance in `instability`; metres that divide its torques."""
_ITERATIONS = 70
_CONVERGED = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class StaticResult:
    """Six values, one per direction of gravity (`bghop.physics.hold.DIRECTIONS`)."""

    held: tuple[bool, ...]
    residual: tuple[float, ...]
    """Unbalanced wrench relative to the weight: 0 balanced, 1 nothing balanced."""
    instability: float
    """Predicts the hold test without it; lower is better, see `static_check`."""
    num_contacts: tuple[int, int]
    """Of (left, right)."""
    seconds: float

    @property
    def success(self) -> bool:
        """Balanced in all six directions."""
        return all(self.held)


def static_check(
    query: MeshQuery,
    body: Body,
    hand_model: HandModel,
    hands: HandParameters,
    settings: HoldSettings | None = None,
    *,
    present: tuple[bool, bool] | None = None,
) -> StaticResult:
    """Force balance of one grasp (no leading batch).

    `instability` is what stays unbalanced, in the mean of the six directions, of twice the weight
    with friction 0.5, plus 0.03 times the imbalance of the squeeze: every contact presses equally
    along its normal, and the wrenches of left and right should cancel,
    `|W_left + W_right| / (|W_left| + |W_right|)`. Of what was tried it tells best which grasps the
    hold test will pass (docs/hold_test.md).

    Args:
        query: Exact distances to the object.
        body: What the object weighs.
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
            held=(False,) * 6, residual=(1.0,) * 6, instability=1.0 + IMBALANCE_WEIGHT,
            num_contacts=(0, 0), seconds=time.perf_counter() - start,
        )  # fmt: skip
    contacts = Contacts(
        points=torch.from_numpy(points), normals=torch.from_numpy(normals),
        limits=torch.from_numpy(limits),
    )  # fmt: skip
    centre = torch.from_numpy(body.centre)
    weight = gravity_loads(body.mass, dtype=torch.float64, device=torch.device("cpu"))
    loads = torch.cat([weight, HEAVY * weight])
    friction = loads.new_tensor([settings.friction] * 6 + [POOR_FRICTION] * 6)
    sides = (slice(0, counts[0]), slice(counts[0], None))
    forces = holding_forces(
        contacts, loads, centre=centre, length=body.radius, friction=friction,
        iterations=_ITERATIONS, tolerance=_CONVERGED, groups=sides,
        group_limit=settings.forces.wrist_force,
    )  # fmt: skip
    error = wrench(contacts.points[None], forces, centre, body.radius) + loads
    residual = (error.norm(dim=-1) / loads.norm(dim=-1)).tolist()
    imbalance = _imbalance(points - body.centre, normals, sides)
    return StaticResult(
        held=tuple(value < TOLERANCE for value in residual[:6]),
        residual=tuple(residual[:6]),
        instability=float(np.mean(residual[6:])) + IMBALANCE_WEIGHT * imbalance,
        num_contacts=counts,
        seconds=time.perf_counter() - start,
    )


def _imbalance(
    arms: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    sides: tuple[slice, slice],
) -> float:
    """How much of the hands' squeeze does not cancel, 0 to 1; 1 with one hand."""
    torques = np.cross(arms / IMBALANCE_ARM, -normals)
    wrenches = [np.concatenate([-normals[s].sum(0), torques[s].sum(0)]) for s in sides]
    size = sum(float(np.linalg.norm(each)) for each in wrenches)
    return float(np.linalg.norm(wrenches[0] + wrenches[1])) / max(size, 1e-9)


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
