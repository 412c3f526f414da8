"""Handles are found by their form, moving parts by the joint; roles prefer pairs that use them."""

import numpy as np
import pytest
import torch

from bghop.datagen.roles import PENALTY, Places, Role, places_of, role_penalties
from bghop.objects.catalog import FAMILIES
from bghop.objects.seeds import training_rng
from bghop.synthesis.starts import Pool

UP = torch.tensor([0.0, 0.0, 1.0])


def places_in(name, seed=0):
    family = FAMILIES[name]
    sample = family.sample(training_rng(seed))
    mesh = family.mesh(sample)
    rng = np.random.default_rng(0)
    return mesh, places_of(mesh, family.articulated_object(sample), rng=rng)


@pytest.mark.parametrize("name", ["mug", "pot", "pan", "bucket", "hammer", "teapot"])
def test_handles_are_grips_and_the_rest_is_not(name):
    _, places = places_in(name)
    share = float(places.grip.float().mean())
    assert 0.02 < share < 0.8
    assert Role.GRIP in places.roles()
    if name == "mug":  # its handle is what lies farthest from the axis
        far = places.points[:, :2].norm(dim=-1)
        assert far[places.grip].median() > far[~places.grip].median()


@pytest.mark.parametrize("name", ["bowl", "box", "ball", "plate", "book", "cushion", "vase"])
def test_vessels_boxes_and_plates_have_no_grip(name):
    _, places = places_in(name)
    assert not places.grip.any()
    assert places.roles() == (Role.BOTH, Role.SUPPORT)


@pytest.mark.parametrize("name", [n for n, kind in FAMILIES.items() if kind.articulated])
def test_moving_parts_are_told(name):
    family = FAMILIES[name]
    sample = family.sample(training_rng(1))
    thing, mesh = family.articulated_object(sample), family.mesh(sample)
    places = places_of(mesh, thing, rng=np.random.default_rng(0))
    assert Role.OPEN in places.roles()
    value = torch.tensor(sample.joint_value, dtype=torch.float64)
    T = thing.joint.T_object_part(value).numpy()
    part = thing.parts[thing.joint.moving].transformed(T)
    low, high = part.bounds
    inside = places.points[places.moving].double().numpy()
    assert (inside > low - 1e-6).all()
    assert (inside < high + 1e-6).all()


def pool_with(contact, push):
    num = contact.shape[1]
    return Pool(
        T_object_hand=torch.eye(4).expand(2, num, 4, 4), preshape=torch.zeros(2, num).long(),
        contact=contact, push=push, cost=torch.zeros(2, num),
        spheres=torch.zeros(2, num, 1, 3), radii=torch.zeros(2, 1),
    )  # fmt: skip


def test_pairs_that_play_a_role_pay_nothing():
    points = torch.tensor([[0.0, 0, 0], [1.0, 0, 0]])
    marks = torch.tensor([False, True])
    places = Places(points=points, grip=marks, moving=marks)
    contact = torch.tensor([[[0.1, 0, 0], [0.9, 0, 0]]] * 2)
    side, below = torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 0, 0.5])
    pool = pool_with(contact, torch.stack([torch.stack([below, side])] * 2))
    paid = {role: role_penalties(role, pool, places, UP) / PENALTY for role in Role}
    assert not paid[Role.BOTH].any()
    assert paid[Role.GRIP].tolist() == [[1, 0], [0, 0]]
    assert paid[Role.OPEN].tolist() == [[1, 0], [0, 1]]
    assert paid[Role.SUPPORT].tolist() == [[1, 0], [0, 1]]
