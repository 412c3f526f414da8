"""What a triangle soup is made of: edges, pieces, orientation. Plain arrays, any winding."""

from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Float64, Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_MAX_NESTING_TESTS = 200


@dataclass(frozen=True, kw_only=True)
class EdgeCounts:
    """How the edges of a mesh are used."""

    edges: int
    """Number of distinct edges."""
    boundary: int
    """Edges of one face only: rims of holes."""
    inconsistent: int
    """Edges of two faces that run through it in the same direction: one of them is flipped."""
    non_manifold: int
    """Edges of three or more faces."""
    unbalanced: int
    """Edges that are run through more often in one direction than in the other; 0 = closed."""


def count_edges(faces: Int64[np.ndarray, "face 3"]) -> EdgeCounts:
    """Count the edges of each kind."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    low, high = directed.min(axis=1), directed.max(axis=1)
    key = low * (int(faces.max(initial=0)) + 1) + high
    _, index, uses = np.unique(key, return_inverse=True, return_counts=True)
    balance = np.bincount(index, weights=np.where(directed[:, 0] == low, 1.0, -1.0))
    return EdgeCounts(
        edges=len(uses),
        boundary=int((uses == 1).sum()),
        inconsistent=int(((uses == 2) & (balance != 0)).sum()),
        non_manifold=int((uses > 2).sum()),
        unbalanced=int((balance != 0).sum()),
    )


def merge_vertices(
    vertices: Float64[np.ndarray, "vert 3"], faces: Int64[np.ndarray, "face 3"]
) -> tuple[Float64[np.ndarray, "_ 3"], Int64[np.ndarray, "face 3"]]:
    """Give vertices at one place one number and drop unused ones.

    STL repeats a vertex for every face, OBJ and GLB along texture seams. "One place" is a ten
    millionth of the extent, below the precision of float32 files.
    """
    if len(faces) == 0:
        return vertices[:0], faces
    mask = np.zeros(len(vertices), dtype=bool)
    mask[faces] = True
    used = np.flatnonzero(mask)
    low = vertices[used].min(axis=0)
    step = max(float((vertices[used].max(axis=0) - low).max()) * 1e-7, 1e-300)
    cells = np.rint((vertices[used] - low) / step).astype(np.int64)
    # Each cell number is below 2^24, so two of them fit in one integer.
    key = cells[:, 0] * (1 << 24) + cells[:, 1]
    order = np.lexsort((cells[:, 2], key))
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(key[order]) != 0) | (np.diff(cells[order, 2]) != 0)
    new_number = np.empty(len(order), dtype=np.int64)
    new_number[order] = np.cumsum(fresh) - 1
    table = np.zeros(len(vertices), dtype=np.int64)
    table[used] = new_number
    return vertices[used][order[fresh]], table[faces]


def drop_bad_faces(faces: Int64[np.ndarray, "face 3"]) -> Int64[np.ndarray, "_ 3"]:
    """Without faces that use a vertex twice, and without repeats of a face in the same sense."""
    faces = faces[
        (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    ]
    if len(faces) == 0:
        return faces
    first = faces.argmin(axis=1)
    rows = np.arange(len(faces))
    turned = np.stack([faces[rows, (first + i) % 3] for i in range(3)], axis=1)
    order = np.lexsort(turned.T)
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(turned[order], axis=0) != 0).any(axis=1)
    return faces[np.sort(order[fresh])]


def face_components(
    faces: Int64[np.ndarray, "face 3"],
) -> tuple[int, Int64[np.ndarray, "face"]]:
    """Pieces that share no vertex: how many, and the piece of each face."""
    if len(faces) == 0:
        return 0, np.zeros(0, dtype=np.int64)
    pairs = np.concatenate([faces[:, :2], faces[:, 1:]])
    size = int(faces.max()) + 1
    graph = coo_matrix((np.ones(len(pairs), dtype=np.int8), tuple(pairs.T)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    numbers, piece = np.unique(label[faces[:, 0]], return_inverse=True)
    return len(numbers), piece.astype(np.int64)


def genus(faces: Int64[np.ndarray, "face 3"]) -> int:
    """Handles of a closed surface, of all pieces together: a ball has none, a mug one.

    By Euler's formula, `vertices - edges + faces = 2 (pieces - genus)`. Equal places must be one
    vertex. Rounded up where the surface is not closed, for which there is no such number.
    """
    pieces, _ = face_components(faces)
    euler = len(np.unique(faces)) - count_edges(faces).edges + len(faces)
    return pieces - euler // 2


def signed_volume(
    vertices: Float64[np.ndarray, "vert 3"], faces: Int64[np.ndarray, "face 3"]
) -> float:
    """Volume by the divergence theorem, about the mean vertex; cubic metres for metres."""
    if len(faces) == 0:
        return 0.0
    a, b, c = np.moveaxis(vertices[faces] - vertices[faces].mean(axis=(0, 1)), 1, 0)
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


def face_area_vectors(
    vertices: Float64[np.ndarray, "vert 3"], faces: Int64[np.ndarray, "face 3"]
) -> Float64[np.ndarray, "face 3"]:
    """Outward normals with the length of the areas."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return np.cross(b - a, c - a) / 2


def orient_outward(
    vertices: Float64[np.ndarray, "vert 3"], faces: Int64[np.ndarray, "face 3"]
) -> tuple[Int64[np.ndarray, "face 3"], int]:
    """Turn faces until neighbours agree and pieces face outward; returns how many were turned.

    Neighbours are made to agree only where some do not. A piece that encloses negative volume is
    turned as a whole unless it lies inside another one: then it is the wall of a cavity.
    """
    before = faces
    if count_edges(faces).inconsistent:
        agreed, patch = igl.bfs_orient(faces)
        faces = np.asarray(agreed, dtype=np.int64)
        # Keep the sense that most of each patch's area had.
        weight = np.linalg.norm(face_area_vectors(vertices, faces), axis=1)
        same = (faces == before).all(axis=1)
        vote = np.bincount(np.asarray(patch), weights=np.where(same, weight, -weight))
        faces = np.where((vote < 0)[np.asarray(patch)][:, None], faces[:, [0, 2, 1]], faces)
    if _looks_inward(vertices, faces):
        faces = faces[:, [0, 2, 1]]
    num, piece = face_components(faces)
    if num > 1:
        volumes = piece_volumes(vertices, faces, piece)
        for number in np.flatnonzero(volumes < 0)[:_MAX_NESTING_TESTS]:
            mine = piece == number
            if count_edges(faces[mine]).unbalanced:
                continue
            spot = vertices[faces[mine][0, :1]]
            rest = np.ascontiguousarray(faces[~mine])
            around = igl.fast_winding_number(vertices, rest, spot)
            if np.atleast_1d(around)[0] < 0.5:
                faces = np.where(mine[:, None], faces[:, [0, 2, 1]], faces)
    return np.ascontiguousarray(faces), int((~_same_sense(faces, before)).sum())


def _looks_inward(
    vertices: Float64[np.ndarray, "vert 3"], faces: Int64[np.ndarray, "face 3"]
) -> bool:
    """Negative volume; of an open surface only if it is a fair part of the bounding box."""
    volume = signed_volume(vertices, faces)
    if volume >= 0 or count_edges(faces).unbalanced == 0:
        return volume < 0
    extents = np.ptp(vertices[faces].reshape(-1, 3), axis=0)
    box = max(float(np.prod(extents)), 1e-4 * float(extents.max()) ** 3)
    return volume < -0.01 * box


def _same_sense(
    first: Int64[np.ndarray, "face 3"], second: Int64[np.ndarray, "face 3"]
) -> np.ndarray:
    same = np.zeros(len(first), dtype=bool)
    for shift in range(3):
        same |= (np.roll(first, shift, axis=1) == second).all(axis=1)
    return same


def piece_volumes(
    vertices: Float64[np.ndarray, "vert 3"],
    faces: Int64[np.ndarray, "face 3"],
    piece: Int64[np.ndarray, "face"],
) -> Float64[np.ndarray, "piece"]:
    """Signed volume of each piece about its own middle (exact where the piece is closed)."""
    uses = np.bincount(piece)
    corners = vertices[faces]
    middle = np.stack(
        [np.bincount(piece, weights=corners[..., i].mean(axis=1)) / uses for i in range(3)], axis=1
    )
    a, b, c = np.moveaxis(corners - middle[piece][:, None], 1, 0)
    return np.bincount(piece, weights=np.einsum("fi,fi->f", a, np.cross(b, c)) / 6)
