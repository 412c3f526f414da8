"""Objects in a prior's grid: the right way up, in the middle, and back again."""

from dataclasses import replace

import pytest
import torch

from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import box
from bghop.geometry.transforms import transform_points
from bghop.hands.model import HandModel
from bghop.synthesis.placement import check_size, grid_distances, place, up_rotation
from small_scenes_of_hands import palms_beside

OURS = GridSpec(frame="object", unit=0.30)
RELEASED = GridSpec.released(torch.tensor([-0.09, 0.0, 0.02]))
T_ASIDE = torch.tensor(
    [[1.0, 0.0, 0.0, 0.4], [0.0, 1.0, 0.0, -0.2], [0.0, 0.0, 1.0, 0.7], [0.0, 0.0, 0.0, 1.0]]
).double()


@pytest.fixture(scope="module")
def aside() -> Mesh:
    """A box of 20 x 10 x 16 cm far from its frame's origin."""
    return box((0.20, 0.10, 0.16)).transformed(T_ASIDE.numpy())


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_up_becomes_z_by_a_rotation(up: str):
    R = up_rotation(up)
    axis = torch.eye(3, dtype=torch.float64)["xyz".index(up)]
    assert (R @ axis).tolist() == [0, 0, 1]
    torch.testing.assert_close(R @ R.T, torch.eye(3, dtype=torch.float64))
    assert float(torch.linalg.det(R)) == pytest.approx(1)


@pytest.mark.parametrize("up", ["x", "y", "z", "none"])
def test_the_middle_of_the_box_is_the_middle_of_the_grid(aside: Mesh, up: str):
    T = place(aside, OURS, num=3, seed=0, up=up).T_grid_object
    moved = transform_points(T, torch.from_numpy(aside.vertices).expand(3, -1, -1))
    middle = (moved.amin(1) + moved.amax(1)) / 2
    torch.testing.assert_close(middle, torch.zeros_like(middle), rtol=0, atol=1e-12)


def test_distances_are_those_of_the_placed_object(aside: Mesh):
    placement = place(aside, OURS, num=2, seed=0, up="y")
    grids = grid_distances(aside, OURS, placement)
    assert grids.shape == (2, 1, 64, 64, 64)
    # Up is y: the box of 20 x 10 x 16 stands in the grid as 20 x 16 x 10.
    axis = OURS.first_stage_axis().double() * OURS.unit
    point = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    q = point.abs() - torch.tensor([0.10, 0.08, 0.05]).double()
    exact = q.clamp_min(0).norm(dim=-1) + q.amax(-1).clamp_max(0)
    near = exact.abs() < 0.04
    torch.testing.assert_close(grids[0, 0].double()[near], exact[near], rtol=0, atol=1e-4)


def test_hands_come_back_to_the_objects_own_frame(aside: Mesh, hand_model: HandModel):
    placement = place(aside, OURS, num=2, seed=0, up="x")
    hands = palms_beside(hand_model, 0.1, 0.0, num=2)
    joints = hand_model.joints(placement.to_object(hands, slice(None)))
    there = placement.points_to_grid(joints[0])
    torch.testing.assert_close(there[0], hand_model.joints(hands)[0], rtol=0, atol=1e-5)


def test_released_priors_see_objects_from_sides_that_depend_on_seed_and_row_only(aside: Mesh):
    first = place(aside, RELEASED, num=4, seed=3).T_grid_object
    assert not torch.equal(first[0], first[1])
    again = place(aside, RELEASED, num=2, seed=3, first=2).T_grid_object
    assert torch.equal(again, first[2:])
    assert not torch.equal(place(aside, RELEASED, num=1, seed=4).T_grid_object, first[:1])


def test_a_known_right_hand_says_where_a_released_grid_is(aside: Mesh, hand_model: HandModel):
    base = hand_model.joints_rest[1, 5]
    hands = palms_beside(hand_model, 0.1, 0.0).rows(0)
    hands = replace(hands, T_object_hand=T_ASIDE.float() @ hands.T_object_hand)
    spec = GridSpec.released(base)
    placement = place(aside, spec, num=2, seed=0, right_joints=(hand_model, hands))
    joints = placement.points_to_grid(hand_model.joints(hands))[0, 1]
    # In the grid the right wrist is at rest, and its index base 8 cm behind the middle along +y.
    expected = hand_model.joints_rest[1] - base + torch.tensor([0.0, 0.08, 0.0])
    torch.testing.assert_close(joints, expected, rtol=0, atol=1e-5)


def test_an_object_that_is_too_long_is_refused_with_what_fits():
    check_size(box((0.5, 0.1, 0.1)), OURS)
    with pytest.raises(OptionError, match=r"60 cm long .* up to 50 cm: use --scale"):
        check_size(box((0.6, 0.1, 0.1)), OURS)
