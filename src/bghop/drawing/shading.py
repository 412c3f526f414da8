"""Smooth shading that keeps edges crisp: vertices are doubled where faces meet at an angle."""

import numpy as np
from jaxtyping import Float, Int

from bghop.drawing.scene import Triangles

_SHARP_EDGE = np.radians(40.0)


def split_sharp_edges(
    vertices: Float[np.ndarray, "vert 3"], faces: Int[np.ndarray, "face 3"]
) -> Triangles:
    """The same triangles with vertices doubled where faces meet at more than 40 degrees.

    Faces around a vertex share it if they are joined there by soft edges, so that averaged normals
    shade curved parts smoothly and leave edges crisp.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
    # Pairs of faces at each edge: half-edges sorted by their two vertices.
    starts, ends = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    order = np.lexsort((high, low))
    same = (low[order][1:] == low[order][:-1]) & (high[order][1:] == high[order][:-1])
    first, second = order[:-1][same], order[1:][same]
    soft = (normals[first // 3] * normals[second // 3]).sum(-1) > np.cos(_SHARP_EDGE)
    first, second = first[soft], second[soft]
    # Face corners are joined across soft edges where they stand on the same vertex.
    following = np.arange(faces.size).reshape(-1, 3)[:, [1, 2, 0]].ravel()
    flat = faces.ravel()
    aligned = flat[first] == flat[second]
    a = np.concatenate([first, following[first]])
    b = np.concatenate(
        [
            np.where(aligned, second, following[second]),
            np.where(aligned, following[second], second),
        ]
    )
    joined = coo_array((np.ones(len(a), dtype=bool), (a, b)), shape=(faces.size, faces.size))
    num, label = connected_components(joined, directed=False)
    source = np.empty(num, dtype=np.int64)
    source[label] = flat
    return vertices[source], label.reshape(-1, 3).astype(np.int64)
