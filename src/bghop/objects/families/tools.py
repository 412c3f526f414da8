"""Tools and gear: hammer, drill, game controller, binoculars, racket."""

import numpy as np

from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import loft
from bghop.objects.blocks import union_of_blocks
from bghop.objects.family import family
from bghop.objects.outlines import ellipse, filleted, rounded_rectangle
from bghop.objects.solids import Cone, bar, blend, hoop, joined, moved, slab, stacked, turned


@family(
    "hammer", "claw hammer",
    length=(0.24, 0.34), head_ratio=(0.38, 0.44), face=(0.012, 0.016), grip=(0.0135, 0.017),
)  # fmt: skip
def hammer(*, length: float, head_ratio: float, face: float, grip: float) -> Mesh:
    """A claw hammer lying flat: handle along x, the head across its end at +x."""
    head = length * head_ratio
    share = np.linspace(0, 1, 30)
    radii = grip * (1 - 0.34 * np.clip((share - 0.35) / 0.3, 0, 1))
    radii *= np.sqrt(1 - np.clip((0.05 - share) / 0.052, 0, 1) ** 2)
    # It ends just inside the head.
    neck = length - 2.05 * face + 0.005
    handle = bar(np.stack([neck * share, np.zeros(30), np.zeros(30)], 1), radii)
    handle = Mesh(vertices=handle.vertices * [1, 1.15, 0.9], faces=handle.faces)
    block = slab(2.1 * face, 0.34 * head, 2.1 * face, corner=0.004, rounding=0.003)
    poll = turned(
        [(0, 0), (0.62 * face, 0), (0.62 * face, 0.20 * head), (face, 0.25 * head),
         (face, 0.36 * head), (0, 0.36 * head)],
        rounding=0.0015, segments=40,
    )  # fmt: skip
    claws = []
    for side in (-1, 1):
        steps = np.linspace(0, 1, 16)
        rings = []
        for t in steps:
            width, thick = 0.95 * face * (1 - 0.45 * t), 1.5 * face * (1 - t) + 0.0035
            ring = rounded_rectangle(width, thick, 0.0015, sides=3, steps=3)
            middle = np.array([side * (0.50 + 0.35 * t) * face, -0.05 * head + 0.55 * head * t])
            drop = -0.9 * face * t**2 - 0.3 * face * t
            rings.append(
                np.stack(
                    [ring[:, 1] + drop, np.full(len(ring), middle[1]), ring[:, 0] + middle[0]], 1
                )
            )
        claws.append(loft(np.stack(rings)))
    at = length - face
    whole = joined(
        handle,
        moved(block, (at, 0, -1.05 * face)),
        moved(poll, (at, -0.12 * head, 0), turn_deg=90, about="x"),
        *(moved(claw, (at, 0, 0)) for claw in claws),
    )
    return moved(whole, (-length / 2, 0, 1.05 * face))


@family(
    "drill", "power drill", "cordless drill",
    length=(0.16, 0.25), body_ratio=(0.135, 0.16), handle_ratio=(0.46, 0.56), bit=(0.0032, 0.0045),
)  # fmt: skip
def drill(*, length: float, body_ratio: float, handle_ratio: float, bit: float) -> Mesh:
    """A cordless drill that stands on its battery, the bit towards +x; length is without it."""
    body = length * body_ratio
    battery, tip = 0.17 * length, 0.24 * length
    middle = battery + handle_ratio * length + 0.8 * body
    motor = turned(
        [(0, 0), (0.72 * body, 0), (0.97 * body, 0.05 * length), (body, 0.45 * length),
         (0.98 * body, 0.57 * length), (0.8 * body, 0.68 * length), (0.76 * body, 0.74 * length),
         (0.5 * body, 0.745 * length), (0.5 * body, 0.76 * length), (0.66 * body, 0.775 * length),
         (0.66 * body, 0.88 * length), (0.32 * body, length), (bit, length + 0.002),
         (bit, length + 0.92 * tip), (0, length + tip)],
        rounding=0.003, segments=48,
    )  # fmt: skip
    rings = []
    for share in np.linspace(0, 1, 14):
        # Wide at both ends and slim in the hand; it leans back towards the battery.
        swell = 1 + 0.5 * (2 * share - 1) ** 4
        ring = ellipse(0.18 * length * swell, 0.15 * length * (1 + 0.12 * (2 * share - 1) ** 4))
        z = battery - 0.004 + share * (middle - 0.84 * body - battery + 0.004)
        rings.append((ring + np.array([(0.2 + 0.1 * share) * length, 0.0]), z))
    pack = slab(0.42 * length, 0.26 * length, battery, corner=0.012, rounding=0.005)
    shoe = slab(0.36 * length, 0.23 * length, 0.05 * length, corner=0.012, rounding=0.004)
    trigger = slab(0.08 * length, 0.07 * length, 0.15 * length, corner=0.006, rounding=0.004)
    rest = slab(0.3 * length, 0.5 * body, 0.02, corner=0.006, rounding=0.004)
    whole = joined(
        moved(motor, (0, 0, middle), turn_deg=90, about="y"),
        stacked(rings),
        moved(pack, (0.24 * length, 0, 0)),
        moved(shoe, (0.235 * length, 0, battery - 0.005)),
        moved(trigger, (0.39 * length, 0, middle - body - 0.135 * length)),
        moved(rest, (0.25 * length, 0, middle + 0.96 * body - 0.014)),
    )
    return moved(whole, (-0.5 * length, 0, 0))


@family(
    "game controller", "gamepad", "joypad",
    width=(0.135, 0.165), thickness_ratio=(0.62, 0.78), grip_ratio=(0.33, 0.4),
    stick=(0.0075, 0.009),
)  # fmt: skip
def controller(*, width: float, thickness_ratio: float, grip_ratio: float, stick: float) -> Mesh:
    """A game controller, face up: two grips towards -y, two sticks, a cross and four buttons."""
    w, drop = width, width * grip_ratio
    cones: list[Cone] = [((-0.22 * w, 0, 0), (0.22 * w, 0, 0), 0.17 * w, 0.17 * w)]
    for side in (-1, 1):
        cones.append(((side * 0.30 * w, 0.01 * w, 0), (side * 0.31 * w, -0.02 * w, 0),
                      0.175 * w, 0.17 * w))  # fmt: skip
        cones.append(((side * 0.24 * w, 0.14 * w, 0.03 * w), (side * 0.36 * w, 0.13 * w, 0.03 * w),
                      0.055 * w, 0.05 * w))  # fmt: skip
        cones.append(((side * 0.34 * w, -0.05 * w, 0), (side * 0.405 * w, -drop, -0.03 * w),
                      0.145 * w, 0.085 * w))  # fmt: skip
    body = blend(cones, softness=0.12 * w, samples=36)
    body = Mesh(vertices=body.vertices * [1, 1, thickness_ratio], faces=body.faces)
    lever = turned([(0, -0.002), (0.55 * stick, -0.002), (0.5 * stick, 0.005), (stick, 0.008),
                    (stick, 0.011), (0, 0.010)], rounding=0.0008, segments=28)  # fmt: skip
    button = turned([(0, -0.0015), (0.0042, -0.0015), (0.0042, 0.003), (0, 0.004)],
                    rounding=0.0008, segments=20)  # fmt: skip
    arm, reach, up = 0.0033, 0.0095, (-0.0015, 0.0035)
    cross = union_of_blocks(
        [((-reach, reach), (-arm, arm), up), ((-arm, arm), (-reach, reach), up)], step=0.005
    )
    places = [(lever, side * 0.15 * w, -0.075 * w) for side in (-1, 1)]
    ring = 0.058 * w
    places += [
        (button, 0.31 * w + ring * i, 0.05 * w + ring * j)
        for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    places.append((cross, -0.31 * w, 0.05 * w))
    whole = joined(body, *(moved(part, (x, y, _height_at(body, x, y))) for part, x, y in places))
    return moved(whole, (0, 0, -whole.bounds[0, 2]))


@family(
    "binoculars", "field glasses",
    length=(0.12, 0.18), lens_ratio=(0.17, 0.22), gap_ratio=(1.15, 1.3),
)  # fmt: skip
def binoculars(*, length: float, lens_ratio: float, gap_ratio: float) -> Mesh:
    """Binoculars lying flat, looking towards +y."""
    radius = length * lens_ratio
    tube = turned(
        [(0, 0), (0.62 * radius, 0), (0.62 * radius, 0.14 * length), (0.52 * radius, 0.16 * length),
         (0.58 * radius, 0.30 * length), (0.95 * radius, 0.42 * length), (radius, 0.98 * length),
         (radius, length), (0.86 * radius, length), (0.84 * radius, 0.95 * length),
         (0, 0.95 * length)],
        rounding=0.003, segments=36,
    )  # fmt: skip
    level = moved(tube, turn_deg=-90, about="x")
    apart = radius * gap_ratio
    bridge = slab(2 * apart, 0.22 * length, 0.5 * radius, corner=0.004, rounding=0.003)
    wheel = turned([(0, 0), (0.28 * radius, 0), (0.28 * radius, 0.20 * length), (0, 0.20 * length)],
                   rounding=0.002, segments=28)  # fmt: skip
    whole = joined(
        moved(level, (-apart, -length / 2, radius)),
        moved(level, (apart, -length / 2, radius)),
        moved(bridge, (0, 0.02 * length, 0.75 * radius)),
        moved(wheel, (0, -0.16 * length, 1.15 * radius), turn_deg=-90, about="x"),
    )
    return whole


@family(
    "tennis racket", "badminton racket", "racket",
    length=(0.38, 0.45), head_ratio=(0.4, 0.46), frame=(0.0065, 0.008), grip=(0.013, 0.016),
)  # fmt: skip
def racket(*, length: float, head_ratio: float, frame: float, grip: float) -> Mesh:
    """A child's racket lying flat: handle along x, a stringed oval head at +x."""
    long_side, wide = length * head_ratio, 0.72 * length * head_ratio
    middle = np.array([length - long_side / 2 - frame, 0.0, 0.0])
    rim = moved(hoop(ellipse(long_side, wide, num=80), 0.0, frame), middle)
    strings = []
    for share in np.linspace(-0.8, 0.8, 9):
        half = np.sqrt(1 - share**2)
        x, y = share * long_side / 2, share * wide / 2
        across = [(x, -half * wide / 2, 0.0), (x, half * wide / 2, 0.0)]
        along = [(-half * long_side / 2, y, 0.0), (half * long_side / 2, y, 0.0)]
        strings += [moved(bar(line, 0.0016, segments=6), middle) for line in (across, along)]
    neck = middle[0] - long_side / 2
    share = np.linspace(0, 1, 30)
    radii = grip - (grip - frame) * np.clip((share - 0.55) / 0.2, 0, 1)
    shaft = bar(np.stack([share * (neck + 0.5 * frame), 0 * share, 0 * share], 1), radii)
    throat = [
        bar(filleted(np.array([[0.62 * neck, 0, 0], [neck, side * 0.20 * wide, 0],
            [neck + 0.1 * long_side, side * 0.30 * wide, 0]]), 0.03), 0.8 * frame)
        for side in (-1, 1)
    ]  # fmt: skip
    return moved(joined(rim, shaft, *throat, *strings), (-length / 2, 0, grip))


def _height_at(body: Mesh, x: float, y: float) -> float:
    """Height of the upper side of a smooth body near a place, metres."""
    away = np.hypot(body.vertices[:, 0] - x, body.vertices[:, 1] - y)
    return float(body.vertices[away < 0.005, 2].max()) - 0.0005
