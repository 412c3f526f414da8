"""Parts of a mesh's surface on one side of planes, and which of them hang together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from scipy import ndimage

from bghop.physics.decomposition.hulls import Hull, hull_of
from bghop.physics.decomposition.room import Room

_WITHIN = 0.9
"""Spacings; a sample nearer to the surface than this counts as solid: the nearest sample of any
surface point does."""
_CAP_POINTS = 24
"""Along each side of the square lattice on a cut."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Triangles between cuts, and points of the solid on the cuts themselves."""

    vertices: Float64[np.ndarray, "vert 3"]
    faces: Int64[np.ndarray, "face 3"]
    caps: Float64[np.ndarray, "cap 3"]
    solid: Bool[np.ndarray, "nx ny nz"]
    """Samples of the room that belong to this part, within the box that starts at `corner`."""
    corner: tuple[int, int, int]

    def points(self) -> Float64[np.ndarray, "_ 3"]:
        """All that the hull must hold."""
        return np.concatenate([self.vertices, self.caps])

    def hull(self) -> Hull | None:
        """None for a flat sliver."""
        return hull_of(self.points())


def whole(
    vertices: Float64[np.ndarray, "vert 3"], faces: Int64[np.ndarray, "face 3"], room: Room
) -> list[Part]:
    """The mesh before any cut: one part for each of its solids."""
    part = Part(
        vertices=vertices, faces=faces, caps=np.zeros((0, 3)),
        solid=room.values < _WITHIN * room.spacing, corner=(0, 0, 0),
    )  # fmt: skip
    return _separated(part, room)


def split(part: Part, room: Room, normal: Float[np.ndarray, "3"], offset: float) -> list[Part]:
    """The parts on both sides of the plane `normal @ point == offset`."""
    height = part.vertices @ normal - offset
    vertices, below, above = _clipped(part.vertices, part.faces, height)
    caps = _cap(room, part, normal, offset)
    level = part.caps @ normal - offset
    grid = _positions(part, room) @ normal - offset
    found = []
    for side, sign in ((below, -1), (above, 1)):
        if len(side) == 0:
            continue
        used, faces = np.unique(side, return_inverse=True)
        mine = part.solid & (sign * grid > -_WITHIN * room.spacing)
        box = _box(mine)
        corner = [int(c + s.start) for c, s in zip(part.corner, box, strict=True)]
        found += _separated(
            Part(
                vertices=vertices[used], faces=faces.reshape(-1, 3).astype(np.int64),
                caps=np.concatenate([part.caps[sign * level >= 0], caps]),
                solid=mine[box], corner=(corner[0], corner[1], corner[2]),
            ),
            room,
        )  # fmt: skip
    return found


def _clipped(
    vertices: Float64[np.ndarray, "vert 3"],
    faces: Int64[np.ndarray, "face 3"],
    height: Float64[np.ndarray, "vert"],
) -> tuple[Float64[np.ndarray, "_ 3"], Int64[np.ndarray, "_ 3"], Int64[np.ndarray, "_ 3"]]:
    """Vertices with those on the plane added, faces below (height < 0) and above."""
    up = height >= 0
    count = up[faces].sum(1)
    below, above = faces[count == 0], faces[count == 3]
    cut = faces[(count == 1) | (count == 2)]
    if len(cut) == 0:
        return vertices, below, above
    # Turned so that the corner that is alone on its side comes first.
    alone_up = up[cut].sum(1) == 1
    lone = np.where(alone_up, up[cut].argmax(1), (~up[cut]).argmax(1))
    a, b, c = np.take_along_axis(cut, (lone[:, None] + np.arange(3)) % 3, axis=1).T
    ends = np.sort(np.stack([np.concatenate([a, a]), np.concatenate([b, c])], 1), axis=1)
    key, number = np.unique(ends[:, 0] * len(vertices) + ends[:, 1], return_inverse=True)
    low, high = np.divmod(key, len(vertices))
    share = height[low] / (height[low] - height[high])
    fresh = vertices[low] + share[:, None] * (vertices[high] - vertices[low])
    ab, ac = (number + len(vertices)).reshape(2, -1)
    tip = np.stack([a, ab, ac], 1)
    rest = np.stack([np.stack([ab, b, c], 1), np.stack([ab, c, ac], 1)])
    return (
        np.concatenate([vertices, fresh]),
        np.concatenate([below, tip[~alone_up], rest[:, alone_up].reshape(-1, 3)]),
        np.concatenate([above, tip[alone_up], rest[:, ~alone_up].reshape(-1, 3)]),
    )


def _cap(
    room: Room, part: Part, normal: Float[np.ndarray, "3"], offset: float
) -> Float64[np.ndarray, "_ 3"]:
    """Points of a lattice on the plane that lie in the solid."""
    points = part.points()
    first = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    first /= np.linalg.norm(first)
    axes = np.stack([first, np.cross(normal, first)])
    flat = points @ axes.T
    low, high = flat.min(0), flat.max(0)
    u, v = (
        low[i] + (np.arange(_CAP_POINTS) + 0.5) * (high[i] - low[i]) / _CAP_POINTS for i in range(2)
    )
    grid = np.stack(np.meshgrid(u, v, indexing="ij"), -1).reshape(-1, 2) @ axes + offset * normal
    index = np.rint((grid - room.origin) / room.spacing).astype(np.int64) - part.corner
    within = ((index >= 0) & (index < part.solid.shape)).all(1)
    grid, index = grid[within], index[within]
    mine = part.solid[tuple(index.T)]
    grid = grid[mine]
    return grid[room.air(grid) < 0]


def _box(mask: Bool[np.ndarray, "nx ny nz"]) -> tuple[slice, slice, slice]:
    """The smallest box that holds what is set; one sample if nothing is."""
    slices = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis)))
        slices.append(slice(used[0], used[-1] + 1) if len(used) else slice(0, 1))
    return slices[0], slices[1], slices[2]


def _positions(part: Part, room: Room) -> Float64[np.ndarray, "nx ny nz 3"]:
    axes = [
        room.origin[i] + room.spacing * (part.corner[i] + np.arange(n))
        for i, n in enumerate(part.solid.shape)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def _separated(part: Part, room: Room) -> list[Part]:
    """One part for each connected region of solid."""
    label, num = ndimage.label(part.solid)  # type: ignore[misc]
    label = np.asarray(label)
    if num <= 1:
        return [part]

    def region_of(points: np.ndarray) -> np.ndarray:
        index = np.rint((points - room.origin) / room.spacing).astype(np.int64) - part.corner
        np.clip(index, 0, np.array(part.solid.shape) - 1, out=index)
        return label[tuple(index.T)]

    of_face = region_of(part.vertices[part.faces].mean(1))
    of_cap = region_of(part.caps)
    # A triangle between samples goes with the first rather than being lost.
    of_face = np.maximum(of_face, 1)
    found = []
    for number in range(1, num + 1):
        faces = part.faces[of_face == number]
        if len(faces) == 0:
            continue
        used, faces = np.unique(faces, return_inverse=True)
        found.append(
            Part(
                vertices=part.vertices[used],
                faces=faces.reshape(-1, 3).astype(np.int64),
                caps=part.caps[of_cap == number],
                solid=label == number,
                corner=part.corner,
            )
        )
    return found
