"""Things turned about an axis: balls, cans, rings, wheels, dumbbells, rolling pins."""

import numpy as np

from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import sphere, torus
from bghop.objects.family import family
from bghop.objects.outlines import arc
from bghop.objects.solids import bar, joined, moved, turned


@family("ball", "sphere", "basketball", radius=(0.031, 0.125))
def ball(*, radius: float) -> Mesh:
    """A ball that lies on z = 0."""
    return moved(sphere(radius, segments=72), (0, 0, radius))


@family("cylinder", "can", "tin can", "drum", radius=(0.025, 0.06), height_ratio=(1.2, 3.6))
def cylinder(*, radius: float, height_ratio: float) -> Mesh:
    """A full can with a raised edge at both ends."""
    height = radius * height_ratio
    edge, sunk = 0.06 * radius + 0.001, 0.002
    low = [
        (0, sunk), (0.88 * radius, sunk), (0.91 * radius, 0), (radius, 0), (radius, edge),
        (0.97 * radius, 1.5 * edge),
    ]  # fmt: skip
    high = [(r, height - z) for r, z in reversed(low)]
    return turned([*low, *high], rounding=0.0012, segments=72)


@family("ring", "torus", "swim ring", "wreath", radius=(0.06, 0.15), tube_ratio=(0.16, 0.34))
def ring(*, radius: float, tube_ratio: float) -> Mesh:
    """A ring lying flat."""
    thick = radius * tube_ratio
    return moved(torus(radius, thick, segments=80), (0, 0, thick))


@family(
    "steering wheel", "wheel",
    radius=(0.155, 0.195), rim=(0.012, 0.017), dish=(0.02, 0.045), hub_ratio=(0.22, 0.3),
)  # fmt: skip
def steering_wheel(*, radius: float, rim: float, dish: float, hub_ratio: float) -> Mesh:
    """A wheel of three spokes lying on its front, the hub sunk by `dish` behind the rim."""
    hub = radius * hub_ratio
    middle = turned([(0, 0), (0.85 * hub, 0), (hub, 0.008), (hub, 0.03), (0.7 * hub, 0.045),
                     (0, 0.045)], rounding=0.006, segments=48)  # fmt: skip
    spokes = []
    for turn in np.radians([0, 180, 270]):
        direction = np.array([np.cos(turn), np.sin(turn), 0.0])
        start = 0.7 * hub * direction + [0, 0, dish + 0.02]
        end = (radius - 0.2 * rim) * direction + [0, 0, rim]
        knee = 0.72 * radius * direction + [0, 0, dish + 0.012]
        spokes.append(bar(np.stack([start, knee, end]), 0.0105, rounding=0.03))
    return joined(
        moved(torus(radius, rim, segments=96), (0, 0, rim)),
        moved(middle, (0, 0, dish)),
        *spokes,
    )


@family(
    "dumbbell", "hand weight", "barbell",
    length=(0.15, 0.3), head_ratio=(0.17, 0.24), grip_ratio=(0.42, 0.5), handle=(0.013, 0.017),
)  # fmt: skip
def dumbbell(*, length: float, head_ratio: float, grip_ratio: float, handle: float) -> Mesh:
    """Two six-sided weights on a bar along x, lying on z = 0."""
    radius, inner = length * head_ratio, 0.5 * length * grip_ratio
    weight = turned(
        [(0, inner), (0.82 * radius, inner), (radius, inner + 0.12 * radius),
         (radius, length / 2 - 0.12 * radius), (0.82 * radius, length / 2), (0, length / 2)],
        rounding=0.002, segments=6,
    )  # fmt: skip
    grip = turned(
        [(0, -inner - 0.01), (handle * 0.9, -inner - 0.01), (handle * 0.9, -0.8 * inner),
         (handle * 1.12, 0), (handle * 0.9, 0.8 * inner), (handle * 0.9, inner + 0.01),
         (0, inner + 0.01)],
        rounding=0.03, segments=40,
    )  # fmt: skip
    # A six-sided head rests on a flat side.
    level = moved(weight, turn_deg=30)
    whole = joined(grip, level, moved(level, turn_deg=180, about="x"))
    return moved(whole, (0, 0, radius * np.cos(np.pi / 6)), turn_deg=90, about="y")


@family(
    "rolling pin", "dough roller",
    length=(0.36, 0.44), radius=(0.022, 0.03), grip_ratio=(0.2, 0.25),
)  # fmt: skip
def rolling_pin(*, length: float, radius: float, grip_ratio: float) -> Mesh:
    """A roller with a grip at each end, along x, lying on z = 0."""
    half, grip = length / 2, length * grip_ratio
    thin = 0.55 * radius
    right = [
        (0.28 * radius, half - grip + 0.006), (0.62 * thin, half - grip + 0.008),
        (thin, half - 0.55 * grip), (0.85 * thin, half - 0.15 * grip),
        (0.8 * thin, half - 0.01), (0.5 * thin, half), (0, half),
    ]  # fmt: skip
    body = [(radius, half - grip)]
    upper = [*body, *right]
    lower = [(r, -x) for r, x in reversed(upper)]
    pin = turned([*lower, *upper], rounding=0.005, segments=56)
    return moved(pin, (0, 0, radius), turn_deg=90, about="y")


@family(
    "trophy", "cup with two handles",
    height=(0.2, 0.38), bowl_ratio=(0.2, 0.26), handle=(0.005, 0.007),
)  # fmt: skip
def trophy(*, height: float, bowl_ratio: float, handle: float) -> Mesh:
    """A full cup on a foot with two ears along x."""
    reach = height * bowl_ratio
    body = turned(
        [(0, 0), (0.85 * reach, 0), (0.85 * reach, 0.14 * height), (0.6 * reach, 0.16 * height),
         (0.16 * reach, 0.26 * height), (0.16 * reach, 0.38 * height),
         (0.75 * reach, 0.50 * height), (0.92 * reach, 0.75 * height), (reach, height),
         (0.9 * reach, height), (0, 0.94 * height)],
        rounding=0.012,
    )  # fmt: skip
    curve = arc((0.0, 0.0), 1.0, 100, -100, 40)
    x = 0.86 * reach + 0.62 * reach * curve[:, 0]
    z = 0.72 * height + 0.17 * height * curve[:, 1]
    ear = bar(np.stack([x, np.zeros(40), z], 1), np.full(40, handle))
    return joined(body, ear, moved(ear, turn_deg=180))
