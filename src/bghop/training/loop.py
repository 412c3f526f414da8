"""The training loop: any task, exact resume, one process or many.

A step is `batch` samples in micro-batches. What a micro-batch holds, and its noise, is a function
of (seed, step, number of the micro-batch); the learning rate is a function of the step. So a run
that was killed and goes on from its last checkpoint has the same curve as one that was not, and so
has one that is spread over more processes.
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from bghop.errors import TrainingError
from bghop.training.config import LoopConfig
from bghop.training.curves import TRAIN_FILE, VALIDATION_FILE, Curves
from bghop.training.distributed import (
    LossModule,
    World,
    agreed,
    shares,
    spread,
    summed,
    without_averaging,
)
from bghop.training.optimizers import make_optimizers
from bghop.training.seeds import RowOrder, generator_of
from bghop.training.state import Averages, load_state, save_state

_LOOK_EVERY = 10
"""Steps between looks at the clock and at the losses; a GPU waits for each."""


@runtime_checkable
class Task(Protocol):
    """What is trained; the same on every process."""

    network: nn.Module
    num_rows: int
    row_weights: Tensor | None
    """How often each row is trained on, relative to others; None: all alike."""

    def inputs(self, rows: Tensor, generator: torch.Generator) -> Any:
        """What the loss needs of some rows, on the device; without gradients."""
        ...

    def losses(self, network: nn.Module, inputs: Any, generator: torch.Generator) -> Tensor:
        """One loss per row, or their mean."""
        ...

    def validate(self) -> Mapping[str, float]:
        """Numbers of the network as it is; empty if there is nothing to validate on."""
        ...

    def show(self, folder: Path, step: int) -> None:
        """Write samples of the network as it is."""
        ...

    def export(self, folder: Path, step: int) -> None:
        """Write the network as it is, in the form that others load."""
        ...


class Listener:
    """Hears what a run does; does nothing."""

    def started(self, step: int, steps: int) -> None:
        """The run begins, or goes on after `step` steps."""

    def stepped(self, step: int, losses: Mapping[str, float]) -> None:
        """Steps up to `step` are done."""

    def said(self, message: str) -> None:
        """One line."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a call of `train` ended."""

    step: int
    finished: bool
    """False if the time was up before the last step."""
    seconds: float
    samples: int
    """Samples of all processes in this call."""


def train(
    task: Task,
    config: LoopConfig,
    folder: Path,
    *,
    world: World | None = None,
    minutes: float | None = None,
    listener: Listener | None = None,
    stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Train until the last step or until the time is up; goes on where the folder's run stopped.

    Args:
        task: network, data and loss.
        config: how to optimise.
        folder: of the run; made if missing.
        world: this process among all.
        minutes: time limit; a checkpoint is written at its end.
        listener: hears the progress.
        stop: asked now and then; a checkpoint is written when it says True.

    Raises:
        TrainingError: The loss or its gradient is not finite, or the folder's state is of another
            network.
    """
    run = _Run(task, config, folder, world or World(), listener or Listener())
    return run.until(minutes, stop or (lambda: False))


class _Run:
    """One call of `train`."""

    def __init__(
        self, task: Task, config: LoopConfig, folder: Path, world: World, listener: Listener
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.task, self.config, self.folder = task, config, folder
        self.world, self.listener = world, listener
        self.numbers = shares(config.batch // config.micro, world)
        self.order = RowOrder(task.num_rows, seed=config.seed, weights=task.row_weights)
        self.trainable = [p for p in task.network.parameters() if p.requires_grad]
        self.optimizers = make_optimizers(task.network, config)
        self.module = spread(LossModule(task.network, task.losses), world)
        self.averages = Averages.of(task.network)
        facts = load_state(folder, task.network, self.averages, self.optimizers)
        self.step = 0 if facts is None else int(facts["step"])
        self.before = 0.0 if facts is None else float(facts["seconds"])
        if config.compile:
            task.network.compile()
        self.curves = Curves(folder, step=self.step) if world.first else None
        self.waiting: list[tuple[int, Tensor, Tensor]] = []
        self.begun = self.saved_at = time.monotonic()
        self.saved_step = self.step

    def until(self, minutes: float | None, stop: Callable[[], bool]) -> Outcome:
        config, first = self.config, self.step
        self.listener.started(self.step, config.steps)
        stopped = False
        self.task.network.train()
        try:
            while self.step < config.steps and not stopped:
                loss, norm = self._update()
                self.step += 1
                self.averages.update(self.task.network, config.ema, self.step)
                self.waiting.append((self.step, loss, norm))
                last = self.step == config.steps
                if self.step % _LOOK_EVERY == 0 or last or self._is_cpu():
                    self._flush()
                    late = minutes is not None and self._seconds() > 60 * minutes
                    stopped = agreed(late or stop(), self.world)
                self._milestones(last=last or stopped)
        finally:
            if self.curves is not None:
                self.curves.close()
        return Outcome(
            step=self.step,
            finished=self.step >= config.steps,
            seconds=self._seconds(),
            samples=(self.step - first) * config.batch,
        )

    def _update(self) -> tuple[Tensor, Tensor]:
        """One optimiser step; its mean loss and the norm of its gradient."""
        config, task = self.config, self.task
        total = torch.zeros((), device=self.world.device)
        for number in self.numbers:
            generator = generator_of(config.seed, self.step, number)
            torch.manual_seed(generator.initial_seed())  # dropout draws from torch's own generator
            first = self.step * config.batch + number * config.micro
            with torch.no_grad():
                inputs = task.inputs(self.order.rows(first, config.micro), generator)
            last = number == self.numbers[-1]
            with without_averaging(self.module, last=last):
                with precision_of(config.precision, self.world.device):
                    losses = self.module(inputs, generator)
                loss = losses.float().mean() * (config.micro / config.batch)
                # Wrapped modules average over processes; the sum is wanted.
                (loss * self.world.size).backward()
            total += loss.detach()
        norm = nn.utils.clip_grad_norm_(self.trainable, config.clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, self.step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return summed(total, self.world), norm.detach()

    def _flush(self) -> None:
        """Write the losses since the last look."""
        rows = [
            {
                "step": float(step),
                "loss": float(loss),
                "gradient_norm": float(norm),
                "learning_rate": learning_rate(self.config, step - 1),
            }
            for step, loss, norm in self.waiting
        ]
        self.waiting.clear()
        for row in rows:
            for name, words in (("loss", "loss"), ("gradient_norm", "gradient")):
                if not math.isfinite(row[name]):
                    raise TrainingError(
                        f"the {words} of step {row['step']:.0f} is not finite: use a smaller "
                        "learning rate or precision float32; the last checkpoint is kept"
                    )
        if self.curves is not None and rows:
            self.curves.add(TRAIN_FILE, rows)
            self.listener.stepped(self.step, rows[-1])

    def _milestones(self, *, last: bool) -> None:
        """Validation, samples and checkpoints that are due; by the first process."""
        config, step = self.config, self.step
        due = time.monotonic() - self.saved_at > 60 * config.save_minutes
        save = last or due or step - self.saved_step >= config.save_every
        validate = step == config.steps or step % config.validate_every == 0
        show = config.sample_every > 0 and (step == config.steps or step % config.sample_every == 0)
        if not (self.world.first and (save or validate or show)):
            return
        self._flush()
        self.averages.swap(self.task.network)
        self.task.network.eval()
        with torch.no_grad(), precision_of(config.precision, self.world.device):
            if validate and self.curves is not None:
                numbers = dict(self.task.validate())
                if numbers:
                    self.curves.add(VALIDATION_FILE, [{"step": float(step), **numbers}])
                    words = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
                    self.listener.said(f"step {step}: {words}")
        with torch.no_grad():
            if show:
                self.task.show(self.folder, step)
            if save:
                self.task.export(self.folder, step)
        self.averages.swap(self.task.network)
        self.task.network.train()
        if save:
            facts = {"step": step, "seconds": self.before + self._seconds()}
            save_state(self.folder, self.task.network, self.averages, self.optimizers, facts)
            self.saved_at, self.saved_step = time.monotonic(), step

    def _seconds(self) -> float:
        return time.monotonic() - self.begun

    def _is_cpu(self) -> bool:
        return self.world.device.type == "cpu" and self.world.size == 1


def learning_rate(config: LoopConfig, step: int) -> float:
    """Of the update that follows `step` done ones: a linear rise, then constant or a cosine."""
    rise = min(1.0, (step + 1) / max(config.warmup, 1))
    if config.decay == "constant":
        return config.learning_rate * rise
    share = min(max(step - config.warmup, 0) / max(config.steps - config.warmup, 1), 1.0)
    return config.learning_rate * rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def precision_of(name: str, device: torch.device) -> AbstractContextManager[Any]:
    """Autocast to bf16 where asked for, or where it is fast (`auto`: GPUs since Ampere)."""
    fast = device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8
    if name == "bf16" or (name == "auto" and fast):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
