"""Directions of hands: they are those of the model's own joints, and they turn with the hands."""

import torch

from bghop.geometry.rotations import random_rotations
from bghop.hands.axes import FINGERS_HAND, PALM_HAND, forearm_directions
from bghop.hands.open_hand import load_open_hand

INDEX, MIDDLE, LITTLE = 5, 9, 17  # bases of fingers; the wrist is at the origin


def test_straight_fingers_and_palms_point_as_the_resting_hands_do():
    rest = load_open_hand().joints_rest
    towards_middle = torch.nn.functional.normalize(rest[:, MIDDLE], dim=-1)
    assert ((towards_middle * FINGERS_HAND).sum(-1) > 0.99).all()
    across = torch.linalg.cross(rest[:, INDEX], rest[:, LITTLE])
    out_of_palm = torch.nn.functional.normalize(across, dim=-1) * torch.tensor([[-1.0], [1.0]])
    assert ((out_of_palm * PALM_HAND).sum(-1) > 0.9).all()
    assert (rest[:, MIDDLE + 1 : MIDDLE + 4, 1].diff(dim=1) < 0).all()  # fingers bend to the palm


def test_forearms_lie_against_the_fingers_and_turn_with_the_hands():
    R = random_rotations(10, generator=torch.Generator().manual_seed(0)).unflatten(0, (5, 2))
    still = torch.eye(3).expand(1, 2, 3, 3)
    assert torch.equal(forearm_directions(still)[0], -FINGERS_HAND)
    turned = (R @ forearm_directions(still)[..., None]).squeeze(-1)
    torch.testing.assert_close(forearm_directions(R), turned)
