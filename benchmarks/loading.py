"""Time of making batches inside CPU training of a preset, as a share of the step. One JSON line.

    python benchmarks/loading.py [--records FILE --objects FILE] [--batch 64] [--threads 2]

Real steps of the real loop; the clock runs while 64^3 grids and joints of a batch are built from
records and stored objects. Without files it makes six objects with random hands. Wanted: under 10 %
of the step. `cpu_share` counts processor time, which a busy machine does not change.
"""

import argparse
import itertools
import json
import resource
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bghop.data.scene import SceneBuilder, Scenes
from bghop.training.config import LoopConfig
from bghop.training.distributed import World
from bghop.training.loop import Listener, train
from bghop.training.prior import TrainPrior, begin_prior, prior_task
from bghop.training.prior_task import PriorTaskConfig
from bghop.training.sources import SourceConfig, load_sources
from training import make_set

TARGET = 0.10


class Timed:
    """A scene builder whose `scenes` is watched; everything else is the builder's."""

    def __init__(self, builder: SceneBuilder) -> None:
        self._builder = builder
        self.spent: list[tuple[float, float]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def __len__(self) -> int:
        return len(self._builder)

    def scenes(self, *arguments: Any, **options: Any) -> Scenes:
        """As the builder's; noted how long it took, on the wall and in processor time."""
        wall, cpu = time.perf_counter(), time.process_time()
        made = self._builder.scenes(*arguments, **options)
        self.spent.append((time.perf_counter() - wall, time.process_time() - cpu))
        return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=Path)
    parser.add_argument("--objects", type=Path)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--preset", default="small")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        records, objects = options.records, options.objects
        if records is None or objects is None:
            records, objects = make_set(Path(folder))
        result = measured(records, objects, Path(folder) / "run", options)
    print(json.dumps(result))


def measured(
    records: Path, objects: Path, folder: Path, options: argparse.Namespace
) -> dict[str, object]:
    """Medians over the steps; the first one warms up, the last one also saves."""
    device = torch.device("cpu")
    config = TrainPrior(
        data=SourceConfig(records=records, objects=objects, validation_split=""),
        task=PriorTaskConfig(text_dropout=1.0),
        preset=options.preset,
        loop=LoopConfig(
            steps=options.steps, batch=options.batch, micro=options.batch, precision="float32",
            sample_every=0, save_minutes=1e6,
        ),
    )  # fmt: skip
    prior = begin_prior(config)
    truncation = prior.codec.first_stage.truncation
    sources = load_sources(config.data, prior.codec.spec, device, truncation=truncation)
    task = prior_task(prior, sources, config, Listener(), device)
    timed: Any = Timed(sources.train)
    task.scenes = timed
    marks: list[tuple[float, float]] = []

    class Clock(Listener):
        def stepped(self, step: int, losses: Mapping[str, float]) -> None:
            del step, losses
            marks.append((time.perf_counter(), time.process_time()))

    train(task, config.loop, folder, world=World(device=device), listener=Clock())
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(marks)]
    data = timed.spent[1:]
    wall, cpu = (middle([own[k] / step[k] for own, step in zip(data, steps, strict=True)])
                 for k in range(2))  # fmt: skip
    return {
        "benchmark": "loading", "preset": options.preset, "batch": options.batch,
        "threads": options.threads, "rows": len(sources.train), "objects": len(timed.objects),
        "data_ms_per_sample": round(1e3 * middle([own[0] for own in data]) / options.batch, 2),
        "data_cpu_ms_per_sample": round(1e3 * middle([own[1] for own in data]) / options.batch, 2),
        "step_s": round(middle([step[0] for step in steps]), 2),
        "step_cpu_s": round(middle([step[1] for step in steps]), 2),
        "share": round(wall, 4), "cpu_share": round(cpu, 4), "target_share": TARGET,
        "ratio_to_target": round(TARGET / wall, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
    }  # fmt: skip


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    main()
