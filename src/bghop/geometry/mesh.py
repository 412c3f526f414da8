"""`Mesh`, triangles in metres, and exact questions to it (`MeshQuery`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import igl
import numpy as np
from jaxtyping import Float, Float64, Int64

from bghop.geometry.topology import count_edges, face_area_vectors, signed_volume


@dataclass(frozen=True, kw_only=True)
class MeshWarning:
    """Something that a mesh has and a solid should not have; the mesh is used all the same."""

    kind: str
    """One of holes, winding, pieces, removed, flipped, thin, joint."""
    message: str
    """One line for people."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """Triangles in metres, object frame; numpy because files and libigl speak it."""

    vertices: Float64[np.ndarray, "vert 3"]
    faces: Int64[np.ndarray, "face 3"]
    """Corners of each face, counter-clockwise seen from outside."""
    name: str = "object"
    warnings: tuple[MeshWarning, ...] = ()
    """What loading found and mended, so that results can record it."""

    @property
    def bounds(self) -> Float64[np.ndarray, "2 3"]:
        """Smallest and largest coordinates."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    @property
    def extents(self) -> Float64[np.ndarray, "3"]:
        """Lengths of the axis-aligned bounding box, metres."""
        return np.ptp(self.vertices, axis=0)

    @property
    def diagonal(self) -> float:
        """Diagonal of the bounding box, metres."""
        return float(np.linalg.norm(self.extents))

    @property
    def volume(self) -> float:
        """Enclosed volume in cubic metres, negative if faces look inward; exact if closed."""
        return signed_volume(self.vertices, self.faces)

    @property
    def area(self) -> float:
        """Surface area in square metres."""
        return float(np.linalg.norm(face_area_vectors(self.vertices, self.faces), axis=1).sum())

    @property
    def is_watertight(self) -> bool:
        """Whether the faces close up: every edge is run through equally often in both senses."""
        return len(self.faces) > 0 and count_edges(self.faces).unbalanced == 0

    def scaled(self, factor: float) -> "Mesh":
        """About the origin, `p_new = factor * p`; the factor is positive."""
        return replace(self, vertices=self.vertices * float(factor))

    def transformed(self, T_new_object: Float[np.ndarray, "4 4"]) -> "Mesh":
        """`p_new = T_new_object @ p_object` for a rigid transform."""
        T = np.asarray(T_new_object, dtype=np.float64)
        return replace(self, vertices=self.vertices @ T[:3, :3].T + T[:3, 3])

    @staticmethod
    def concatenated(meshes: Sequence["Mesh"], *, name: str | None = None) -> "Mesh":
        """All faces of several meshes as one; overlaps stay (distances treat them as a union)."""
        starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        return Mesh(
            vertices=np.concatenate([mesh.vertices for mesh in meshes]),
            faces=np.concatenate(
                [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
            ),
            name=name or meshes[0].name,
            warnings=tuple(warning for mesh in meshes for warning in mesh.warnings),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ClosestPoints:
    """The surface as seen from query points."""

    distance: Float64[np.ndarray, "n"]
    """Signed distance in metres, negative inside."""
    point: Float64[np.ndarray, "n 3"]
    """Nearest point of the surface."""
    face: Int64[np.ndarray, "n"]
    """Face that it lies on."""
    normal: Float64[np.ndarray, "n 3"]
    """Unit outward direction: away from the surface outside, towards it inside; the face's normal
    for points on the surface."""


class MeshQuery:
    """Exact distances to one mesh; its search trees are built once, at the first question.

    Distances come from the triangles. The sign is that of the generalised winding number (Jacobson
    et al. 2013; fast version of Barill et al. 2018), which holes, overlaps and flips hardly
    disturb: inside means a winding number over one half. Walls inside a union of overlapping solids
    count as surface, so the depth of points near them is a lower bound.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._vertices = np.ascontiguousarray(mesh.vertices)
        self._faces = np.ascontiguousarray(mesh.faces)

    @cached_property
    def _boxes(self) -> igl.AABB:
        tree = igl.AABB()
        tree.init(self._vertices, self._faces)
        return tree

    @cached_property
    def _hierarchy(self) -> igl.FastWindingNumberBVH:
        tree = igl.FastWindingNumberBVH()
        tree.init(self._vertices, self._faces)
        return tree

    def winding_numbers(self, points: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
        """About 1 inside, 0 outside, fractions near holes, 2 where two solids overlap."""
        if len(points) == 0:
            return np.zeros(0)
        spots = np.ascontiguousarray(points, dtype=np.float64)
        # igl gives a 0-d array for one point.
        return np.atleast_1d(self._hierarchy.winding_number(spots))

    def contains(self, points: Float[np.ndarray, "n 3"]) -> np.ndarray:
        """Whether each point is inside."""
        return self.winding_numbers(points) > 0.5

    def unsigned(
        self, points: Float[np.ndarray, "n 3"]
    ) -> tuple[Float64[np.ndarray, "n"], Int64[np.ndarray, "n"], Float64[np.ndarray, "n 3"]]:
        """Distance (metres), face and nearest surface point, without a sign."""
        if len(points) == 0:
            return np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros((0, 3))
        spots = np.ascontiguousarray(points, dtype=np.float64)
        squared, face, closest = self._boxes.squared_distance(self._vertices, self._faces, spots)
        return (
            np.sqrt(np.atleast_1d(squared)),
            np.atleast_1d(face).astype(np.int64),
            np.reshape(closest, (-1, 3)),
        )

    def signed_distances(self, points: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
        """Exact signed distance in metres, negative inside."""
        distance, _, _ = self.unsigned(points)
        return np.where(self.contains(points), -distance, distance)

    def closest(self, points: Float[np.ndarray, "n 3"]) -> ClosestPoints:
        """Signed distance, nearest surface point, its face, and the outward direction."""
        distance, face, closest = self.unsigned(points)
        sign = np.where(self.contains(points), -1.0, 1.0)
        away = sign[:, None] * (points - closest)
        area = face_area_vectors(self._vertices, self._faces[face])
        length = np.linalg.norm(area, axis=1, keepdims=True)
        flat = area / np.maximum(length, np.finfo(float).tiny)
        # Below a nanometre the direction from the nearest point is rounding noise.
        near = distance < 1e-9
        unit = away / np.where(near, 1.0, distance)[:, None]
        return ClosestPoints(
            distance=sign * distance,
            point=closest,
            face=face,
            normal=np.where(near[:, None], flat, unit),
        )


def signed_distances(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
    """Exact signed distances (metres) for one use; keep a `MeshQuery` for several."""
    return MeshQuery(mesh).signed_distances(points)
