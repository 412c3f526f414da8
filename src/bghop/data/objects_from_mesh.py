"""From meshes to the entries of an object store, and back.

Needs the mesh libraries; training does not.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int8
from torch import Tensor

from bghop.data.objects import NUM_SUPPORT, STEPS, StoredObject, StoredPart, StoredTriangles
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.isosurface import extract_surface
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh

REACH = 0.05
"""Metres around the surface that are stored: the first stages are told 4 cm, and some margin."""
SAMPLES = 64
"""Samples along the longest side of the surface's box, if the spacing allows."""
FINEST, COARSEST = 0.003, 0.005
"""Metres between samples; a training grid has 9.5 mm."""


def object_from_mesh(
    key: str, mesh: Mesh, *, reach: float = REACH, triangles: bool = True
) -> StoredObject:
    """Entry of a rigid object; key, mesh in metres, metres of distance to keep, and if the mesh."""
    return StoredObject(key=key, parts=(_part(mesh, reach, triangles),))


def object_from_articulated(
    key: str, thing: ArticulatedObject, *, reach: float = REACH, triangles: bool = True
) -> StoredObject:
    """Entry of an object with a joint: every part by itself, at any joint value afterwards."""
    parts = tuple(_part(mesh, reach, triangles) for mesh in thing.parts)
    return StoredObject(key=key, parts=parts, joint=thing.joint)


def mesh_of_object(thing: StoredObject, joint_value: float, *, reach: float) -> Mesh:
    """The surface of a stored object at one joint value: its triangles, or else its distances'.

    Args:
        thing: entry of a store.
        joint_value: radians or metres.
        reach: of the store.
    """
    parts = tuple(_surface(part, reach) for part in thing.parts)
    if thing.joint is None:
        return Mesh.concatenated(list(parts), name=thing.key)
    return ArticulatedObject(parts=parts, joint=thing.joint, name=thing.key).mesh(joint_value)


def _surface(part: StoredPart, reach: float) -> Mesh:
    if part.triangles is not None:
        return Mesh(
            vertices=part.triangles.vertices.double().numpy(),
            faces=part.triangles.faces.numpy().astype(np.int64),
        )
    values = part.values.float() * (reach / STEPS)
    return extract_surface(SdfGrid(values=values, origin=part.origin, spacing=part.spacing))


def _part(mesh: Mesh, reach: float, triangles: bool) -> StoredPart:
    longest = float(mesh.extents.max())
    wanted = min(max(longest / SAMPLES, FINEST), COARSEST)
    padding = math.ceil(reach / wanted)
    resolution = math.ceil(longest / wanted) + 1 + 2 * padding
    grid = sdf_from_mesh(mesh, resolution=resolution, padding=padding)
    return StoredPart(
        values=quantised(grid.values, reach),
        origin=grid.origin,
        spacing=grid.spacing,
        support=_support(mesh.vertices),
        triangles=_triangles(mesh) if triangles else None,
    )


def _triangles(mesh: Mesh) -> StoredTriangles:
    return StoredTriangles(
        vertices=torch.from_numpy(mesh.vertices.astype(np.float32)),
        faces=torch.from_numpy(mesh.faces.astype(np.int32)),
    )


def quantised(values: Float[Tensor, "nx ny nz"], reach: float) -> Int8[Tensor, "nx ny nz"]:
    """Distances to the nearest of 127 steps on either side; at most `reach / 254` off."""
    return (values / reach * STEPS).round().clamp(-STEPS, STEPS).to(torch.int8)


def _support(vertices: Float[np.ndarray, "vert 3"]) -> Float[Tensor, "support 3"]:
    """The vertices that are outermost in evenly spread directions, the six axes among them."""
    count = NUM_SUPPORT - 6
    place = np.arange(count) + 0.5
    z = 1 - 2 * place / count
    turn = np.pi * (1 + 5**0.5) * place
    ring = np.sqrt(1 - z**2)
    directions = np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=-1)
    directions = np.concatenate([np.eye(3), -np.eye(3), directions])
    chosen = (vertices @ directions.T).argmax(axis=0)
    return torch.from_numpy(vertices[chosen]).float()
