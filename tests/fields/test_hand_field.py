from pathlib import Path

import numpy as np
import pytest
import torch

from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.geometry.transforms import transform_points

PARITY = Path(__file__).resolve().parents[3] / "shared" / "parity" / "hand_field.npz"


def joints(*batch: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.5 * torch.rand(*batch, 21, 3, generator=generator) - 0.25


def test_equals_the_definition_cell_by_cell():
    spec = GridSpec(resolution=5, centre=(0.02, 0.0, -0.01))
    points = joints(2)
    field = hand_field(points, spec)
    axis = spec.axis().tolist()
    for hand, channel, i, j, k in [(0, 0, 0, 0, 0), (1, 19, 4, 1, 2), (0, 7, 2, 3, 1)]:
        cell = np.array([axis[i], axis[j], axis[k]])
        joint = (points[hand, channel + 1].numpy() - spec.centre) / spec.unit
        expected = min(((cell - joint) ** 2).sum(), 0.12)
        assert field[hand, channel, i, j, k].item() == pytest.approx(expected, abs=1e-6)


def test_golden_numbers():
    """A joint 1 cm, 2 cm and 3 cm off the centre of the released grid, around its middle cells."""
    points = torch.zeros(21, 3)
    points[1] = torch.tensor([0.01, 0.02, 0.03])
    field = hand_field(points, GridSpec())[0, 7:9, 7:9, 8]
    # By hand: (half +- 0.05)^2 + (half +- 0.10)^2 + (half - 0.15)^2 with half = 0.0952381.
    golden = torch.tensor([[0.0622109, 0.0241157], [0.0431633, 0.0050681]])
    assert torch.allclose(field, golden, atol=1e-6)


def test_channels_are_the_joints_without_the_wrist():
    spec = GridSpec()
    points = joints()
    field = hand_field(points, spec)
    moved = points.clone()
    moved[0] += 0.1
    assert torch.equal(hand_field(moved, spec), field)
    swapped = points.clone()
    swapped[[3, 17]] = points[[17, 3]]
    assert torch.equal(hand_field(swapped, spec)[2], field[16])


def test_axes_of_the_array_are_x_y_z():
    spec = GridSpec()
    points = torch.zeros(21, 3)
    points[1] = torch.tensor([0.2, 0.0, -0.1])
    lowest = hand_field(points, spec)[0].flatten().argmin().item()
    i, j, k = lowest // 256, lowest // 16 % 16, lowest % 16
    axis = spec.axis()
    assert axis[i] > 0.7
    assert abs(axis[j]) < 0.2
    assert axis[k] < -0.3


def test_absent_hands_are_truncated_everywhere():
    spec = GridSpec()
    present = torch.tensor([True, False])
    field = hand_field(joints(3, 2), spec, present=present.expand(3, 2))
    assert (field[:, 1] == spec.truncation).all()
    assert (field[:, 0] < spec.truncation).any()


def test_gradients_pull_a_free_cell_along_the_joint():
    points = joints().requires_grad_()
    hand_field(points, GridSpec()).sum().backward()
    assert points.grad is not None
    assert points.grad[0].abs().max() == 0
    assert (points.grad[1:].abs().sum(-1) > 0).any()


@pytest.mark.assets
@pytest.mark.parametrize(("side", "S_name"), [("right", "nTh"), ("left", "nTh_left")])
def test_equals_the_released_code(side, S_name):
    if not PARITY.exists():
        pytest.skip("needs the parity fixtures beside the project")
    fixture = np.load(PARITY)
    points = torch.from_numpy(fixture["joints_hand_frame"])[0]
    S_grid_hand = torch.from_numpy(fixture[S_name]).reshape(4, 4)
    released = GridSpec.released(points[5])
    if side == "right":
        assert torch.allclose(released.S_grid_frame(), S_grid_hand, atol=1e-6)
    assert np.allclose(released.axis().numpy(), fixture["traingrid_axis"], atol=1e-6)
    # The left hand reaches the grid through a similarity of its own: place it by hand.
    placed = released.from_grid(transform_points(S_grid_hand, points))
    field = hand_field(placed, released)
    expected = fixture[f"field_{side}_traingrid"][0]
    assert np.abs(field.numpy() - expected).max() < 1e-6
