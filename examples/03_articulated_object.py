"""A lid on a hinge: one distance grid per part serves every angle, and hands for one of them."""

import math

import numpy as np
import torch

import bghop
from bghop.geometry.joint import Joint
from bghop.geometry.shapes import box

SIZE = (0.26, 0.18, 0.012)
base = box(SIZE)
raise_lid = np.eye(4)
raise_lid[2, 3] = SIZE[2] + 0.001
lid = box(SIZE).transformed(raise_lid)  # on the base; the hinge is the far long edge between them
hinge = Joint(
    kind="revolute", axis=(-1.0, 0.0, 0.0), origin=(0.0, SIZE[1] / 2, SIZE[2] / 2),
    limits=(0.0, math.pi),
)  # fmt: skip
book = bghop.ArticulatedObject(parts=(base, lid), joint=hinge, name="book")

distances = book.sdf(resolution=64)
point = torch.tensor([[0.0, 0.0, 0.06]])
for degrees in (0, 30, 60, 90):
    away = distances.distance(point, torch.tensor(math.radians(degrees)))
    print(
        f"open {degrees:2d} degrees: a point 6 cm above the base is {100 * float(away):.1f} cm away"
    )

hands = bghop.load_open_hand()
found = bghop.synthesize(book.mesh(math.radians(60)), hand_model=hands, num=2, seed=0)
print(f"hands on the half-open book: energies {[round(float(e), 2) for e in found.energy]}")
