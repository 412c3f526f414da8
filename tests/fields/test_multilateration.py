import pytest
import torch

from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.fields.multilateration import Evidence, inverse_3x3, recover_joints

SPEC = GridSpec(centre=(0.05, -0.1, 0.2))


def joints_within(half: float, *batch: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    offset = half * (2 * torch.rand(*batch, 21, 3, generator=generator) - 1)
    return SPEC.from_grid(offset / SPEC.unit)


def noise_like(field: torch.Tensor, sigma: float, seed: int = 1) -> torch.Tensor:
    return sigma * torch.randn(field.shape, generator=torch.Generator().manual_seed(seed))


def test_exact_fields_give_exact_joints_inside_the_grid():
    joints = joints_within(0.285, 20)
    found = recover_joints(hand_field(joints, SPEC), SPEC)
    assert found.seen.all()
    assert (found.joints_frame - joints[:, 1:]).norm(dim=-1).max() < 5e-6
    assert found.joints_frame.dtype == torch.float32


def test_joints_outside_the_grid_are_exact_or_unseen():
    joints = joints_within(0.36, 40)
    outside = (SPEC.to_grid(joints[:, 1:]).abs() > 1.5).any(-1)
    found = recover_joints(hand_field(joints, SPEC), SPEC)
    error = (found.joints_frame - joints[:, 1:]).norm(dim=-1)
    assert error[found.seen].max() < 5e-5
    assert 0.2 < found.seen[outside].float().mean() < 1.0
    assert found.seen[~outside].all()


@pytest.mark.parametrize("sigma", [0.0, 1e-7, 0.003, 0.01, 0.03, 0.1])
def test_saturated_channels_are_unseen_whatever_the_noise(sigma):
    field = torch.full((40, 20, 16, 16, 16), SPEC.truncation)
    found = recover_joints(field + noise_like(field, sigma), SPEC)
    assert not found.seen.any()
    assert (found.covariance == 0).all()


@pytest.mark.parametrize("value", [0.0, 0.06, 0.118, 0.5])
def test_a_constant_field_shows_no_joint(value):
    field = torch.full((1, 20, 16, 16, 16), value)
    assert not recover_joints(field, SPEC).seen.any()


def test_nan_cells_count_as_truncated():
    joints = joints_within(0.2)
    field = hand_field(joints, SPEC)
    field[4] = float("nan")
    found = recover_joints(field, SPEC)
    assert found.seen.tolist() == [channel != 4 for channel in range(20)]
    assert found.joints_frame.isfinite().all()


def test_noise_is_estimated_and_covariance_is_honest():
    joints = joints_within(0.24, 40)
    field = hand_field(joints, SPEC)
    found = recover_joints((field + noise_like(field, 0.01)).double(), SPEC)
    assert found.noise.median().item() == pytest.approx(0.01, rel=0.05)
    gap = found.joints_frame - joints[:, 1:]
    squared = (gap[..., None, :] @ torch.linalg.solve(found.covariance, gap[..., None])).mean()
    # Chi-squared with three degrees of freedom.
    assert squared.item() == pytest.approx(3.0, rel=0.15)


def test_selection_by_predicted_distance_leaves_no_bias():
    """Choosing cells with low VALUES would pull a joint towards its free side."""
    joint = torch.tensor([0.284, 0.01, 0.02]) + torch.tensor(SPEC.centre)
    joints = joint.expand(400, 21, 3)
    field = hand_field(joints, SPEC)
    found = recover_joints(field + noise_like(field, 0.01), SPEC)
    gap = (found.joints_frame - joint)[found.seen]
    assert gap.mean(0).abs().max() < 2e-4


def test_more_noise_more_error_and_fewer_seen():
    joints = joints_within(0.3, 30)
    field = hand_field(joints, SPEC)
    errors, seen = [], []
    for sigma in (0.003, 0.01, 0.03, 0.06):
        found = recover_joints(field + noise_like(field, sigma), SPEC)
        gap = (found.joints_frame - joints[:, 1:]).norm(dim=-1)
        errors.append(gap[found.seen].mean().item())
        seen.append(found.seen.float().mean().item())
    assert errors == sorted(errors)
    assert seen == sorted(seen, reverse=True)
    assert errors[1] < 0.003


def test_stricter_evidence_shows_fewer_joints():
    joints = joints_within(0.3, 10)
    field = hand_field(joints, SPEC)
    field = field + noise_like(field, 0.03)
    loose = recover_joints(field, SPEC).seen
    strict = recover_joints(field, SPEC, evidence=Evidence(ratio=9.0)).seen
    assert strict.sum() < loose.sum()
    assert (loose | ~strict).all()


def test_batches_do_not_mix():
    joints = joints_within(0.28, 5)
    field = hand_field(joints, SPEC)
    together = recover_joints(field, SPEC)
    alone = recover_joints(field[3], SPEC)
    assert torch.allclose(together.joints_frame[3], alone.joints_frame, atol=1e-7)
    assert together.seen.shape == (5, 20)


def test_works_on_finer_and_object_centred_grids():
    box = torch.tensor([-0.2, 0.0, 0.0]), torch.tensor([0.2, 0.1, 0.3])
    for resolution in (16, 24):
        spec = GridSpec.object_centred(*box, resolution=resolution)
        generator = torch.Generator().manual_seed(0)
        joints = spec.from_grid(1.8 * torch.rand(4, 21, 3, generator=generator) - 0.9)
        found = recover_joints(hand_field(joints, spec), spec)
        assert found.seen.all()
        assert (found.joints_frame - joints[:, 1:]).norm(dim=-1).max() < 1e-5


def test_a_field_of_another_grid_is_refused():
    with pytest.raises(OptionError, match="pass the GridSpec"):
        recover_joints(torch.zeros(20, 8, 8, 8), SPEC)


def test_inverse_3x3_of_good_and_singular_matrices():
    A = torch.randn(50, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    A = A @ A.mT + 0.1 * torch.eye(3).double()
    assert torch.allclose(inverse_3x3(A), torch.linalg.inv(A), rtol=1e-8)
    assert inverse_3x3(torch.zeros(3, 3, dtype=torch.float64)).isfinite().all()
