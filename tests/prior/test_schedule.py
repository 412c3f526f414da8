import dataclasses

import numpy as np
import pytest
import torch
from formula_weights import PARITY

from bghop.errors import OptionError
from bghop.prior.schedule import CosineSchedule, ReleasedSchedule, schedule_from_config

GOLDEN = {0: 0.9985, 100: 0.8231, 250: 0.5084, 500: 0.1149, 750: 0.00833, 999: 1.42e-4}


def test_released_schedule_has_the_published_numbers():
    squared = ReleasedSchedule().alphas_cumprod()
    for step, value in GOLDEN.items():
        assert float(squared[step]) == pytest.approx(value, rel=5e-3)


@pytest.mark.assets
def test_released_schedule_equals_the_fixture():
    if not PARITY.exists():
        pytest.skip("needs the parity fixtures beside the project")
    fixture = np.load(PARITY / "schedule.npz")
    schedule = ReleasedSchedule()
    np.testing.assert_allclose(
        schedule.alphas_cumprod().numpy(), fixture["alphas_cumprod"], atol=1e-15
    )
    for num in (10, 100):
        levels = schedule.path(num).level[:, 0].long().numpy()
        np.testing.assert_array_equal(np.sort(levels), np.sort(fixture[f"map{num}"]))


@pytest.mark.parametrize("schedule", [ReleasedSchedule(), CosineSchedule()])
@pytest.mark.parametrize("num", [2, 7, 25])
def test_paths_go_from_noise_to_clean_and_keep_the_variance(schedule, num):
    path = schedule.path(num)
    assert len(path) == num
    assert path.alpha.shape == path.sigma.shape == (num, 3)
    assert (path.alpha.diff(dim=0) > 0).all()
    assert (path.sigma.diff(dim=0) < 0).all()
    torch.testing.assert_close(path.alpha**2 + path.sigma**2, torch.ones(num, 3).double())


def test_level_zero_is_exactly_clean():
    alpha, sigma = CosineSchedule().alpha_sigma(torch.zeros(2, 3))
    assert (alpha == 1).all()
    assert (sigma == 0).all()


def test_a_smaller_shift_is_more_noise_at_the_same_level():
    schedule = CosineSchedule(object_shift=0.3, hand_shift=1.0)
    alpha, sigma = schedule.alpha_sigma(torch.full((1, 3), 0.5))
    ratio = (alpha / sigma)[0]
    torch.testing.assert_close(ratio, torch.tensor([0.3, 1.0, 1.0]))


def test_training_levels_fill_the_unit_interval_evenly():
    levels = CosineSchedule().draw(100, generator=torch.Generator().manual_seed(0))
    assert ((levels > 0) & (levels <= 1)).all()
    assert len(set(((1 - levels) * 100).floor().int().tolist())) == 100


@pytest.mark.parametrize("schedule", [ReleasedSchedule(steps=500), CosineSchedule(hand_shift=0.7)])
def test_configs_are_plain_values_and_come_back(schedule):
    assert schedule_from_config(dataclasses.asdict(schedule)) == schedule


def test_unknown_schedules_and_impossible_steps_are_refused():
    with pytest.raises(OptionError, match="unknown noise schedule 'linear': use one of"):
        schedule_from_config({"type": "linear"})
    with pytest.raises(OptionError, match="use 2 to 1000"):
        ReleasedSchedule().path(1001)
    with pytest.raises(OptionError, match="use 1 or more"):
        CosineSchedule().path(0)
