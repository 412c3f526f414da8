"""The exact union of boxes: one closed surface without the walls between them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from bghop.geometry.mesh import Mesh

Block = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""Lower and upper end along x, y and z, metres."""

_SAME = 1e-7  # metres; planes closer than this are one


def union_of_blocks(blocks: Sequence[Block], *, step: float) -> Mesh:
    """The surface of a union of boxes along the axes.

    Space is cut along the sides of all boxes; a face is where a filled cell meets an empty one.
    Faces that would lie inside the union do not exist, so distances are exact on both sides.

    Args:
        blocks: boxes; they may overlap and touch.
        step: longest edge of a face, metres.
    """
    bounds = np.array(blocks, dtype=np.float64)
    planes = [_planes(bounds[:, axis].ravel(), step) for axis in range(3)]
    middles = [(line[1:] + line[:-1]) / 2 for line in planes]
    filled = np.zeros([len(line) for line in middles], dtype=bool)
    for block in bounds:
        inside = [(low < line) & (line < high) for line, (low, high) in
                  zip(middles, block, strict=True)]  # fmt: skip
        filled |= inside[0][:, None, None] & inside[1][:, None] & inside[2]
    size = np.array([len(line) for line in planes])
    strides = np.array([size[1] * size[2], size[2], 1])
    padded = np.pad(filled, 1)
    faces = []
    for axis in range(3):
        change = np.diff(padded.astype(np.int8), axis=axis)
        across = strides[(axis + 1) % 3], strides[(axis + 2) % 3]
        for sign in (1, -1):
            # Padding moved the cells by one, except along the axis of the difference.
            cells = np.argwhere(change == -sign) - (np.arange(3) != axis)
            corner = cells @ strides
            a, b, c, d = corner, corner + across[0], corner + sum(across), corner + across[1]
            quad = (a, b, c, d) if sign > 0 else (a, d, c, b)
            faces += [np.stack(quad[:3], 1), np.stack([quad[0], quad[2], quad[3]], 1)]
    used, index = np.unique(np.concatenate(faces), return_inverse=True)
    places = np.unravel_index(used, size)
    vertices = np.stack([line[place] for line, place in zip(planes, places, strict=True)], axis=1)
    return Mesh(vertices=vertices, faces=index.reshape(-1, 3).astype(np.int64))


def with_round_corners(mesh: Mesh, radius: float) -> Mesh:
    """The upright edges at the four outer corners of a block made round.

    Points of the squares at the corners move towards the middle of the rounding, so that those on
    the two sides come to lie on a circle; faces should be smaller than the radius.

    Args:
        mesh: a union of blocks whose box, seen from above, is filled at its corners.
        radius: of the corners, metres.
    """
    low, high = mesh.bounds[:, :2]
    middle, reach = (low + high) / 2, (high - low) / 2
    flat = mesh.vertices[:, :2] - middle
    out = np.maximum(np.abs(flat) - (reach - radius), 0.0)
    length = np.linalg.norm(out, axis=1)
    share = np.where(length > 0, out.max(axis=1) / np.maximum(length, 1e-12), 1.0)
    flat = np.sign(flat) * (np.abs(flat) - out * (1 - share[:, None]))
    return replace(mesh, vertices=np.column_stack([flat + middle, mesh.vertices[:, 2]]))


def centred(width: float, depth: float, z: tuple[float, float]) -> Block:
    """A block about the z axis, metres."""
    return (-width / 2, width / 2), (-depth / 2, depth / 2), z


def _planes(sides: np.ndarray, step: float) -> np.ndarray:
    """Sorted places of all sides, with more between them where they are over `step` apart."""
    places = np.sort(sides)
    places = places[np.concatenate([[True], np.diff(places) > _SAME])]
    pieces = [
        np.linspace(low, high, int(np.ceil((high - low) / step)) + 1)[:-1]
        for low, high in pairwise(places)
    ]
    return np.concatenate([*pieces, places[-1:]])
