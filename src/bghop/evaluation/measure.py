"""From posed hands and a mesh to `GraspMetrics`: the exact distances, and who asks for which."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bghop.evaluation.metrics import (
    CONTACT_DISTANCE,
    GraspMetrics,
    contact_ratio,
    fingers_in_contact,
    limit_violation_deg,
    penetration_depth_mm,
    shared_volume_cm3,
)
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.hands.model import HandModel, HandParameters


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """A closed surface with its exact signed distances and its box."""

    vertices: Float[np.ndarray, "vert 3"]
    query: MeshQuery

    @property
    def lower(self) -> Float[np.ndarray, "3"]:
        """Smallest corner of the bounding box."""
        return self.vertices.min(0)

    @property
    def upper(self) -> Float[np.ndarray, "3"]:
        """Largest corner of the bounding box."""
        return self.vertices.max(0)


def solid(vertices: Float[np.ndarray, "vert 3"], faces: Int[np.ndarray, "face 3"]) -> Solid:
    """Prepares distance queries to one surface."""
    vertices = np.ascontiguousarray(vertices, dtype=np.float64)
    mesh = Mesh(vertices=vertices, faces=np.ascontiguousarray(faces, dtype=np.int64))
    return Solid(vertices=vertices, query=MeshQuery(mesh))


def solid_of_mesh(mesh: Mesh) -> Solid:
    """The object of a scene; make it once for all its grasps."""
    return Solid(vertices=mesh.vertices, query=MeshQuery(mesh))


def measure_grasp(
    target: Solid, hand_model: HandModel, hands: HandParameters, *, time_s: float
) -> GraspMetrics:
    """All metrics of one grasp (parameters without a leading batch).

    Args:
        target: The object.
        hand_model: The hands; its sealed faces make the solids, its pads the fingers.
        hands: One grasp in the object's frame.
        time_s: Wall-clock time that its synthesis took.
    """
    with torch.no_grad():
        posed = hand_model.pose_hands(hands)
        angles = _numpy(hand_model.angles_from_pose(hands.pose))
    vertices, present = _numpy(posed.vertices_object), hands.present.tolist()
    limits = _numpy(hand_model.anatomy.limits)
    pads = tuple(pad.cpu().numpy() for pad in hand_model.regions.pads)
    solids = [
        solid(vertices[side], hand_model.closed_faces[side].cpu().numpy())
        for side in range(2)
        if present[side]
    ]
    distances = [_distances_near(target, each.vertices) for each in solids]
    between_depth, between_volume = _between(solids)
    return GraspMetrics(
        penetration_depth_mm=_pair(present, [penetration_depth_mm(d) for d in distances]),
        intersection_volume_cm3=_pair(present, [overlap_cm3(each, target) for each in solids]),
        contact_ratio=_pair(present, [contact_ratio(d) for d in distances]),
        fingers_in_contact=_pair(present, [fingers_in_contact(d, pads) for d in distances]),
        limit_violation_deg=_pair(
            present, [limit_violation_deg(angles[k], limits) for k in range(2) if present[k]]
        ),
        hand_hand_depth_mm=between_depth,
        hand_hand_volume_cm3=between_volume,
        time_s=time_s,
    )


def overlap_cm3(first: Solid, second: Solid) -> float:
    """Volume inside both; `first` is asked more often, so let it be the one with fewer faces."""
    return shared_volume_cm3(
        first.query,
        second.query,
        np.maximum(first.lower, second.lower),
        np.minimum(first.upper, second.upper),
    )


def _distances_near(target: Solid, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Exact signed distances; infinite outside the box grown by the contact distance.

    No metric asks how far a vertex is beyond that distance, and such points cost most.
    """
    margin = 2 * CONTACT_DISTANCE
    near = np.all((points > target.lower - margin) & (points < target.upper + margin), axis=-1)
    distances = np.full(len(points), np.inf)
    if near.any():
        distances[near] = target.query.signed_distances(points[near])
    return distances


def _between(solids: list[Solid]) -> tuple[float, float]:
    """Depth in mm and volume in cm3 of two hands inside each other."""
    if len(solids) < 2:
        return 0.0, 0.0
    first, second = solids
    lower = np.maximum(first.lower, second.lower)
    upper = np.minimum(first.upper, second.upper)
    if np.any(upper <= lower):
        return 0.0, 0.0
    depth = 0.0
    for one, other in ((first, second), (second, first)):
        inside = np.all((one.vertices > lower) & (one.vertices < upper), axis=-1)
        if inside.any():
            distances = other.query.signed_distances(one.vertices[inside])
            depth = max(depth, penetration_depth_mm(distances))
    return depth, overlap_cm3(first, second)


def _pair(present: list[bool], values: list) -> tuple:
    """Values of the hands that are there as (left, right) with None for the absent."""
    rest = iter(values)
    return tuple(next(rest) if here else None for here in present)


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()
