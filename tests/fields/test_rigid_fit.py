import pytest
import torch

from bghop.fields.rigid_fit import fit_rigid
from bghop.geometry.rotations import random_rotations


def cloud(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_finds_the_transform_that_moved_the_points():
    points = cloud(6, 8)
    R = random_rotations(6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    t = cloud(6)
    found_R, found_t = fit_rigid(points, points @ R.mT + t[:, None], torch.ones(6, 8).double())
    assert torch.allclose(found_R, R, atol=1e-10)
    assert torch.allclose(found_t, t, atol=1e-10)


def test_points_of_zero_weight_do_not_count():
    points = cloud(8)
    moved = points + 0.3
    moved[3:] += 100.0
    weights = torch.tensor([1.0, 2, 3, 0, 0, 0, 0, 0], dtype=torch.float64)
    R, t = fit_rigid(points, moved, weights)
    assert torch.allclose(R, torch.eye(3).double(), atol=1e-9)
    assert torch.allclose(t, torch.full((3,), 0.3).double(), atol=1e-9)


def test_a_mirror_image_is_fitted_by_a_rotation():
    points = cloud(8)
    R, _ = fit_rigid(points, points * torch.tensor([-1.0, 1, 1]), torch.ones(8).double())
    assert torch.det(R).item() == pytest.approx(1.0)


def test_no_weight_at_all_gives_the_identity():
    R, t = fit_rigid(cloud(2, 5), cloud(2, 5) + 1, torch.zeros(2, 5).double())
    assert torch.allclose(R, torch.eye(3).double())
    assert torch.equal(t, torch.zeros(2, 3).double())
