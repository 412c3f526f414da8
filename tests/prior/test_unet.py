import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from formula_weights import DENOISER, PARITY, filled, formula_input, released_tensors

from bghop.prior.unet import UNet3D, UNet3DConfig, time_features

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "released_models.json").read_text())
SMALL = UNet3DConfig(
    in_channels=5, model_channels=32, channel_mult=(1, 2), num_res_blocks=1,
    attention_levels=(1,), head_channels=32, context_dim=12,
)  # fmt: skip


def needs_parity():
    if not PARITY.exists():
        pytest.skip("needs the parity fixtures beside the project")


def inputs(channels, *, step=500.0):
    x = formula_input(f"unet_x_{channels}", 1, channels, 16, 16, 16)
    return x, torch.tensor([step]), formula_input("context", 1, 1, 768)


@pytest.fixture(scope="module")
def small():
    return filled(UNet3D(SMALL), "small.")


def small_inputs(batch=2, tokens=3):
    return (
        formula_input("small_x", batch, 5, 8, 8, 8),
        torch.linspace(0, 999, batch),
        formula_input("small_context", batch, tokens, 12),
    )


@pytest.mark.assets
@pytest.mark.parametrize(("tree", "channels"), [("bghop", 43), ("ghop", 23)])
def test_names_and_shapes_are_those_of_the_released_files(tree, channels):
    needs_parity()
    with torch.device("meta"):
        ours = UNet3D(UNet3DConfig(in_channels=channels)).state_dict()
    released = {
        name.removeprefix(DENOISER): shape
        for name, (shape, _) in released_tensors(tree).items()
        if name.startswith(DENOISER) and "text_cond_model" not in name
    }
    assert {name: tuple(tensor.shape) for name, tensor in ours.items()} == released


@pytest.mark.assets
def test_formula_weights_have_the_checksums_of_the_fixtures(unet43, vqvae):
    needs_parity()
    checksums = json.loads((PARITY / "fill_checksums.json").read_text())
    ours = {
        f"{prefix}{name}": tensor
        for prefix, model in (("glide_model.", unet43), ("ae.model.", vqvae))
        for name, tensor in model.state_dict().items()
    }
    assert set(ours) == set(checksums)
    assert len(ours) == 799
    for name, (shape, total, first) in checksums.items():
        assert list(ours[name].shape) == shape
        assert ours[name].double().sum().item() == pytest.approx(total, abs=1e-6)
        assert ours[name].flatten()[0].item() == pytest.approx(first, abs=1e-9)


@pytest.mark.assets
@pytest.mark.parametrize("channels", [23, 43])
@pytest.mark.parametrize("way", ["plain", "fast"])
def test_equals_the_released_code(channels, way, request):
    needs_parity()
    fixture = np.load(PARITY / f"unet_{channels}ch.npz")
    model = request.getfixturevalue(f"unet{channels}")
    x, t, context = (torch.from_numpy(fixture[name]) for name in ("x", "t", "context"))
    # With gradients the plain layers run, without them the prepared ones.
    with torch.set_grad_enabled(way == "plain"):
        eps = model(x, t.float(), context).detach()
    assert np.abs(eps.numpy() - fixture["eps"]).max() < 5e-5


@pytest.mark.parametrize("way", ["plain", "fast"])
def test_golden_numbers(unet43, way):
    with torch.set_grad_enabled(way == "plain"):
        eps = unet43(*inputs(43)).detach()
    assert eps[0, ::6, 3, 9, 5].tolist() == pytest.approx(GOLDEN["eps_43"], abs=5e-5)


@pytest.mark.slow
def test_golden_numbers_one_hand(unet23):
    with torch.no_grad():
        eps = unet23(*inputs(23))
    assert eps[0, ::6, 3, 9, 5].tolist() == pytest.approx(GOLDEN["eps_23"], abs=5e-5)


@pytest.mark.slow
def test_golden_numbers_with_legacy_strides(unet43):
    legacy = UNet3D(dataclasses.replace(unet43.config, legacy_strides=True)).eval()
    legacy.load_state_dict(unet43.state_dict())
    with torch.no_grad():
        eps = legacy(*inputs(43))
    assert eps[0, ::6, 3, 9, 5].tolist() == pytest.approx(GOLDEN["eps_43_legacy"], abs=5e-5)


def test_number_of_parameters():
    with torch.device("meta"):
        for channels, number in ((43, 47_362_859), (23, 47_293_719)):
            model = UNet3D(UNet3DConfig(in_channels=channels))
            assert sum(parameter.numel() for parameter in model.parameters()) == number


def test_legacy_strides_halve_only_y_and_z():
    with torch.device("meta"):
        model = UNet3D(dataclasses.replace(SMALL, legacy_strides=True)).eval()
        seen = []
        model.middle_block.register_forward_hook(lambda _m, _a, out: seen.append(out.shape[2:]))
        model(torch.zeros(1, 5, 8, 8, 8), torch.zeros(1), torch.zeros(1, 1, 12))
    assert seen == [(8, 4, 4)]


def test_rows_of_a_batch_do_not_see_each_other(small):
    x, t, context = small_inputs()
    with torch.no_grad():
        both = small(x, t, context)
        for row in range(2):
            alone = small(x[row, None], t[row, None], context[row, None])
            assert torch.allclose(alone[0], both[row], atol=1e-5)


def test_one_token_is_a_constant_per_block(small):
    """With one token the query cannot matter, so its layers have no effect at all."""
    x, t, context = small_inputs(tokens=1)
    changed = UNet3D(SMALL).eval()
    changed.load_state_dict(small.state_dict())
    with torch.no_grad():
        for name, parameter in changed.named_parameters():
            if "attn2.to_q" in name or "attn2.to_k" in name or "norm2" in name:
                parameter.normal_()
        assert torch.equal(changed(x, t, context), small(x, t, context))
        several = torch.cat([context, context], dim=1)  # the general way, twice the same token
        assert torch.allclose(changed(x, t, several), small(x, t, context), atol=1e-5)


def test_a_new_network_predicts_nothing_and_learns():
    torch.manual_seed(0)
    model = UNet3D(SMALL)
    x, t, context = small_inputs()
    eps = model(x, t, context)
    assert (eps == 0).all()
    (eps - x).square().mean().backward()
    gradients = [parameter.grad for parameter in model.out[2].parameters()]
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


def test_dropout_is_active_in_training_only(small):
    model = UNet3D(SMALL)
    model.load_state_dict(small.state_dict())
    arguments = small_inputs()
    with torch.no_grad():
        assert not torch.equal(model.train()(*arguments), model(*arguments))
        assert torch.equal(model.eval()(*arguments), model(*arguments))


def test_time_features_are_cosines_then_sines():
    t = torch.tensor([0.0, 3.0])
    features = time_features(t, 8)
    assert features.shape == (2, 8)
    assert features[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    slowest = 3.0 * 10000.0 ** (-3 / 4)
    assert features[1, 0].item() == pytest.approx(np.cos(3.0), abs=1e-6)
    assert features[1, 7].item() == pytest.approx(np.sin(slowest), abs=1e-6)
