"""From meshes to the entries of an object store. Needs the mesh libraries; training does not."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int8
from torch import Tensor

from bghop.data.objects import NUM_SUPPORT, STEPS, StoredObject, StoredPart
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import sdf_from_mesh

REACH = 0.05
"""Metres around the surface that are stored: the first stages are told 4 cm, and some margin."""
SAMPLES = 64
"""Samples along the longest side of the surface's box, if the spacing allows."""
FINEST, COARSEST = 0.003, 0.005
"""Metres between samples; a training grid has 9.5 mm."""


def object_from_mesh(key: str, mesh: Mesh, *, reach: float = REACH) -> StoredObject:
    """Entry of a rigid object; key, mesh in metres, metres of distance to keep."""
    return StoredObject(key=key, parts=(_part(mesh, reach),))


def object_from_articulated(
    key: str, thing: ArticulatedObject, *, reach: float = REACH
) -> StoredObject:
    """Entry of an object with a joint: every part by itself, at any joint value afterwards."""
    parts = tuple(_part(mesh, reach) for mesh in thing.parts)
    return StoredObject(key=key, parts=parts, joint=thing.joint)


def _part(mesh: Mesh, reach: float) -> StoredPart:
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
