import numpy as np
import pytest
import torch

from bghop.hands.capsules import Bar, distance, fit_capsules
from bghop.hands.open_hand import load_open_hand


@pytest.fixture(scope="module")
def model():
    return load_open_hand()


def bars_of(model, side=1):
    capsules = model.capsules
    joints = model.bone_joints[side][capsules.bone]
    start, end = (joints + e[side] for e in (capsules.start, capsules.end))
    return [
        Bar(start=s.numpy(), end=e.numpy(), radius=float(r))
        for s, e, r in zip(start, end, capsules.radius[side], strict=True)
    ]


def test_distance_to_a_capsule():
    bar = Bar(start=np.zeros(3), end=np.array([2.0, 0, 0]), radius=0.5)
    points = np.array([[1.0, 3, 0], [-1, 0, 0], [3, 0, 0], [1, 0, 0.2]])
    np.testing.assert_allclose(distance(bar, points), [2.5, 0.5, 0.5, -0.3])


def test_skin_lies_on_the_capsules(model):
    """Signed distance of the skin to the union, millimetres: docs/hands.md repeats the numbers."""
    skin = model.vertices_rest[1].numpy()
    gap = np.stack([distance(bar, skin) for bar in bars_of(model)]).min(0) * 1000
    owner = model.skinning_weights[1].argmax(-1).numpy()
    fingers, palm = np.abs(gap[owner > 0]), np.abs(gap[owner == 0])
    assert fingers.mean() < 0.8
    assert np.percentile(fingers, 95) < 2.0
    assert palm.mean() < 1.4
    assert np.percentile(palm, 95) < 3.8
    assert np.abs(gap).max() < 6


def test_one_capsule_per_finger_bone_and_five_for_the_palm(model):
    assert model.capsules.bone.tolist() == [*range(1, 16), *[0] * 5]
    assert (model.capsules.radius > 0.004).all()
    assert (model.capsules.radius < 0.022).all()
    assert torch.equal(model.capsules.radius[0], model.capsules.radius[1])


def test_fit_recovers_capsules(model):
    """Skin that IS a set of capsules is fitted exactly."""
    joints = model.joints_rest[1].double().numpy()
    rng = np.random.default_rng(0)
    points, weights = [], []
    for bone in range(16):
        start = joints[0] if bone == 0 else joints[1 + 4 * ((bone - 1) // 3) + (bone - 1) % 3]
        end = joints[9] if bone == 0 else joints[2 + 4 * ((bone - 1) // 3) + (bone - 1) % 3]
        axis = (end - start) / np.linalg.norm(end - start)
        side = np.linalg.qr(np.stack([axis, *rng.normal(size=(2, 3))], 1))[0][:, 1:]
        turn, along = rng.random(400) * 2 * np.pi, rng.random(400)
        ring = np.cos(turn)[:, None] * side[:, 0] + np.sin(turn)[:, None] * side[:, 1]
        points.append(start + along[:, None] * (end - start) + 0.007 * ring)
        weights.append(np.tile(np.eye(16)[bone], (400, 1)))
    points, weights = np.concatenate(points), np.concatenate(weights)
    faces = rng.permutation(len(points))[: len(points) // 3 * 3].reshape(-1, 3)
    bones, bars = fit_capsules(joints, points, faces, weights)
    for bone, bar in zip(bones[:15], bars[:15], strict=True):
        mine = points[weights[:, bone] == 1]
        assert np.abs(distance(bar, mine)).max() < 3e-4
        assert bar.radius == pytest.approx(0.007, abs=2e-4)
