import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from bghop.data.objects_file import write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.record_file import write_records
from bghop.errors import OptionError, TrainingError
from bghop.prior.checkpoint import load_prior
from bghop.prior.first_stage_file import save_vqvae
from bghop.prior.vqvae import VQVAE, VQVAEConfig
from bghop.training.config import LoopConfig, from_json, to_json
from bghop.training.curves import TRAIN_FILE, VALIDATION_FILE, read_curve
from bghop.training.prior import TrainPrior, begin_prior, save_prior, train_prior
from bghop.training.prior_task import PriorTaskConfig
from bghop.training.run import RUN_FILE
from bghop.training.sheets import SheetConfig
from bghop.training.sources import SourceConfig

LOOP = LoopConfig(
    steps=4, batch=4, micro=2, warmup=2, validate_every=2, sample_every=4, save_every=2, ema=0.5
)


@pytest.fixture(scope="module")
def data(records, entries, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    write_records(folder / "records.parquet", replace(records, text=("box",) * len(records)))
    write_objects(folder / "objects.parquet", entries, reach=REACH)
    return SourceConfig(records=folder / "records.parquet", objects=folder / "objects.parquet")


@pytest.fixture(scope="module")
def config(data):
    return TrainPrior(
        data=data,
        preset="tiny",
        task=PriorTaskConfig(validation_scenes=2),
        sheet=SheetConfig(scenes=2, steps=2, pictures=False),
        loop=LOOP,
    )


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert train_prior(config, folder).finished
    return folder


def test_a_run_leaves_a_prior_curves_samples_and_its_origin(run, config):
    assert len(read_curve(run / TRAIN_FILE)) == 4
    assert [row["step"] for row in read_curve(run / VALIDATION_FILE)] == [2, 4]
    prior = load_prior(run / "prior")
    assert prior.hand_model == "open"
    assert prior.origin["step"] == 4
    assert from_json(TrainPrior, prior.origin["config"]) == config
    assert json.loads((run / RUN_FILE).read_text())["kind"] == "prior"
    with safe_open(run / "samples" / "step_0000004.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["prompts"]) == ["box", "box"]
        assert file.get_tensor("object.T_frame_hand").shape == (2, 2, 4, 4)
        scene, sampled = file.get_tensor("scene.sdf"), file.get_tensor("object.latent")
    given = prior.codec.encode(scene.float(), torch.zeros(2, 2, 21, 3), torch.ones(2, 2) > 0)
    layout = prior.codec.layout
    first, second = (layout.unpack(x).object for x in (given, sampled))
    assert torch.allclose(first, second, atol=0.05)  # half precision in the file


def test_a_prior_can_have_a_trained_vqvae_as_its_first_stage(config, tmp_path):
    torch.manual_seed(0)
    small = VQVAEConfig(base_channels=32, channel_mult=(1, 1, 1), num_codes=16)
    save_vqvae(VQVAE(small), tmp_path / "vq.safetensors")
    prior = begin_prior(replace(config, first_stage=tmp_path / "vq.safetensors"))
    assert prior.denoiser.config.object_channels == 3
    save_prior(prior, tmp_path / "prior")
    again = load_prior(tmp_path / "prior")
    assert isinstance(again.codec.first_stage, VQVAE)
    assert again.codec.first_stage.config == small


def test_the_same_command_goes_on_and_another_one_is_refused(run, config):
    assert train_prior(config, run).samples == 0
    with pytest.raises(TrainingError, match=r"preset 'tiny' -> 'small'"):
        train_prior(replace(config, preset="small"), run)


@pytest.mark.slow
def test_a_run_that_stopped_goes_on_to_the_same_prior(run, config, tmp_path):
    stops = replace(config.loop, save_every=1)
    first = train_prior(replace(config, loop=stops), tmp_path / "run", minutes=1e-6)
    assert not first.finished
    assert train_prior(config, tmp_path / "run").finished
    assert (tmp_path / "run" / TRAIN_FILE).read_text() == (run / TRAIN_FILE).read_text()
    one, two = (load_prior(folder / "prior").denoiser for folder in (run, tmp_path / "run"))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def changed(run, start, end):
    """Names of tensors that differ between two networks."""
    other = dict(end.named_parameters())
    return {n for n, p in start.named_parameters() if not torch.equal(p, other[n])}


@pytest.mark.slow
def test_the_three_variants_of_the_paper(run, config, tmp_path):
    """Scratch ignores the checkpoint; semi-frozen moves input and output layers; full moves all."""
    source = run / "prior"
    given = load_prior(source).denoiser
    scratch = begin_prior(replace(config, init="scratch", source=source)).denoiser
    assert changed(run, given, scratch)
    for init in ("semi-frozen", "full"):
        options = replace(config, init=init, source=source)
        start = begin_prior(options).denoiser
        assert not changed(run, given, start)
        train_prior(options, tmp_path / init)
        moved = changed(run, given, load_prior(tmp_path / init / "prior").denoiser)
        assert "object_in.weight" in moved
        assert ("blocks.0.qkv.weight" in moved) == (init == "full")


def test_a_transfer_needs_a_checkpoint_and_known_words(data):
    with pytest.raises(OptionError, match=r"starts from a one-hand prior: give its folder"):
        TrainPrior(data=data, init="full")
    with pytest.raises(OptionError, match="unknown preset 'huge': use one of tiny, small, base"):
        TrainPrior(data=data, preset="huge")
    with pytest.raises(OptionError, match="use fields of TransformerConfig"):
        begin_prior(TrainPrior(data=data, preset="tiny", network={"colour": 3}))


def test_a_config_survives_json(config):
    assert from_json(TrainPrior, json.loads(json.dumps(to_json(config)))) == config
