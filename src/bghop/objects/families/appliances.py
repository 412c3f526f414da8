"""Kitchen machines with a joint: microwave, mixer, waffle iron, capsule and espresso machine.

Given at joint value 0 (closed); positive values open or turn them. They stand on z = 0, fronts
towards -y (the mixer's towards +x).
"""

import numpy as np

from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.mesh import Mesh
from bghop.objects.blocks import Block, union_of_blocks
from bghop.objects.family import family
from bghop.objects.hinges import opening, rod
from bghop.objects.outlines import filleted, rounded_rectangle
from bghop.objects.solids import bar, hoop, joined, moved, open_box, peg, slab, turned, vessel


@family(
    "microwave", "microwave oven", "oven",
    joint_range=(np.radians(20), np.radians(100)),
    width=(0.22, 0.3), height_ratio=(0.55, 0.62), depth_ratio=(0.6, 0.72), wall=(0.008, 0.012),
)  # fmt: skip
def microwave(
    *, width: float, height_ratio: float, depth_ratio: float, wall: float
) -> ArticulatedObject:
    """A small oven whose front (-y) is a door with a handle, hinged at its left edge (-x)."""
    height, depth = width * height_ratio, width * depth_ratio
    room = 0.76 * width
    oven = open_box(room, height, depth, wall, corner=0.008, floor=1.5 * wall)
    oven = moved(oven, ((room - width) / 2, depth / 2, height / 2), turn_deg=90, about="x")
    panel = slab(width - room + wall, depth, height, corner=0.006, rounding=0.004)
    panel = moved(panel, ((room - wall) / 2, 0, 0))
    button = turned([(0, -0.004), (0.03 * width, -0.004), (0.026 * width, 0.012), (0, 0.012)],
                    rounding=0.0015, segments=32)  # fmt: skip
    knobs = [
        moved(button, (0.385 * width, -depth / 2, share * height), turn_deg=90, about="x")
        for share in (0.3, 0.62)
    ]
    left, front = -width / 2, -depth / 2
    thick = 0.016
    door = moved(slab(room, thick, height, corner=0.004, rounding=0.003),
                 ((room - width) / 2, front - thick / 2, 0))  # fmt: skip
    frame = hoop(rounded_rectangle(0.72 * room, 0.62 * height, 0.01), 0.0, 0.003)
    window = moved(frame, ((room - width) / 2 - 0.04 * room, front - thick, height / 2),
                   turn_deg=90, about="x")  # fmt: skip
    x = left + 0.93 * room
    y = front - thick + 0.003
    handle = bar([(x, y, 0.25 * height), (x, y - 0.03, 0.25 * height),
                  (x, y - 0.03, 0.75 * height), (x, y, 0.75 * height)], 0.0055)  # fmt: skip
    hinge = (left + 0.004, front, 0.0)
    pin = turned([(0, 0.02), (0.004, 0.02), (0.004, height - 0.02), (0, height - 0.02)],
                 rounding=0.001, segments=20)  # fmt: skip
    body = joined(oven, panel, *knobs, moved(pin, hinge))
    return opening(
        (body, joined(door, window, handle)), hinge, axis=(0.0, 0.0, -1.0), limit_deg=110.0
    )


@family(
    "mixer", "stand mixer", "hand mixer",
    joint_range=(np.radians(8), np.radians(45)),
    length=(0.2, 0.31), head_ratio=(0.135, 0.165), bowl_ratio=(0.2, 0.235), wall=(0.0035, 0.005),
)  # fmt: skip
def mixer(*, length: float, head_ratio: float, bowl_ratio: float, wall: float) -> ArticulatedObject:
    """A stand mixer: a bowl on a foot, and a head with a beater that tilts up about the column."""
    thick, back = length * head_ratio, -0.3 * length
    foot = slab(length, 0.5 * length, 0.075 * length, corner=0.2 * length, rounding=0.008)
    middle = 0.7 * length
    column = bar(
        [(back, 0, 0.05 * length), (back - 0.03 * length, 0, 0.3 * length),
         (back, 0, middle - 0.35 * thick)],
        0.1 * length, rounding=0.1 * length, segments=36,
    )  # fmt: skip
    column = Mesh(vertices=column.vertices * [1, 0.82, 1], faces=column.faces)
    reach = bowl_ratio * length
    bowl = vessel(
        filleted([(0, 0), (0.5 * reach, 0), (0.95 * reach, 0.16 * length), (reach, 0.36 * length)],
                 0.05 * length), wall, segments=48,
    )  # fmt: skip
    at = 0.2 * length
    # The head lies along x: round at both ends, flat where an attachment plugs in.
    head = turned(
        [(0, -0.5 * length), (0.7 * thick, -0.5 * length), (0.95 * thick, -0.3 * length),
         (thick, 0.05 * length), (0.92 * thick, 0.3 * length), (0.72 * thick, 0.47 * length),
         (0.36 * thick, 0.48 * length), (0.36 * thick, 0.5 * length), (0, 0.5 * length)],
        rounding=0.035 * length, segments=40,
    )  # fmt: skip
    head = moved(head, (0, 0, middle), turn_deg=90, about="y")
    low, shaft = 0.16 * length, 0.03 * length
    under = middle - 0.8 * thick
    beater = turned(
        [(0, low), (0.05 * length, low), (0.11 * length, low + 0.09 * length),
         (0.09 * length, low + 0.19 * length), (shaft, low + 0.24 * length), (shaft, under),
         (0, under)],
        rounding=0.015 * length, segments=28,
    )  # fmt: skip
    beater = Mesh(vertices=beater.vertices * [1, 0.5, 1], faces=beater.faces)
    hub = peg(0.055 * length, 0.06 * length + 0.004, rounding=0.003)
    knob = peg(0.033 * length, 0.045 * length, rounding=0.003)
    knob = moved(knob, (-0.05 * length, -0.94 * thick, middle), turn_deg=90, about="x")
    hinge = (back, 0.0, middle - 0.55 * thick)
    pin = moved(rod(1.94 * thick, 0.03 * length), hinge, turn_deg=90)
    body = joined(foot, column, moved(bowl, (at, 0, 0.075 * length - 0.002)), pin)
    tilting = joined(
        head, moved(hub, (at, 0, under - 0.06 * length)), moved(beater, (at, 0, 0)), knob
    )
    return opening((body, tilting), hinge, axis=(0.0, -1.0, 0.0), limit_deg=60.0)


@family(
    "waffle iron", "waffle maker", "sandwich maker",
    joint_range=(np.radians(15), np.radians(105)),
    radius=(0.07, 0.12), height_ratio=(0.3, 0.38), handle_ratio=(0.5, 0.7),
)  # fmt: skip
def waffle_iron(*, radius: float, height_ratio: float, handle_ratio: float) -> ArticulatedObject:
    """Two round plates with a grid each, hinged at the back, a handle on both in front."""
    thick, sunk = radius * height_ratio, 0.005
    plate = turned(
        [(0, 0), (0.86 * radius, 0), (radius, 0.45 * thick), (radius, thick),
         (0.9 * radius, thick), (0.89 * radius, thick - sunk), (0, thick - sunk)],
        rounding=0.0025, segments=48,
    )  # fmt: skip
    bars: list[Block] = []
    across, level = 0.036 * radius + 0.001, (thick - sunk - 0.002, thick - 0.0012)
    for share in np.linspace(-0.8, 0.8, 7):
        place, half = 0.88 * radius * share, 0.88 * radius * np.sqrt(1 - share**2)
        side = (place - across, place + across)
        bars += [(side, (-half, half), level), ((-half, half), side, level)]
    grid = union_of_blocks(bars, step=0.03)
    grip = slab(0.36 * radius, radius * handle_ratio, 0.4 * thick, corner=0.01, rounding=0.005)
    reach = -0.95 * radius - radius * handle_ratio / 2 + 0.004
    half = joined(plate, grid, moved(grip, (0, reach, 0.52 * thick)))
    lift = 0.008
    button = peg(0.01, lift + 0.003, rounding=0.0015)
    feet = [
        moved(button, (0.6 * radius * np.cos(turn), 0.6 * radius * np.sin(turn), 0))
        for turn in np.radians([45, 135, 225, 315])
    ]  # fmt: skip
    top = lift + thick
    upper = moved(half, (0, 0, top + 0.0006 + thick), turn_deg=180, about="x")
    # Turning about x swaps front and back; half a turn about z puts the handle in front again.
    upper = moved(upper, turn_deg=180)
    light = moved(button, (0, -0.5 * radius, top + thick - 0.006))
    hinge = (0.0, radius + 0.003, top + 0.0003)
    pin = moved(rod(0.5 * radius, 0.009), hinge)
    return opening((joined(moved(half, (0, 0, lift)), *feet, pin), joined(upper, light)), hinge,
                   limit_deg=110.0)  # fmt: skip


@family(
    "capsule machine", "coffee capsule machine", "coffee machine",
    joint_range=(np.radians(10), np.radians(100)),
    width=(0.09, 0.14), height_ratio=(1.7, 2.1), depth_ratio=(1.7, 2.1), lever=(0.006, 0.008),
)  # fmt: skip
def capsule_machine(
    *, width: float, height_ratio: float, depth_ratio: float, lever: float
) -> ArticulatedObject:
    """A coffee machine whose lever, a bow around its head, lifts to open it for a capsule."""
    height, depth = width * height_ratio, width * depth_ratio
    foot = 0.1 * height
    tray = slab(0.86 * width, 1.12 * depth, foot, corner=0.3 * width, rounding=0.006)
    grate: list[Block] = [
        ((-0.3 * width, 0.3 * width), (y - 0.003, y + 0.003), (foot - 0.002, foot + 0.003))
        for y in depth * np.array([-0.4, -0.34, -0.28, -0.22, -0.16])
    ]
    tower = slab(0.8 * width, 0.4 * depth, 0.96 * height - foot, corner=0.1 * width, rounding=0.01)
    tank = turned([(0, foot - 0.006), (0.34 * width, foot - 0.006), (0.36 * width, height),
                   (0, height)], rounding=0.006, segments=44)  # fmt: skip
    low, front = 0.6 * height, -0.36 * depth
    long = 0.3 * depth + 0.12 * width
    head = slab(0.62 * width, long, height - low, corner=0.12 * width, rounding=0.012)
    spout = turned(
        [(0, -0.1 * height), (0.05 * width, -0.1 * height), (0.05 * width, -0.04 * height),
         (0.16 * width, -0.02 * height), (0.16 * width, 0.006), (0, 0.006)],
        rounding=0.002, segments=32,
    )  # fmt: skip
    hinge = (0.0, -0.01 * depth, height - 0.16 * (height - low))
    side = 0.4 * width + lever + 0.001
    pin = moved(rod(2 * (side + lever), 1.5 * lever), hinge)
    z, end = hinge[2], front - lever - 0.03 * depth
    bow = bar([(-side, hinge[1], z), (-side, end, z), (side, end, z), (side, hinge[1], z)], lever,
              rounding=0.1 * width)  # fmt: skip
    grip = moved(rod(0.4 * width, 1.5 * lever), (0, end, z))
    body = joined(
        moved(tray, (0, 0.06 * depth, 0)), union_of_blocks(grate, step=0.02), pin,
        moved(tower, (0, 0.14 * depth, foot - 0.006)),
        moved(tank, (0, 0.34 * depth + 0.32 * width, 0)),
        moved(head, (0, front + long / 2, low)),
        moved(spout, (0, front + 0.14 * depth, low)),
    )  # fmt: skip
    return opening((body, joined(bow, grip)), hinge, limit_deg=110.0)


@family(
    "espresso machine", "espresso", "coffee maker",
    joint_range=(0.0, np.radians(60)),
    width=(0.14, 0.22), height_ratio=(1.05, 1.3), depth_ratio=(0.8, 1.0), handle_ratio=(0.5, 0.62),
)  # fmt: skip
def espresso_machine(
    *, width: float, height_ratio: float, depth_ratio: float, handle_ratio: float
) -> ArticulatedObject:
    """A machine whose filter holder turns below the group, its handle from left to right."""
    height, depth = width * height_ratio, width * depth_ratio
    foot, low = 0.13 * height, 0.72 * height
    tray = slab(width, depth, foot, corner=0.012, rounding=0.005)
    wall = slab(width, 0.4 * depth, low - foot + 0.012, corner=0.012, rounding=0.005)
    hood = slab(width, 0.92 * depth, height - low, corner=0.012, rounding=0.006)
    rail = moved(hoop(rounded_rectangle(0.86 * width, 0.76 * depth, 0.02), height + 0.016, 0.003),
                 (0, 0.04 * depth, 0))  # fmt: skip
    post = bar([(0, 0, height - 0.004), (0, 0, height + 0.017)], 0.003, segments=12)
    posts = [
        moved(post, (side * 0.43 * width, share * depth, 0))
        for side in (-1, 1) for share in (-0.16, 0.24)
    ]  # fmt: skip
    radius, at = 0.15 * width, -0.16 * depth
    drop = 0.06 * height
    group = peg(1.1 * radius, drop + 0.008, rounding=0.002, num=48)
    dial = peg(0.07 * width, 0.018, rounding=0.002, num=32)
    # 4 mm of a dial are in the front of the hood.
    face = 0.04 * depth - 0.46 * depth + 0.004
    dials = [
        moved(dial, (side * 0.3 * width, face, (height + low) / 2), turn_deg=90, about="x")
        for side in (-1, 1)
    ]
    x = 0.42 * width
    wand = bar([(x, -0.2 * depth, low + 0.006), (x, -0.2 * depth, 0.6 * height),
                (x, -0.34 * depth, 0.3 * height)], 0.004, rounding=0.02, segments=14)  # fmt: skip
    body = joined(
        tray, rail, *posts, *dials, wand,
        moved(wall, (0, 0.3 * depth, foot - 0.006)),
        moved(hood, (0, 0.04 * depth, low)),
        moved(group, (0, at, low - drop)),
    )  # fmt: skip
    top = low - drop
    holder = turned(
        [(0, -0.11 * height), (0.16 * radius, -0.11 * height), (0.16 * radius, -0.07 * height),
         (0.8 * radius, -0.05 * height), (radius, -0.04 * height), (radius, 0.0015), (0, 0.0015)],
        rounding=0.002, segments=40,
    )  # fmt: skip
    share = np.linspace(0, 1, 30)
    along = 0.85 * radius + width * handle_ratio * share
    # A thin neck, then a grip that is round at the end.
    radii = 0.006 + 0.0065 * np.clip((share - 0.2) / 0.15, 0, 1)
    radii *= np.sqrt(1 - np.clip((share - 0.93) / 0.072, 0, 1) ** 2)
    turn = np.radians(-120)
    path = np.stack([along * np.cos(turn), along * np.sin(turn), -0.02 * height + 0 * share], 1)
    moving = moved(joined(holder, bar(path, radii)), (0, at, top))
    return opening((body, moving), (0.0, at, top), axis=(0.0, 0.0, 1.0), limit_deg=60.0)
