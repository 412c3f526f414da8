"""The object prior: principal shapes are a projection, samples are theirs, priors carry it."""

from dataclasses import replace

import pytest
import torch

from bghop.errors import OptionError
from bghop.hands.open_hand import load_open_hand
from bghop.prior.checkpoint import load_prior
from bghop.prior.object_prior import ObjectPrior, ObjectPriorConfig, alpha_sigma
from bghop.prior.prior import Known
from bghop.prior.sampling import SampleOptions
from small_prior import small_prior, write_small_prior

CONFIG = ObjectPriorConfig(components=4, width=16, depth=1)


@pytest.fixture
def latents():
    generator = torch.Generator().manual_seed(0)
    shapes = torch.randn(4, 8, 16, 16, 16, generator=generator)
    return torch.einsum("nk,kcxyz->ncxyz", torch.randn(12, 4, generator=generator), shapes) + 0.3


@pytest.fixture
def objects(latents):
    torch.manual_seed(1)
    network = ObjectPrior(CONFIG)
    network.fit(latents)
    torch.nn.init.normal_(network.coefficients_out.weight, std=0.3)
    return network.eval()


def test_as_many_components_as_shapes_lose_nothing(objects, latents):
    back = objects.latents(objects.coefficients(latents))
    torch.testing.assert_close(back, latents, rtol=1e-3, atol=1e-3)
    gram = objects.basis @ objects.basis.T
    torch.testing.assert_close(gram, torch.eye(4), rtol=0, atol=1e-4)
    assert objects.coefficients(latents).std() == pytest.approx(1.0, abs=1e-3)


def test_fewer_components_keep_the_largest_shapes(latents):
    lost = []
    for count in (1, 2, 3):
        network = ObjectPrior(replace(CONFIG, components=count))
        network.fit(latents)
        lost.append((network.latents(network.coefficients(latents)) - latents).square().mean())
    assert lost[0] > lost[1] > lost[2] > 0


def test_too_few_objects_are_refused(latents):
    with pytest.raises(OptionError, match=r"4 objects .* have no 4 principal"):
        ObjectPrior(CONFIG).fit(latents[:4])


def test_levels_run_from_clean_to_noise():
    assert alpha_sigma(0.0) == (1.0, 0.0)
    alpha, sigma = alpha_sigma(1.0)
    assert (abs(alpha) < 1e-12, sigma) == (True, 1.0)
    for level in (0.1, 0.5, 0.9):
        alpha, sigma = alpha_sigma(level)
        assert alpha**2 + sigma**2 == pytest.approx(1)


def test_a_network_that_knows_one_object_draws_it(objects, latents):
    wanted = objects.coefficients(latents[3:4])

    class One(ObjectPrior):
        def forward(self, noisy, level, text, text_given):
            alpha, sigma = alpha_sigma(float(level[0]))
            noise = (noisy - alpha * wanted) / sigma
            return alpha * noise - sigma * wanted

    exact = One(CONFIG)
    exact.load_state_dict(objects.state_dict())
    noise = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))
    drawn = exact.sample(torch.zeros(5, 384), torch.zeros(5, dtype=torch.bool), noise)
    torch.testing.assert_close(drawn, latents[3:4].expand(5, -1, -1, -1, -1), rtol=1e-2, atol=1e-2)


def test_a_row_depends_on_its_own_noise_only(objects):
    noise, text = torch.randn(3, 4), torch.randn(3, 384)
    there = torch.tensor([True, False, True])
    whole = objects.sample(text, there, noise, guidance=2.0)
    part = objects.sample(text[1:], there[1:], noise[1:], guidance=2.0)
    torch.testing.assert_close(whole[1:], part, rtol=1e-4, atol=1e-5)


@pytest.fixture
def prior(objects):
    found = small_prior()
    found.objects = objects
    return found


def test_a_prior_with_one_draws_objects_from_it_and_hands_for_them(prior, objects):
    hands, steps = load_open_hand(), SampleOptions(steps=2, guidance=1.0)
    condition = prior.condition(["mug", ""])
    drawn = prior.sample(condition, hands, seed=5, options=steps)
    thing = prior.codec.layout.unpack(drawn.latent).object
    flat = thing.flatten(1) - objects.mean
    outside = flat - (flat @ objects.basis.T) @ objects.basis
    assert outside.abs().max() < 1e-3 * flat.abs().max()
    again = prior.sample(condition.rows(torch.tensor([1])), hands, seed=5, first=1, options=steps)
    torch.testing.assert_close(again.latent[0], drawn.latent[1], rtol=1e-3, atol=1e-3)


def test_known_hands_still_get_an_object_of_the_joint_network(prior):
    hands, steps = load_open_hand(), SampleOptions(steps=2, guidance=1.0)
    known = Known(joints=torch.zeros(1, 2, 21, 3), hands=torch.tensor([[True, False]]))
    with_it = prior.sample(prior.condition([""]), hands, known=known, options=steps)
    prior.objects = None
    without = prior.sample(prior.condition([""]), hands, known=known, options=steps)
    torch.testing.assert_close(with_it.latent, without.latent)


def test_a_checkpoint_carries_it(prior, tmp_path):
    back = load_prior(write_small_prior(tmp_path / "ck", prior=prior))
    assert back.objects is not None
    for name, value in prior.objects.state_dict().items():
        assert torch.equal(value, back.objects.state_dict()[name]), name
    assert load_prior(write_small_prior(tmp_path / "plain")).objects is None
