"""Things to drink from, to pour and to spray: cup, pitcher, kettle, spray and detergent bottle.

All stand on z = 0; spouts and nozzles lie towards +x, handles opposite.
"""

from dataclasses import replace

import numpy as np

from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import loft
from bghop.objects.family import family
from bghop.objects.outlines import arc, ellipse, filleted, rounded_rectangle, spline
from bghop.objects.solids import bar, joined, moved, stacked, turned, vessel


@family(
    "cup", "paper cup", "tumbler",
    radius=(0.031, 0.048), height_ratio=(1.9, 3.0), foot_ratio=(0.64, 0.85), wall=(0.0032, 0.0045),
)  # fmt: skip
def cup(*, radius: float, height_ratio: float, foot_ratio: float, wall: float) -> Mesh:
    """A cup without a handle, wider at its rim."""
    height, foot = radius * height_ratio, radius * foot_ratio
    return vessel(filleted([(0, 0), (foot, 0), (radius, height)], 0.005), wall)


@family(
    "pitcher", "jug", "water jug",
    height=(0.16, 0.28), belly_ratio=(0.27, 0.33), lip_ratio=(0.22, 0.36), wall=(0.004, 0.006),
)  # fmt: skip
def pitcher(*, height: float, belly_ratio: float, lip_ratio: float, wall: float) -> Mesh:
    """An open jug with a belly, a lip and one large handle."""
    reach = height * belly_ratio
    side = spline([(0.72, 0.03), (1.0, 0.32), (0.86, 0.66), (0.68, 0.84), (0.78, 1.0)], 50)
    ground = filleted([(0.4, 0.0), (0.7, 0.0), (0.72, 0.03)], 0.04)
    line = np.concatenate([[(0.0, 0.0)], ground, side[1:]])
    body = vessel(line * [reach, height], wall)
    x, y, z = body.vertices.T
    # The lip: the rim is drawn out in front, the more the higher.
    ahead = np.clip(x / np.maximum(np.hypot(x, y), 1e-9), 0, 1) ** 5
    drawn = ahead * np.clip((z / height - 0.72) / 0.28, 0, 1) ** 2
    x, z = x + lip_ratio * reach * drawn, z + 0.05 * height * drawn
    y = y * (1 - 0.25 * drawn)
    body = replace(body, vertices=np.stack([x, y, z], axis=1))

    def skin(share: float) -> float:
        return -reach * float(np.interp(share, side[:, 1], side[:, 0])) + 0.5 * wall

    out = -1.72 * reach
    handle = bar(
        [(skin(0.92), 0, 0.92 * height), (out, 0, 0.97 * height), (out, 0, 0.3 * height),
         (skin(0.3), 0, 0.3 * height)],
        0.0075, rounding=0.3 * height,
    )  # fmt: skip
    return joined(body, handle)


@family(
    "kettle", "tea kettle", "electric kettle",
    radius=(0.065, 0.105), height_ratio=(1.05, 1.35), handle_ratio=(0.75, 0.95),
)  # fmt: skip
def kettle(*, radius: float, height_ratio: float, handle_ratio: float) -> Mesh:
    """A full squat kettle with a lid, a short spout and a handle arched over the top."""
    height = radius * height_ratio
    line = np.array(
        [[0, 0], [0.95, 0], [1, 0.08], [0.96, 0.4], [0.7, 0.8], [0.42, 0.94], [0.42, 0.97],
         [0.2, 1.02], [0.08, 1.03], [0.08, 1.1], [0.17, 1.13], [0.15, 1.2], [0, 1.21]])  # fmt: skip
    body = turned(line * [radius, height], rounding=0.012)
    share = np.linspace(0, 1, 20)
    path = spline(
        [(0.78 * radius, 0, 0.42 * height), (1.1 * radius, 0, 0.58 * height),
         (1.32 * radius, 0, 0.86 * height), (1.5 * radius, 0, 0.98 * height)], 20)  # fmt: skip
    spout = bar(path, radius * (0.22 - 0.11 * share))
    # Its ends stand in the shoulder.
    curve = arc((0.0, 0.0), 1.0, -12, 192, 48)
    z = 0.72 * height + handle_ratio * radius * np.maximum(curve[:, 1], -0.2)
    handle = bar(np.stack([0.76 * radius * curve[:, 0], 0 * z, z], 1), np.full(48, 0.0065))
    top = z.max()
    grip = turned([(0, -0.42 * radius), (0.0115, -0.42 * radius), (0.0115, 0.42 * radius),
                   (0, 0.42 * radius)], rounding=0.004, segments=32)  # fmt: skip
    return joined(body, spout, handle, moved(grip, (0, 0, top - 0.002), turn_deg=90, about="y"))


@family(
    "spray bottle", "sprayer", "cleaner bottle",
    height=(0.18, 0.29), width_ratio=(0.3, 0.38), depth_ratio=(0.62, 0.85), waist_ratio=(0.7, 0.85),
)  # fmt: skip
def spray_bottle(
    *, height: float, width_ratio: float, depth_ratio: float, waist_ratio: float
) -> Mesh:
    """A full bottle with a slim waist and a spray head: nozzle and trigger towards +x."""
    h, wide = height, height * width_ratio
    half, neck = wide / 2, 0.062 * h
    side = spline(
        [(1.0, 0.03), (1.0, 0.3), (waist_ratio, 0.47), (0.86 * waist_ratio, 0.58),
         (neck / half, 0.7)], 44,
    )  # fmt: skip
    outlines = [(ellipse(0.94 * wide, 0.94 * wide * depth_ratio, num=52), 0.0)]
    for reach, share in side:
        # Oval below, round at the neck.
        slim = depth_ratio + (1 - depth_ratio) * np.clip((share - 0.5) / 0.2, 0, 1)
        outlines.append((ellipse(reach * wide, reach * wide * slim, num=52), share * h))
    collar = turned([(0, 0.69 * h), (1.25 * neck, 0.69 * h), (1.25 * neck, 0.76 * h),
                     (0.8 * neck, 0.77 * h), (0.8 * neck, 0.86 * h), (0, 0.86 * h)],
                    rounding=0.002, segments=40)  # fmt: skip
    rings = []
    for x, tall, middle in ((-0.17, 0.05, 0.925), (-0.16, 0.075, 0.92), (-0.09, 0.12, 0.915),
                            (0.02, 0.15, 0.912), (0.13, 0.13, 0.925), (0.2, 0.1, 0.94),
                            (0.23, 0.09, 0.943), (0.235, 0.075, 0.943)):  # fmt: skip
        # Of equal outlines, so that every ring has its points in the same order.
        ring = rounded_rectangle(0.115 * h, tall * h, 0.03 * h, sides=5)
        rings.append(np.stack([np.full(len(ring), x * h), ring[:, 0], ring[:, 1] + middle * h], 1))
    nozzle = turned(
        [(0, 0), (0.04 * h, 0), (0.036 * h, 0.045 * h), (0.02 * h, 0.046 * h),
         (0.018 * h, 0.04 * h), (0, 0.04 * h)], rounding=0.001, segments=32,
    )  # fmt: skip
    curve = spline([(0.13, 0.88), (0.21, 0.83), (0.215, 0.74), (0.18, 0.66)], 24) * h
    trigger = bar(
        np.stack([curve[:, 0], np.zeros(24), curve[:, 1]], 1), np.linspace(0.024, 0.017, 24) * h
    )
    return joined(
        stacked(outlines), collar, loft(np.stack(rings)), trigger,
        moved(nozzle, (0.228 * h, 0, 0.943 * h), turn_deg=90, about="y"),
    )  # fmt: skip


@family(
    "detergent bottle", "laundry detergent", "gallon jug",
    height=(0.2, 0.33), width_ratio=(0.56, 0.68), depth_ratio=(0.46, 0.58), grip=(0.0115, 0.0145),
)  # fmt: skip
def detergent_bottle(*, height: float, width_ratio: float, depth_ratio: float, grip: float) -> Mesh:
    """A full canister with a large cap and a handle at its upper left (-x)."""
    h, wide = height, height * width_ratio
    # Share of the height, left and right end as shares of the width.
    line = spline(
        [(0.015, -0.48, 0.48), (0.1, -0.5, 0.5), (0.42, -0.49, 0.49), (0.54, -0.36, 0.48),
         (0.64, -0.13, 0.46), (0.74, -0.08, 0.4), (0.82, 0.0, 0.3), (0.86, 0.02, 0.27)], 48,
    )  # fmt: skip
    outlines = [_across(-0.46 * wide, 0.46 * wide, 0.92 * wide * depth_ratio, 0.0)]
    for share, left, right in line:
        slim = depth_ratio * wide * (1 - 0.5 * np.clip((share - 0.45) / 0.4, 0, 1) ** 1.5)
        outlines.append(_across(left * wide, right * wide, slim, share * h))
    at = 0.145 * wide
    cap = turned([(0, 0.845 * h), (0.165 * wide, 0.845 * h), (0.165 * wide, 0.87 * h),
                  (0.15 * wide, 0.88 * h), (0.14 * wide, h), (0, h)],
                 rounding=0.003, segments=48)  # fmt: skip
    handle = bar(
        [(-0.02 * wide, 0, 0.78 * h), (-0.26 * wide, 0, 0.8 * h), (-0.42 * wide, 0, 0.68 * h),
         (-0.42 * wide, 0, 0.45 * h)],
        grip, rounding=0.09 * h,
    )  # fmt: skip
    return joined(stacked(outlines), moved(cap, (at, 0, 0)), handle)


def _across(left: float, right: float, depth: float, z: float) -> tuple[np.ndarray, float]:
    """A level outline with round corners between two places on x, metres."""
    width = right - left
    ring = rounded_rectangle(width, depth, 0.42 * min(width, depth), sides=6)
    return ring + np.array([(left + right) / 2, 0.0]), z
