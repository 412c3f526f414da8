"""A tiny data set for tests: three objects, twelve records of random hands."""

import numpy as np
import pytest
import torch

from bghop.data.objects import stack_objects
from bghop.data.objects_from_mesh import REACH, object_from_articulated, object_from_mesh
from bghop.data.record import Records
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.joint import Joint
from bghop.geometry.rotations import random_rotations
from bghop.geometry.shapes import box, sphere
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandParameters
from bghop.hands.open_hand import load_open_hand


def moved(mesh, by):
    T = np.eye(4)
    T[:3, 3] = by
    return mesh.transformed(T)


@pytest.fixture(scope="session")
def hand_model():
    return load_open_hand()


@pytest.fixture(scope="session")
def lidded():
    """A box with a lid that turns about one of its upper edges."""
    base = box((0.12, 0.08, 0.04))
    lid = moved(box((0.12, 0.08, 0.01)), (0.0, 0.0, 0.03))
    joint = Joint(
        kind="revolute", axis=(2.0, 0.0, 0.0), origin=(0.0, 0.04, 0.025), limits=(-2.0, 0.0)
    )
    return ArticulatedObject(parts=(base, lid), joint=joint)


@pytest.fixture(scope="session")
def entries(lidded):
    ball = moved(sphere(0.05), (0.02, -0.01, 0.03))
    return [
        object_from_mesh("ball", ball),
        object_from_articulated("lidded", lidded),
        object_from_mesh("bar", box((0.3, 0.05, 0.03))),
    ]


@pytest.fixture(scope="session")
def objects(entries):
    return stack_objects(entries, reach=REACH)


@pytest.fixture(scope="session")
def records(hand_model):
    """Random hands about three objects, some with one hand only."""
    generator = torch.Generator().manual_seed(3)
    num = 12
    R = random_rotations(2 * num, generator=generator).view(num, 2, 3, 3)
    t = 0.1 * torch.randn(num, 2, 3, generator=generator)
    present = torch.ones(num, 2, dtype=torch.bool)
    present[3, 0] = present[4, 1] = False
    names = ("ball", "lidded", "bar")
    return Records(
        id=tuple(f"row{i}" for i in range(num)),
        object=tuple(names[i % 3] for i in range(num)),
        text=tuple(["ball", "box with a lid", ""][i % 3] for i in range(num)),
        split=tuple("val" if i % 3 == 2 else "train" for i in range(num)),
        source=("test",) * num,
        joint_value=torch.tensor([0.0, -0.8, 0.0] * 4),
        hands=HandParameters(
            present=present,
            T_object_hand=rigid(R, t),
            pose=hand_model.random_poses(num, generator=generator),
            shape=0.5 * torch.randn(num, 2, hand_model.num_shape, generator=generator),
        ),
        hand_model=hand_model.name,
        shape_names=hand_model.shape_names,
    )
