"""A task that takes milliseconds: predict the sum of random numbers, with noise and dropout."""

import json
import os
import sys
import time
from pathlib import Path

import torch
from torch import nn

from bghop.training.config import LoopConfig
from bghop.training.distributed import joined_world
from bghop.training.loop import train
from bghop.training.start import stop_on_signals

CONFIG = LoopConfig(
    steps=12,
    batch=8,
    micro=2,
    learning_rate=1e-2,
    warmup=3,
    clip=0.5,
    ema=0.9,
    validate_every=4,
    sample_every=6,
    save_every=5,
)


class ToyTask:
    """Rows are numbers; inputs are drawn from the micro-batch's generator alone."""

    num_rows = 20
    row_weights = None

    def __init__(self, *, die_at=None, pause=0.0, signal=9):
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1))
        self.seen = []
        self.die_at, self.pause, self.signal = die_at, pause, signal

    def inputs(self, rows, generator):
        self.seen.append(rows.tolist())
        time.sleep(self.pause)
        if self.die_at is not None and len(self.seen) > 4 * self.die_at:
            os.kill(os.getpid(), self.signal)
        return torch.randn(len(rows), 5, generator=generator) + rows[:, None] / 20

    def losses(self, network, inputs, generator):
        noise = 0.1 * torch.randn(len(inputs), generator=generator)
        return (network(inputs).squeeze(-1) - inputs.sum(-1) - noise).square()

    def validate(self):
        x = torch.linspace(-1, 1, 15).view(3, 5)
        return {"error": float((self.network(x).squeeze(-1) - x.sum(-1)).abs().mean())}

    def show(self, folder, step):
        (folder / f"shown_{step}").touch()

    def export(self, folder, step):
        self.exported = step
        torch.save(self.network.state_dict(), folder / "exported.pt")


if __name__ == "__main__":
    options = json.loads(sys.argv[2])
    torch.set_num_threads(1)
    with joined_world("cpu") as world, stop_on_signals() as stop:
        train(ToyTask(**options), CONFIG, Path(sys.argv[1]), world=world, stop=stop)
