import pytest
import torch
from exact_denoiser import AsNoise, ExactDenoiser

from bghop.prior.denoiser import Condition, clean_from, target_of
from bghop.prior.layout import JointLayout
from bghop.prior.loss import MOST_WEIGHT, OBJECT_SHARE, denoising_loss
from bghop.prior.schedule import CosineSchedule, ReleasedSchedule

LAYOUT = JointLayout(object_channels=1, resolution=2)
SCHEDULE = CosineSchedule(object_shift=1.0)


@pytest.fixture
def latent():
    return torch.randn(8, *LAYOUT.shape, generator=torch.Generator().manual_seed(0)).double()


def condition(num=8, present=(True, True)):
    return Condition(
        tokens=torch.zeros(num, 1, 4),
        text_given=torch.zeros(num, dtype=torch.bool),
        present=torch.tensor(present).expand(num, 2),
    )


def loss(denoiser, latent, *, given=(False, False, False), schedule=SCHEDULE, seed=0, **told):
    return denoising_loss(
        denoiser, schedule, LAYOUT, latent, condition(len(latent), **told),
        torch.tensor(given).expand(len(latent), 3), torch.Generator().manual_seed(seed),
    )  # fmt: skip


class Wrong:
    """The truth, off by a given amount in each part."""

    prediction = "x0"
    level_per_part = True

    def __init__(self, latent, offsets):
        self.latent, self.offsets, self.levels = latent, torch.tensor(offsets).double(), []

    def __call__(self, x, levels, condition):
        self.levels.append(levels)
        return self.latent + LAYOUT.spread(self.offsets.expand(len(x), 3))


def test_the_truth_costs_nothing(latent):
    assert (loss(Wrong(latent, [0, 0, 0]), latent) == 0).all()


def test_an_exact_denoiser_beats_any_other(latent):
    exact = loss(ExactDenoiser(latent, SCHEDULE), latent)
    mean = loss(Wrong(latent.mean(0).expand(8, -1), [0, 0, 0]), latent)
    assert exact.mean() < 0.5 * mean.mean()


def test_given_parts_are_clean_and_uncounted(latent):
    wrong = Wrong(latent, [5.0, 7.0, 0.0])
    assert (loss(wrong, latent, given=(True, True, False)) == 0).all()
    (levels,) = wrong.levels
    assert (levels[:, :2] == 0).all()
    assert (levels[:, 2] > 0).all()


def test_absent_hands_do_not_count(latent):
    wrong = Wrong(latent, [0.0, 3.0, 0.0])
    assert (loss(wrong, latent, present=(False, True)) == 0).all()
    assert (loss(wrong, latent) > 0).all()


def test_weights_are_those_of_v_up_to_a_cap(latent):
    wrong = Wrong(latent, [1.0, 0.0, 0.0])
    value = loss(wrong, latent)
    alpha, sigma = SCHEDULE.alpha_sigma(wrong.levels[0].double())
    weight = (1 + (alpha / sigma)[:, 0] ** 2).clamp_max(MOST_WEIGHT)
    torch.testing.assert_close(value, OBJECT_SHARE * weight, rtol=1e-5, atol=0)


def test_networks_that_answer_noise_get_its_plain_mean(latent):
    schedule = ReleasedSchedule()

    class Zero:
        prediction = "eps"
        level_per_part = False

        def __call__(self, x, levels, condition):
            return torch.zeros_like(x)

    many = latent.repeat(50, 1)
    value = loss(Zero(), many, schedule=schedule)
    assert float(value.mean()) == pytest.approx(1.0, abs=0.02)  # the noise's own variance
    told = loss(AsNoise(ExactDenoiser(latent, schedule)), many, schedule=schedule)
    assert told.mean() < value.mean()


@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
def test_predictions_lead_back_to_the_clean_latent(latent, prediction):
    noise = torch.randn_like(latent)
    alpha, sigma = torch.tensor(0.8).double(), torch.tensor(0.6).double()
    x = alpha * latent + sigma * noise
    answer = target_of(prediction, latent, noise, alpha, sigma)
    torch.testing.assert_close(clean_from(prediction, answer, x, alpha, sigma), latent)


def test_the_same_seed_gives_the_same_levels_and_noise(latent):
    exact = ExactDenoiser(latent, SCHEDULE)
    assert torch.equal(loss(exact, latent, seed=3), loss(exact, latent, seed=3))
    assert not torch.equal(loss(exact, latent, seed=3), loss(exact, latent, seed=4))
