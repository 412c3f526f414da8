"""Skin regions that contact is meant for, and the seal of the wrist, from rest mesh and weights."""

import numpy as np
from jaxtyping import Float, Int64

from bghop.errors import HandModelError
from bghop.hands.anatomy import bone_joints, palm_normal, vertex_areas_and_normals

_PAD_WEIGHT = 0.6
_PAD_FACING = 0.35
_PALM_WEIGHT = 0.35
_PALM_FACING = 0.55


def pads(
    vertices: Float[np.ndarray, "vert 3"],
    faces: Int64[np.ndarray, "face 3"],
    weights: Float[np.ndarray, "vert 16"],
    axes: Float[np.ndarray, "15 3 3"],
) -> tuple[Int64[np.ndarray, "_"], ...]:
    """Palmar skin of each finger's last segment, of a right hand at rest."""
    _, normals = vertex_areas_and_normals(vertices, faces)
    found = []
    for finger in range(5):
        bone = 3 * finger + 3
        bend, _, twist = axes[bone - 1]
        palmar = np.cross(bend, twist)
        # The pad ends where the skin begins to belong to the middle segment; the very tip is in.
        facing = normals @ palmar
        chosen = np.flatnonzero((weights[:, bone] > _PAD_WEIGHT) & (facing > _PAD_FACING))
        if len(chosen) == 0:
            # Unusual weights or meshes: the skin that comes nearest to the description.
            chosen = np.sort(np.argsort(-(weights[:, bone] + facing))[:8])
        found.append(chosen)
    return tuple(found)


def palm(
    joints: Float[np.ndarray, "21 3"],
    vertices: Float[np.ndarray, "vert 3"],
    faces: Int64[np.ndarray, "face 3"],
    weights: Float[np.ndarray, "vert 16"],
) -> Int64[np.ndarray, "_"]:
    """Palmar skin that moves with the wrist bone, from the wrist to the finger bases."""
    _, normals = vertex_areas_and_normals(vertices, faces)
    normal = palm_normal(joints)
    bases = bone_joints(joints)[[4, 7, 10, 13]]
    along = bases.mean(0) - joints[0]
    fraction = (vertices - joints[0]) @ along / (along @ along)
    chosen = (weights[:, 0] > _PALM_WEIGHT) & (normals @ normal > _PALM_FACING) & (fraction > 0.15)
    return np.flatnonzero(chosen)


def wrist_loop(faces: Int64[np.ndarray, "face 3"]) -> list[int]:
    """Vertices of the one open boundary, in the order that a sealing polygon needs.

    Raises:
        HandModelError: if the mesh has no boundary or more than one.
    """
    starts, ends = faces.T.ravel(), np.roll(faces, -1, axis=1).T.ravel()
    size = int(faces.max()) + 1
    open_edges = ~np.isin(starts * size + ends, ends * size + starts)
    # The seal runs along the boundary the other way.
    following = dict(zip(ends[open_edges].tolist(), starts[open_edges].tolist(), strict=True))
    if not following:
        raise HandModelError("the hand mesh is closed already; expected one open wrist boundary")
    loop = [min(following)]
    while (vertex := following[loop[-1]]) != loop[0]:
        loop.append(vertex)
        if len(loop) > len(following):
            break
    if len(loop) != len(following):
        raise HandModelError(
            "the hand mesh has several holes; expected one open wrist boundary: use original files"
        )
    return loop


def sealed(faces: Int64[np.ndarray, "face 3"]) -> Int64[np.ndarray, "sealed 3"]:
    """Faces with the wrist closed by a strip of triangles between opposite boundary vertices."""
    loop = wrist_loop(faces)
    cap, low, high = [], 0, len(loop) - 1
    while high - low > 1:
        cap.append((loop[low], loop[low + 1], loop[high]))
        low += 1
        if high - low > 1:
            cap.append((loop[low], loop[high - 1], loop[high]))
            high -= 1
    return np.concatenate([faces, np.array(cap, dtype=np.int64)])
