import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from bghop.geometry.rotations import matrix_from_rotvec, random_rotations
from bghop.geometry.transforms import (
    invert_rigid,
    mirror_rigid,
    mirror_rotvec,
    rigid,
    transform_points,
)

MIRROR = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)


def random_rigid(num, seed=0):
    generator = torch.Generator().manual_seed(seed)
    R = random_rotations(num, generator=generator, dtype=torch.float64)
    return rigid(R, torch.randn(num, 3, generator=generator, dtype=torch.float64))


def test_rigid_puts_rotation_and_translation_in_place():
    R = torch.from_numpy(Rotation.from_euler("z", 90, degrees=True).as_matrix())
    T = rigid(R, torch.tensor([1.0, 2, 3], dtype=torch.float64))
    moved = transform_points(T, torch.tensor([[1.0, 0, 0]], dtype=torch.float64))
    np.testing.assert_allclose(moved, [[1, 3, 3]], atol=1e-12)
    np.testing.assert_array_equal(T[3], [0, 0, 0, 1])


def test_transforming_points_is_the_homogeneous_product():
    T, points = random_rigid(5), torch.randn(5, 7, 3, dtype=torch.float64)
    homogeneous = torch.cat([points, torch.ones(5, 7, 1, dtype=torch.float64)], -1)
    expected = torch.einsum("bij,bnj->bni", T, homogeneous)[..., :3]
    torch.testing.assert_close(transform_points(T, points), expected)


def test_inverse_names_cancel():
    T_a_b, T_b_c = random_rigid(6, 1), random_rigid(6, 2)
    eye = torch.eye(4, dtype=torch.float64).expand(6, 4, 4)
    torch.testing.assert_close(invert_rigid(T_a_b) @ T_a_b, eye)
    torch.testing.assert_close(T_a_b @ invert_rigid(T_a_b), eye)
    torch.testing.assert_close(
        invert_rigid(T_a_b @ T_b_c), invert_rigid(T_b_c) @ invert_rigid(T_a_b)
    )
    torch.testing.assert_close(invert_rigid(T_a_b), torch.linalg.inv(T_a_b))


def test_composition_is_one_after_the_other():
    T_a_b, T_b_c, points = random_rigid(3, 1), random_rigid(3, 2), torch.randn(3, 4, 3).double()
    torch.testing.assert_close(
        transform_points(T_a_b @ T_b_c, points),
        transform_points(T_a_b, transform_points(T_b_c, points)),
    )


def test_mirrored_transform_moves_mirrored_points_to_mirrored_points():
    T, points = random_rigid(4), torch.randn(4, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(
        transform_points(mirror_rigid(T), points * MIRROR), transform_points(T, points) * MIRROR
    )
    assert torch.equal(mirror_rigid(mirror_rigid(T)), T)
    torch.testing.assert_close(
        torch.linalg.det(mirror_rigid(T)), torch.ones(4, dtype=torch.float64)
    )


def test_mirroring_a_rotation_vector_is_mirroring_its_rotation():
    rotvec = torch.randn(8, 3, dtype=torch.float64)
    flip = torch.diag(MIRROR)
    torch.testing.assert_close(
        matrix_from_rotvec(mirror_rotvec(rotvec)), flip @ matrix_from_rotvec(rotvec) @ flip
    )
    assert torch.equal(mirror_rotvec(mirror_rotvec(rotvec)), rotvec)


@pytest.mark.parametrize("batch", [(), (0,), (3,), (2, 4)])
def test_any_leading_batch(batch):
    T = rigid(torch.eye(3).expand(*batch, 3, 3), torch.zeros(*batch, 3))
    assert T.shape == (*batch, 4, 4)
    assert invert_rigid(T).shape == (*batch, 4, 4)
    assert mirror_rigid(T).shape == (*batch, 4, 4)
    assert transform_points(T, torch.zeros(*batch, 5, 3)).shape == (*batch, 5, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_types_are_kept_and_gradients_flow(dtype):
    R = torch.eye(3, dtype=dtype, requires_grad=True)
    t = torch.zeros(3, dtype=dtype, requires_grad=True)
    points = transform_points(invert_rigid(rigid(R, t)), torch.ones(2, 3, dtype=dtype))
    assert points.dtype == dtype
    points.sum().backward()
    assert torch.equal(t.grad, torch.full((3,), -2.0, dtype=dtype))
    assert R.grad.isfinite().all()
