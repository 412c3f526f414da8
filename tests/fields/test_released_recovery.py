from dataclasses import replace

import pytest
import torch

from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.fields.recover import recover_hands
from bghop.fields.released_recovery import recover_hands_released, smallest_cells
from bghop.fields.rigid_fit import fit_rigid
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid
from bghop.hands.open_hand import load_open_hand

MODEL = load_open_hand()
SPEC = GridSpec.released(MODEL.joints_rest[1, 5])


def pairs(num):
    """Right wrist at the frame's origin, left hand across from it, fingers some way bent."""
    generator = torch.Generator().manual_seed(5)
    angles = MODEL.angles_from_pose(MODEL.random_poses(num, generator=generator))
    middle = MODEL.anatomy.limits.mean(-1)
    turn = 0.5 * torch.randn(num, 3, generator=generator)
    t = torch.tensor([-0.15, -0.10, 0.0]).expand(num, 3)
    eye = torch.eye(4).expand(num, 4, 4)
    T = torch.stack([rigid(matrix_from_rotvec(turn), t), eye], dim=1)
    pose = MODEL.pose_from_angles(middle + 0.6 * (angles - middle))
    return replace(MODEL.rest_parameters(num), T_object_hand=T, pose=pose)


def error_mm(joints, hands):
    return 1000 * (joints - MODEL.joints(hands)).norm(dim=-1).mean(-1)


def test_smallest_cells_are_within_half_a_cell_of_the_joints():
    joints = MODEL.joints(pairs(3))
    gap = smallest_cells(hand_field(joints, SPEC), SPEC) - joints[..., 1:, :]
    inside = (SPEC.to_grid(joints[..., 1:, :]).abs() < 1.4).all(-1)
    assert inside.float().mean() > 0.8
    assert gap[inside].abs().max() <= SPEC.spacing / 2 + 1e-6


def test_a_channel_without_a_dip_is_taken_for_the_corner_of_the_grid():
    flat = torch.full((1, 20, 16, 16, 16), SPEC.truncation)
    corner = SPEC.from_grid(SPEC.axis()[0].expand(3))
    assert torch.allclose(smallest_cells(flat, SPEC), corner.expand(1, 20, 3))


@pytest.fixture(scope="module")
def pair():
    """One pair, its field, and what the released algorithm makes of it (some seconds)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    hands = pairs(1)
    field = hand_field(MODEL.joints(hands), SPEC)
    found = recover_hands_released(field, SPEC, MODEL)
    torch.set_num_threads(threads)
    return hands, field, found


def test_both_sides_are_read_but_far_less_exactly_than_by_our_recovery(pair):
    hands, field, found = pair
    theirs = error_mm(MODEL.joints(found), hands)
    ours = error_mm(recover_hands(field, SPEC, MODEL).joints_frame, hands)
    assert (ours < 0.01).all()
    # Cells are 38 mm apart and the left wrist is never refined; the right one is known.
    assert (theirs[:, 0] > 1.0).all()
    assert (theirs[:, 0] < 20.0).all()
    assert (theirs[:, 1] < theirs[:, 0]).all()


def test_the_left_wrist_stays_where_the_smallest_cells_place_the_mean_pose(pair):
    hands, field, found = pair
    middle = MODEL.pose_from_angles(MODEL.anatomy.limits.mean(-1).expand(1, 2, 15, 3))
    mean_pose = MODEL.joints(replace(MODEL.rest_parameters(1), pose=middle))[:, 0, 1:]
    R, t = fit_rigid(mean_pose, smallest_cells(field[:, 0], SPEC), torch.ones(1, 20))
    assert torch.allclose(found.T_object_hand[:, 0], rigid(R, t), atol=1e-6)
    # The articulation then does what it can for the joints.
    before = error_mm(MODEL.joints(replace(found, pose=middle)), hands)
    assert (error_mm(MODEL.joints(found), hands) < 0.7 * before).all()


def test_the_right_wrist_is_the_frame(pair):
    _, _, found = pair
    assert torch.equal(found.T_object_hand[:, 1], torch.eye(4)[None])
    assert found.present.all()


def test_a_field_of_another_size_is_refused():
    with pytest.raises(OptionError, match="16"):
        recover_hands_released(torch.zeros(1, 2, 20, 8, 8, 8), SPEC, MODEL)
