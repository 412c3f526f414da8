"""From a released file to models: what is used, what is left, what is refused."""

import dataclasses
import json
import subprocess
import sys

import pytest
import torch
from fabricated_checkpoint import Hostile, formula_state, placeholder, write_lightning
from formula_weights import DENOISER, FIRST_STAGE, PARITY, formula_input, released_tensors
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bghop.cli import main
from bghop.errors import CheckpointError
from bghop.prior.checkpoint import load_prior
from bghop.prior.released import expand_to_two_hands, import_released
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.schedule import ReleasedSchedule
from bghop.prior.unet import UNet3D, UNet3DConfig
from bghop.prior.vqvae import VQVAE, VQVAEConfig

SMALL_DENOISER = UNet3DConfig(
    model_channels=32, channel_mult=(1, 2), num_res_blocks=1, attention_levels=(1,),
    head_channels=32, context_dim=12,
)  # fmt: skip
SMALL_FIRST_STAGE = VQVAEConfig(base_channels=32, channel_mult=(1, 1, 1), num_codes=16)
COMPANY = {
    "std": (1, 23, 1, 1, 1),
    "ae.model.mean": (1, 1, 1, 1, 1),
    "ae.model.std": (1, 1, 1, 1, 1),
    "hand_wrapper.mano_layer_right.th_shapedirs": (778, 3, 10),
    "ae.model.hand_cond.hand_wrapper.hand_mean": (1, 45),
    "viz.hand_wrapper_left.verts_uv": (1, 1538, 2),
    "glide_model.text_cond_model.model.text_model.embeddings.position_ids": (1, 77),
    "glide_model.text_cond_model.model.text_model.final_layer_norm.weight": (768,),
}
"""One or two of every part of a released file that is left."""


@pytest.fixture
def small_models(monkeypatch):
    """The importer with networks that make a file of a megabyte."""
    monkeypatch.setattr("bghop.prior.released.DENOISER", SMALL_DENOISER)
    monkeypatch.setattr("bghop.prior.released.FIRST_STAGE", SMALL_FIRST_STAGE)


def small_shapes(channels=43):
    with torch.device("meta"):
        denoiser = UNet3D(dataclasses.replace(SMALL_DENOISER, in_channels=channels))
        first_stage = VQVAE(SMALL_FIRST_STAGE)
    return {
        **{DENOISER + name: t.shape for name, t in denoiser.state_dict().items()},
        **{FIRST_STAGE + name: t.shape for name, t in first_stage.state_dict().items()},
    }


def small_state(channels=43):
    company = {name: placeholder(shape) for name, shape in COMPANY.items()}
    return company | formula_state(small_shapes(channels))


@pytest.fixture
def checkpoint(tmp_path, small_models):
    return write_lightning(tmp_path / "last.ckpt", small_state())


@pytest.mark.parametrize(("channels", "hands"), [(23, 1), (43, 2)])
def test_models_have_the_numbers_of_the_file(tmp_path, small_models, channels, hands):
    state = small_state(channels)
    models = import_released(write_lightning(tmp_path / "a.ckpt", state))
    assert models.hands == hands
    for prefix, model in ((DENOISER, models.unet), (FIRST_STAGE, models.vqvae)):
        assert not model.training
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, state[prefix + name])


def test_the_report_counts_every_tensor_once(checkpoint):
    report = import_released(checkpoint).report
    assert report.left == {
        "constants": 3, "hand models (MANO data)": 3, "text encoder (CLIP)": 2,
    }  # fmt: skip
    denoiser = sum(name.startswith(DENOISER) for name in small_shapes())
    assert report.used == {"denoiser": denoiser, "first stage": len(small_shapes()) - denoiser}
    assert report.unknown == ()
    assert len(report.sha256) == 64


def test_unknown_tensors_are_left_and_named(tmp_path, small_models):
    state = small_state() | {"glide_model.extra.weight": torch.ones(2), "loss.w": torch.ones(1)}
    report = import_released(write_lightning(tmp_path / "a.ckpt", state)).report
    assert report.unknown == ("glide_model.extra.weight", "loss.w")
    assert report.left["unknown"] == 2


def test_half_precision_becomes_single(tmp_path, small_models):
    state = {name: tensor.half() for name, tensor in small_state().items()}
    models = import_released(write_lightning(tmp_path / "a.ckpt", state))
    tensors = [*models.unet.parameters(), *models.vqvae.parameters()]
    assert {tensor.dtype for tensor in tensors} == {torch.float32}


def test_imported_models_can_be_trained_further(checkpoint):
    models = import_released(checkpoint)
    assert all(parameter.requires_grad for parameter in models.unet.parameters())
    models.unet.train()
    arguments = formula_input("x", 1, 43, 4, 4, 4), torch.zeros(1), torch.ones(1, 1, 12)
    models.unet(*arguments).sum().backward()


def test_legacy_strides_are_an_explicit_choice(checkpoint):
    assert not import_released(checkpoint).unet.config.legacy_strides
    legacy = import_released(checkpoint, legacy_unet=True).unet
    assert legacy.config.legacy_strides
    assert legacy.output_blocks[1][2].factors == (1, 2, 2)


def without(*names):
    return {name: tensor for name, tensor in small_state().items() if name not in names}


def changed(name, tensor):
    return small_state() | {name: tensor}


TIME = "glide_model.time_embed.0.weight"
FAULTS = {
    "one missing": (lambda: without(TIME), r"lacks 1 of \d+ tensors \(glide_model\.time_embed"),
    "half of it": (
        lambda: {n: t for n, t in small_state().items() if ".output_blocks." not in n},
        r"lacks \d+ of \d+ tensors .*, \.\.\.\): it is not complete",
    ),
    "no denoiser": (
        lambda: {n: t for n, t in small_state().items() if not n.startswith(DENOISER)},
        "holds no released denoiser",
    ),
    "no first stage": (
        lambda: {n: t for n, t in small_state().items() if not n.startswith(FIRST_STAGE)},
        "holds no released first stage",
    ),
    "another model": (lambda: {"module.conv.weight": torch.ones(3)}, "it has module.conv.weight"),
    "wrong shape": (
        lambda: changed(TIME, torch.ones(2, 2)),
        r"1 tensors of wrong shape \(.*time_embed.*\(2, 2\) instead of \(128, 32\)",
    ),
    "other channels": (
        lambda: changed(f"{DENOISER}input_blocks.0.0.weight", torch.ones(32, 33, 3, 3, 3)),
        "takes 23 .* or 43",
    ),
    "NaN": (lambda: changed(TIME, torch.full((128, 32), torch.nan)), "NaN .* download it again"),
    "integers": (lambda: changed(TIME, torch.ones(128, 32).long()), "int64 in glide_model.time"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_files_are_refused_with_a_remedy(tmp_path, small_models, fault):
    make, words = FAULTS[fault]
    with pytest.raises(CheckpointError, match=words):
        import_released(write_lightning(tmp_path / "a.ckpt", make()))


# -- the command --


def test_the_command_writes_weights_and_configuration(checkpoint, tmp_path, capsys):
    out = tmp_path / "new" / "model"
    assert main(["import-checkpoint", str(checkpoint), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "BG-HOP, two hands" in said
    assert "hand models (MANO data) 3" in said
    assert "named in the file and not run: " in said
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "model.safetensors"]
    state, tensors = small_state(), load_file(out / "model.safetensors")
    for name in small_shapes():
        ours = name.replace(DENOISER, "denoiser.").replace(FIRST_STAGE, "first_stage.")
        assert torch.equal(tensors.pop(ours), state[name])
    assert not tensors  # above all: nothing of MANO
    prior = load_prior(out)  # what `sample`, `complete` and `grasp` read
    assert isinstance(prior.denoiser, ReleasedDenoiser)
    assert prior.denoiser.hands == 2
    assert prior.denoiser.unet.config == SMALL_DENOISER
    assert (prior.schedule, prior.text_encoder, prior.hand_model) == (
        ReleasedSchedule(), "clip", "mano",
    )  # fmt: skip
    assert prior.origin["file"] == "last.ckpt"


def test_the_command_speaks_json_and_can_be_quiet(checkpoint, tmp_path, capsys):
    command = ["import-checkpoint", str(checkpoint), "--out", str(tmp_path / "a"), "--legacy-unet"]
    assert main([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["hands"] == 2
    assert result["left"]["constants"] == 3
    assert json.loads((tmp_path / "a" / "config.json").read_text())["denoiser"]["legacy_strides"]
    assert main([*command, "--quiet", "--overwrite"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_model_is_replaced_only_on_request(checkpoint, tmp_path, capsys):
    command = ["import-checkpoint", str(checkpoint), "--out", str(tmp_path / "a"), "--quiet"]
    assert main(command) == 0
    before = (tmp_path / "a" / "model.safetensors").stat().st_mtime_ns
    assert main(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "a" / "model.safetensors").stat().st_mtime_ns == before
    assert main([*command, "--overwrite"]) == 0
    assert (tmp_path / "a" / "model.safetensors").stat().st_mtime_ns > before


def test_safetensors_of_the_same_names_are_imported(tmp_path, small_models):
    path = tmp_path / "a.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in small_state(23).items()}, path)
    assert main(["import-checkpoint", str(path), "--out", str(tmp_path / "a"), "--quiet"]) == 0
    assert load_prior(tmp_path / "a").denoiser.hands == 1


def bad_files(folder):
    good = write_lightning(folder / "good.ckpt", small_state())
    content = good.read_bytes()
    hostile = folder / "hostile.ckpt"
    torch.save({"state_dict": {"a": Hostile(folder / "witness")}}, hostile)
    files = {
        "truncated.ckpt": content[: len(content) // 2],
        "empty.ckpt": b"",
        "text.ckpt": b"weights\n",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    # A real-sized denoiser is expected by the real command, so the good file is wrong for it.
    return [folder / name for name in files] + [hostile, good, folder / "missing.ckpt"]


@pytest.mark.slow
def test_bad_files_through_the_real_command(tmp_path):
    """One line, exit code 2, no traceback, nothing half-written, nothing run."""
    paths = bad_files(tmp_path)
    code = (
        "import sys\nfrom bghop.cli import main\n"
        "for p in sys.argv[2:]:\n"
        "    print(main(['import-checkpoint', p, '--out', sys.argv[1]]), flush=True)\n"
    )
    out = tmp_path / "out"
    run = subprocess.run(
        [sys.executable, "-c", code, out, *paths], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["2"] * len(paths)
    errors = run.stderr.splitlines()
    assert len(errors) == len(paths), run.stderr
    for path, error in zip(paths, errors, strict=True):
        assert error.startswith("bghop: error: ")
        assert str(path) in error
        assert ": " in error.removeprefix("bghop: error: ")
    assert not out.exists()
    assert not (tmp_path / "witness").exists()


@pytest.mark.assets
@pytest.mark.slow
@pytest.mark.parametrize(("tree", "hands"), [("bghop", 2), ("ghop", 1)])
def test_a_file_with_all_names_and_shapes_of_a_released_one(tmp_path, tree, hands):
    if not PARITY.exists():
        pytest.skip("needs the parity fixtures beside the project")
    tensors = released_tensors(tree)
    state = {name: placeholder(shape, dtype) for name, (shape, dtype) in tensors.items()}
    path = write_lightning(tmp_path / "a.ckpt", state)
    out = tmp_path / "out"
    assert main(["import-checkpoint", str(path), "--out", str(out), "--json"]) == 0
    with safe_open(out / "model.safetensors", framework="pt") as file:
        assert len(file.keys()) == 799
    (out / "model.safetensors").unlink()
    config = json.loads((out / "config.json").read_text())
    assert config["denoiser"]["in_channels"] == 3 + 20 * hands
    report = import_released(path).report
    assert report.used == {"denoiser": 666, "first stage": 133}
    assert report.unknown == ()
    wrappers = sum("hand_wrapper" in name for name in tensors)
    assert report.left["hand models (MANO data)"] == wrappers
    assert sum(report.used.values()) + sum(report.left.values()) == len(tensors)


# -- from one hand to two --


@pytest.fixture(scope="module")
def one_hand():
    torch.manual_seed(0)
    model = UNet3D(dataclasses.replace(SMALL_DENOISER, in_channels=23)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


def inputs(batch=2):
    x = formula_input("both", batch, 43, 4, 4, 4)
    return x, torch.linspace(0, 900, batch), formula_input("words", batch, 1, 12)


def test_object_and_right_hand_are_predicted_as_before(one_hand):
    two_hands = expand_to_two_hands(one_hand)
    x, t, context = inputs()
    with torch.no_grad():
        before = one_hand(x[:, :23], t, context)
        after = two_hands(x, t, context)
        assert before.abs().max() > 0.01
        assert torch.allclose(after[:, :23], before, atol=1e-5)
        other = torch.cat([x[:, :23], 100 * torch.randn(2, 20, 4, 4, 4)], dim=1)
        assert torch.allclose(two_hands(other, t, context)[:, :23], before, atol=1e-5)


def test_the_left_hand_is_predicted_as_zero(one_hand):
    with torch.no_grad():
        assert (expand_to_two_hands(one_hand)(*inputs())[:, 23:] == 0).all()


def test_every_new_weight_can_learn_at_once(one_hand):
    two_hands = expand_to_two_hands(one_hand)
    x, t, context = inputs()
    (two_hands(x, t, context) - x).square().mean().backward()
    first = two_hands.input_blocks[0][0].weight.grad
    last = two_hands.out[2]
    assert (first[:, 23:].abs().amax((0, 2, 3, 4)) > 0).all()
    assert (last.weight.grad[23:].abs().amax((1, 2, 3, 4)) > 0).all()
    assert (last.bias.grad[23:] != 0).all()


def test_the_given_network_is_not_changed_nor_shared(one_hand):
    before = {name: tensor.clone() for name, tensor in one_hand.state_dict().items()}
    two_hands = expand_to_two_hands(one_hand)
    with torch.no_grad():
        for parameter in two_hands.parameters():
            parameter.zero_()
    for name, tensor in one_hand.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_only_one_hand_can_become_two(one_hand):
    with pytest.raises(CheckpointError, match="43 channels are no one-hand denoiser"):
        expand_to_two_hands(expand_to_two_hands(one_hand))
