"""Training on top of released models: their network, grid, frame, schedule and text."""

from dataclasses import replace
from typing import ClassVar

import pytest
import torch

from bghop.data.augment import AugmentOptions
from bghop.data.objects_file import write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.record_file import write_records
from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.prior.checkpoint import load_prior
from bghop.prior.codec import FieldCodec
from bghop.prior.first_stage import BlockCodec, BlockCodecConfig
from bghop.prior.prior import Prior
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.schedule import ReleasedSchedule
from bghop.prior.text.tokens import TextTokens
from bghop.prior.unet import UNet3D, UNet3DConfig
from bghop.training.config import LoopConfig
from bghop.training.curves import TRAIN_FILE, VALIDATION_FILE, read_curve
from bghop.training.prior import TrainPrior, begin_prior, save_prior, train_prior
from bghop.training.prior_task import PriorTaskConfig
from bghop.training.sources import SourceConfig

STILL = AugmentOptions(rotation="none", shift=0.0)


class ShortClip:
    """Instead of CLIP: a token of four numbers, also for the empty prompt."""

    name, dim = "clip", 4
    said: ClassVar[set[str]] = set()

    def encode(self, prompts):
        self.said.update(prompts)
        tokens = torch.tensor([[len(prompt), 1, 0, 0] for prompt in prompts]).float()[:, None]
        return TextTokens(tokens=tokens / 10, given=torch.ones(len(prompts)) > 0)


@pytest.fixture
def one_hand(tmp_path):
    """A small network of G-HOP's form, as `bghop import-checkpoint` would have left it."""
    torch.manual_seed(0)
    unet = UNet3D(
        UNet3DConfig(
            in_channels=23,
            model_channels=32,
            channel_mult=(1, 1),
            num_res_blocks=1,
            attention_levels=(),
            head_channels=32,
            context_dim=4,
        )
    )
    stage = BlockCodec(BlockCodecConfig(channels=3, width=4, depth=0))
    prior = Prior(
        denoiser=ReleasedDenoiser(unet),
        codec=FieldCodec(first_stage=stage, spec=GridSpec()),
        schedule=ReleasedSchedule(),
        text_encoder="clip",
    )
    save_prior(prior, tmp_path / "one_hand")
    return tmp_path / "one_hand"


@pytest.fixture
def config(records, entries, one_hand, tmp_path, monkeypatch):
    monkeypatch.setattr("bghop.prior.prior.load_text_encoder", lambda *_: ShortClip())
    write_records(tmp_path / "r.parquet", records)
    write_objects(tmp_path / "o.parquet", entries, reach=REACH)
    return TrainPrior(
        data=SourceConfig(
            records=tmp_path / "r.parquet", objects=tmp_path / "o.parquet", augment=STILL
        ),
        init="full",
        source=one_hand,
        text="clip",
        task=PriorTaskConfig(validation_scenes=1),
        loop=LoopConfig(steps=2, batch=2, micro=2, warmup=1, validate_every=2, sample_every=0),
    )


def test_one_hand_becomes_two_and_is_trained_jointly(config, tmp_path):
    """In the right hand's frame; one level for all parts, so that nothing can be given."""
    ShortClip.said.clear()
    train_prior(config, tmp_path / "run")
    # In the words that it is asked with: a sentence, not the object's name alone.
    assert "ball" not in ShortClip.said
    assert all(" " in prompt for prompt in ShortClip.said if prompt)
    assert len(read_curve(tmp_path / "run" / TRAIN_FILE)) == 2
    assert set(read_curve(tmp_path / "run" / VALIDATION_FILE)[0]) == {"step", "loss", "joint"}
    prior = load_prior(tmp_path / "run" / "prior")
    assert isinstance(prior.denoiser, ReleasedDenoiser)
    assert prior.denoiser.hands == 2
    assert prior.codec.spec.frame == "right"


def test_semi_frozen_trains_input_and_output_only(config):
    denoiser = begin_prior(replace(config, init="semi-frozen")).denoiser
    trained = {n.split(".")[1] for n, p in denoiser.named_parameters() if p.requires_grad}
    assert trained == {"input_blocks", "out"}
    kept = [n for n, p in denoiser.named_parameters() if not p.requires_grad]
    assert any("input_blocks.1." in name for name in kept)


def test_the_released_frame_is_never_turned(config, tmp_path):
    turned = replace(config, data=replace(config.data, augment=AugmentOptions()))
    with pytest.raises(OptionError, match="use rotation 'none'"):
        train_prior(turned, tmp_path / "run")
