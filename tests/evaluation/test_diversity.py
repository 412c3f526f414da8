import math

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.spatial.transform import Rotation

from bghop.errors import HandModelError, OptionError
from bghop.evaluation.diversity import (
    canonical_joints,
    cluster_diversity,
    histogram_entropy,
    mean_pairwise_distance_cm,
)
from bghop.hands.joints import JOINT_NAMES, TIP_JOINTS
from bghop.hands.open_hand import load_open_hand

MODEL = load_open_hand()
REST = MODEL.joints_rest.double().numpy()
FRAME = [JOINT_NAMES.index(name) for name in ("wrist", "index1", "middle1")]
RNG = np.random.default_rng(5)


def present(num, left=True, right=True):
    return np.tile([left, right], (num, 1))


def random_grasps(num, seed=0):
    """Random poses, both wrists anywhere."""
    generator = torch.Generator().manual_seed(seed)
    hands = MODEL.rest_parameters(num)
    T = hands.T_object_hand.clone()
    turns = Rotation.random(2 * num, rng=np.random.default_rng(seed)).as_matrix()
    T[..., :3, :3] = torch.from_numpy(turns.reshape(num, 2, 3, 3))
    T[..., :3, 3] = 0.2 * torch.randn(num, 2, 3, generator=generator)
    pose = MODEL.random_poses(num, generator=generator)
    joints = MODEL.joints(
        type(hands)(present=hands.present, T_object_hand=T, pose=pose, shape=hands.shape)
    )
    return joints.double().numpy()


def right_hands(offsets):
    """Right hands at rest whose joints are moved by (n, 21, 3) metres; no left hands."""
    joints = np.full((len(offsets), 2, 21, 3), np.nan)
    joints[:, 1] = REST[1] + offsets
    return joints, present(len(offsets), left=False)


def tips_moved(centimetres):
    """One right hand per value: the middle fingertip moved so far."""
    offsets = np.zeros((len(centimetres), 21, 3))
    offsets[:, TIP_JOINTS[2], 1] = np.array(centimetres) * 1e-2
    return right_hands(offsets)


def test_canonical_joints_have_the_wrist_at_the_origin_and_the_knuckles_in_a_plane():
    joints = random_grasps(10)
    found = canonical_joints(joints, present(10))
    wrist, index, middle = (found[:, :, k] for k in FRAME)
    np.testing.assert_allclose(wrist, 0, atol=1e-12)
    np.testing.assert_allclose(middle[..., 1:], 0, atol=1e-9)
    np.testing.assert_allclose(index[..., 2], 0, atol=1e-9)
    assert (middle[..., 0] > 0).all()
    assert (index[..., 1] > 0).all()


def test_canonical_joints_keep_all_distances_between_joints():
    joints = random_grasps(4)
    found = canonical_joints(joints, present(4))

    def distances(points):
        return np.linalg.norm(points[..., None, :, :] - points[..., None, :], axis=-1)

    np.testing.assert_allclose(distances(found), distances(joints), atol=1e-9)


def test_canonical_right_hands_are_turned_and_left_hands_mirrored():
    joints = random_grasps(4)

    def handedness(points):
        wrist, index, middle, thumb_tip = (points[:, :, k] for k in (*FRAME, TIP_JOINTS[0]))
        return np.linalg.det(np.stack([index - wrist, middle - wrist, thumb_tip - wrist], axis=-1))

    before, after = handedness(joints), handedness(canonical_joints(joints, present(4)))
    np.testing.assert_allclose(after, before * np.array([-1, 1]), atol=1e-12)
    assert np.abs(before).min() > 1e-7


def test_canonical_joints_do_not_know_where_the_hands_are():
    joints = random_grasps(10)
    moved = joints @ Rotation.random(rng=RNG).as_matrix().T + RNG.normal(size=3)
    np.testing.assert_allclose(
        canonical_joints(moved, present(10)), canonical_joints(joints, present(10)), atol=1e-9
    )


def test_a_hand_and_its_mirror_image_have_the_same_canonical_joints():
    joints = random_grasps(10)
    image = joints[:, ::-1] * np.array([-1.0, 1, 1])
    found = canonical_joints(joints, present(10))
    np.testing.assert_array_equal(canonical_joints(image, present(10)), found[:, ::-1])
    # The other hand as such is not its mirror image.
    assert np.abs(canonical_joints(joints[:, ::-1].copy(), present(10)) - found).max() > 0.01


def test_absent_hands_are_zero_whatever_they_hold():
    joints = random_grasps(3)
    joints[1, 0] = np.nan
    mask = present(3)
    mask[1, 0] = False
    found = canonical_joints(joints, mask)
    assert (found[1, 0] == 0).all()
    assert np.isfinite(found).all()


def test_hands_without_a_frame_are_refused():
    joints = np.zeros((1, 2, 21, 3))
    with pytest.raises(HandModelError, match="on a line"):
        canonical_joints(joints, present(1))
    joints[0, 0, 3] = np.inf
    with pytest.raises(HandModelError, match="infinity"):
        canonical_joints(joints, present(1))


@pytest.mark.parametrize("counts", [[5] * 20, [7, 0, 0], [1, 2, 3, 0, 10]])
def test_entropy_is_that_of_scipy(counts):
    found = histogram_entropy(np.array(counts))
    assert found == pytest.approx(scipy.stats.entropy(counts), abs=1e-12)


def test_twenty_different_poses_have_the_largest_entropy_and_no_size():
    found = cluster_diversity(*tips_moved(np.linspace(0, 4, 20)))
    assert found.entropy_nats == pytest.approx(math.log(20))
    assert found.cluster_size_cm == pytest.approx(0, abs=1e-5)


def test_one_pose_again_and_again_has_none():
    found = cluster_diversity(*tips_moved([1.0] * 30))
    assert (found.entropy_nats, found.cluster_size_cm) == pytest.approx((0, 0), abs=1e-5)


def test_uneven_clusters_have_the_entropy_of_their_shares():
    # Two values three to one; each value exactly its own centre.
    joints, mask = tips_moved([0.0] * 30 + [2.0] * 10)
    found = cluster_diversity(joints, mask, num_clusters=2)
    assert found.entropy_nats == pytest.approx(scipy.stats.entropy([3, 1]))
    assert found.cluster_size_cm == pytest.approx(0, abs=1e-5)


def test_cluster_size_is_the_mean_distance_in_centimetres():
    # About one centre; tips do not move the canonical frame.
    found = cluster_diversity(*tips_moved([-1.0, 1.0, -3.0, 3.0]), num_clusters=1)
    assert found.cluster_size_cm == pytest.approx(2.0)
    assert found.entropy_nats == 0.0


def test_cluster_size_of_noise_is_the_mean_length_of_a_gaussian_vector():
    num, sigma = 4000, 0.002
    offsets = RNG.normal(scale=sigma, size=(num, 21, 3))
    offsets[:, FRAME] = 0
    dimensions = 18 * 3
    chi = math.sqrt(2) * math.exp(math.lgamma((dimensions + 1) / 2) - math.lgamma(dimensions / 2))
    found = cluster_diversity(*right_hands(offsets), num_clusters=1)
    assert found.cluster_size_cm == pytest.approx(100 * sigma * chi, rel=0.01)


def test_both_sides_count_in_one_space():
    joints, mask = tips_moved(np.linspace(0, 4, 20))
    joints[:, 0] = joints[:, 1] * np.array([-1.0, 1, 1])
    right = cluster_diversity(joints, mask, num_clusters=1)
    both = cluster_diversity(joints, present(20), num_clusters=1)
    assert both.cluster_size_cm == pytest.approx(right.cluster_size_cm)


def test_equal_seeds_give_equal_numbers_and_touch_no_global_generator():
    joints, mask = random_grasps(40), present(40)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one = cluster_diversity(joints, mask)
    assert cluster_diversity(joints, mask) == one
    assert cluster_diversity(joints, mask, seed=1) != one
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_too_few_hands_are_refused_with_a_remedy():
    with pytest.raises(OptionError, match=r"19 hands .* 20 clusters: evaluate more"):
        cluster_diversity(*tips_moved(np.linspace(0, 4, 19)))
    with pytest.raises(OptionError, match="0 clusters"):
        cluster_diversity(*tips_moved([1.0]), num_clusters=0)
    with pytest.raises(OptionError, match="no poses"):
        histogram_entropy(np.zeros(3, dtype=np.int64))


def test_a_moved_copy_is_as_far_as_it_was_moved_and_has_the_same_fingers():
    one = random_grasps(1)
    pair = np.concatenate([one, one + np.array([0.03, 0, 0.04])])
    assert mean_pairwise_distance_cm(pair, present(2)) == pytest.approx(5.0)
    canonical = canonical_joints(pair, present(2))
    assert mean_pairwise_distance_cm(canonical, present(2)) == pytest.approx(0, abs=1e-9)


def test_pairwise_distance_is_the_mean_over_all_pairs():
    joints = random_grasps(7)
    mask = present(7)
    mask[0, 0] = mask[3, 1] = mask[4, 0] = False
    pairs = []
    for i in range(7):
        for j in range(i):
            hands = [k for k in range(2) if mask[i, k] and mask[j, k]]
            if hands:
                apart = joints[i, hands] - joints[j, hands]
                pairs.append(100 * np.sqrt((apart**2).sum(-1)).mean())
    assert len(pairs) == 19  # grasp 3 shares no hand with 0 and 4
    joints[~mask] = np.nan
    assert mean_pairwise_distance_cm(joints, mask) == pytest.approx(np.mean(pairs))


def test_grasps_without_a_common_hand_have_no_distance():
    joints = random_grasps(2)
    mask = np.array([[True, False], [False, True]])
    with pytest.raises(OptionError, match="in common"):
        mean_pairwise_distance_cm(joints, mask)
    with pytest.raises(OptionError, match="ask for more"):
        mean_pairwise_distance_cm(joints[:1], mask[:1])
