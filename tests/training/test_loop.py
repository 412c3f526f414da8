import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_task import CONFIG, ToyTask

from bghop.errors import TrainingError
from bghop.training.curves import TRAIN_FILE, VALIDATION_FILE, read_curve
from bghop.training.loop import Listener, learning_rate, train
from bghop.training.state import STATE_FILE

TOY = Path(__file__).parent / "toy_task.py"


def launched(folder, *, rank=0, world=1, port=0, **options):
    env = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank)}
    env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(TOY), str(folder), json.dumps(options)],
        env=env,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run from the first to the last step in one go."""
    folder = tmp_path_factory.mktemp("straight")
    outcome = train(ToyTask(), CONFIG, folder)
    assert outcome.finished
    assert outcome.samples == 12 * 8
    return folder


def test_the_loss_falls_and_every_step_is_in_the_curve(straight):
    rows = read_curve(straight / TRAIN_FILE)
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert [row["step"] for row in read_curve(straight / VALIDATION_FILE)] == [4, 8, 12]
    assert {path.name for path in straight.glob("shown_*")} == {"shown_6", "shown_12"}


def test_the_same_command_again_has_nothing_to_do(straight):
    before = (straight / TRAIN_FILE).read_text()
    outcome = train(ToyTask(), CONFIG, straight)
    assert (outcome.finished, outcome.samples) == (True, 0)
    assert (straight / TRAIN_FILE).read_text() == before


def test_a_killed_run_goes_on_to_the_same_curve(straight, tmp_path):
    """kill -9 in step 8, after the checkpoint of step 5; then the same command again."""
    assert launched(tmp_path, die_at=7).wait() == -9
    assert len(read_curve(tmp_path / TRAIN_FILE)) == 7
    assert train(ToyTask(), CONFIG, tmp_path).finished
    for name in (TRAIN_FILE, VALIDATION_FILE):
        assert (tmp_path / name).read_text() == (straight / name).read_text()
    first, second = (torch.load(f / "exported.pt") for f in (straight, tmp_path))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_sigterm_ends_a_run_with_a_checkpoint(straight, tmp_path):
    assert launched(tmp_path, die_at=6, signal=15).wait() == 0
    assert len(read_curve(tmp_path / TRAIN_FILE)) == 7
    assert train(ToyTask(), CONFIG, tmp_path).finished
    assert (tmp_path / TRAIN_FILE).read_text() == (straight / TRAIN_FILE).read_text()


@pytest.mark.slow
def test_two_processes_have_the_curve_of_one(straight, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    both = [launched(tmp_path, rank=rank, world=2, port=port) for rank in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    alone, together = (read_curve(folder / TRAIN_FILE) for folder in (straight, tmp_path))
    for name in ("loss", "gradient_norm"):
        one, two = (torch.tensor([row[name] for row in rows]) for rows in (alone, together))
        assert torch.allclose(one, two, atol=1e-5)
        assert len(one) == 12


def test_a_time_limit_saves_and_the_next_call_goes_on(straight, tmp_path):
    first = train(ToyTask(pause=0.02), CONFIG, tmp_path, minutes=0.2 / 60)
    assert not first.finished
    assert 0 < first.step < 12
    second = train(ToyTask(), CONFIG, tmp_path)
    assert second.finished
    assert (tmp_path / TRAIN_FILE).read_text() == (straight / TRAIN_FILE).read_text()


def test_every_row_is_seen_once_an_epoch(tmp_path):
    task = ToyTask()
    train(task, replace(CONFIG, steps=5), tmp_path)
    seen = [row for rows in task.seen for row in rows]
    assert sorted(seen[:20]) == list(range(20))
    assert sorted(seen[20:]) == list(range(20))
    assert seen[:20] != seen[20:]


def test_validation_and_exports_use_the_averaged_weights(straight):
    from safetensors.torch import load_file

    state, exported = load_file(straight / STATE_FILE), torch.load(straight / "exported.pt")
    for name, value in exported.items():
        assert torch.equal(value, state[f"average.{name}"])
        assert not torch.equal(value, state[f"network.{name}"])


def test_frozen_parameters_do_not_move(tmp_path):
    task = ToyTask()
    task.network[0].requires_grad_(False)
    before = task.network[0].weight.clone()
    train(task, CONFIG, tmp_path)
    assert torch.equal(task.network[0].weight, before)
    assert train(task, CONFIG, tmp_path).finished


def test_the_learning_rate_rises_then_falls():
    config = replace(CONFIG, steps=1000, warmup=100, learning_rate=1.0)
    rates = [learning_rate(config, step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[99] == pytest.approx(1.0)
    assert rates[550] == pytest.approx(0.505, abs=1e-3)
    assert rates[-1] == pytest.approx(0.01, abs=1e-4)
    assert learning_rate(replace(config, decay="constant"), 999) == 1.0


def test_a_loss_that_is_not_finite_stops_the_run_with_the_remedy(tmp_path):
    task = ToyTask()
    task.losses = lambda network, inputs, _: network(inputs).squeeze(-1) * float("nan")
    with pytest.raises(TrainingError, match=r"step 1 is not finite: use a smaller learning rate"):
        train(task, CONFIG, tmp_path)


def test_a_gradient_that_is_not_finite_stops_the_run_before_it_is_saved(tmp_path):
    """The root of a zero is finite, its slope is not."""
    task = ToyTask()
    task.losses = lambda network, inputs, _: (network(inputs).squeeze(-1) * 0).sqrt()
    with pytest.raises(TrainingError, match=r"gradient of step 1 is not finite"):
        train(task, replace(CONFIG, save_every=1), tmp_path)
    assert not (tmp_path / STATE_FILE).exists()


def test_a_damaged_or_foreign_state_is_refused_with_the_remedy(straight, tmp_path):
    (tmp_path / STATE_FILE).write_bytes((straight / STATE_FILE).read_bytes()[:-100])
    with pytest.raises(TrainingError, match=r"is damaged .*: delete it to start again"):
        train(ToyTask(), CONFIG, tmp_path)
    (tmp_path / STATE_FILE).write_bytes((straight / STATE_FILE).read_bytes())
    task = ToyTask()
    task.network = torch.nn.Linear(5, 1)
    with pytest.raises(TrainingError, match=r"of another network .*: use another --out"):
        train(task, CONFIG, tmp_path)


def test_bf16_trains_too(tmp_path):
    task = ToyTask()
    train(task, replace(CONFIG, precision="bf16", steps=30), tmp_path)
    rows = read_curve(tmp_path / TRAIN_FILE)
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert next(task.network.parameters()).dtype == torch.float32


def test_a_listener_hears_the_steps(tmp_path):
    heard = []

    class Ear(Listener):
        def started(self, step, steps):
            heard.append(("started", step, steps))

        def stepped(self, step, losses):
            heard.append(("stepped", step, set(losses)))

    train(ToyTask(), replace(CONFIG, steps=3), tmp_path, listener=Ear())
    columns = {"step", "loss", "gradient_norm", "learning_rate"}
    assert heard == [("started", 0, 3), *(("stepped", k, columns) for k in (1, 2, 3))]
