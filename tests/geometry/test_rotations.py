"""Laws of rotations, equality with scipy, and gradients where they usually break."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.transform import Rotation

from bghop.geometry.rotations import (
    matrix_from_6d,
    matrix_from_rotvec,
    quaternion_from_matrix,
    random_rotations,
    rotation_angle,
    rotvec_from_matrix,
    sixd_from_matrix,
    skew,
)

EYE = torch.eye(3, dtype=torch.float64)
ANGLES = [
    0.0,
    1e-12,
    1e-8,
    1e-4,
    9.9e-4,
    1.01e-3,
    0.1,
    1.0,
    3.0,
    math.pi - 1e-3,
    math.pi - 1e-6,
    math.pi,
]
vectors = arrays.arrays(np.float64, (3,), elements=st.floats(-10, 10)).map(torch.from_numpy)


def about(axis, angle, dtype=torch.float64):
    axis = torch.tensor(axis, dtype=torch.float64)
    return (axis / axis.norm() * angle).to(dtype)


@given(vectors, vectors)
@settings(deadline=None)
def test_skew_is_the_cross_product(a, b):
    torch.testing.assert_close(skew(a) @ b, torch.linalg.cross(a, b))


@given(vectors)
@settings(deadline=None)
def test_exponential_equals_scipy(rotvec):
    expected = Rotation.from_rotvec(rotvec.numpy()).as_matrix()
    np.testing.assert_allclose(matrix_from_rotvec(rotvec), expected, atol=1e-12)


@pytest.mark.parametrize("angle", [1e-12, 1e-6, 1e-4, 9.9e-4])
def test_small_angles_are_exact_to_the_last_digits(angle):
    rotvec = about([1.0, -2, 0.5], angle)
    expected = torch.linalg.matrix_exp(skew(rotvec))
    torch.testing.assert_close(matrix_from_rotvec(rotvec), expected, atol=1e-15, rtol=0)


@given(vectors)
@settings(deadline=None)
def test_exponential_is_a_rotation_and_inverts_with_the_sign(rotvec):
    R = matrix_from_rotvec(rotvec)
    torch.testing.assert_close(R @ R.mT, EYE, atol=1e-12, rtol=0)
    assert torch.linalg.det(R).item() == pytest.approx(1)
    torch.testing.assert_close(matrix_from_rotvec(-rotvec), R.mT, atol=1e-12, rtol=0)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("axis", [[1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0], [1.0, -2, 0.5]])
def test_logarithm_inverts_the_exponential(axis, angle):
    rotvec = about(axis, angle)
    back = rotvec_from_matrix(matrix_from_rotvec(rotvec))
    if angle == math.pi:  # either sign is right there
        back = back * torch.sign(back @ rotvec)
    torch.testing.assert_close(back, rotvec, atol=1e-8, rtol=0)


@pytest.mark.parametrize("angle", ANGLES)
def test_logarithm_is_accurate_in_single_precision(angle):
    rotvec = about([1.0, -2, 0.5], angle, torch.float32)
    back = rotvec_from_matrix(matrix_from_rotvec(rotvec))
    if angle > math.pi - 1e-5:
        back = back * torch.sign(back @ rotvec)
    torch.testing.assert_close(back, rotvec, atol=2e-6, rtol=0)


def test_logarithm_equals_scipy_on_random_rotations():
    R = random_rotations(500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = Rotation.from_matrix(R.numpy()).as_rotvec()
    np.testing.assert_allclose(rotvec_from_matrix(R), expected, atol=1e-10)
    assert rotation_angle(R).max() <= math.pi + 1e-12


def test_quaternions_equal_scipy_and_have_positive_real_part():
    R = random_rotations(500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = Rotation.from_matrix(R.numpy()).as_quat(canonical=True)[:, [3, 0, 1, 2]]
    np.testing.assert_allclose(quaternion_from_matrix(R), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exponential_is_continuous_where_the_series_takes_over(dtype):
    below, above = (about([1.0, 2, 3], a, dtype) for a in (0.99999e-3, 1.00001e-3))
    gap = (matrix_from_rotvec(above) - matrix_from_rotvec(below)).abs().max()
    assert gap < 3e-8 + 4 * torch.finfo(dtype).eps


@pytest.mark.parametrize("angle", [a for a in ANGLES if a < math.pi])
def test_gradients_of_the_exponential(angle):
    rotvec = about([1.0, -2, 0.5], angle).requires_grad_()
    assert torch.autograd.gradcheck(matrix_from_rotvec, (rotvec,), atol=1e-5)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_the_logarithm_are_finite_everywhere(angle, dtype):
    R = matrix_from_rotvec(about([1.0, -2, 0.5], angle, dtype)).requires_grad_()
    rotvec_from_matrix(R).sum().backward()
    assert R.grad is not None
    assert R.grad.isfinite().all()


@pytest.mark.parametrize("angle", [0.0, 1e-5, 0.5, 2.0, math.pi - 1e-3])
def test_round_trip_has_the_identity_as_derivative(angle):
    rotvec = about([1.0, -2, 0.5], angle)
    jacobian = torch.autograd.functional.jacobian(
        lambda w: rotvec_from_matrix(matrix_from_rotvec(w)), rotvec
    )
    torch.testing.assert_close(jacobian, EYE, atol=1e-5, rtol=0)


@given(arrays.arrays(np.float64, (2, 6), elements=st.floats(-5, 5)).map(torch.from_numpy))
@settings(deadline=None)
def test_six_numbers_give_a_rotation_unless_parallel(columns):
    x, y = columns[:, :3], columns[:, 3:]
    if (torch.linalg.cross(x, y).norm(dim=-1) < 1e-3).any():
        return
    R = matrix_from_6d(columns)
    torch.testing.assert_close(R @ R.mT, EYE.expand(2, 3, 3), atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(2).double())
    torch.testing.assert_close(matrix_from_6d(sixd_from_matrix(R)), R)
    # The first vector keeps its direction, the second its half plane.
    assert ((R[..., 0] * x).sum(-1) > 0).all()
    assert ((R[..., 1] * y).sum(-1) > 0).all()


@pytest.mark.parametrize("batch", [(), (0,), (4,), (2, 3)])
def test_any_leading_batch(batch):
    rotvec = torch.randn(*batch, 3)
    R = matrix_from_rotvec(rotvec)
    assert R.shape == (*batch, 3, 3)
    assert rotvec_from_matrix(R).shape == (*batch, 3)
    assert matrix_from_6d(sixd_from_matrix(R)).shape == (*batch, 3, 3)
    assert rotation_angle(R).shape == batch


def test_random_rotations_are_uniform_and_repeatable():
    first, again = (
        random_rotations(20000, generator=torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(first, again)
    # Haar measure: the mean is zero and the angle has density (1 - cos a) / pi.
    assert first.mean(0).abs().max() < 0.02
    share = (rotation_angle(first) < math.pi / 2).float().mean().item()
    assert share == pytest.approx(0.5 - 1 / math.pi, abs=0.01)
