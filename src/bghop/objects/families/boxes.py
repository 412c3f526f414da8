"""Things with flat sides: boxes, books, trays, baskets, cushions, a camera."""

from dataclasses import replace

import numpy as np

from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import loft
from bghop.objects.blocks import Block, centred, union_of_blocks
from bghop.objects.family import family
from bghop.objects.outlines import arc, rounded_rectangle
from bghop.objects.solids import bar, hoop, joined, moved, open_box, slab, turned


@family(
    "box", "block", "carton", "package",
    width=(0.06, 0.35), depth_ratio=(0.5, 1.0), height_ratio=(0.4, 1.0), edge=(0.0015, 0.005),
)  # fmt: skip
def box(*, width: float, depth_ratio: float, height_ratio: float, edge: float) -> Mesh:
    """A full block with slightly round edges; depth and height are shares of the width."""
    return slab(width, width * depth_ratio, width * height_ratio, corner=1.1 * edge, rounding=edge)


@family(
    "puzzle cube", "magic cube", "cube",
    side=(0.055, 0.075), gap_ratio=(0.08, 0.14),
)  # fmt: skip
def puzzle_cube(*, side: float, gap_ratio: float) -> Mesh:
    """A cube with 3 x 3 tiles on each side; the gap between tiles is a share of their pitch."""
    core = side - 0.002
    pitch = core / 3
    half = 0.5 * pitch * (1 - gap_ratio)
    spans = [(place - half, place + half) for place in (-pitch, 0.0, pitch)]
    whole, inner = (-side / 2, side / 2), (-core / 2, core / 2)
    tiles: list[Block] = [(inner, inner, inner)]
    for first in spans:
        for second in spans:
            tiles += [(whole, first, second), (first, whole, second), (first, second, whole)]
    return moved(union_of_blocks(tiles, step=0.0045), (0, 0, side / 2))


@family(
    "book", "novel", "textbook",
    height=(0.16, 0.3), width_ratio=(0.66, 0.78), thickness_ratio=(0.1, 0.2), cover=(0.003, 0.004),
)  # fmt: skip
def book(*, height: float, width_ratio: float, thickness_ratio: float, cover: float) -> Mesh:
    """A closed book lying on its back cover, its round spine at -x."""
    width, thick = height * width_ratio, height * thickness_ratio
    margin = 0.005
    left = -width / 2
    page_y = height / 2 - margin
    blocks: list[Block] = [
        centred(width, height, (0.0, cover)),
        centred(width, height, (thick - cover, thick)),
        ((left, left + cover), (-height / 2, height / 2), (0.0, thick)),
        ((left, width / 2 - margin), (-page_y, page_y), (0.0, thick)),
    ]
    solid = union_of_blocks(blocks, step=min(height / 32, thick / 6))
    x, y, z = solid.vertices.T
    bulge = 0.3 * thick * (1 - (2 * z / thick - 1) ** 2)
    x = np.where(x < left + cover + 1e-6, x - bulge, x)
    return replace(solid, vertices=np.stack([x, y, z], axis=1))


@family(
    "tray", "serving tray",
    width=(0.3, 0.385), depth_ratio=(0.6, 0.72), height=(0.03, 0.045), wall=(0.005, 0.007),
)  # fmt: skip
def tray(*, width: float, depth_ratio: float, height: float, wall: float) -> Mesh:
    """A tray with a rim and a handle at each end along x."""
    flare, reach = 0.012, width / 2
    inner = width - 2 * flare
    body = open_box(inner, width * depth_ratio - 2 * flare, height, wall, corner=0.03, flare=flare)
    half = 0.055
    z = 0.8 * height
    start, end = reach - 0.5 * wall - 0.1 * flare, reach + 0.024
    path = [(start, -half, z), (end, -half, z + 0.006), (end, half, z + 0.006), (start, half, z)]
    right = bar(path, 0.0055, rounding=0.02)
    return joined(body, right, moved(right, turn_deg=180))


@family(
    "basket", "shopping basket",
    width=(0.26, 0.38), depth_ratio=(0.6, 0.75), height_ratio=(0.38, 0.5), wall=(0.005, 0.008),
)  # fmt: skip
def basket(*, width: float, depth_ratio: float, height_ratio: float, wall: float) -> Mesh:
    """A basket with hoops around it and an arched handle across x."""
    height, flare = width * height_ratio, 0.07 * width
    foot, depth = width - 2 * flare, width * depth_ratio - 2 * flare
    body = open_box(foot, depth, height, wall, corner=0.03, flare=flare)
    hoops = []
    for share in (0.12, 0.38, 0.64, 0.94):
        thick = 0.005 if share < 0.9 else 0.008
        # Half out of the wall, and not through it.
        grown = flare * share + (0.3 * thick if share < 0.9 else -wall / 2)
        outline = rounded_rectangle(foot + 2 * grown, depth + 2 * grown, 0.03 + grown)
        hoops.append(hoop(outline, share * height, thick))
    curve = arc((0.0, 0.0), 1.0, 0, 180, 40)
    hold = width / 2 - 0.5 * wall - 0.08 * flare
    path = np.stack(
        [hold * curve[:, 0], np.zeros(40), 0.9 * height + 0.62 * width * curve[:, 1]], 1
    )
    return joined(body, *hoops, bar(path, np.full(40, 0.0075)))


@family(
    "cushion", "pillow", "throw pillow",
    width=(0.28, 0.43), thickness_ratio=(0.26, 0.36), waist_ratio=(0.03, 0.06),
)  # fmt: skip
def cushion(*, width: float, thickness_ratio: float, waist_ratio: float) -> Mesh:
    """A square cushion: thick in the middle, thin at the seam, its corners drawn out."""
    side = rounded_rectangle(2.0, 2.0, 0.10, sides=22)
    circle = 0.95 * side / np.linalg.norm(side, axis=1, keepdims=True)
    x, y = side.T
    pull = 2 * waist_ratio
    outline = side * np.stack([1 - pull * (1 - y**2), 1 - pull * (1 - x**2)], 1)
    thick = width * thickness_ratio
    shares = np.sin(np.linspace(0, np.pi / 2, 22))[1:]
    heights = 0.5 * thick * (1 - shares**2.4) ** 0.75 + 0.0035
    # Round in the middle and square at the seam: no ridges along the diagonals.
    rings = [
        np.column_stack([width / 2 * s * (s**2 * outline + (1 - s**2) * circle), 0 * x - h])
        for s, h in zip(shares, heights, strict=True)
    ]
    seam = np.column_stack([(width / 2 + 0.004) * outline, np.zeros(len(outline))])
    upper = [ring * [1, 1, -1] for ring in reversed(rings)]
    return moved(loft(np.stack([*rings, seam, *upper])), (0, 0, thick / 2 + 0.0035))


@family(
    "camera", "photo camera",
    width=(0.095, 0.14), height_ratio=(0.58, 0.66), depth_ratio=(0.28, 0.36),
    lens_ratio=(0.46, 0.6),
)  # fmt: skip
def camera(*, width: float, height_ratio: float, depth_ratio: float, lens_ratio: float) -> Mesh:
    """A camera that looks towards -y: body, grip, finder hump, lens, shutter button."""
    height, depth = width * height_ratio, width * depth_ratio
    body = slab(width, depth, height, corner=0.008, rounding=0.004)
    # Parts are set into the body by 2 to 4 mm: just enough for their round edges.
    grip_out = 0.3 * depth
    grip_deep = grip_out + 0.004
    grip = slab(0.22 * width, grip_deep, 0.94 * height, corner=0.006, rounding=0.004)
    hump = slab(0.30 * width, 0.8 * depth, 0.26 * height, corner=0.006, rounding=0.005)
    reach, radius = width * lens_ratio, 0.40 * height
    lens = turned(
        [
            (0, 0), (radius, 0), (radius, 0.35 * reach), (1.08 * radius, 0.38 * reach),
            (1.08 * radius, 0.72 * reach), (0.96 * radius, 0.76 * reach), (0.96 * radius, reach),
            (0.80 * radius, reach), (0.70 * radius, 0.88 * reach), (0, 0.84 * reach),
        ],
        rounding=0.001, segments=40,
    )  # fmt: skip
    button = turned([(0, 0), (0.05 * width, 0), (0.05 * width, 0.010), (0, 0.010)],
                    rounding=0.001, segments=24)  # fmt: skip
    dial = turned([(0, 0), (0.075 * width, 0), (0.075 * width, 0.009), (0, 0.009)],
                  rounding=0.001, segments=32)  # fmt: skip
    return joined(
        body,
        moved(grip, (-0.37 * width, -0.5 * depth - grip_out + grip_deep / 2, 0.02 * height)),
        moved(hump, (0.04 * width, 0, height - 0.005)),
        moved(lens, (0.04 * width, 0.003 - depth / 2, 0.48 * height), turn_deg=90, about="x"),
        moved(button, (-0.37 * width, -0.3 * depth, height - 0.004)),
        moved(dial, (0.36 * width, 0, height - 0.003)),
    )


@family(
    "stool", "foot stool",
    width=(0.26, 0.34), height_ratio=(0.62, 0.8), leg=(0.011, 0.015),
)  # fmt: skip
def stool(*, width: float, height_ratio: float, leg: float) -> Mesh:
    """A low stool: a board on four legs that stand outward."""
    height, depth = width * height_ratio, 0.72 * width
    board = slab(width, depth, 0.024, corner=0.02, rounding=0.006)
    x, y = 0.40 * width, 0.36 * depth
    legs = [
        bar([(i * 1.12 * x, j * 1.2 * y, 0.0), (i * x, j * y, height - 0.012)], leg)
        for i in (-1, 1) for j in (-1, 1)
    ]  # fmt: skip
    rung = bar([(-1.05 * x, 0, 0.4 * height), (1.05 * x, 0, 0.4 * height)], 0.7 * leg)
    ends = [
        bar([(i * 1.07 * x, j * 1.12 * y, 0.4 * height) for j in (-1, 1)], 0.7 * leg)
        for i in (-1, 1)
    ]  # fmt: skip
    return joined(moved(board, (0, 0, height - 0.024)), *legs, rung, *ends)
