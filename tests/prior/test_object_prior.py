"""The object prior: principal shapes are a projection, samples are theirs, priors carry it."""

from dataclasses import replace

import pytest
import torch

from bghop.errors import OptionError
from bghop.hands.open_hand import load_open_hand
from bghop.prior.checkpoint import load_prior
from bghop.prior.object_prior import (
    ObjectPrior,
    ObjectPriorConfig,
    Shapes,
    alpha_sigma,
    decode_shapes,
    encode_shapes,
)
from bghop.prior.prior import Known
from bghop.prior.sampling import SampleOptions
from small_prior import small_prior, write_small_prior

CONFIG = ObjectPriorConfig(components=4, width=16, depth=1)


@pytest.fixture
def shapes():
    generator = torch.Generator().manual_seed(0)
    parts = torch.randn(4, 8, 16, 16, 16, generator=generator)
    mixed = torch.einsum("nk,kcxyz->ncxyz", torch.randn(12, 4, generator=generator), parts) + 0.3
    return Shapes(latents=mixed, sizes=torch.linspace(0.06, 0.4, 12))


@pytest.fixture
def objects(shapes):
    torch.manual_seed(1)
    network = ObjectPrior(CONFIG)
    network.fit(shapes)
    torch.nn.init.normal_(network.coefficients_out.weight, std=0.3)
    return network.eval()


def few(shapes, rows):
    return Shapes(latents=shapes.latents[rows], sizes=shapes.sizes[rows])


def lost(network, shapes):
    """Part of the variance that coefficients do not hold."""
    back = network.shapes(network.coefficients(shapes)).latents
    spread = shapes.latents - shapes.latents.mean(0)
    return float((back - shapes.latents).square().sum() / spread.square().sum())


def test_as_many_components_as_shapes_lose_nothing_but_the_last_bits(objects, shapes):
    assert lost(objects, shapes) < 3e-4
    assert objects.steps.dtype == torch.int8
    gram = objects.basis @ objects.basis.T
    torch.testing.assert_close(gram, torch.eye(4), rtol=0, atol=2e-3)
    found = objects.coefficients(shapes)
    assert found.shape == (12, objects.numbers) == (12, 5)
    assert found[:, :-1].std() == pytest.approx(1.0, abs=0.02)
    torch.testing.assert_close(objects.shapes(found).sizes, shapes.sizes)


def test_fewer_components_keep_the_largest_shapes(shapes):
    left = []
    for count in (1, 2, 3):
        network = ObjectPrior(replace(CONFIG, components=count))
        network.fit(shapes)
        left.append(lost(network, shapes))
    assert left[0] > left[1] > left[2] > 0


def test_a_shape_does_not_say_its_size(objects, shapes):
    large = Shapes(latents=shapes.latents, sizes=2 * shapes.sizes)
    here, there = objects.coefficients(shapes), objects.coefficients(large)
    assert torch.equal(here[:, :-1], there[:, :-1])
    torch.testing.assert_close(objects.shapes(there).sizes, large.sizes)


def test_too_few_objects_are_refused(shapes):
    with pytest.raises(OptionError, match=r"4 objects .* have no 4 principal"):
        ObjectPrior(CONFIG).fit(few(shapes, slice(4)))


def test_encoded_shapes_come_back():
    stage = small_prior().codec.first_stage
    axis = torch.linspace(-0.3, 0.3, 64)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    ball = torch.stack([x, y, z]).norm(dim=0) - 0.2
    with torch.no_grad():
        back = decode_shapes(stage, encode_shapes(stage, ball[None, None]))[0] * stage.truncation
    near = ball.abs() < 0.03
    assert (back - ball)[near].abs().mean() < 1e-3


def test_levels_run_from_clean_to_noise():
    assert alpha_sigma(0.0) == (1.0, 0.0)
    alpha, sigma = alpha_sigma(1.0)
    assert (abs(alpha) < 1e-12, sigma) == (True, 1.0)
    for level in (0.1, 0.5, 0.9):
        alpha, sigma = alpha_sigma(level)
        assert alpha**2 + sigma**2 == pytest.approx(1)


def test_a_network_that_knows_one_object_draws_it(objects, shapes):
    wanted = objects.coefficients(few(shapes, slice(3, 4)))

    class One(ObjectPrior):
        def forward(self, noisy, level, text, text_given):
            alpha, sigma = alpha_sigma(float(level[0]))
            noise = (noisy - alpha * wanted) / sigma
            return alpha * noise - sigma * wanted

    exact = One(CONFIG)
    exact.load_state_dict(objects.state_dict())
    noise = torch.randn(5, 5, generator=torch.Generator().manual_seed(2))
    drawn = exact.sample(torch.zeros(5, 384), torch.zeros(5, dtype=torch.bool), noise)
    known = objects.shapes(wanted).latents.expand(5, -1, -1, -1, -1)
    torch.testing.assert_close(drawn.latents, known, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(drawn.sizes, shapes.sizes[3].expand(5), rtol=1e-3, atol=0)


def test_a_row_depends_on_its_own_noise_only(objects):
    noise, text = torch.randn(3, 5), torch.randn(3, 384)
    there = torch.tensor([True, False, True])
    whole = objects.sample(text, there, noise, guidance=2.0)
    part = objects.sample(text[1:], there[1:], noise[1:], guidance=2.0)
    torch.testing.assert_close(whole.latents[1:], part.latents, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(whole.sizes[1:], part.sizes)


@pytest.fixture
def prior(objects):
    found = small_prior()
    found.objects = objects
    return found


def test_a_prior_draws_sums_of_principal_shapes(prior, objects):
    condition = prior.condition(["mug", ""])
    drawn = prior.draw_objects(condition, seed=5)
    flat = drawn.shapes.latents.flatten(1) - objects.mean
    outside = flat - (flat @ objects.basis.T) @ objects.basis
    assert outside.abs().max() < 1e-2 * flat.abs().max()
    again = prior.draw_objects(condition.rows(torch.tensor([1])), seed=5, first=1).shapes
    torch.testing.assert_close(again.latents[0], drawn.shapes.latents[1], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(again.sizes[0], drawn.shapes.sizes[1])


def test_drawing_again_changes_the_object_and_keeps_the_word(prior, objects):
    words = ("torus", "dog", "chest", "bucket")
    genus = ((0, 0), (1, 1), (2, 2), (3, 3))
    objects.config = replace(CONFIG, words=words, genus=genus)
    condition = prior.condition(["urn"] * 12)
    first, other = (prior.draw_objects(condition, seed=3, again=again) for again in (0, 1))
    assert len(set(map(tuple, first.genus.tolist()))) > 1  # drawn after several words
    assert torch.equal(first.genus, other.genus)
    assert not torch.equal(first.shapes.latents, other.shapes.latents)


def test_a_prior_without_one_says_what_makes_one():
    prior = small_prior()
    with pytest.raises(OptionError, match="`bghop train objects` makes one"):
        prior.draw_objects(prior.condition([""]))


def test_rows_say_how_many_handles_their_word_may_have(prior, objects):
    condition = prior.condition(["mug", "bowl", "mugs", ""])
    assert prior.draw_objects(condition).genus is None
    words = ("bowl", "mug", "racket")
    objects.config = replace(CONFIG, words=words, genus=((0, 0), (1, 1), (2, 5)))
    assert prior.draw_objects(condition).genus.tolist() == [[1, 1], [0, 0], [1, 1], [0, 5]]
    objects.config = replace(CONFIG, words=words, genus=((6, 7),) * 3)
    new = prior.draw_objects(prior.condition(["teapot"]))
    assert new.genus.tolist() == [[6, 7]]  # that of the word it is drawn after


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
