"""`bghop train`: a prior or a first stage from records."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from bghop.jobs.train import TrainJob
    from bghop.training.loop import Outcome


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a prior, its first stage (autoencoder), or its object prior (objects).

    Writes the trained model, train.csv, validation.csv, TensorBoard events if installed, sample
    sheets, and what is needed to go on: the same command continues after an interruption. On a
    machine with little installed use `python -m bghop.training`, on many GPUs torchrun with it.
    Needs the extra bghop[train].
    """

    kind: tyro.conf.Positional[Literal["prior", "autoencoder", "objects"]]
    """What to train."""
    out: Annotated[Path, tyro.conf.arg(metavar="RUN")]
    """Folder of the run."""
    records: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Parquet file of records."""
    objects: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Parquet file of their objects."""
    config: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Settings as JSON; run.json of a run shows all of them under `config`."""
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE [NAME=VALUE ...]")] = ()
    """Single settings, e.g. loop.learning_rate=1e-4 task.cases.joint=1."""
    preset: Annotated[str | None, tyro.conf.arg(metavar="tiny|small|base")] = None
    """Size of the prior's network."""
    init: Literal["scratch", "semi-frozen", "full"] | None = None
    """How the prior starts: anew; from a one-hand prior of which only the new hand's input and
    output layers are trained; or from one that is trained whole."""
    source: Annotated[Path | None, tyro.conf.arg(name="from", metavar="CHECKPOINT")] = None
    """The one-hand prior that --init semi-frozen and full start from; or the prior that an object
    prior is for."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Steps in all."""
    minutes: Annotated[float | None, tyro.conf.arg(metavar="M")] = None
    """Stop and save after so many minutes; the same command goes on."""
    device: Annotated[str, tyro.conf.arg(metavar="auto|cpu|cuda")] = "auto"
    """Where to compute."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout at the end."""

    def run(self) -> int:
        """Trains; the exit code."""
        from bghop.jobs.train import check_job, run_train_job

        job = self._job()
        check_job(job)  # before torch is imported: a typing error is told at once
        listener = None if self.quiet else _listener()
        try:
            outcome = run_train_job(job, listener=listener)
        finally:
            if listener is not None:
                listener.close()
        if self.json:
            print(json.dumps({"out": str(self.out), **asdict(outcome)}))
        elif not self.quiet:
            print(_words(outcome, self.out))
        return 0

    def _job(self) -> "TrainJob":
        from bghop.jobs.train import TrainJob

        return TrainJob(
            kind=self.kind,
            out=self.out,
            config=self.config,
            changes=self.set,
            records=self.records,
            objects=self.objects,
            preset=self.preset,
            init=self.init,
            source=self.source,
            steps=self.steps,
            minutes=self.minutes,
            device=self.device,
        )


def _words(outcome: "Outcome", out: Path) -> str:
    rate = outcome.samples / max(outcome.seconds, 1e-9)
    end = "finished" if outcome.finished else "stopped (the same command goes on)"
    return f"{out}: {end} at step {outcome.step}, {outcome.seconds:.0f} s, {rate:.1f} samples/s"


def _listener() -> Any:
    """A bar on a terminal, plain lines elsewhere."""
    from bghop.training.bare_command import PlainLines

    if not sys.stderr.isatty():
        return PlainLines()
    from tqdm import tqdm

    class Bar(PlainLines):
        _bar: Any = None

        def started(self, step: int, steps: int) -> None:
            self._bar = tqdm(total=steps, initial=step, unit="step", desc="training")

        def stepped(self, step: int, losses: Mapping[str, float]) -> None:
            self._bar.set_postfix_str(f"loss {losses['loss']:.4g}", refresh=False)
            self._bar.update(step - self._bar.n)

        def said(self, message: str) -> None:
            tqdm.write(message, file=sys.stderr)

        def close(self) -> None:
            if self._bar is not None:
                self._bar.close()

    return Bar()
