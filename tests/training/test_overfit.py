"""A prior of 32 interactions knows them: records to latents, training, sampling, hands."""

import math
from dataclasses import replace

import pytest
import torch

from bghop.data.augment import NO_AUGMENTATION
from bghop.data.objects_file import read_objects, write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.record import concatenate_records
from bghop.data.record_file import read_records, write_records
from bghop.data.scene import SceneBuilder
from bghop.datagen.candidates import CandidateOptions
from bghop.datagen.making import MakeOptions, make
from bghop.hands.open_hand import load_open_hand
from bghop.objects.catalog import FAMILIES
from bghop.prior.loss import denoising_loss
from bghop.prior.prior import Known
from bghop.prior.sampling import SampleOptions
from bghop.synthesis.optimize import OptimizeOptions
from bghop.training.cases import CaseWeights, draw_cases
from bghop.training.config import LoopConfig
from bghop.training.optimizers import make_optimizers
from bghop.training.prior import TrainPrior, begin_prior
from bghop.training.sources import SourceConfig
from bghop.training.state import Averages

NUM = 32
STEPS, BATCH = 4300, 16


def write_data(folder, model):
    """One grasp of each of 32 objects of different families."""
    optimize = OptimizeOptions(steps=60, prune_at=())
    options = MakeOptions(
        families=tuple(FAMILIES), num=4, candidates=CandidateOptions(optimize=optimize)
    )
    number, made = 0, []
    while len(made) < NUM:
        found = make(options, 0, number, model)
        number += 1
        if len(found.records):
            made.append(found)
    records = concatenate_records([each.records.rows([0]) for each in made])
    write_records(folder / "records.parquet", replace(records, split=("train",) * NUM))
    write_objects(folder / "objects.parquet", [each.stored for each in made], reach=REACH)


def train(prior, latent, condition):
    """The loop's step on latents that are made once: scenes do not move here."""
    cases = CaseWeights(joint=0.35, object=0.4, object_and_hand=0.2, hands=0.05, single_hand=0.0)
    config = LoopConfig(optimizer="muon", learning_rate=6e-3)
    network = prior.denoiser.train().requires_grad_(True)
    optimizers, averages = make_optimizers(network, config), Averages.of(network)
    generator = torch.Generator().manual_seed(0)
    for step in range(STEPS):
        rows = torch.randint(0, NUM, (BATCH,), generator=generator)
        case = draw_cases(condition.present[rows], cases, generator)
        told = torch.rand(BATCH, generator=generator) < 0.8
        some = replace(condition.rows(rows), text_given=told)
        loss = denoising_loss(
            network, prior.schedule, prior.codec.layout, latent[rows], some, case.given, generator
        )
        loss.mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        share = 0.5 * (1 + math.cos(math.pi * step / STEPS))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * min(1, (step + 1) / 50) * (0.02 + 0.98 * share)
            optimizer.step()
            optimizer.zero_grad()
        averages.update(network, 0.998, step + 1)
    averages.swap(network)
    network.eval().requires_grad_(False)


@pytest.mark.slow
def test_32_interactions_are_learned_by_heart(tmp_path):
    """Eight and a half minutes on two cores, making the data included."""
    model = load_open_hand()
    write_data(tmp_path, model)
    records, objects = tmp_path / "records.parquet", tmp_path / "objects.parquet"
    prior = begin_prior(
        TrainPrior(
            data=SourceConfig(records=records, objects=objects),
            network={"width": 128, "depth": 4, "heads": 2},
        )
    )
    builder = SceneBuilder(
        read_records(records), read_objects(objects), model, prior.codec.spec,
        augment=NO_AUGMENTATION, truncation=prior.codec.first_stage.truncation,
    )  # fmt: skip
    scenes = builder.scenes(range(NUM))
    condition = prior.condition(builder.texts(scenes.row))
    train(prior, prior.codec.encode(scenes.sdf, scenes.joints, scenes.present), condition)

    def errors_mm(known):
        options = SampleOptions(steps=25, guidance=1.0)
        drawn = prior.sample(condition, model, known=known, options=options)
        joints = prior.codec.layout.unpack(drawn.latent).hands * prior.codec.joint_scale
        return 1000 * (joints[:, None] - scenes.joints).norm(dim=-1)

    def own(errors):
        return errors.diagonal(dim1=0, dim2=1).movedim(-1, 0)

    assert own(errors_mm(Known(sdf=scenes.sdf))).mean() < 5
    # Nothing given: to the nearest interaction. Seen: 3.8, 3.9 below, and 4.97 here.
    assert errors_mm(None).mean((2, 3)).amin(1).mean() < 5.5
    left = torch.tensor([[True, False]]).expand(NUM, 2)
    drawn = own(errors_mm(Known(sdf=scenes.sdf, joints=scenes.joints, hands=left)))
    assert drawn[:, 1].mean() < 5
    assert drawn[:, 0].max() < 1e-3  # given: exactly, but for the unit's rounding
