"""Things with a joint: laptop, lidded box, notebook, scissors, sliding box, microwave oven.

Given at joint value 0 (closed); positive values open them. Parts overlap at their hinges, so
that an object is one solid at every value. All stand on z = 0; lids open upward from the
front (-y).
"""

import numpy as np

from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.joint import Joint
from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import loft
from bghop.objects.blocks import Block, centred, union_of_blocks
from bghop.objects.family import family
from bghop.objects.outlines import ellipse, rounded_rectangle
from bghop.objects.solids import bar, hoop, joined, moved, open_box, slab, turned


def _rod(length: float, radius: float) -> Mesh:
    """A round rod along x about the origin."""
    rod = turned([(0, -length / 2), (radius, -length / 2), (radius, length / 2), (0, length / 2)],
                 rounding=0.001, segments=28)  # fmt: skip
    return moved(rod, turn_deg=90, about="y")


def _opening(
    parts: tuple[Mesh, Mesh],
    origin: tuple[float, float, float],
    axis: tuple[float, float, float] = (-1.0, 0.0, 0.0),
    limit_deg: float = 180.0,
) -> ArticulatedObject:
    """A base and a part hinged to it; the default axis lifts the front (-y) of the part."""
    joint = Joint(kind="revolute", axis=axis, origin=origin, limits=(0.0, np.radians(limit_deg)))
    return ArticulatedObject(parts=parts, joint=joint)


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
    rods = [moved(_rod(0.2 * width, 0.0055), (side * 0.28 * width, *hinge[1:])) for side in (-1, 1)]
    # The screen lies 1 mm deeper than its frame.
    left, front = 0.47 * width, 0.46 * depth
    cover: list[Block] = [centred(width, depth, (above + 0.001, above + lid))]
    for side in (-1, 1):
        x, y = sorted((side * left, side * width / 2)), sorted((side * front, side * depth / 2))
        cover.append(((x[0], x[1]), (-depth / 2, depth / 2), (above, above + lid)))
        cover.append(((-width / 2, width / 2), (y[0], y[1]), (above, above + lid)))
    bottom = joined(union_of_blocks(blocks, step=0.012), *rods)
    rim = union_of_blocks(cover, step=0.012)
    return _opening((bottom, rim), hinge, limit_deg=135.0)


@family(
    "box with lid", "chest", "storage box",
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
    rods = [moved(_rod(0.16 * width, 0.005), (side * 0.3 * width, *hinge[1:])) for side in (-1, 1)]
    return _opening((joined(body, *rods), joined(lid, front)), hinge, limit_deg=120.0)


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
    spine = moved(_rod(height - 0.002, thick), hinge, turn_deg=90)
    return _opening((joined(back, spine), front), hinge, axis=(0.0, -1.0, 0.0), limit_deg=180.0)


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
    return _opening((fixed, half(-1, lift + thick)), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 90.0)


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
    knob = moved(_rod(0.016, 0.007), (length / 2 + 0.005, 0, height / 2))
    drawer = joined(moved(inner, (0, 0, wall - hair)), knob)
    joint = Joint(kind="prismatic", axis=(1.0, 0.0, 0.0), limits=(0.0, 0.8 * length))
    return ArticulatedObject(parts=(sleeve, drawer), joint=joint)


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
    return _opening(
        (body, joined(door, window, handle)), hinge, axis=(0.0, 0.0, -1.0), limit_deg=110.0
    )
