"""Soft toys: smooth bodies of round limbs."""

from itertools import pairwise

from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import sphere
from bghop.objects.family import family
from bghop.objects.outlines import Number
from bghop.objects.solids import Cone, blend, joined, moved

Place = tuple[Number, Number, Number]


@family(
    "teddy bear", "stuffed bear", "soft toy",
    height=(0.16, 0.32), belly_ratio=(0.2, 0.24), head_ratio=(0.165, 0.195),
)  # fmt: skip
def teddy_bear(*, height: float, belly_ratio: float, head_ratio: float) -> Mesh:
    """A sitting bear that looks towards -y."""
    h, belly, head = height, height * belly_ratio, height * head_ratio
    top = 0.74 * h
    cones: list[Cone] = [
        ((0, 0, 0.22 * h), (0, 0, 0.42 * h), belly, 0.8 * belly),
        ((0, 0, top), (0, 0, top), head, head),
        ((0, -0.75 * head, top - 0.25 * head), (0, -0.95 * head, top - 0.27 * head),
         0.5 * head, 0.4 * head),
    ]  # fmt: skip
    for side in (-1, 1):
        ear = (side * 0.80 * head, 0.05 * head, top + 0.80 * head)
        cones += [
            (ear, ear, 0.38 * head, 0.38 * head),
            ((side * 0.75 * belly, 0, 0.47 * h), (side * 1.35 * belly, -0.55 * belly, 0.28 * h),
             0.075 * h, 0.07 * h),
            ((side * 0.55 * belly, -0.3 * belly, 0.10 * h),
             (side * 0.95 * belly, -1.55 * belly, 0.09 * h), 0.095 * h, 0.085 * h),
        ]  # fmt: skip
    body = blend(cones, softness=0.035 * h, samples=60)
    return moved(body, (0, 0, -body.bounds[0, 2]))


@family(
    "toy elephant", "elephant",
    height=(0.065, 0.26), belly_ratio=(0.29, 0.33), trunk_ratio=(0.5, 0.62), ear_ratio=(0.24, 0.3),
)  # fmt: skip
def toy_elephant(
    *, height: float, belly_ratio: float, trunk_ratio: float, ear_ratio: float
) -> Mesh:
    """A standing elephant that looks towards +x, its trunk down and curled up at the end."""
    h, belly = height, height * belly_ratio
    head = (0.52 * h, 0.0, 0.72 * h)
    cones: list[Cone] = [
        ((-0.2 * h, 0, 0.56 * h), (0.22 * h, 0, 0.58 * h), belly, belly),
        ((0.48 * h, 0, 0.74 * h), (0.6 * h, 0, 0.68 * h), 0.215 * h, 0.15 * h),
        ((-0.46 * h, 0, 0.62 * h), (-0.56 * h, 0, 0.36 * h), 0.04 * h, 0.032 * h),
    ]
    curl = 0.06 - trunk_ratio
    line = (0.14, -0.08), (0.24, -0.24), (0.28, curl), (0.36, curl - 0.06), (0.46, curl)
    trunk = [_from(head, h, x, 0, z) for x, z in line]
    radii = [share * h for share in (0.115, 0.088, 0.07, 0.06, 0.052)]
    cones += [(*ends, *thick) for ends, thick in zip(pairwise(trunk), pairwise(radii), strict=True)]
    for side in (-1, 1):
        for x in (-0.24, 0.26):
            cones.append(((x * h, side * 0.155 * h, 0.4 * h), (x * h, side * 0.165 * h, 0.11 * h),
                          0.125 * h, 0.115 * h))  # fmt: skip
        tusk = _from(head, h, 0.12, side * 0.1, -0.12)
        cones.append((tusk, _from(tusk, h, 0.16, side * 0.05, -0.1), 0.036 * h, 0.03 * h))
    body = blend(cones, softness=0.035 * h, samples=64)
    # Flat ears that stand out from the head, each an ellipsoid that ends in it.
    wide = ear_ratio * h
    flat = sphere(1.0, segments=36)
    flat = Mesh(vertices=flat.vertices * [0.8 * wide, 0.035 * h + 0.002, wide], faces=flat.faces)
    ears = [
        moved(flat, (head[0] - 0.62 * wide, side * (0.16 * h + 0.42 * wide), head[2] + 0.02 * h),
              turn_deg=-side * 35)
        for side in (-1, 1)
    ]  # fmt: skip
    return moved(joined(body, *ears), (0, 0, -body.bounds[0, 2]))


@family(
    "toy dog", "dog", "stuffed animal",
    height=(0.065, 0.26), belly_ratio=(0.17, 0.21), head_ratio=(0.17, 0.2), leg_ratio=(0.3, 0.38),
)  # fmt: skip
def toy_dog(*, height: float, belly_ratio: float, head_ratio: float, leg_ratio: float) -> Mesh:
    """A standing dog with hanging ears that looks towards +x."""
    h, belly, head, leg = height, height * belly_ratio, height * head_ratio, height * leg_ratio
    back = leg + 0.7 * belly
    at = (0.44 * h, 0.0, 0.97 * h - head)
    nose = _from(at, head, 1.66, 0, -0.1)
    cones: list[Cone] = [
        ((-0.34 * h, 0, back), (0.22 * h, 0, back + 0.03 * h), 0.92 * belly, belly),
        ((0.26 * h, 0, back + 0.08 * h), at, 0.13 * h, 0.12 * h),
        (at, at, head, head),
        (_from(at, head, 0.6, 0, -0.25), _from(at, head, 1.3, 0, -0.35), 0.58 * head, 0.44 * head),
        (nose, nose, 0.15 * head, 0.15 * head),
        ((-0.46 * h, 0, back + 0.07 * h), (-0.64 * h, 0, back + 0.32 * h), 0.055 * h, 0.038 * h),
    ]  # fmt: skip
    for side in (-1, 1):
        for x in (-0.34, 0.24):
            cones.append(((x * h, side * 0.11 * h, leg), (x * h, side * 0.125 * h, 0.08 * h),
                          0.095 * h, 0.075 * h))  # fmt: skip
            paw = (x * h, side * 0.125 * h, 0.065 * h)
            cones.append((paw, _from(paw, h, 0.07, 0, -0.005), 0.07 * h, 0.06 * h))
        for x in (-1, 1):
            ear = _from(at, head, -0.15 + 0.1 * x, side * 0.72, 0.6)
            tip = _from(at, head, -0.2 + 0.2 * x, side * 1.12, -0.55)
            cones.append((ear, tip, 0.2 * head, 0.22 * head))
    body = blend(cones, softness=0.03 * h, samples=72)
    return moved(body, (0, 0, -body.bounds[0, 2]))


def _from(start: Place, scale: float, *shift: Number) -> Place:
    """A place some multiples of a length away from another one, metres."""
    x, y, z = (place + scale * share for place, share in zip(start, shift, strict=True))
    return float(x), float(y), float(z)
