"""The command line of a bare machine: argparse, JSON, plain lines."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bghop.errors import BghopError
from bghop.training.distributed import joined_world
from bghop.training.loop import Listener, Outcome
from bghop.training.start import KINDS, read_values, run_training

_SPEAK_SECONDS = 10.0


def main(args: Sequence[str] | None = None) -> int:
    """Runs one training; the exit code (0 done or time is up, 2 cannot be done)."""
    options = _parser().parse_args(args)
    try:
        values = read_values(options.config, options.set)
        with joined_world(options.device) as world:
            speaks = world.first and not options.quiet
            outcome = run_training(
                options.kind,
                values,
                options.out,
                world=world,
                minutes=options.minutes,
                listener=PlainLines() if speaks else Listener(),
            )
            if speaks:
                say(summary(outcome))
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from the last checkpoint")
        return 130
    except (BghopError, OSError, MemoryError) as error:
        say(f"error: {' '.join((str(error) or type(error).__name__).split())}")
        return 2
    return 0


class PlainLines(Listener):
    """One line every ten seconds."""

    def __init__(self) -> None:
        self._steps = 0
        self._mark = (0, time.monotonic())

    def started(self, step: int, steps: int) -> None:
        """Says where the run stands."""
        self._steps = steps
        self._mark = (step, time.monotonic())
        say(f"goes on after step {step} of {steps}" if step else f"begins, {steps} steps")

    def stepped(self, step: int, losses: Mapping[str, float]) -> None:
        """Says the loss and the speed now and then."""
        before, when = self._mark
        passed = time.monotonic() - when
        if passed >= _SPEAK_SECONDS or step == self._steps:
            self._mark = (step, time.monotonic())
            rate = (step - before) / max(passed, 1e-9)
            say(f"step {step}/{self._steps}  loss {losses['loss']:.4g}  {rate:.2f} steps/s")

    def said(self, message: str) -> None:
        """One line."""
        say(message)

    def close(self) -> None:
        """Nothing is open."""


def summary(outcome: Outcome) -> str:
    """How a call ended."""
    rate = outcome.samples / max(outcome.seconds, 1e-9)
    end = "finished" if outcome.finished else "stopped; the same command goes on"
    return f"{end} at step {outcome.step}, {outcome.seconds:.0f} s, {rate:.1f} samples/s"


def say(line: str) -> None:
    """On stderr, at once."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bghop.training",
        description="Train a prior or a first stage; the same command goes on after a kill.",
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as JSON")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one setting, e.g. data.records=records.parquet or loop.steps=1000",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop and save after M minutes")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser
