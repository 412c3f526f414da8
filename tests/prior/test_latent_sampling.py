import pytest
import torch
from exact_denoiser import AsNoise, ExactDenoiser

from bghop.errors import OptionError
from bghop.prior.denoiser import Condition
from bghop.prior.layout import JointLayout
from bghop.prior.sampling import Given, SampleOptions, noise_like, sample_latents
from bghop.prior.schedule import CosineSchedule, ReleasedSchedule

LAYOUT = JointLayout(object_channels=1, resolution=2)
SCHEDULE = CosineSchedule(object_shift=1.0)
METHODS = ("ddim", "dpm++")


@pytest.fixture(scope="module")
def members():
    return torch.randn(6, *LAYOUT.shape, generator=torch.Generator().manual_seed(5)).double()


def condition(num, *, text=False):
    return Condition(
        tokens=torch.zeros(num, 1, 4),
        text_given=torch.full((num,), text),
        present=torch.ones(num, 2, dtype=torch.bool),
    )


def sampled(denoiser, num, *, given=None, seed=0, first=0, schedule=SCHEDULE, **options):
    noise = noise_like(num, LAYOUT.shape, seed=seed, first=first).double()
    return sample_latents(
        denoiser, schedule, LAYOUT, condition(num), noise,
        options=SampleOptions(guidance=1.0, **options), given=given,
    )  # fmt: skip


def distance_to(samples, members):
    return (samples[:, None] - members).norm(dim=-1)


@pytest.mark.parametrize("method", METHODS)
def test_with_the_exact_denoiser_every_sample_is_a_member_of_the_set(members, method):
    samples = sampled(ExactDenoiser(members, SCHEDULE), 32, method=method, steps=50)
    nearest = distance_to(samples, members).min(1)
    assert nearest.values.max() < 1e-3
    assert len(set(nearest.indices.tolist())) > 3  # not always the same one


@pytest.mark.parametrize("method", METHODS)
def test_steps_that_change_no_noise_do_no_harm(members, method):
    """At most `log_snr_min`: the first steps of a fine path have equal noise."""
    schedule = CosineSchedule(hand_shift=0.04, last_hand=0.005)
    samples = sampled(
        ExactDenoiser(members, schedule), 8, method=method, steps=60, schedule=schedule
    )
    assert distance_to(samples, members).min(1).values.max() < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_members_are_drawn_equally_often(members, method):
    samples = sampled(ExactDenoiser(members, SCHEDULE), 600, method=method, steps=20)
    counts = torch.bincount(distance_to(samples, members).argmin(1), minlength=6)
    # 100 expected each; five standard deviations of a binomial.
    assert (counts - 100).abs().max() < 5 * (600 * 5 / 36) ** 0.5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("parts", [(True, False, False), (True, True, False), (False, True, True),
                                   (False, False, True)])  # fmt: skip
def test_given_parts_are_kept_exactly_and_the_others_follow(members, method, parts):
    mask = torch.tensor(parts).expand(6, 3)
    given = Given(latent=members.clone(), parts=mask)
    samples = sampled(ExactDenoiser(members, SCHEDULE), 6, given=given, method=method, steps=20)
    fixed = LAYOUT.spread(mask)
    assert torch.equal(samples[fixed], members[fixed])
    # A part names its member uniquely, so the rest must be that member's.
    torch.testing.assert_close(samples, members, atol=1e-3, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_networks_with_one_level_keep_given_parts_by_replacement(members, method):
    schedule = ReleasedSchedule()
    exact = ExactDenoiser(members, schedule)
    many = members.repeat(16, 1)
    mask = torch.tensor([False, True, True]).expand(len(many), 3)
    samples = sampled(
        AsNoise(exact), len(many), given=Given(latent=many, parts=mask), method=method,
        steps=25, schedule=schedule, resample=3,
    )  # fmt: skip
    fixed = LAYOUT.spread(mask)
    assert torch.equal(samples[fixed], many[fixed])
    # Only noisy versions of the given parts are seen, so this is approximate: chance is a sixth.
    right = distance_to(samples, members).argmin(1) == torch.arange(6).repeat(16)
    assert right.float().mean() > 0.9


def test_rows_depend_on_their_own_seed_only(members):
    exact = ExactDenoiser(members, SCHEDULE)
    whole = sampled(exact, 8, seed=3)
    parts = torch.cat([sampled(exact, 3, seed=3), sampled(exact, 5, seed=3, first=3)])
    torch.testing.assert_close(whole, parts)
    assert not torch.allclose(whole, sampled(exact, 8, seed=4))


def test_noise_is_unit_and_different_in_every_row():
    noise = noise_like(64, (1000,), seed=1)
    assert abs(float(noise.mean())) < 0.02
    assert abs(float(noise.std()) - 1) < 0.02
    correlation = (noise @ noise.T / 1000).fill_diagonal_(0)
    assert correlation.abs().max() < 0.2


@pytest.mark.slow
def test_dpm_needs_fewer_steps_than_ddim_on_a_smooth_posterior():
    """Two Gaussians have no closed sampler, but a fine path is a good one."""
    members = torch.randn(400, *LAYOUT.shape, generator=torch.Generator().manual_seed(0)).double()
    members = members * 0.3 + torch.where(torch.arange(400)[:, None] < 200, 1.0, -1.0)
    mean = members.mean(0)

    class Smooth(ExactDenoiser):
        """A Gaussian with the set's mean and spread: linear posterior, exact flow."""

        def __call__(self, x, levels, condition):
            alpha, sigma = self.schedule.alpha_sigma(levels.double())
            alpha, sigma = LAYOUT.spread(alpha), LAYOUT.spread(sigma)
            gain = 0.25 * alpha / (0.25 * alpha**2 + sigma**2)
            return mean + gain * (x - alpha * mean)

    def drawn(method, steps):
        """To one part in `steps` of the way: all of it is steps, none a jump."""
        end = 1 / steps
        schedule = CosineSchedule(object_shift=1.0, last_object=end, last_hand=end)
        smooth = Smooth(members, schedule)
        return sampled(smooth, 16, method=method, steps=steps, schedule=schedule)

    fine = drawn("ddim", 2000)
    error = {method: (drawn(method, 12) - fine).abs().max() for method in METHODS}
    assert error["dpm++"] < 0.25 * error["ddim"]


def test_guidance_extrapolates_and_costs_one_call_of_twice_the_batch():
    class Told:
        prediction = "x0"
        level_per_part = True
        sizes = []  # noqa: RUF012

        def __call__(self, x, levels, condition):
            self.sizes.append(len(x))
            told = condition.text_given[:, None]
            return torch.where(told, torch.ones_like(x), torch.zeros_like(x))

    told = Told()
    noise = noise_like(2, LAYOUT.shape, seed=0)
    result = sample_latents(
        told, SCHEDULE, LAYOUT, condition(2, text=True), noise,
        options=SampleOptions(guidance=3.0, steps=4),
    )  # fmt: skip
    torch.testing.assert_close(result, torch.full_like(result, 3.0))
    assert told.sizes == [4] * 4
    clipped = sample_latents(
        told, SCHEDULE, LAYOUT, condition(2, text=True), noise,
        options=SampleOptions(guidance=3.0, steps=4, clip=1.0),
    )  # fmt: skip
    assert clipped.max() == 1


def test_impossible_options_are_refused():
    with pytest.raises(OptionError, match="0 sampling steps"):
        SampleOptions(steps=0)


@pytest.mark.assets
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("num", [10, 25])
def test_equals_diffusers(members, method, num):
    """The same network, the same noise, their scheduler."""
    diffusers = pytest.importorskip("diffusers")
    schedule = ReleasedSchedule()
    exact = AsNoise(ExactDenoiser(members, schedule))
    common = {
        "num_train_timesteps": 1000, "beta_start": 0.0015, "beta_end": 0.0195,
        "beta_schedule": "scaled_linear", "timestep_spacing": "linspace",
    }  # fmt: skip
    if method == "ddim":
        theirs = diffusers.DDIMScheduler(clip_sample=False, set_alpha_to_one=True, **common)
    else:
        theirs = diffusers.DPMSolverMultistepScheduler(
            solver_order=2, final_sigmas_type="zero", lower_order_final=False, **common
        )
    theirs.set_timesteps(num)
    path = schedule.path(num)
    if method == "dpm++":  # they space num + 1 points and drop the clean one
        stride = 999 / num
        steps = torch.tensor([round(i * stride) for i in reversed(range(1, num + 1))]).double()
        level = steps[:, None].expand(-1, 3)
        alpha, sigma = schedule.alpha_sigma(level)
        path = type(path)(level=level, alpha=alpha, sigma=sigma)
    assert theirs.timesteps.tolist() == path.level[:, 0].long().tolist()
    x = noise_like(4, LAYOUT.shape, seed=0).double()
    ours = sample_latents(
        exact, _OnePath(path), LAYOUT, condition(4), x,
        options=SampleOptions(method=method, guidance=1.0, steps=num),
    )  # fmt: skip
    for step in theirs.timesteps:
        eps = exact(x, torch.full((4, 3), float(step)).double(), condition(4))
        previous = theirs.step(eps, step, x)
        x = previous.prev_sample
    # Theirs keeps alphas in float32.
    torch.testing.assert_close(ours, x, atol=5e-4, rtol=0)


class _OnePath:
    def __init__(self, path):
        self._path = path

    def path(self, num):
        return self._path
