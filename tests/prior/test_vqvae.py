import json
from pathlib import Path

import numpy as np
import pytest
import torch
from formula_weights import FIRST_STAGE, PARITY, filled, formula_input, released_tensors, sphere

from bghop.prior.vqvae import VQVAE, VQVAEConfig, codebook_loss, nearest_codes

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "released_models.json").read_text())
SMALL = VQVAEConfig(base_channels=32, channel_mult=(1, 2, 2), num_codes=50)


@pytest.fixture(scope="module")
def small():
    return filled(VQVAE(SMALL), "small.")


@pytest.fixture(scope="module")
def fixture():
    if not PARITY.exists():
        pytest.skip("needs the parity fixtures beside the project")
    return np.load(PARITY / "vq_sphere.npz")


@pytest.mark.assets
def test_names_and_shapes_are_those_of_the_released_files(fixture):
    with torch.device("meta"):
        ours = VQVAE().state_dict()
    parts = ("encoder", "decoder", "quantize", "quant_conv", "post_quant_conv")
    released = {
        name.removeprefix(FIRST_STAGE): shape
        for name, (shape, _) in released_tensors("bghop").items()
        if name.startswith(tuple(f"{FIRST_STAGE}{part}." for part in parts))
    }
    assert {name: tuple(tensor.shape) for name, tensor in ours.items()} == released
    assert sum(tensor.numel() for tensor in ours.values()) == 26_349_788


@pytest.mark.assets
@pytest.mark.slow
@pytest.mark.parametrize("way", ["plain", "fast"])
def test_encoding_equals_the_released_code(vqvae, fixture, way):
    grid = sphere()
    assert np.abs(grid[0, 0, :, :, 32].numpy() - fixture["input_slice_z32"]).max() < 1e-6
    # With gradients the plain layers run, without them the prepared ones.
    with torch.set_grad_enabled(way == "plain"):
        h = vqvae.encode(grid).detach()
    assert np.abs(h.numpy() - fixture["h"]).max() < 5e-5


@pytest.mark.assets
def test_codes_equal_the_released_code(vqvae, fixture):
    h = torch.from_numpy(fixture["h"])
    codes = vqvae.codes(h)
    clear = fixture["gap"] >= 1e-5
    assert clear.mean() > 0.99
    assert (codes.flatten().numpy() == fixture["indices"])[clear].all()
    with torch.no_grad():
        z = vqvae.quantise(h)
    assert np.abs(z.numpy() - fixture["z_q"])[:, :, clear.reshape(16, 16, 16)[0, 0]].max() < 1e-6
    loss = codebook_loss(h, z, weight=vqvae.config.commitment)
    assert loss.item() == pytest.approx(fixture["codebook_loss"].item(), rel=1e-5)


@pytest.mark.assets
@pytest.mark.slow
@pytest.mark.parametrize("way", ["plain", "fast"])
def test_decoding_equals_the_released_code(vqvae, fixture, way):
    with torch.set_grad_enabled(way == "plain"):
        grid = vqvae.decode(torch.from_numpy(fixture["h"])).detach()
    assert np.abs(grid[:, :, ::2, ::2, ::2].numpy() - fixture["decode_stride2"]).max() < 5e-5
    assert np.abs(grid[0, 0, :, :, 32].numpy() - fixture["decode_slice_z32"]).max() < 5e-5
    assert grid.mean().item() == pytest.approx(fixture["decode_mean"].item(), abs=1e-5)
    assert grid.std().item() == pytest.approx(fixture["decode_std"].item(), abs=1e-5)


def test_golden_numbers(vqvae):
    with torch.no_grad():
        h = vqvae.encode(sphere(32))
        grid = vqvae.decode(h)
    assert h[0, :, ::3, 4, 2].flatten().tolist() == pytest.approx(GOLDEN["latent_32"], abs=5e-5)
    assert vqvae.codes(h)[0, ::3, 4, 2].tolist() == GOLDEN["codes_32"]
    assert grid[0, 0, ::5, 7, 11].tolist() == pytest.approx(GOLDEN["decoded_32"], abs=5e-5)
    loss = codebook_loss(h, vqvae.quantise(h))
    assert loss.item() == pytest.approx(GOLDEN["codebook_loss_32"], rel=1e-4)


def test_codes_are_the_nearest_entries():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(700, 3, generator=generator)
    book = torch.randn(401, 3, generator=generator)
    distances = torch.cdist(vectors.double(), book.double())
    assert torch.equal(nearest_codes(vectors, book), distances.argmin(1))


def test_an_entry_is_its_own_code(small):
    codes = torch.arange(50).reshape(1, 2, 5, 5)
    entries = small.lookup(codes)
    assert torch.equal(small.codes(entries), codes)
    assert torch.equal(small.quantise(entries.detach()), entries)


def test_gradients_pass_the_codebook_as_if_it_were_not_there(small):
    h = formula_input("latent", 1, 3, 2, 2, 2).requires_grad_()
    weights = formula_input("weights", 1, 3, 2, 2, 2)
    quantised = small.quantise(h)
    assert torch.allclose(quantised, small.lookup(small.codes(h)), atol=1e-6)
    (gradient,) = torch.autograd.grad((quantised * weights).sum(), h)
    assert torch.equal(gradient, weights)


def test_training_moves_encoder_decoder_and_codebook(small):
    model = VQVAE(SMALL)
    model.load_state_dict(small.state_dict())
    grid = sphere(8)
    output = model(grid)
    assert output.reconstruction.shape == grid.shape
    assert output.codes.shape == (1, 2, 2, 2)
    (output.codebook_loss + (output.reconstruction - grid).abs().mean()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0 or name.endswith(".k.bias"), name


def test_the_legacy_loss_by_hand():
    h = torch.tensor([[[[[1.0]]]]], requires_grad=True)
    nearest = torch.tensor([[[[[3.0]]]]], requires_grad=True)
    loss = codebook_loss(h, nearest, weight=0.25)
    loss.backward()
    assert loss.item() == pytest.approx(4.0 + 0.25 * 4.0)
    assert h.grad is not None
    assert h.grad.item() == pytest.approx(-4.0)  # the whole error pulls the latent
    assert nearest.grad is not None
    assert nearest.grad.item() == pytest.approx(0.25 * 4.0)
