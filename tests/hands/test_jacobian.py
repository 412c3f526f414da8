from dataclasses import replace

import pytest
import torch

from bghop.geometry.rotations import matrix_from_rotvec
from bghop.hands.jacobian import joints_and_jacobian, left_jacobian
from bghop.hands.open_hand import load_open_hand


@pytest.fixture(scope="module")
def hand():
    model = load_open_hand().to(dtype=torch.float64)
    pose = model.random_poses(3, generator=torch.Generator().manual_seed(0)).double()
    return model, model.angles_from_pose(pose)


def chain(model, angles, shape=None):
    directions = model.joint_shape_directions.expand(*angles.shape[:-2], -1, 21, 3)
    rest = model.joints_rest
    if shape is not None:
        rest = rest + torch.einsum("...s,...sjc->...jc", shape, directions)
    axes = model.anatomy.axes.expand(*angles.shape[:-2], 15, 3, 3)
    return joints_and_jacobian(rest.expand(*angles.shape[:-2], 21, 3), axes, angles, directions)


def test_joints_are_those_of_the_model(hand):
    model, angles = hand
    shape = torch.randn(3, 2, model.num_shape, generator=torch.Generator().manual_seed(1)).double()
    parameters = replace(model.rest_parameters(3), pose=model.pose_from_angles(angles), shape=shape)
    found = chain(model, angles, shape).joints_hand
    assert torch.allclose(found, model.joints(parameters), atol=1e-9)


def test_derivatives_equal_central_differences(hand):
    model, angles = hand
    exact = chain(model, angles)
    full = torch.zeros(3, 2, 21, 3, 45, dtype=torch.float64)
    for finger in range(5):
        block = exact.by_angles[..., finger, :, :, :]
        full[..., 1 + 4 * finger : 5 + 4 * finger, :, 9 * finger : 9 * finger + 9] = block
    h = 1e-6
    for index in range(45):
        step = torch.zeros(45, dtype=torch.float64)
        step[index] = h
        step = step.reshape(15, 3)
        above, below = (chain(model, angles + s * step).joints_hand for s in (1, -1))
        assert torch.allclose(full[..., index], (above - below) / (2 * h), atol=1e-8)


def test_shape_derivatives_equal_differences(hand):
    model, angles = hand
    zero = torch.zeros(3, 2, model.num_shape, dtype=torch.float64)
    exact = chain(model, angles, zero)
    for index in range(model.num_shape):
        unit = zero.clone()
        unit[..., index] = 1.0
        change = chain(model, angles, unit).joints_hand - exact.joints_hand
        assert torch.allclose(exact.by_shape[..., index], change, atol=1e-9)


@pytest.mark.parametrize("size", [0.0, 1e-5, 1e-3, 1.0, 3.0])
def test_left_jacobian_is_the_derivative_of_the_exponential(size):
    generator = torch.Generator().manual_seed(0)
    w = size * torch.nn.functional.normalize(torch.randn(3, generator=generator).double(), dim=0)
    d = 1e-6 * torch.randn(3, generator=generator).double()
    ahead = matrix_from_rotvec(w + d)
    predicted = matrix_from_rotvec(left_jacobian(w) @ d) @ matrix_from_rotvec(w)
    assert torch.allclose(ahead, predicted, atol=1e-11)
