"""From posed hands and a mesh to metrics: the exact distances, and who asks for which.

`measure_grasp` gives bghop's own metrics, `measure_published` those of GraspTTA and HALO.
"""

from dataclasses import dataclass
from functools import cached_property

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
from bghop.evaluation.published import (
    PublishedMetrics,
    grasptta_contact,
    grasptta_depth_cm,
    grasptta_surface_voxels,
    grasptta_volume_cm3,
    halo_distance_cm,
    halo_volume_cm3,
)
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.hands.model import HandModel, HandParameters

_POINTS_AT_ONCE = 64


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

    @cached_property
    def surface_voxels(self) -> Float[np.ndarray, "voxel 3"]:
        """Centres of GraspTTA's voxels; made at the first question, which takes about a second."""
        return grasptta_surface_voxels(self.query.mesh)


def solid(vertices: Float[np.ndarray, "vert 3"], faces: Int[np.ndarray, "face 3"]) -> Solid:
    """Prepares distance queries to one surface."""
    vertices = np.ascontiguousarray(vertices, dtype=np.float64)
    mesh = Mesh(vertices=vertices, faces=np.ascontiguousarray(faces, dtype=np.int64))
    return Solid(vertices=vertices, query=MeshQuery(mesh))


def solid_of_mesh(mesh: Mesh) -> Solid:
    """The object of a scene; make it once for all its grasps."""
    return Solid(vertices=mesh.vertices, query=MeshQuery(mesh))


Published = tuple[PublishedMetrics | None, PublishedMetrics | None]
"""Of (left, right); None for a hand that is absent."""


def measure_grasp(
    target: Solid, hand_model: HandModel, hands: HandParameters, *, time_s: float
) -> GraspMetrics:
    """All metrics of bghop's own of one grasp (parameters without a leading batch).

    Args:
        target: The object.
        hand_model: The hands; its sealed faces make the solids, its pads the fingers.
        hands: One grasp in the object's frame.
        time_s: Wall-clock time that its synthesis took.
    """
    return _grasp_metrics(_scene(target, hand_model, hands), hand_model, hands, time_s)


def measure_published(target: Solid, hand_model: HandModel, hands: HandParameters) -> Published:
    """The metrics of GraspTTA and HALO of one grasp (parameters without a leading batch).

    Args:
        target: The object; its surface voxels are made at the first call.
        hand_model: The hands; its sealed faces make the solids.
        hands: One grasp in the object's frame.
    """
    return _published_metrics(_scene(target, hand_model, hands))


def measure_all(
    target: Solid, hand_model: HandModel, hands: HandParameters, *, time_s: float
) -> tuple[GraspMetrics, Published]:
    """`measure_grasp` and `measure_published` for little more than the price of the first.

    Args:
        target: The object; its surface voxels are made at the first call.
        hand_model: The hands.
        hands: One grasp in the object's frame (no leading batch).
        time_s: Wall-clock time that its synthesis took.
    """
    scene = _scene(target, hand_model, hands)
    return _grasp_metrics(scene, hand_model, hands, time_s), _published_metrics(scene)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scene:
    """One posed grasp; what several metrics ask for is asked once."""

    target: Solid
    present: list[bool]
    """Of (left, right); the lists below leave absent hands out."""
    solids: list[Solid]

    @cached_property
    def distances(self) -> list[np.ndarray]:
        """Of all vertices near the object, see `_distances_near`."""
        return [_distances_near(self.target, hand.vertices) for hand in self.solids]

    @cached_property
    def overlaps_cm3(self) -> list[float]:
        """Volume of each hand inside the object."""
        return [overlap_cm3(hand, self.target) for hand in self.solids]


def _scene(target: Solid, hand_model: HandModel, hands: HandParameters) -> _Scene:
    """The hands that are there, posed and sealed at the wrist."""
    with torch.no_grad():
        vertices = _numpy(hand_model.pose_hands(hands).vertices_object)
    present = hands.present.tolist()
    solids = [
        solid(vertices[side], hand_model.closed_faces[side].cpu().numpy())
        for side in range(2)
        if present[side]
    ]
    return _Scene(target=target, present=present, solids=solids)


def _grasp_metrics(
    scene: _Scene, hand_model: HandModel, hands: HandParameters, time_s: float
) -> GraspMetrics:
    present, distances = scene.present, scene.distances
    angles = _numpy(hand_model.angles_from_pose(hands.pose))
    limits = _numpy(hand_model.anatomy.limits)
    pads = tuple(pad.cpu().numpy() for pad in hand_model.regions.pads)
    between_depth, between_volume = _between(scene.solids)
    return GraspMetrics(
        penetration_depth_mm=_pair(present, [penetration_depth_mm(d) for d in distances]),
        intersection_volume_cm3=_pair(present, scene.overlaps_cm3),
        contact_ratio=_pair(present, [contact_ratio(d) for d in distances]),
        fingers_in_contact=_pair(present, [fingers_in_contact(d, pads) for d in distances]),
        limit_violation_deg=_pair(
            present, [limit_violation_deg(angles[k], limits) for k in range(2) if present[k]]
        ),
        hand_hand_depth_mm=between_depth,
        hand_hand_volume_cm3=between_volume,
        time_s=time_s,
    )


def _published_metrics(scene: _Scene) -> Published:
    target, found = scene.target, []
    for hand, near, overlap in zip(scene.solids, scene.distances, scene.overlaps_cm3, strict=True):
        distance_cm = halo_distance_cm(_with_the_nearest(target, hand.vertices, near))
        found.append(
            PublishedMetrics(
                grasptta_volume_cm3=grasptta_volume_cm3(
                    target.surface_voxels, hand.query, hand.lower, hand.upper
                ),
                grasptta_depth_cm=grasptta_depth_cm(near),
                grasptta_contact=grasptta_contact(near),
                halo_volume_cm3=halo_volume_cm3(overlap, distance_cm),
                halo_distance_cm=distance_cm,
            )
        )
    return _pair(scene.present, found)


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


def _with_the_nearest(
    target: Solid, points: Float[np.ndarray, "n 3"], near: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n"]:
    """Distances near the object, completed until the least one is exact however far away it is.

    Points are asked in the order of their gap to the object's box, which no distance undercuts, and
    only while one could still be the nearest.
    """
    distances = near.copy()
    outside = np.maximum(0.0, np.maximum(target.lower - points, points - target.upper))
    gap = np.where(np.isinf(distances), np.linalg.norm(outside, axis=-1), np.inf)
    order = np.argsort(gap, kind="stable")
    for start in range(0, len(order), _POINTS_AT_ONCE):
        rows = order[start : start + _POINTS_AT_ONCE]
        rows = rows[gap[rows] < distances.min()]
        if len(rows) == 0:
            break
        distances[rows] = target.query.signed_distances(points[rows])
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
