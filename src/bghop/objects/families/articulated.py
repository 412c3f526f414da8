"""Things with a joint: laptop, phone, lidded box, notebook, scissors, sliding box, ketchup bottle.

Given at joint value 0 (closed); positive values open them. Parts overlap at their hinges, so
that an object is one solid at every value. All stand on z = 0; lids open upward from the
front (-y).
"""

import numpy as np

from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.joint import Joint
from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import loft
from bghop.objects.blocks import Block, centred, union_of_blocks, with_round_corners
from bghop.objects.family import family
from bghop.objects.hinges import opening, rod
from bghop.objects.outlines import ellipse, filleted, rounded_rectangle, spline
from bghop.objects.solids import (
    bar,
    hoop,
    joined,
    moved,
    open_box,
    slab,
    stacked,
    turned,
    vessel,
)


@family(
    "laptop", "notebook computer", "computer",
    joint_range=(np.radians(60), np.radians(125)),
    width=(0.27, 0.35), depth_ratio=(0.64, 0.7), base=(0.011, 0.016), lid=(0.006, 0.008),
)  # fmt: skip
def laptop(*, width: float, depth_ratio: float, base: float, lid: float) -> ArticulatedObject:
    """Keyboard and screen, hinged at the back."""
    depth = width * depth_ratio
    pitch = 0.87 * width / 12
    top = base + 0.0012
    blocks: list[Block] = [
        centred(width, depth, (0.0, base)),
        ((-0.15 * width, 0.15 * width), (-0.44 * depth, -0.18 * depth), (0.0, base + 0.0006)),
    ]
    for row in range(4):
        for column in range(12):
            x, y = (column - 5.5) * pitch, 0.38 * depth - row * pitch
            reach = 0.41 * pitch
            blocks.append(((x - reach, x + reach), (y - reach, y + reach), (0.0, top)))
    above = base + 0.0022
    hinge = (0.0, depth / 2 - 0.001, above)
    rods = [moved(rod(0.2 * width, 0.0055), (side * 0.28 * width, *hinge[1:])) for side in (-1, 1)]
    # The screen lies 1 mm deeper than its frame.
    left, front = 0.47 * width, 0.46 * depth
    cover: list[Block] = [centred(width, depth, (above + 0.001, above + lid))]
    for side in (-1, 1):
        x, y = sorted((side * left, side * width / 2)), sorted((side * front, side * depth / 2))
        cover.append(((x[0], x[1]), (-depth / 2, depth / 2), (above, above + lid)))
        cover.append(((-width / 2, width / 2), (y[0], y[1]), (above, above + lid)))
    bottom = joined(union_of_blocks(blocks, step=0.012), *rods)
    rim = union_of_blocks(cover, step=0.012)
    return opening((bottom, rim), hinge, limit_deg=135.0)


@family(
    "box with lid", "box", "chest", "storage box",
    joint_range=(np.radians(15), np.radians(110)),
    width=(0.12, 0.32), depth_ratio=(0.62, 0.8), height_ratio=(0.36, 0.55), wall=(0.004, 0.007),
)  # fmt: skip
def lidded_box(
    *, width: float, depth_ratio: float, height_ratio: float, wall: float
) -> ArticulatedObject:
    """A box with a hollow lid hinged at the back and a catch in front."""
    depth, height = width * depth_ratio, width * height_ratio
    low = 0.68 * height
    body = open_box(width, depth, low, wall, corner=0.006)
    lid = moved(open_box(width, depth, height - low, wall, corner=0.006), (0, 0, height),
                turn_deg=180, about="x")  # fmt: skip
    catch = slab(0.12 * width, 0.006, 0.3 * height, corner=0.002, rounding=0.0015)
    front = moved(catch, (0, -depth / 2 - 0.002, low - 0.06 * height))
    hinge = (0.0, depth / 2, low)
    rods = [moved(rod(0.16 * width, 0.005), (side * 0.3 * width, *hinge[1:])) for side in (-1, 1)]
    return opening((joined(body, *rods), joined(lid, front)), hinge, limit_deg=120.0)


@family(
    "notebook", "open book", "diary",
    joint_range=(np.radians(40), np.radians(165)),
    height=(0.12, 0.24), width_ratio=(0.66, 0.76), pages=(0.006, 0.012), cover=(0.003, 0.004),
)  # fmt: skip
def notebook(*, height: float, width_ratio: float, pages: float, cover: float) -> ArticulatedObject:
    """A book in two halves, each a cover with pages, hinged along its spine at -x."""
    width, thick = height * width_ratio, cover + pages
    page_y = height / 2 - 0.004
    blocks: list[Block] = [
        centred(width, height, (0.0, cover)),
        ((-width / 2, width / 2 - 0.005), (-page_y, page_y), (0.0, thick)),
    ]
    back = union_of_blocks(blocks, step=height / 24)
    front = moved(back, (0, 0, 2 * thick), turn_deg=180, about="x")
    hinge = (-width / 2 - 0.001, 0.0, thick)
    # A round back that both covers end in, whatever the angle.
    spine = moved(rod(height - 0.002, thick), hinge, turn_deg=90)
    return opening((joined(back, spine), front), hinge, axis=(0.0, -1.0, 0.0), limit_deg=180.0)


@family(
    "scissors", "pair of scissors", "shears",
    joint_range=(np.radians(15), np.radians(70)),
    length=(0.15, 0.22), blade_ratio=(0.48, 0.56), handle=(0.0042, 0.005), thick=(0.0034, 0.0042),
)  # fmt: skip
def scissors(
    *, length: float, blade_ratio: float, handle: float, thick: float
) -> ArticulatedObject:
    """Two blades that turn about a screw, one finger loop each; blades towards +x."""
    blade = length * blade_ratio
    back = length - blade
    loop = ellipse(0.62 * back, 0.38 * back, num=48)
    z = max(thick, handle)

    def half(side: int, low: float) -> Mesh:
        rings = []
        for x in np.linspace(-0.16, 1.0, 24):
            wide = 0.085 * length * (1 - 0.93 * max(x, 0.0) ** 1.3)
            outline = rounded_rectangle(wide, thick, 0.0006, sides=2, steps=2)
            # The edge is straight, the back runs towards it.
            y = -side * 0.3 * (0.085 * length - wide)
            rings.append(
                np.stack([np.full(len(outline), x * blade), outline[:, 0] + y,
                          outline[:, 1] + low + thick / 2], 1))  # fmt: skip
        centre = np.array([-0.69 * back, side * 0.235 * back])
        ring = moved(hoop(loop, 0.0, handle), (*centre, z))
        shank = bar(
            [(-0.02 * blade, 0, low + thick / 2), (-0.18 * back, side * 0.03 * back, z),
             (-0.40 * back, side * 0.17 * back, z)],
            0.95 * handle, rounding=0.015, segments=14,
        )  # fmt: skip
        return joined(loft(np.stack(rings)), ring, shank)

    screw = turned([(0, 0), (0.006, 0), (0.006, 2 * thick + 0.003), (0, 2 * thick + 0.003)],
                   rounding=0.0012, segments=28)  # fmt: skip
    lift = z - thick
    fixed = joined(half(1, lift), moved(screw, (0, 0, lift)))
    return opening((fixed, half(-1, lift + thick)), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 90.0)


@family(
    "sliding box", "matchbox", "drawer",
    joint_range=(0.015, 0.04),
    length=(0.07, 0.18), width_ratio=(0.6, 0.72), height_ratio=(0.3, 0.4), wall=(0.003, 0.0042),
)  # fmt: skip
def sliding_box(
    *, length: float, width_ratio: float, height_ratio: float, wall: float
) -> ArticulatedObject:
    """A sleeve and a drawer in it that slides out along +x, metres."""
    width, height = length * width_ratio, length * height_ratio
    profile = [(0.0, x) for x in np.linspace(-length / 2, length / 2, 24)]
    profile += [(wall, -x) for _, x in profile]
    rings = []
    for depth, x in profile:
        outline = rounded_rectangle(
            width - 2 * depth, height - 2 * depth, 0.003 if depth == 0 else 0.001
        )
        rings.append(np.stack([np.full(len(outline), x), outline[:, 0], outline[:, 1]], 1))
    sleeve = moved(loft(np.stack(rings), closed=True), (0, 0, height / 2))
    # Larger than the hole by a hair, so that both are one solid.
    hair = 0.0002
    inner = open_box(
        length, width - 2 * (wall - hair), height - 2 * wall - 0.0008, wall, corner=0.002
    )
    knob = moved(rod(0.016, 0.007), (length / 2 + 0.005, 0, height / 2))
    drawer = joined(moved(inner, (0, 0, wall - hair)), knob)
    joint = Joint(kind="prismatic", axis=(1.0, 0.0, 0.0), limits=(0.0, 0.8 * length))
    return ArticulatedObject(parts=(sleeve, drawer), joint=joint)


@family(
    "phone", "cell phone", "mobile phone",
    joint_range=(np.radians(20), np.radians(165)),
    length=(0.075, 0.105), width_ratio=(0.5, 0.58), thick=(0.008, 0.0105),
)  # fmt: skip
def phone(*, length: float, width_ratio: float, thick: float) -> ArticulatedObject:
    """A flip phone: keys below, a screen in the lid, hinged at the back; `length` is of a half."""
    width, above, top = length * width_ratio, thick + 0.002, 2 * thick + 0.002
    pitch, up = (0.25 * width, 0.13 * length), (0.0, thick + 0.0012)
    blocks: list[Block] = [
        centred(width, length, (0.0, thick)),
        ((-0.2 * width, 0.2 * width), (0.12 * length, 0.34 * length), up),
    ]
    for row in range(4):
        for column in range(3):
            x, y = (column - 1) * pitch[0], (row - 3.2) * pitch[1]
            side = (x - 0.4 * pitch[0], x + 0.4 * pitch[0])
            blocks.append((side, (y - 0.36 * pitch[1], y + 0.36 * pitch[1]), up))
    # The screen lies 1 mm deeper than its frame.
    left, front = 0.4 * width, 0.42 * length
    cover: list[Block] = [centred(width, length, (above + 0.001, top))]
    for end in (-1, 1):
        x, y = sorted((end * left, end * width / 2)), sorted((end * front, end * length / 2))
        cover.append(((x[0], x[1]), (-length / 2, length / 2), (above, top)))
        cover.append(((-width / 2, width / 2), (y[0], y[1]), (above, top)))
    half, lid = (
        with_round_corners(union_of_blocks(part, step=0.004), 0.01) for part in (blocks, cover)
    )
    hinge = (0.0, length / 2 - 0.002, thick + 0.001)
    # Two knuckles of the base and one of the lid on one axis; they overlap by a hair.
    radius = 0.55 * thick
    knuckles = [
        moved(rod(0.3 * width, radius), (side * 0.3 * width, *hinge[1:])) for side in (-1, 1)
    ]
    middle = moved(rod(0.302 * width, radius), hinge)
    return opening((joined(half, *knuckles), joined(lid, middle)), hinge, limit_deg=170.0)


@family(
    "ketchup bottle", "ketchup", "sauce bottle",
    joint_range=(np.radians(20), np.radians(150)),
    height=(0.14, 0.24), width_ratio=(0.34, 0.42), depth_ratio=(0.6, 0.72), cap_ratio=(0.5, 0.6),
)  # fmt: skip
def ketchup_bottle(
    *, height: float, width_ratio: float, depth_ratio: float, cap_ratio: float
) -> ArticulatedObject:
    """A full oval squeeze bottle with a cap whose lid flips up, hinged at the back (+y)."""
    width, shoulder = height * width_ratio, 0.8 * height
    cap = max(0.5 * width * cap_ratio, 0.0155)
    side = spline(
        [(0.46, 0.04), (0.5, 0.2), (0.45, 0.5), (0.485, 0.74), (0.42, 0.9), (0.25, 1.0)], 40
    )
    line = np.concatenate([[(0.42, 0.0)], side])
    outlines = [
        (ellipse(2 * reach * width, 2 * width * reach * depth_ratio, num=56), share * shoulder)
        for reach, share in line
    ]
    step = 0.05 * height
    collar = moved(
        turned([(0, -0.01), (0.8 * cap, -0.01), (0.8 * cap, 0.3 * step), (cap, 0.6 * step),
                (cap, 2 * step), (0, 2 * step)], rounding=0.0015, segments=44),
        (0, 0, shoulder),
    )  # fmt: skip
    top = shoulder + 2 * step
    nozzle = moved(turned([(0, -0.002), (0.007, -0.002), (0.0045, 0.009), (0, 0.009)],
                          rounding=0.001, segments=18), (0, 0, top))  # fmt: skip
    lid_height = height - top
    lid = vessel(filleted([(0, 0), (cap, 0), (cap, lid_height)], 0.003), 0.0034, segments=48)
    lid = moved(lid, (0, 0, height + 0.0004), turn_deg=180, about="x")
    tab = moved(
        slab(0.012, 0.007, 0.004, corner=0.0015, rounding=0.001), (0, -cap - 0.001, top + 0.002)
    )
    hinge = (0.0, cap + 0.0005, top)
    pin = moved(rod(0.9 * cap, 0.0036), hinge)
    body = joined(stacked(outlines), collar, nozzle, pin)
    return opening((body, joined(lid, tab)), hinge, limit_deg=170.0)
