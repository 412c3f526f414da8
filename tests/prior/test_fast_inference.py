"""The fast forward passes: the numbers of the plain layers, used only where they may be."""

import copy
import dataclasses
import pickle

import pytest
import torch
from formula_weights import filled, formula_input, sphere
from torch.nn import functional

from bghop.prior import fast_conv
from bghop.prior.fast_conv import (
    Activation,
    DoublingConv,
    GridConv,
    NarrowConv,
    channels_first,
    channels_last,
    normalised,
)
from bghop.prior.unet import UNet3D, UNet3DConfig
from bghop.prior.vqvae import VQVAE, VQVAEConfig

pytestmark = pytest.mark.skipif(not fast_conv.available(), reason="torch without oneDNN")

SMALL = UNet3DConfig(
    in_channels=33, model_channels=32, channel_mult=(1, 2), num_res_blocks=1,
    attention_levels=(1,), head_channels=32, context_dim=12,
)  # fmt: skip
SMALL_FIRST_STAGE = VQVAEConfig(base_channels=32, channel_mult=(1, 2, 2), num_codes=50)


@pytest.fixture(scope="module")
def unet():
    return filled(UNet3D(SMALL), "small.")


@pytest.fixture(scope="module")
def vqvae():
    return filled(VQVAE(SMALL_FIRST_STAGE), "small.")


def exact(method, *arguments):
    """The result of the plain layers in double precision.

    In single precision they are no measure: with some numbers of threads torch's own transposed
    convolutions are ten times further from the truth than the fast pass.
    """
    model = copy.deepcopy(method.__self__).double()
    with torch.no_grad():
        return getattr(model, method.__name__)(*(value.double() for value in arguments))


def fast(call):
    with torch.no_grad():
        return call()


def weights(out, channels):
    scale = (27 * channels) ** -0.5
    return scale * formula_input("w", out, channels, 3, 3, 3), formula_input("b", out)


def directly(x, weight, bias):
    return functional.conv3d(x.double(), weight.double(), bias.double(), padding=1)


def close(ours, truth):
    assert ours.shape == truth.shape
    size = max(1.0, float(truth.abs().max()))
    return (ours.double() - truth.double()).abs().max().item() < 2e-5 * size


GRIDS = [(2, 16, 16, 16), (1, 9, 8, 12), (1, 8, 20, 8), (3, 8, 8, 8), (1, 1, 3, 2), (2, 4, 4, 4)]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("channels", "out"), [(32, 48), (40, 33), (5, 7)])
def test_grid_convolution_is_the_convolution(grid, channels, out):
    weight, bias = weights(out, channels)
    x = formula_input("x", *grid, channels)
    truth = directly(channels_first(x), weight, bias)
    assert close(channels_first(fast(lambda: GridConv(weight, bias)(x))), truth)


def test_slabs_and_bands_fit_together(monkeypatch):
    """However little is worked on at a time."""
    weight, bias = weights(32, 32)
    x = formula_input("x", 2, 13, 24, 8, 32)
    truth = directly(channels_first(x), weight, bias)
    for size in (1, 20_000, 60_000, 10**9):
        monkeypatch.setattr("bghop.prior.scratch._CACHE", size)
        assert close(channels_first(fast(lambda: GridConv(weight, bias)(x))), truth)
        up = functional.interpolate(channels_first(x), scale_factor=2.0)
        doubled = fast(lambda: DoublingConv(weight, bias)(x))
        assert close(channels_first(doubled), directly(up, weight, bias))
        narrow = fast(lambda: NarrowConv(weight[:2], bias[:2])(x))
        assert close(channels_first(narrow), truth[:, :2])


@pytest.mark.parametrize("grid", [(2, 4, 4, 4), (1, 3, 5, 2), (1, 8, 8, 8)])
def test_doubling_convolution_is_repeating_and_convolving(grid):
    weight, bias = weights(6, 5)
    x = formula_input("x", *grid, 5)
    up = functional.interpolate(channels_first(x), scale_factor=2.0, mode="nearest")
    doubled = fast(lambda: DoublingConv(weight, bias)(x))
    assert close(channels_first(doubled), directly(up, weight, bias))


@pytest.mark.parametrize("bend", [torch.ops.aten.silu_, torch.ops.aten.gelu_])
@pytest.mark.parametrize("kind", [GridConv, NarrowConv])
@pytest.mark.parametrize("size", [4, 8])
def test_activation_on_the_way_is_the_activation_before(bend, kind, size):
    """Above all the zeros around the grid stay zeros."""
    weight, bias = weights(32, 32)
    x = formula_input("x", 2, size, size, size, 32)
    scale, shift = formula_input("scale", 2, 32), 1 + formula_input("shift", 2, 32)
    before = bend(channels_first(x * scale[:, None, None, None] + shift[:, None, None, None]))
    activation = Activation(scale=scale, shift=shift, bend=bend)
    ours = fast(lambda: kind(weight, bias)(x, activation))
    assert close(channels_first(ours), directly(before, weight, bias))


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_normalisation_with_and_without_scale_and_shift(rows):
    norm = torch.nn.GroupNorm(8, 32)
    norm.weight.data, norm.bias.data = formula_input("nw", 32), formula_input("nb", 32)
    x = 3 * formula_input("x", 2, 4, 6, 5, 32) + 100  # far from zero, where digits are lost
    scale_shift = formula_input("s", rows, 64) if rows else None
    exact = channels_last(norm.double()(channels_first(x).double()))
    if rows:
        scale, shift = scale_shift[:, None, None, None].double().chunk(2, dim=-1)
        exact = exact * (1 + scale) + shift
    ours = fast(lambda: normalised(x, norm.float(), scale_shift).scaled(x))
    assert (ours - exact).abs().max() < 3e-4
    assert torch.isfinite(ours).all()


@pytest.mark.parametrize("tokens", [1, 3])
@pytest.mark.parametrize("steps", [(500.0, 500.0, 500.0), (0.0, 500.0, 999.0)])
def test_denoiser_equals_the_plain_one(unet, tokens, steps):
    x = formula_input("x", 3, 33, 8, 8, 8)
    arguments = x, torch.tensor(steps), formula_input("text", 3, tokens, 12)
    assert close(fast(lambda: unet(*arguments)), exact(unet.forward, *arguments))


@pytest.mark.parametrize("pairs", [1, 2])
@pytest.mark.parametrize("tokens", [1, 2])
def test_a_guidance_pair_equals_two_single_calls(unet, pairs, tokens):
    """Both halves hold the same grids; what they share is computed once."""
    x, t = formula_input("x", pairs, 33, 8, 8, 8), torch.linspace(10, 900, pairs)
    text = formula_input("text", 2 * pairs, tokens, 12)
    both = fast(lambda: unet(x.repeat(2, 1, 1, 1, 1), t.repeat(2), text))
    for half, words in zip(both.chunk(2), text.chunk(2), strict=True):
        assert close(half, exact(unet.forward, x, t, words))


@pytest.mark.parametrize(
    "change",
    [
        {"legacy_strides": True},
        {"attention_levels": ()},
        {"transformer_depth": 2, "channel_mult": (1, 1, 2), "attention_levels": (0, 2)},
        {"out_channels": 4},
    ],
)
def test_other_sizes_and_strides_of_the_denoiser_equal_the_plain_one(change):
    model = filled(UNet3D(dataclasses.replace(SMALL, **change)), "other.")
    x = formula_input("x", 1, 33, 8, 8, 8).repeat(2, 1, 1, 1, 1)
    arguments = x, torch.tensor([3.0, 3.0]), formula_input("text", 2, 1, 12)
    assert close(fast(lambda: model(*arguments)), exact(model.forward, *arguments))


def test_first_stage_equals_the_plain_one(vqvae):
    grid = torch.cat([sphere(32), -0.5 * sphere(32)])
    h = fast(lambda: vqvae.encode(grid))
    assert close(h, exact(vqvae.encode, grid))
    assert close(fast(lambda: vqvae.decode(h)), exact(vqvae.decode, h))


def test_changed_weights_are_noticed():
    model = filled(UNet3D(SMALL), "small.")
    arguments = formula_input("x", 1, 33, 8, 8, 8), torch.zeros(1), torch.ones(1, 1, 12)
    fast(lambda: model(*arguments))

    def steps():
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        for kind in (torch.optim.SGD, torch.optim.AdamW):
            kind(model.parameters(), lr=1e-3).step()
            yield
        with torch.no_grad():
            model.out[2].weight.mul_(2)
        yield
        model.load_state_dict(filled(UNet3D(SMALL), "another.").state_dict())
        yield
        model.middle_block[0].in_layers[2].weight.data += 0.1
        model.eval()  # the way to say that `.data` was changed
        yield

    for _ in steps():
        assert close(fast(lambda: model(*arguments)), exact(model.forward, *arguments))


def test_nothing_is_prepared_where_plain_layers_are_needed(monkeypatch):
    def refuse(_):
        raise AssertionError("prepared")

    model = filled(UNet3D(SMALL), "small.")
    monkeypatch.setattr(model._fast, "_prepare", refuse)
    x, t, text = formula_input("x", 1, 33, 4, 4, 4), torch.zeros(1), torch.ones(1, 1, 12)
    model(x, t, text)
    with torch.no_grad(), pytest.raises(AssertionError, match="prepared"):
        model(x, t, text)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        model(x, t, text)
    with torch.no_grad():
        model.double()(x.double(), t, text.double())
        model.float().train()(x, t, text)


def test_prepared_networks_are_copied_pickled_and_used_in_inference_mode(unet):
    x, t, text = formula_input("x", 1, 33, 8, 8, 8), torch.zeros(1), torch.ones(1, 1, 12)
    truth = exact(unet.forward, x, t, text)
    with torch.inference_mode():
        assert close(unet(x, t, text), truth)
    for other in (copy.deepcopy(unet), pickle.loads(pickle.dumps(unet))):  # noqa: S301
        assert other._fast._ready is None
        assert close(fast(lambda other=other: other(x, t, text)), truth)
    assert close(fast(lambda: unet(x, t, text)), truth)
    assert set(unet.state_dict()) == {name for name, _ in unet.named_parameters()}
