"""The definitions that most papers on grasps report, under their own names, to compare tables.

GraspTTA (Jiang et al. 2021; `metric/` and the generation script of hwjiang1510/GraspTTA) and HALO
(Karunratanakul et al. 2021; `utils/intersection.py` and `evaluate.py` of korrawe/halo; ContactGen
and others use it too). They differ from each other and from ours (`metrics.py`) in voxels, units
and in what counts as contact: compare a number only with numbers of the same name. What these
functions do not copy, because it is an accident of the code and not of the definition, is said at
each of them and in docs/metrics.md. Distances in are metres; results carry their unit in the name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float
from trimesh.voxel.creation import voxelize_subdivide

from bghop.errors import OptionError
from bghop.evaluation.metrics import Region
from bghop.geometry.mesh import Mesh

GRASPTTA_PITCH = 0.005
"""Edge in metres of the voxels that GraspTTA counts."""
GRASPTTA_CONTACT = 0.005
"""A hand vertex this near (metres), or inside, makes contact in GraspTTA."""
_MOST_HALVINGS = 20  # far more than an object of some metres needs
_AREA_AT_ONCE = 1.0  # square metres to voxelise at once: about half a gigabyte


def grasptta_surface_voxels(mesh: Mesh) -> Float[np.ndarray, "voxel 3"]:
    """Centres (metres) of the 5 mm voxels on the surface of an object; once per object.

    These are trimesh's, as in GraspTTA: the surface is divided until no edge is longer than half a
    voxel, and each corner's coordinates are rounded to the lattice of whole multiples of 5 mm.
    """
    found = [np.zeros((0, 3), dtype=np.int64)]
    for faces in np.array_split(mesh.faces, ceil(mesh.area / _AREA_AT_ONCE) or 1):
        if len(faces):
            part = trimesh.Trimesh(vertices=mesh.vertices, faces=faces, process=False)
            grid = voxelize_subdivide(part, GRASPTTA_PITCH, max_iter=_MOST_HALVINGS)
            found.append(np.rint(grid.points / GRASPTTA_PITCH).astype(np.int64))
    return np.unique(np.concatenate(found), axis=0) * GRASPTTA_PITCH


def grasptta_volume_cm3(
    surface_voxels: Float[np.ndarray, "voxel 3"],
    hand: Region,
    lower: Float[np.ndarray, "3"],
    upper: Float[np.ndarray, "3"],
) -> float:
    """GraspTTA's intersection volume in cm3: surface voxels with centres inside the hand.

    What is deep inside the object is not counted, so this is no volume of the overlap. The original
    asks an open hand by rays; ours is sealed at the wrist.

    Args:
        surface_voxels: Of the object, see `grasptta_surface_voxels`.
        hand: The hand sealed at the wrist.
        lower: Smallest corner of a box that holds the hand, metres.
        upper: Its largest corner.
    """
    near = np.all((surface_voxels >= lower) & (surface_voxels <= upper), axis=-1)
    if not near.any():
        return 0.0
    inside = hand.contains(surface_voxels[near])
    return float(inside.sum()) * (GRASPTTA_PITCH * 1e2) ** 3


def grasptta_depth_cm(signed_distances: Float[np.ndarray, "vert"]) -> float:
    """GraspTTA's penetration depth in cm: the deepest hand vertex inside the object, else 0.

    The paper prints centimetres but its code gives metres, so check the unit of what you compare
    with (issue 6 of hwjiang1510/GraspTTA).
    """
    return float(max(0.0, -signed_distances.min()) * 1e2)


def grasptta_contact(signed_distances: Float[np.ndarray, "vert"]) -> bool:
    """GraspTTA's contact: some hand vertex is inside the object or within 5 mm of its surface."""
    return bool(signed_distances.min() <= GRASPTTA_CONTACT)


def halo_distance_cm(signed_distances: Float[np.ndarray, "vert"]) -> float:
    """HALO's mesh distance in cm: the least signed distance of a hand vertex, negative inside.

    The original seals the wrist with one more vertex, which is asked too, and returns metres
    instead of centimetres for hands that are nowhere inside.
    """
    return float(signed_distances.min() * 1e2)


def halo_volume_cm3(overlap_cm3: float, distance_cm: float) -> float:
    """HALO's intersection volume in cm3: 1 mm voxels inside both; 0 if no hand vertex is inside.

    The original starts its lattice at the corner of the common box; ours is fixed in the frame, so
    single counts of thin overlaps differ (docs/metrics.md has numbers) and means hardly do.

    Args:
        overlap_cm3: `shared_volume_cm3` of the sealed hand and the object in the intersection of
            their boxes. (HALO takes the convex hull of ObMan's objects, GRAB's and HO3D's as
            they are.)
        distance_cm: `halo_distance_cm` of the same hand.
    """
    return 0.0 if distance_cm > 0 else overlap_cm3


def halo_contact_ratio(distances_cm: Sequence[float]) -> float:
    """HALO's contact ratio: share of the samples with a hand vertex inside the object.

    Args:
        distances_cm: `halo_distance_cm` of each sample (one hand of one grasp).

    Raises:
        OptionError: if there is no sample.
    """
    if len(distances_cm) == 0:
        raise OptionError("a contact ratio of no samples has no value: give at least one grasp")
    return float(np.mean(np.asarray(distances_cm) < 0))


@dataclass(frozen=True, kw_only=True)
class PublishedMetrics:
    """One hand of one grasp by the definitions of GraspTTA and of HALO."""

    grasptta_volume_cm3: float
    """5 mm surface voxels of the object inside the hand."""
    grasptta_depth_cm: float
    """Deepest hand vertex inside the object; 0 if none is."""
    grasptta_contact: bool
    """Some hand vertex inside the object or within 5 mm of it."""
    halo_volume_cm3: float
    """1 mm voxels inside both; 0 if no hand vertex is inside."""
    halo_distance_cm: float
    """Least signed distance of a hand vertex; negative inside."""

    @property
    def halo_contact(self) -> bool:
        """What HALO's contact ratio counts: some hand vertex is inside the object."""
        return self.halo_distance_cm < 0

    def to_json(self) -> dict[str, Any]:
        """Flat plain values."""
        return {
            "grasptta_volume_cm3": self.grasptta_volume_cm3,
            "grasptta_depth_cm": self.grasptta_depth_cm,
            "grasptta_contact": self.grasptta_contact,
            "halo_volume_cm3": self.halo_volume_cm3,
            "halo_distance_cm": self.halo_distance_cm,
            "halo_contact": self.halo_contact,
        }
