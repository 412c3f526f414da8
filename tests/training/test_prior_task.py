import pytest
import torch
from stand_ins import LAYOUT, SCHEDULE, SPEC, TinyDenoiser, encode, read_text

from bghop.data.scene import SceneBuilder
from bghop.prior.loss import denoising_loss
from bghop.training.cases import CASES
from bghop.training.config import LoopConfig
from bghop.training.curves import TRAIN_FILE, VALIDATION_FILE, read_curve
from bghop.training.loop import Task, train
from bghop.training.prior_task import PriorParts, PriorTask, PriorTaskConfig, TokenTable
from bghop.training.seeds import generator_of

CPU = torch.device("cpu")


@pytest.fixture
def task(records, objects, hand_model):
    torch.manual_seed(0)
    parts = PriorParts(
        denoiser=TinyDenoiser(),
        schedule=SCHEDULE,
        layout=LAYOUT,
        encode=encode,
        losses=denoising_loss,
        tokens=TokenTable.of(records.text, read_text, CPU),
    )
    sets = [
        SceneBuilder(records.of_split(split), objects, hand_model, SPEC)
        for split in ("train", "val")
    ]
    return PriorTask(
        parts, sets[0], validation=sets[1], config=PriorTaskConfig(validation_scenes=4)
    )


def test_it_is_a_task_whose_loss_falls(task, tmp_path):
    assert isinstance(task, Task)
    config = LoopConfig(
        steps=60, batch=4, micro=4, learning_rate=1e-2, warmup=5, validate_every=30, ema=0.9
    )
    train(task, config, tmp_path)
    assert len(read_curve(tmp_path / TRAIN_FILE)) == 60
    validation = read_curve(tmp_path / VALIDATION_FILE)
    assert set(validation[0]) == {"step", "loss", *CASES}
    assert validation[-1]["loss"] < 0.97 * validation[0]["loss"]


def test_what_a_micro_batch_holds_is_a_function_of_its_generator(task):
    rows = torch.arange(6)
    first, second = (task.inputs(rows, generator_of(1, 2, 3)) for _ in range(2))
    other = task.inputs(rows, generator_of(1, 2, 4))
    assert torch.equal(first.latent, second.latent)
    assert torch.equal(first.given, second.given)
    assert not torch.equal(first.latent, other.latent)


def test_hands_that_a_case_takes_away_are_absent_in_latent_and_condition(task):
    task.config = PriorTaskConfig()
    for seed in range(6):
        inputs = task.inputs(torch.arange(8), generator_of(seed))
        hands = LAYOUT.unpack(inputs.latent).hands
        empty = (hands == 0).flatten(2).all(-1)
        assert not bool((empty & inputs.condition.present & (hands.amax() > 0)).all())
        assert bool(empty[~inputs.condition.present].all())


def test_text_is_dropped_as_often_as_told_and_empty_prompts_have_none(task):
    task.config = PriorTaskConfig(text_dropout=0.5)
    rows = torch.arange(8).repeat(15)
    given = task.inputs(rows, generator_of(5)).condition.text_given
    assert given.float().mean().item() == pytest.approx(0.5, abs=0.15)
    table = TokenTable.of(["mug", "", "mug", "pan"], read_text, CPU)
    tokens, there = table.rows(["pan", "", "mug"])
    assert there.tolist() == [True, False, True]
    assert torch.equal(tokens[1], torch.zeros(1, 4))
    assert torch.equal(tokens[2], read_text(["mug"])[0])
    assert len(table.tokens) == 3


def test_validation_is_the_same_every_time(task):
    first = task.validate()
    torch.randn(10)
    assert task.validate() == first


def test_scenes_are_built_in_full_precision_whatever_the_network_computes_in(task):
    seen = []

    def record(_network, inputs, _generator):
        seen.append(inputs)
        return torch.zeros(len(inputs.latent))

    task.losses = record
    task.validate()
    exact = seen.copy()
    seen.clear()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        task.validate()
    assert len(seen) == len(exact) > 0
    for half, full in zip(seen, exact, strict=True):
        assert torch.equal(half.latent, full.latent)


def test_without_validation_scenes_there_are_no_numbers(task):
    task.validation = None
    assert task.validate() == {}
