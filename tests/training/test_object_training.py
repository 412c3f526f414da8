"""`bghop train objects`: a prior in, the same prior with an object prior out."""

import pytest
import torch

from bghop.data.objects_file import write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.record import write_records
from bghop.prior.checkpoint import load_prior
from bghop.training.config import LoopConfig
from bghop.training.curves import read_curve
from bghop.training.object_prior import TrainObjects, object_latents, train_objects
from bghop.training.sources import SourceConfig, load_sources
from small_prior import write_small_prior


@pytest.fixture
def config(tmp_path, entries, records):
    write_objects(tmp_path / "objects.parquet", entries, reach=REACH)
    write_records(tmp_path / "records.parquet", records)
    return TrainObjects(
        data=SourceConfig(
            records=tmp_path / "records.parquet", objects=tmp_path / "objects.parquet"
        ),
        source=write_small_prior(tmp_path / "prior"),
        network={"components": 3, "width": 32, "depth": 1},
        loop=LoopConfig(
            steps=120, batch=16, micro=16, learning_rate=3e-3, warmup=5, ema=0.9,
            validate_every=60, sample_every=0,
        ),
    )  # fmt: skip


def test_objects_are_seen_once_in_both_mirrors_with_all_their_texts(config):
    prior = load_prior(config.source)
    stage = prior.codec.first_stage
    sources = load_sources(
        config.data, prior.codec.spec, torch.device("cpu"), truncation=stage.truncation
    )
    latents, texts = object_latents(prior, sources.train)
    assert texts == [("ball",), ("box with a lid",)]
    assert latents.shape[:2] == (2, 2)
    mirrored = stage.mirrored(latents[:, 0])
    torch.testing.assert_close(mirrored, latents[:, 1], rtol=1e-3, atol=1e-3)


def test_the_prior_comes_out_with_an_object_prior_that_has_learnt(config, tmp_path):
    assert train_objects(config, tmp_path / "run").finished
    losses = [row["loss"] for row in read_curve(tmp_path / "run" / "train.csv")]
    assert sum(losses[-20:]) < 0.8 * sum(losses[:20])
    prior = load_prior(tmp_path / "run" / "prior")
    assert prior.objects is not None
    assert prior.origin["recipe"] == "one box"
    assert prior.origin["objects"]["step"] == 120
    before = load_prior(config.source)
    for name, value in before.denoiser.state_dict().items():
        assert torch.equal(value, prior.denoiser.state_dict()[name])
