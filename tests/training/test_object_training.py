"""`bghop train objects`: a prior in, the same prior with an object prior out."""

import json
from dataclasses import replace

import pytest
import torch

from bghop.data.objects_file import write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.record_file import write_records
from bghop.errors import OptionError
from bghop.prior.checkpoint import load_prior
from bghop.prior.object_prior import ObjectPrior, Shapes, decode_shapes, encode_shapes
from bghop.prior.surface import surface_of
from bghop.training import object_prior
from bghop.training.config import LoopConfig
from bghop.training.curves import read_curve
from bghop.training.loop import Outcome
from bghop.training.object_prior import (
    TrainObjects,
    object_shapes,
    train_objects,
    usual_genus,
)
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


@pytest.fixture
def known(config):
    """First stage, builder of the training rows, their shapes and texts."""
    prior = load_prior(config.source)
    stage = prior.codec.first_stage
    sources = load_sources(
        config.data, prior.codec.spec, torch.device("cpu"), truncation=stage.truncation
    )
    return stage, sources.train, *object_shapes(sources.train, stage, 0.5)


def test_objects_are_seen_once_in_both_mirrors_with_all_their_texts(known):
    stage, _, shapes, texts = known
    assert texts == [("ball",), ("box with a lid",)]
    there, mirrored = shapes.latents[::2], shapes.latents[1::2]
    torch.testing.assert_close(stage.mirrored(there), mirrored, rtol=1e-3, atol=1e-3)
    assert torch.equal(shapes.sizes[::2], shapes.sizes[1::2])


def test_every_shape_fills_the_grid_and_keeps_its_size_apart(known):
    stage, builder, shapes, _ = known
    keys = dict.fromkeys(
        zip(builder.records.object, builder.records.joint_value.tolist(), strict=True)
    )
    for number, (key, value) in enumerate(keys):
        index = builder.objects.index_of([key])
        corners = builder.objects.box(index, torch.tensor([value]), torch.eye(4)[None])[0]
        extents = corners[1] - corners[0]
        assert shapes.sizes[2 * number] == pytest.approx(float(extents.max()), abs=1e-5)
        with torch.no_grad():
            grid = decode_shapes(stage, shapes.latents[2 * number : 2 * number + 1])[0]
        mesh = surface_of(grid, builder.spec, truncation=stage.truncation, level=0.0)
        assert mesh is not None
        shown = torch.from_numpy(mesh.extents) * float(extents.max()) / 0.5
        torch.testing.assert_close(shown, extents.double(), rtol=0.03, atol=0.002)


def test_handles_are_counted_word_by_word(config):
    prior = load_prior(config.source)
    stage = prior.codec.first_stage
    axis = torch.linspace(-0.3, 0.3, 64)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    ball = torch.stack([x, y, z]).norm(dim=0) - 0.12
    ring = torch.stack([torch.stack([x, y]).norm(dim=0) - 0.15, z]).norm(dim=0) - 0.05
    with torch.no_grad():
        latents = encode_shapes(stage, torch.stack([ball, ball, ball, ball, ring, ring])[:, None])
    shapes = Shapes(latents=latents, sizes=torch.ones(6))
    texts = [("ball",), ("ball", "toy"), ("ring", "toy")]
    assert usual_genus(prior, shapes, texts, ("ball", "ring", "toy")) == ((0, 0), (1, 1), (0, 1))


def test_a_run_that_goes_on_elsewhere_keeps_the_shapes_it_began_with(config, tmp_path, monkeypatch):
    """Fits of another machine differ in signs; coefficients must be those of the first fit."""
    run, loop = tmp_path / "run", replace(config.loop, save_every=1)
    stopped = train_objects(replace(config, loop=loop), run, stop=lambda: True)
    assert not stopped.finished
    fit, seen = ObjectPrior.fit, []

    def other_signs(network, shapes):
        fit(network, shapes)
        network.steps.neg_()

    def record(task, *_, **__):
        seen.append(task.inputs(torch.arange(2), torch.Generator().manual_seed(0)).clean)
        return Outcome(step=0, finished=False, seconds=0.0, samples=0)

    monkeypatch.setattr(object_prior, "train", record)
    train_objects(replace(config, loop=loop), run)
    monkeypatch.setattr(ObjectPrior, "fit", other_signs)
    train_objects(replace(config, loop=loop), run)
    assert torch.equal(seen[0], seen[1])


def test_object_priors_are_for_priors_that_hear_words_by_minilm(config, tmp_path):
    path = config.source / "config.json"
    content = json.loads(path.read_text())
    content["text"]["encoder"] = "clip"
    path.write_text(json.dumps(content))
    with pytest.raises(OptionError, match="start from a prior with text minilm"):
        train_objects(config, tmp_path / "run")


def test_unknown_numbers_of_the_network_are_refused(config, tmp_path):
    with pytest.raises(OptionError, match="use fields of ObjectPriorConfig"):
        train_objects(replace(config, network={"widht": 3}), tmp_path / "run")


def test_the_prior_comes_out_with_an_object_prior_that_has_learnt(config, tmp_path):
    assert train_objects(config, tmp_path / "run").finished
    losses = [row["loss"] for row in read_curve(tmp_path / "run" / "train.csv")]
    assert sum(losses[-20:]) < 0.8 * sum(losses[:20])
    prior = load_prior(tmp_path / "run" / "prior")
    assert prior.objects is not None
    assert prior.origin["recipe"] == "one box"
    assert prior.origin["objects"]["step"] == 120
    assert prior.objects.config.genus == ((0, 0), (0, 0))
    before = load_prior(config.source)
    for name, value in before.denoiser.state_dict().items():
        assert torch.equal(value, prior.denoiser.state_dict()[name])
