"""Flat electronic things without a joint: tablet, keyboard."""

from dataclasses import replace

import numpy as np

from bghop.geometry.mesh import Mesh
from bghop.objects.blocks import Block, centred, union_of_blocks, with_round_corners
from bghop.objects.family import family
from bghop.objects.outlines import rounded_rectangle
from bghop.objects.solids import joined, moved, prism, slab, turned

_KEY_ROWS = (
    (1.0,) * 14,
    (1.0,) * 14,
    (1.5, *(1.0,) * 11, 1.5),
    (2.0, *(1.0,) * 10, 2.0),
    (1.25, 1.25, 1.25, 6.5, 1.25, 1.25, 1.25),
)
"""Widths of the keys in each row from the back, 14 in all."""


@family(
    "tablet", "tablet computer",
    width=(0.17, 0.29), depth_ratio=(0.66, 0.78), thickness=(0.0075, 0.011), frame=(0.007, 0.011),
)  # fmt: skip
def tablet(*, width: float, depth_ratio: float, thickness: float, frame: float) -> Mesh:
    """A tablet lying on its back: a frame around the screen, buttons at its back edge."""
    depth = width * depth_ratio
    outline = rounded_rectangle(width, depth, 0.014, sides=14, steps=6)
    body = prism(outline, thickness, rounding=0.0025, layers=3, caps=8, frame=frame)
    button = slab(0.022, 0.004, 0.004, corner=0.0018, rounding=0.0012, coarse=True)
    home = turned([(0, -0.002), (0.3 * frame, -0.002), (0.3 * frame, 0.0005), (0, 0.0003)],
                  rounding=0.0003, segments=24)  # fmt: skip
    y, z = depth / 2 - 0.001, thickness / 2 - 0.002
    return joined(
        body,
        moved(button, (0.3 * width, y, z)),
        moved(button, (0.42 * width, y, z)),
        moved(home, (width / 2 - 0.52 * frame, 0, thickness)),
    )


@family(
    "keyboard", "computer keyboard",
    width=(0.29, 0.42), depth_ratio=(0.34, 0.42), base=(0.012, 0.018), rise_ratio=(0.04, 0.09),
)  # fmt: skip
def keyboard(*, width: float, depth_ratio: float, base: float, rise_ratio: float) -> Mesh:
    """A keyboard of five rows, higher at the back (+y) by a share of its depth."""
    depth = width * depth_ratio
    pitch = (0.95 * width / 14, 0.88 * depth / 5)
    blocks: list[Block] = [centred(width, depth, (0.0, base))]
    for row, keys in enumerate(_KEY_ROWS):
        y = (2 - row) * pitch[1]
        ends = np.cumsum((0.0, *keys)) * pitch[0] - 0.475 * width
        for left, right in zip(ends[:-1] + 0.0012, ends[1:] - 0.0012, strict=True):
            side = (y - 0.43 * pitch[1], y + 0.43 * pitch[1])
            blocks.append(((float(left), float(right)), side, (0.0, base + 0.0018)))
    flat = with_round_corners(union_of_blocks(blocks, step=0.015), 0.008)
    x, y, z = flat.vertices.T
    rise = rise_ratio * depth * (y / depth + 0.5) * np.clip(z / base, 0, 1)
    return replace(flat, vertices=np.stack([x, y, z + rise], axis=1))
