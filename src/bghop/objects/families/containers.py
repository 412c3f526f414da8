"""Vessels, open and closed; closed ones (bottle, jar) are full inside, open ones have thick walls.

All stand on z = 0 about the z axis; spouts and single handles lie along x.
"""

import numpy as np

from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import casserole, lathe
from bghop.objects.family import family
from bghop.objects.outlines import arc, filleted, spline
from bghop.objects.solids import bar, joined, moved, turned, vessel


@family(
    "bowl", "mixing bowl", "salad bowl",
    radius=(0.045, 0.16), height_ratio=(0.7, 1.0), foot_ratio=(0.38, 0.5), wall=(0.0035, 0.006),
)  # fmt: skip
def bowl(*, radius: float, height_ratio: float, foot_ratio: float, wall: float) -> Mesh:
    """A round bowl; its height is a share of its radius."""
    height, foot = radius * height_ratio, radius * foot_ratio
    ground = filleted(np.array([[0.0, 0.0], [foot, 0.0], [foot * 1.02, 0.07 * height]]), 0.002)
    side = spline(
        np.array(
            [
                [foot * 1.02, 0.08 * height],
                [0.80 * radius, 0.38 * height],
                [0.95 * radius, 0.70 * height],
                [radius, height],
            ]
        )
    )
    return vessel(np.concatenate([ground, side[1:]]), wall, floor=0.07 * height + wall)


@family(
    "plate", "dinner plate", "dish",
    radius=(0.09, 0.15), height=(0.018, 0.03), well_ratio=(0.62, 0.7), wall=(0.0045, 0.006),
)  # fmt: skip
def plate(*, radius: float, height: float, well_ratio: float, wall: float) -> Mesh:
    """A plate with a well and a rising brim."""
    well = radius * well_ratio
    corners = np.array([[0.0, 0.0], [well, 0.0], [well * 1.1, 0.55 * height], [radius, height]])
    return vessel(filleted(corners, 0.016), wall, segments=96)


@family(
    "mug", "coffee mug", "coffee cup",
    radius=(0.036, 0.046), height_ratio=(2.1, 2.6), wall=(0.0035, 0.005), handle_ratio=(0.7, 0.85),
)  # fmt: skip
def mug(*, radius: float, height_ratio: float, wall: float, handle_ratio: float) -> Mesh:
    """A mug with one handle towards +x; the handle reaches out a share of the radius."""
    height = radius * height_ratio
    corners = np.array([[0.0, 0.0], [radius, 0.0], [radius, height]])
    inner, outer = radius - 0.5 * wall, radius * (1 + handle_ratio)
    low, high = 0.24 * height, 0.80 * height
    handle = bar(
        [(inner, 0, high), (outer, 0, high), (outer - 0.1 * radius, 0, low), (inner, 0, low)],
        0.0052,
        rounding=0.42 * (high - low),
    )
    return joined(vessel(filleted(corners, 0.006), wall), handle)


@family(
    "pot", "casserole", "pot with two handles",
    radius=(0.08, 0.12), height_ratio=(0.85, 1.25), wall=(0.004, 0.007), grip=(0.075, 0.095),
)  # fmt: skip
def pot(*, radius: float, height_ratio: float, wall: float, grip: float) -> Mesh:
    """A pot with two handles along x."""
    return casserole(
        radius=radius, height=radius * height_ratio, wall=wall, handle_width=grip,
        handle_reach=0.036, handle_radius=0.006,
    )  # fmt: skip


@family(
    "pan", "frying pan", "skillet",
    radius=(0.095, 0.13), depth=(0.04, 0.055), wall=(0.004, 0.006), handle_ratio=(1.35, 1.6),
)  # fmt: skip
def pan(*, radius: float, depth: float, wall: float, handle_ratio: float) -> Mesh:
    """A frying pan with a long handle towards +x."""
    corners = np.array([[0.0, 0.0], [0.78 * radius, 0.0], [radius, depth]])
    length = radius * handle_ratio
    share = np.linspace(0, 1, 30)
    start = radius - 2.0 * wall
    path = np.stack(
        [start + length * share, np.zeros(30), 0.72 * depth + 0.22 * length * np.sqrt(share)], 1
    )
    # Thin where it leaves the pan, thick in the hand, round at the end.
    radii = 0.0065 + 0.0065 * np.clip((share - 0.2) / 0.25, 0, 1)
    radii *= np.sqrt(1 - np.clip((share - 0.94) / 0.062, 0, 1) ** 2)
    return joined(vessel(filleted(corners, 0.014), wall), bar(path, radii))


@family(
    "vase", "flower vase",
    height=(0.16, 0.32), belly_ratio=(0.27, 0.36), neck_ratio=(0.11, 0.16), wall=(0.004, 0.007),
)  # fmt: skip
def vase(*, height: float, belly_ratio: float, neck_ratio: float, wall: float) -> Mesh:
    """A vase with a belly, a narrow neck and a lip; radii are shares of the height."""
    belly, neck = belly_ratio * height, neck_ratio * height
    foot = 0.55 * belly
    side = spline(
        np.array(
            [
                [foot, 0.0],
                [0.93 * belly, 0.22 * height],
                [0.97 * belly, 0.42 * height],
                [0.60 * belly + 0.4 * neck, 0.64 * height],
                [neck, 0.82 * height],
                [neck * 1.45, height],
            ]
        ),
        num=60,
    )
    line = np.concatenate([[[0.0, 0.0]], filleted(np.array([[0.7 * foot, 0.0], *side[:2]]), 0.003),
                           side[2:]])  # fmt: skip
    return vessel(line, wall, segments=64)


@family(
    "bottle", "water bottle", "wine bottle",
    radius=(0.032, 0.042), height_ratio=(5.6, 7.2), neck_ratio=(0.36, 0.44),
    shoulder_ratio=(0.56, 0.68),
)  # fmt: skip
def bottle(*, radius: float, height_ratio: float, neck_ratio: float, shoulder_ratio: float) -> Mesh:
    """A full bottle with a neck and a cap."""
    height, neck = radius * height_ratio, radius * neck_ratio
    shoulder = shoulder_ratio * height
    return turned(
        [
            (0, 0), (radius, 0), (radius, shoulder), (neck, shoulder + 1.3 * (radius - neck)),
            (neck, 0.90 * height), (1.18 * neck, 0.905 * height), (1.18 * neck, height),
            (0, height),
        ],
        rounding=0.006,
    )  # fmt: skip


@family(
    "jar", "jam jar", "cookie jar",
    radius=(0.026, 0.06), height_ratio=(2.1, 2.7), lid_ratio=(0.86, 0.94),
)  # fmt: skip
def jar(*, radius: float, height_ratio: float, lid_ratio: float) -> Mesh:
    """A full jar with a screw lid."""
    height, lid = radius * height_ratio, radius * lid_ratio
    edge, neck = 0.80 * height, 0.86 * lid
    return turned(
        [
            (0, 0), (radius, 0), (radius, 0.70 * height), (neck, 0.77 * height), (neck, edge),
            (lid, edge), (lid, height), (0, height),
        ],
        rounding=0.0035,
    )  # fmt: skip


@family(
    "goblet", "wine glass", "chalice",
    height=(0.12, 0.2), bowl_ratio=(0.22, 0.27), stem_ratio=(0.32, 0.42), wall=(0.003, 0.004),
)  # fmt: skip
def goblet(*, height: float, bowl_ratio: float, stem_ratio: float, wall: float) -> Mesh:
    """A glass on a stem; bowl radius and stem height are shares of the height."""
    reach, stem = bowl_ratio * height, stem_ratio * height
    foot = 0.92 * reach
    thin = max(0.0045, 0.032 * height)
    ground = filleted(
        np.array([[0.0, 0.0], [foot, 0.0], [foot, 0.004], [thin, 0.014], [thin, stem]]), 0.0035
    )
    side = spline(
        np.array(
            [
                [1.15 * thin, stem + 0.004],
                [0.72 * reach, stem + 0.13 * height],
                [reach, stem + 0.30 * height],
                [0.86 * reach, height],
            ]
        )
    )
    return vessel(np.concatenate([ground, side]), wall, floor=stem + 0.035 * height)


@family(
    "bucket", "pail",
    radius=(0.085, 0.125), height_ratio=(1.6, 1.9), foot_ratio=(0.7, 0.8), wall=(0.004, 0.006),
)  # fmt: skip
def bucket(*, radius: float, height_ratio: float, foot_ratio: float, wall: float) -> Mesh:
    """A bucket with a standing bail across x and a grip on it."""
    height = radius * height_ratio
    body = vessel(
        filleted(np.array([[0, 0], [foot_ratio * radius, 0], [radius, height]]), 0.006), wall
    )
    hold = radius - 0.4 * wall
    curve = arc((0.0, 0.0), 1.0, 0, 180, 48)
    z = 0.92 * height + 0.85 * radius * curve[:, 1]
    bail = bar(np.stack([hold * curve[:, 0], np.zeros(48), z], 1), np.full(48, 0.004))
    grip = moved(
        turned([(0, -0.05), (0.012, -0.05), (0.012, 0.05), (0, 0.05)], rounding=0.004, segments=32),
        (0, 0, z.max()), turn_deg=90, about="y",
    )  # fmt: skip
    return joined(body, bail, grip)


@family(
    "watering can", "can for watering plants",
    radius=(0.06, 0.085), height_ratio=(1.7, 2.1), wall=(0.004, 0.006), reach_ratio=(2.0, 2.4),
)  # fmt: skip
def watering_can(*, radius: float, height_ratio: float, wall: float, reach_ratio: float) -> Mesh:
    """A can with a long spout towards +x, ended by a rose, and a handle from top to back."""
    height, reach = radius * height_ratio, radius * reach_ratio
    outside = [[0, 0], [radius, 0], [radius, 0.86 * height], [0.66 * radius, height]]
    body = vessel(filleted(np.array(outside), 0.006), wall)
    share = np.linspace(0, 1, 24)
    start, end = (
        np.array([radius - 0.6 * wall, 0, 0.22 * height]),
        np.array([reach, 0, 1.1 * height]),
    )
    spout = bar(start + share[:, None] * (end - start), 0.014 - 0.005 * share)
    tilt = np.degrees(np.arctan2(end[0] - start[0], end[2] - start[2]))
    rose = turned([(0, -0.012), (0.008, -0.012), (0.026, 0.016), (0.023, 0.022), (0, 0.026)],
                  rounding=0.003, segments=40)  # fmt: skip
    handle = bar(
        [
            (0.62 * radius, 0, height - 0.5 * wall), (0.55 * radius, 0, 1.36 * height),
            (-1.5 * radius, 0, 1.30 * height), (-1.75 * radius, 0, 0.65 * height),
            (-radius + 0.5 * wall, 0, 0.35 * height),
        ],
        0.007, rounding=0.06,
    )  # fmt: skip
    return joined(body, spout, moved(rose, end, turn_deg=tilt, about="y"), handle)


@family(
    "teapot", "coffee pot",
    radius=(0.06, 0.09), height_ratio=(1.25, 1.5), spout_ratio=(0.75, 0.95),
)  # fmt: skip
def teapot(*, radius: float, height_ratio: float, spout_ratio: float) -> Mesh:
    """A full teapot: a round body with a lid and a knob, spout towards +x, handle towards -x."""
    height = radius * height_ratio
    side = spline(
        np.array([[0.62, 0.0], [0.96, 0.28], [1.0, 0.52], [0.78, 0.84], [0.46, 0.98]]), 30
    )
    lid = [
        [0.46, 1.03],
        [0.30, 1.10],
        [0.06, 1.13],
        [0.06, 1.18],
        [0.13, 1.23],
        [0.11, 1.30],
        [0, 1.32],
    ]
    line = np.concatenate([[[0.0, 0.0]], side, filleted(np.array(lid), 0.04)])
    body = lathe(line * [radius, height], segments=72)
    share = np.linspace(0, 1, 26)
    reach = radius * (1 + spout_ratio)
    path = spline(
        np.array([[0.75 * radius, 0, 0.28 * height], [1.25 * radius, 0, 0.42 * height],
                  [0.85 * reach, 0, 0.80 * height], [reach, 0, 1.02 * height]]), 26)  # fmt: skip
    spout = bar(path, radius * (0.26 - 0.15 * share))
    handle = bar(
        [(-0.62 * radius, 0, 0.84 * height), (-1.75 * radius, 0, 0.95 * height),
         (-1.75 * radius, 0, 0.25 * height), (-0.88 * radius, 0, 0.22 * height)],
        0.0065, rounding=0.045,
    )  # fmt: skip
    return joined(body, spout, handle)
