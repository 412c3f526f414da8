from dataclasses import replace

import pytest
import torch

from bghop.fields.fit_joints import fit_hands
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.hands.postures import Postures


@pytest.fixture(scope="module")
def model():
    return load_open_hand()


@pytest.fixture(scope="module")
def truth(model):
    generator = torch.Generator().manual_seed(0)
    R = matrix_from_rotvec(torch.randn(6, 2, 3, generator=generator))
    t = 0.2 * torch.randn(6, 2, 3, generator=generator)
    return HandParameters(
        present=torch.ones(6, 2, dtype=torch.bool),
        T_object_hand=rigid(R, t),
        pose=model.random_poses(6, generator=generator),
        shape=torch.zeros(6, 2, model.num_shape),
    )


def test_exact_joints_give_the_hands_back(model, truth):
    joints = model.joints(truth)
    found = fit_hands(joints, model, present=truth.present)
    assert (model.joints(found) - joints).norm(dim=-1).max() < 1e-3
    # Half a millimetre of slack at every joint leaves the palm a hundredth of a radian.
    torch.testing.assert_close(found.T_object_hand, truth.T_object_hand, atol=1e-2, rtol=0)
    assert model.limit_violation(found.pose).max() < 1e-5


def test_noisy_joints_give_hands_that_are_closer_than_the_noise(model, truth):
    joints = model.joints(truth)
    noise = 0.004 * torch.randn(joints.shape, generator=torch.Generator().manual_seed(1))
    found = fit_hands(joints + noise, model, present=truth.present)
    error = (model.joints(found) - joints).norm(dim=-1).mean()
    assert error < noise.norm(dim=-1).mean()


def test_a_moved_scene_moves_the_hands(model, truth):
    T = rigid(matrix_from_rotvec(torch.tensor([0.3, -0.2, 1.0])), torch.tensor([0.1, 0.0, -0.2]))
    joints = model.joints(truth)
    moved = joints @ T[:3, :3].T + T[:3, 3]
    here = fit_hands(joints, model, present=truth.present).T_object_hand
    there = fit_hands(moved, model, present=truth.present).T_object_hand
    torch.testing.assert_close(T @ here, there, atol=1e-4, rtol=0)


def test_absent_hands_are_neutral(model, truth):
    present = torch.tensor([[False, True]]).expand(6, 2)
    found = fit_hands(model.joints(truth), model, present=present)
    assert torch.equal(found.present, present)
    assert (found.pose[:, 0] == model.clamp(torch.zeros(6, 2, 15, 3))[:, 0]).all()
    assert torch.equal(found.T_object_hand[:, 0], torch.eye(4).expand(6, 4, 4))


def test_a_person_of_another_size_is_recognised(model, truth):
    """Both hands have one shape, and bones have their lengths, although joints are 3 mm off."""
    shape = torch.zeros(6, 1, model.num_shape)
    shape[:, 0, 0] = torch.tensor([-1.5, -1.0, -0.5, 0.5, 1.0, 1.5])  # hand_scale
    shape[:, 0, 1] = torch.tensor([0.5, -0.5, 0.5, -0.5, 0.0, 0.0])  # finger_length
    people = replace(truth, shape=shape.expand(-1, 2, -1))
    joints = model.joints(people)
    noise = 0.002 * torch.randn(joints.shape, generator=torch.Generator().manual_seed(1))
    plain = fit_hands(joints + noise, model, present=truth.present)
    found = fit_hands(joints + noise, model, present=truth.present, estimate_shape=True)
    assert torch.equal(found.shape[:, 0], found.shape[:, 1])

    def error(hands):
        return float((model.joints(hands) - joints).norm(dim=-1).mean())

    assert error(found) < 0.7 * error(plain)
    assert torch.corrcoef(torch.stack([found.shape[:, 0, 0], shape[:, 0, 0]]))[0, 1] > 0.9
    one = fit_hands(
        joints, model, present=torch.tensor([[False, True]]).expand(6, 2), estimate_shape=True
    )
    assert not one.shape[:, 0].any()
    assert one.shape[:, 1].abs().max() > 0.3


def test_known_postures_take_the_noise_out_of_the_angles(model, truth):
    """Hands near one posture, joints 4 mm off: angles are nearer to the truth, joints too."""
    generator = torch.Generator().manual_seed(2)
    curled = model.angles_from_pose(truth.pose[:1]).expand(64, 2, 15, 3)
    wobble = 0.1 * torch.randn(64, 2, 15, 3, generator=generator)
    pose = model.clamp(model.pose_from_angles(curled + wobble))
    T = truth.T_object_hand[:1].expand(64, 2, 4, 4)
    hands = HandParameters(
        present=torch.ones(64, 2, dtype=torch.bool), T_object_hand=T, pose=pose,
        shape=torch.zeros(64, 2, model.num_shape),
    )  # fmt: skip
    angles, joints = model.angles_from_pose(pose), model.joints(hands)
    noisy = joints + 0.004 * torch.randn(joints.shape, generator=generator)
    both = [
        fit_hands(noisy, model, present=hands.present),
        fit_hands(
            noisy, model, present=hands.present, joint_sd=0.004,
            postures=Postures.of(angles.flatten(0, 1)),
        ),
    ]  # fmt: skip
    bent = [(model.angles_from_pose(each.pose) - angles).square().mean().sqrt() for each in both]
    away = [(model.joints(each) - joints).norm(dim=-1).mean() for each in both]
    assert bent[1] < 0.6 * bent[0]
    assert away[1] < 0.8 * away[0]
