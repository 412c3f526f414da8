"""Whether a sampled object is one: closed, in one piece, of a size that two hands can hold."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bghop.geometry.mesh import Mesh
from bghop.geometry.topology import (
    count_edges,
    drop_bad_faces,
    face_components,
    genus,
    merge_vertices,
    signed_volume,
)


@dataclass(frozen=True, kw_only=True)
class PlausibleSize:
    """Volumes that an object for two hands may have."""

    smallest_cm3: float = 1.0
    """A die of 1 cm; what is smaller is a scrap of the sampler."""
    largest_cm3: float = 100_000.0
    """A cube of 46 cm: about as far as two arms reach around."""


@dataclass(frozen=True, kw_only=True)
class ObjectValidity:
    """What is known of one object's surface; equal places count as one vertex."""

    closed: bool
    """Every edge belongs to exactly two faces, which run through it in opposite directions."""
    num_components: int
    """Pieces that share no vertex; the wall of a cavity is a piece of its own."""
    genus: int
    """Handles: none for a bowl, one for a mug; every hole that is torn in a wall adds one."""
    volume_cm3: float
    """Enclosed volume, exact if closed; negative if the faces look inward."""
    plausible: bool
    """Closed, one piece, and of a volume within `PlausibleSize`."""

    def to_json(self) -> dict[str, Any]:
        """Flat plain values."""
        return asdict(self)


def object_validity(mesh: Mesh, size: PlausibleSize | None = None) -> ObjectValidity:
    """Checks one object, metres. An empty mesh is not closed and has no pieces.

    Args:
        mesh: As sampled; vertices at one place (STL) are merged and degenerate faces dropped first.
        size: Volumes that count as plausible.
    """
    size = size or PlausibleSize()
    vertices, faces = merge_vertices(mesh.vertices, mesh.faces)
    faces = drop_bad_faces(faces)
    if len(faces) == 0:
        return ObjectValidity(
            closed=False, num_components=0, genus=0, volume_cm3=0.0, plausible=False
        )
    edges = count_edges(faces)
    closed = edges.boundary == edges.inconsistent == edges.non_manifold == 0
    num_components, _ = face_components(faces)
    volume_cm3 = signed_volume(vertices, np.ascontiguousarray(faces)) * 1e6
    fits = size.smallest_cm3 <= volume_cm3 <= size.largest_cm3
    return ObjectValidity(
        closed=closed,
        num_components=num_components,
        genus=genus(faces),
        volume_cm3=volume_cm3,
        plausible=closed and num_components == 1 and fits,
    )
