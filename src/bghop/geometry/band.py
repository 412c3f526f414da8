"""Mesh to signed-distance samples on a regular box: exact near the surface, fast far from it.

1. Points next to the surface: triangles are sampled densely and the touched grid points marked.
2. Exact distances and nearest surface points within six spacings (libigl's tree of boxes, which is
   quick there and slow far away).
3. Far field: each point inherits the nearest surface point of the nearest marked point and then
   compares it with those of points around it (a vector distance transform by jump flooding).
4. Signs: the winding number decides only in a band around the surface. What remains falls into
   connected regions that never cross it; the band votes for each. A mixed vote is a leak through a
   hole, and then every point of that region is asked.
5. Where the sign changes between neighbours that are far from any triangle, there is a hole, and
   the winding number says where its cover is: distances to that cover count too, so that the field
   has no cliff there.
6. Solids that overlap or touch have walls inside their union. Points there that took such a wall
   for the surface get the distance to the true outside instead.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64
from scipy import ndimage

from bghop.geometry.mesh import Mesh, MeshQuery

EXACT_CELLS = 6.0
"""Distances up to this many spacings are exact."""
_BAND = 0.9  # spacings; neighbouring points beyond it on both sides cannot see a crossing
_VOTER = 0.5
_COVER = 1.05
_SOLID = 0.8  # winding number that no half-open place near a hole has
_SAMPLE_GAP = 0.5  # spacings between surface samples, along a row and between rows
# A sample lies within 0.36 spacings of any surface point, a grid point within 0.87 of any sample.
_REACH = 0.5 * np.sqrt(2) * _SAMPLE_GAP + 0.5 * np.sqrt(3)
_SIDES = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
_CORNERS = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
_STEPS = [
    (length * x, length * y, length * z)
    for length, directions in ((4, _SIDES), (2, _CORNERS), (2, _SIDES), (1, _CORNERS), (1, _SIDES))
    for x, y, z in directions
]


def sample_signed_distance(
    mesh: Mesh,
    *,
    origin: Float[np.ndarray, "3"],
    spacing: float,
    shape: tuple[int, int, int],
    query: MeshQuery | None = None,
) -> Float32[np.ndarray, "nx ny nz"]:
    """Signed distances (metres, negative inside) at `origin + spacing * (i, j, k)`.

    Args:
        mesh: any triangles; closed or not.
        origin: position of sample [0, 0, 0], metres.
        spacing: distance between neighbouring samples, metres.
        shape: number of samples along x, y, z; the box should hold the mesh.
        query: the mesh's search trees if they exist already.
    """
    query = query or MeshQuery(mesh)
    origin = np.asarray(origin, dtype=np.float64)
    touched = _touched_points(mesh, origin, spacing, shape)
    cells_away, feature = _nearest(touched)
    near = cells_away <= EXACT_CELLS + _REACH
    index = np.argwhere(near)
    _, _, closest = query.unsigned(origin + spacing * index)

    # Nearest surface points in units of the grid, one array per coordinate.
    flat = np.ravel_multi_index(tuple(feature), shape)
    where = np.empty((3, *shape), dtype=np.float32)
    for axis in range(3):
        column = np.zeros(shape, dtype=np.float32)
        column[near] = (closest[:, axis] - origin[axis]) / spacing
        where[axis] = np.where(near, column, column.reshape(-1)[flat])
    cells = np.sqrt(_relax(where))
    inside = _inside(cells, query, origin, spacing)
    _bridge_holes(cells, inside)
    _see_through_inner_walls(cells, inside, where, query, origin, spacing)
    cells[inside] *= -1
    return cells * np.float32(spacing)


def _touched_points(
    mesh: Mesh, origin: Float64[np.ndarray, "3"], spacing: float, shape: tuple[int, int, int]
) -> Bool[np.ndarray, "nx ny nz"]:
    """Grid points nearest to some surface sample; what lies outside the box marks its border."""
    samples = surface_lattice(mesh.vertices[mesh.faces], _SAMPLE_GAP * spacing)
    index = np.rint((samples - origin) / spacing).astype(np.int64)
    np.clip(index, 0, np.asarray(shape) - 1, out=index)
    touched = np.zeros(shape, dtype=bool)
    touched[tuple(index.T)] = True
    return touched


def surface_lattice(
    corners: Float64[np.ndarray, "face 3 3"], gap: float
) -> Float64[np.ndarray, "_ 3"]:
    """Points on every triangle, rows parallel to its longest edge, at most `gap` apart."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
    turn = (sides.argmax(axis=1)[:, None] + np.arange(3)) % 3
    a, b, c = np.moveaxis(np.take_along_axis(corners, turn[:, :, None], axis=1), 1, 0)
    base = sides.max(axis=1)
    double_area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    height = double_area / np.maximum(base, np.finfo(float).tiny)
    rows = np.ceil(height / gap).astype(np.int64) + 1
    face, row = _counted(rows)
    level = row / np.maximum(rows[face] - 1, 1)
    columns = np.ceil(base[face] * (1 - level) / gap).astype(np.int64) + 1
    line, column = _counted(columns)
    along = column / np.maximum(columns[line] - 1, 1)
    face, up = face[line], level[line][:, None]
    start = a[face] + up * (c[face] - a[face])
    return start + along[:, None] * (1 - up) * (b[face] - a[face])


def _counted(
    counts: Int64[np.ndarray, "n"],
) -> tuple[Int64[np.ndarray, "total"], Int64[np.ndarray, "total"]]:
    """For counts (2, 3): owners (0, 0, 1, 1, 1) and positions (0, 1, 0, 1, 2)."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _relax(where: Float32[np.ndarray, "3 nx ny nz"]) -> Float32[np.ndarray, "nx ny nz"]:
    """Take over another point's surface point where it is nearer; squared distances, in spacings.

    `where` is changed in place. Long steps first, as in jump flooding: the nearest marked point can
    be several spacings off the one that leads to the nearest surface point.
    """
    axes = [
        np.arange(size, dtype=np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
        for axis, size in enumerate(where.shape[1:])
    ]
    squared = np.square(axes[0] - where[0])
    squared += np.square(axes[1] - where[1])
    squared += np.square(axes[2] - where[2])
    for step in _STEPS:
        here, there = _shifted(step, squared.shape)
        offered = np.square(axes[0][here[0]] - where[(0, *there)])
        offered += np.square(axes[1][:, here[1]] - where[(1, *there)])
        offered += np.square(axes[2][:, :, here[2]] - where[(2, *there)])
        better = offered < squared[here]
        squared[here][better] = offered[better]
        for i in range(3):
            where[(i, *here)][better] = where[(i, *there)][better]
    return squared


def _nearest(
    marked: Bool[np.ndarray, "nx ny nz"],
) -> tuple[Float64[np.ndarray, "nx ny nz"], Int[np.ndarray, "3 nx ny nz"]]:
    """Distance (in spacings) and index of the nearest marked point, for every point."""
    found = ndimage.distance_transform_edt(~marked, return_indices=True)
    assert isinstance(found, tuple)
    return found[0], found[1]


def _shifted(
    step: tuple[int, int, int], shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the points that have a partner at `+ step`, and of these partners."""
    pairs = list(zip(step, shape, strict=True))
    here = tuple(slice(max(0, -move), size - max(0, move)) for move, size in pairs)
    there = tuple(slice(max(0, move), size - max(0, -move)) for move, size in pairs)
    return here, there


def _inside(
    cells: Float32[np.ndarray, "nx ny nz"],
    query: MeshQuery,
    origin: Float64[np.ndarray, "3"],
    spacing: float,
) -> Bool[np.ndarray, "nx ny nz"]:
    """Signs from unsigned distances (in spacings) and few winding numbers."""
    inside = np.zeros(cells.shape, dtype=bool)
    region, num = _regions(cells > _BAND)
    _ask(inside, region == 0, query, origin, spacing)
    votes = _votes(cells, inside, region, num)
    inside |= (votes[:, 1] > votes[:, 0])[region] & (region > 0)
    # No vote at all happens only to corners cut off by the box; they are asked as well.
    doubtful = (votes.min(axis=1) > 0) | (votes.sum(axis=1) == 0)
    doubtful[0] = False
    if doubtful.any():
        _ask(inside, doubtful[region], query, origin, spacing)
    return inside


def _regions(far: Bool[np.ndarray, "nx ny nz"]) -> tuple[Int[np.ndarray, "nx ny nz"], int]:
    """Pieces connected through sides: their number per point (0: none) and how many there are."""
    found = ndimage.label(far)
    assert isinstance(found, tuple)
    return found[0], int(found[1])


def _bridge_holes(
    cells: Float32[np.ndarray, "nx ny nz"], inside: Bool[np.ndarray, "nx ny nz"]
) -> None:
    """Lower the distances (in spacings) to those of the middles of sign changes without triangles.

    `cells` is changed in place. The cover is known to half a spacing.
    """
    # Two ends of a step that crosses a triangle are together at most one spacing away from it.
    cover = np.zeros((3, *cells.shape), dtype=np.float32)
    uses = np.zeros(cells.shape, dtype=np.float32)
    for step in _SIDES:
        here, there = _shifted(step, cells.shape)
        crossing = (inside[here] != inside[there]) & (cells[here] + cells[there] > _COVER)
        uses[here] += crossing
        for i in range(3):
            if step[i]:
                cover[(i, *here)] += np.float32(0.5 * step[i]) * crossing
    if not uses.any():
        return
    _, feature = _nearest(uses > 0)
    squared = np.zeros_like(cells)
    for i, size in enumerate(cells.shape):
        axis = np.arange(size).reshape([-1 if i == j else 1 for j in range(3)])
        offset = cover[i] / np.maximum(uses, 1)
        squared += np.square(feature[i] + offset[tuple(feature)] - axis, dtype=np.float32)
    np.minimum(cells, np.sqrt(squared), out=cells)


def _see_through_inner_walls(
    cells: Float32[np.ndarray, "nx ny nz"],
    inside: Bool[np.ndarray, "nx ny nz"],
    where: Float32[np.ndarray, "3 nx ny nz"],
    query: MeshQuery,
    origin: Float64[np.ndarray, "3"],
    spacing: float,
) -> None:
    """Replace distances (in spacings) to walls that have the solid on both sides.

    `cells` is changed in place. An outside point sees the true surface first, so the nearest
    outside point's nearest surface point serves the inside.
    """
    if inside.all() or not inside.any():
        return
    depth, feature = _nearest(~inside)
    suspects = np.argwhere(inside & (cells < depth - 1.0))
    seen = where[(slice(None), *suspects.T)].T
    ahead = seen - suspects
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-6)
    # Just behind the wall: outside for a true surface, however narrow the gap.
    behind = query.winding_numbers(origin + spacing * (seen + 0.01 * ahead))
    inner = behind > _SOLID
    points = suspects[inner]
    outer = where[(slice(None), *feature[(slice(None), *points.T)])].T
    cells[tuple(points.T)] = np.linalg.norm(outer - points, axis=1)


def _ask(
    inside: Bool[np.ndarray, "nx ny nz"],
    where: Bool[np.ndarray, "nx ny nz"],
    query: MeshQuery,
    origin: Float64[np.ndarray, "3"],
    spacing: float,
) -> None:
    """Set `inside` at the chosen points by winding numbers."""
    inside[where] = query.contains(origin + spacing * np.argwhere(where))


def _votes(
    cells: Float32[np.ndarray, "nx ny nz"],
    inside: Bool[np.ndarray, "nx ny nz"],
    region: np.ndarray,
    num: int,
) -> Int64[np.ndarray, "region 2"]:
    """How many outside and inside band points touch each region (row 0 is the band itself)."""
    voter = (cells > _VOTER) & (region == 0)
    votes = np.zeros((num + 1, 2), dtype=np.int64)
    for step in _SIDES:
        one, two = _shifted(step, cells.shape)
        pair = voter[one] & (region[two] > 0)
        key = 2 * region[two][pair].astype(np.int64) + inside[one][pair]
        votes += np.bincount(key, minlength=2 * (num + 1)).reshape(-1, 2)
    return votes
