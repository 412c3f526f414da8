"""Both kinds of our denoiser: plain, and as a correction of fitted mean hands."""

from dataclasses import replace

import pytest
import torch

from bghop.errors import OptionError
from bghop.geometry.rotations import random_rotations
from bghop.hands.open_hand import load_open_hand
from bghop.hands.postures import Postures
from bghop.prior.denoiser import Condition
from bghop.prior.layout import LatentParts
from bghop.prior.mean_hand import fit_mean_hands, mean_hands
from bghop.prior.sampling import SampleOptions, noise_like, sample_latents
from bghop.prior.schedule import CosineSchedule
from bghop.prior.transformer import PatchTransformer, TransformerConfig

CONFIG = TransformerConfig(object_channels=2, resolution=8, width=32, depth=2, heads=2, text_dim=6)


def fresh(**changes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = PatchTransformer(replace(CONFIG, **changes), CosineSchedule())
        model = load_open_hand()
        network.set_mean_hands(mean_hands(model, Postures.within(model.anatomy.limits)))
    return network.eval().requires_grad_(False)


def shuffled(network):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "mean hand"])
def network(request):
    """Every weight at random, so that nothing is zero by its start."""
    return shuffled(fresh(mean_hand=request.param))


@pytest.fixture(scope="module")
def untrained():
    """Answers fitted mean hands: its output layers are zero still."""
    return fresh(mean_hand=True)


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


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(OptionError, match="patches of 3 do not tile 16"):
        TransformerConfig(patch=3)
    with pytest.raises(OptionError, match="no multiple of 7 heads"):
        TransformerConfig(heads=7)


def posed(untrained, num, generator):
    """Mean hands at random places, as the network's states have them."""
    R = random_rotations(2 * num, generator=generator).unflatten(0, (num, 2)).float()
    t = 0.1 * torch.randn(num, 2, 1, 3, generator=generator)
    return (untrained.mean_hands @ R.mT + t) / CONFIG.joint_scale, R


def test_mean_hands_are_found_in_noise_better_than_their_joints(untrained):
    generator = torch.Generator().manual_seed(3)
    hands, R = posed(untrained, 20, generator)
    metres = hands * CONFIG.joint_scale
    exact, turn = fit_mean_hands(metres, untrained.mean_hands)
    torch.testing.assert_close(exact, metres, atol=1e-6, rtol=0)
    torch.testing.assert_close(turn, R, atol=1e-5, rtol=0)
    noise = 0.02 * torch.randn(metres.shape, generator=generator)
    found, turn = fit_mean_hands(metres + noise, untrained.mean_hands)
    assert (found - metres).norm(dim=-1).mean() < 0.5 * noise.norm(dim=-1).mean()
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(20, 2), atol=1e-5, rtol=0)


def test_an_untrained_network_answers_fitted_hands_whose_error_is_less_than_the_noise(untrained):
    generator = torch.Generator().manual_seed(4)
    hands, _ = posed(untrained, 12, generator)
    thing = torch.randn(12, 2, 8, 8, 8, generator=generator)
    clean = untrained.layout.pack(LatentParts(thing, hands))
    _, _, condition = inputs(untrained, num=12)
    levels = torch.tensor([0.0, 0.1, 0.1]).expand(12, 3)
    alpha, sigma = untrained.schedule.alpha_sigma(levels)
    noise = torch.randn(clean.shape, generator=generator)
    spread = untrained.layout.spread
    answer = untrained(spread(alpha) * clean + spread(sigma) * noise, levels, condition)
    off = untrained.layout.unpack(answer - clean).hands.norm(dim=-1).mean()
    noisy = (sigma / alpha)[0, 1] * untrained.layout.unpack(noise).hands.norm(dim=-1).mean()
    assert off < 0.6 * noisy


def test_an_untrained_network_turns_with_the_hands(untrained):
    x, levels, condition = inputs(untrained)
    R = random_rotations(1, generator=torch.Generator().manual_seed(1))[0].float()
    thing, hands = untrained.layout.unpack(x)
    turned = untrained.layout.pack(LatentParts(thing, hands @ R.mT))
    first = untrained.layout.unpack(untrained(x, levels, condition)).hands
    second = untrained.layout.unpack(untrained(turned, levels, condition)).hands
    torch.testing.assert_close(second, first @ R.mT, atol=1e-4, rtol=1e-4)


def test_distances_are_read_of_given_objects_only(network):
    x, levels, condition = inputs(network)
    told = [
        changed(condition, distances=torch.randn(3, 1, 16, 16, 16, generator=generator))
        for generator in (torch.Generator().manual_seed(k) for k in range(2))
    ]
    given = levels.clone()
    given[:, 0] = 0
    same = [torch.allclose(*[network(x, each, c) for c in told]) for each in (levels, given)]
    assert same == ([True, False] if network.config.mean_hand else [True, True])
    torch.testing.assert_close(network(x, levels, told[0]), network(x, levels, condition))


def test_mere_noise_is_looked_at_in_the_middle_of_the_grid():
    network = shuffled(fresh(mean_hand=True))
    x, _, condition = inputs(network)
    side = torch.linspace(-1, 1, 16).abs()
    far = torch.stack(torch.meshgrid(side, side, side, indexing="ij")).amax(0) > 0.4  # 12 cm
    answers = {}
    for level in (0.3, 0.99):
        levels = torch.tensor([0.0, level, level]).expand(3, 3)
        told = [
            changed(condition, distances=(0.04 * here).expand(3, 1, 16, 16, 16))
            for here in (torch.zeros_like(far), far, ~far)
        ]
        nothing, outside, inside = (network(x, levels, each) for each in told)
        answers[level] = [not torch.allclose(nothing, each) for each in (outside, inside)]
    assert answers == {0.3: [True, True], 0.99: [False, True]}


def test_a_step_of_training_reaches_every_weight():
    network = fresh(mean_hand=True).train().requires_grad_(True)
    for layer in (network.object_out, network.wrist_out, network.finger_out, network.final.linear):
        torch.nn.init.normal_(layer.weight)
    for block in network.blocks:
        torch.nn.init.normal_(block.modulation.linear.weight)
    x, levels, condition = inputs(network)
    some = changed(
        condition, text_given=torch.tensor([True, False, True]),
        present=torch.tensor([[True, True], [False, True], [True, False]]),
        distances=torch.rand(3, 1, 16, 16, 16),
    )  # fmt: skip
    network(x, levels, some).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert network.absent.grad.abs().sum() > 0
