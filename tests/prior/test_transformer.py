"""Our denoiser."""

import json

import pytest
import torch

from bghop.errors import CheckpointError, OptionError
from bghop.prior.checkpoint import load_prior, prior_config, prior_tensors
from bghop.prior.denoiser import Condition
from bghop.prior.layout import LatentParts
from bghop.prior.sampling import SampleOptions, noise_like, sample_latents
from bghop.prior.schedule import CosineSchedule
from bghop.prior.transformer import PatchTransformer, TransformerConfig
from small_prior import small_prior

CONFIG = TransformerConfig(object_channels=2, resolution=8, width=32, depth=2, heads=2, text_dim=6)


def fresh():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = PatchTransformer(CONFIG, CosineSchedule())
    return network.eval().requires_grad_(False)


def shuffled(network):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.fixture(scope="module")
def network():
    """Every weight at random, so that nothing is zero by its start."""
    return shuffled(fresh())


def inputs(network, num=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(num, *network.layout.shape, generator=generator)
    levels = torch.full((num, 3), 0.5)
    condition = Condition(
        tokens=torch.randn(num, 1, 6, generator=generator),
        text_given=torch.ones(num, dtype=torch.bool),
        present=torch.ones(num, 2, dtype=torch.bool),
    )
    return x, levels, condition


def changed(condition, **values):
    return Condition(**{**vars(condition), **values})


def test_patches_are_put_back_where_they_were(network):
    thing = torch.randn(2, 2, 8, 8, 8)
    tokens = network._patched(thing)
    assert tokens.shape == (2, 8, 2 * 4**3)
    assert torch.equal(network._unpatched(tokens), thing)
    # The first patch is the low corner of the grid.
    assert torch.equal(tokens[:, 0].reshape(2, 2, 4, 4, 4), thing[:, :, :4, :4, :4])


def test_rows_of_a_batch_do_not_see_each_other(network):
    x, levels, condition = inputs(network)
    whole = network(x, levels, condition)
    rows = [
        network(x[i : i + 1], levels[i : i + 1], condition.rows(torch.tensor([i])))
        for i in range(3)
    ]
    torch.testing.assert_close(whole, torch.cat(rows), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("part", range(3))
def test_parts_at_level_zero_come_back_unchanged(network, part):
    x, levels, condition = inputs(network)
    levels = levels.clone()
    levels[:, part] = 0
    clean = network(x, levels, condition)
    mask = network.layout.spread(levels == 0)
    assert torch.equal(clean[mask], x[mask])
    assert not torch.allclose(clean[~mask], x[~mask])


def test_half_precision_draws_nearly_the_same(network):
    _, _, condition = inputs(network)
    noise = noise_like(3, network.layout.shape, seed=0)
    full, half = (
        sample_latents(
            network, network.schedule, network.layout, condition, noise,
            options=SampleOptions(steps=5, half=half),
        )
        for half in (False, True)
    )  # fmt: skip
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    assert (full - half).norm() < 0.03 * full.norm()


def test_what_is_said_of_an_absent_hand_does_not_matter(network):
    x, levels, condition = inputs(network)
    one = changed(condition, present=torch.tensor([[False, True]]).expand(3, 2))
    thing, hands = network.layout.unpack(x)
    other = hands.clone()
    other[:, 0] = torch.randn_like(other[:, 0])
    results = [
        network.layout.unpack(network(network.layout.pack(LatentParts(thing, h)), levels, one))
        for h in (hands, other)
    ]
    torch.testing.assert_close(results[0].object, results[1].object)
    torch.testing.assert_close(results[0].hands[:, 1], results[1].hands[:, 1])
    both = network.layout.unpack(network(x, levels, condition))
    assert not torch.allclose(both.hands[:, 1], results[0].hands[:, 1])


def test_text_steers_unless_it_is_not_given(network):
    x, levels, condition = inputs(network)
    other = changed(condition, tokens=torch.flip(condition.tokens, (0,)) + 1)
    assert not torch.allclose(network(x, levels, condition), network(x, levels, other))
    torch.testing.assert_close(
        network(x, levels, condition.without_text()), network(x, levels, other.without_text())
    )


def test_the_object_is_looked_up_where_the_joints_are(network):
    thing = torch.zeros(1, 2, 8, 8, 8)
    thing[0, 0, 6, 1, 3], thing[0, 1] = 1.0, torch.arange(8.0)[:, None, None]
    axis = torch.linspace(-CONFIG.cell_extent, CONFIG.cell_extent, 8)
    at = torch.stack([axis[6], axis[1], axis[3]])
    metres = at.expand(1, 2, 21, 3)
    found = network._object_at(thing, metres)
    torch.testing.assert_close(found, torch.tensor([1.0, 6.0]).expand(1, 2, 21, 2))


def test_the_interaction_grid_grows_with_distance(network):
    metres = torch.zeros(1, 2, 21, 3)
    metres[0, 0, 0] = network.cells[5]
    present = torch.ones(1, 2, dtype=torch.bool)
    far = network._field(metres, present).reshape(1, 8, 8, 2, 42)[0, :, :, 0, 0].flatten()
    assert int(far.argmin()) == 5
    distance = (network.cells - network.cells[5]).norm(dim=-1)
    torch.testing.assert_close(far, distance / CONFIG.half_extent - 1, atol=1e-4, rtol=0)
    absent = network._field(metres, ~present)
    assert (absent == 0).all()


def test_transfer_trains_input_and_output_layers_only(network):
    few = {id(p) for p in network.transfer_parameters()}
    names = {name for name, p in network.named_parameters() if id(p) in few}
    assert {"object_in.weight", "wrist_in.weight", "finger_out.bias", "hand_place"} <= names
    assert not any(name.startswith("blocks") for name in names)


def test_checkpoints_with_mean_hands_are_refused_and_those_without_are_read(tmp_path):
    prior = small_prior()
    config = prior_config(prior)
    (tmp_path / "model.safetensors").write_bytes(prior_tensors(prior))
    for mean_hand in (False, True):
        config["denoiser"]["mean_hand"] = mean_hand
        (tmp_path / "config.json").write_text(json.dumps(config))
        if mean_hand:
            with pytest.raises(CheckpointError, match="mean hands, which is no more: train"):
                load_prior(tmp_path)
        else:
            assert load_prior(tmp_path).denoiser.config == prior.denoiser.config


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(OptionError, match="patches of 3 do not tile 16"):
        TransformerConfig(patch=3)
    with pytest.raises(OptionError, match="no multiple of 7 heads"):
        TransformerConfig(heads=7)


def test_a_step_of_training_reaches_every_weight():
    network = fresh().train().requires_grad_(True)
    for layer in (network.object_out, network.wrist_out, network.finger_out, network.final.linear):
        torch.nn.init.normal_(layer.weight)
    for block in network.blocks:
        torch.nn.init.normal_(block.modulation.linear.weight)
    x, levels, condition = inputs(network)
    some = changed(
        condition, text_given=torch.tensor([True, False, True]),
        present=torch.tensor([[True, True], [False, True], [True, False]]),
    )  # fmt: skip
    network(x, levels, some).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert network.absent.grad.abs().sum() > 0
