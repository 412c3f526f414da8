"""Samples per second of training: building scenes, and whole steps of the small preset.

    python benchmarks/training.py [--records FILE --objects FILE] [--batch 8] [--threads 2]

Without files it makes a data set of six parametric objects with random hands: the time of building
does not depend on how well the hands hold. `step_cpu_ms_per_sample` is processor time, all threads
together; it says what an idle machine would do when the clock does not.
"""

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from bghop.data.augment import AugmentOptions
from bghop.data.objects_file import read_objects, write_objects
from bghop.data.objects_from_mesh import REACH, object_from_mesh
from bghop.data.record import Records
from bghop.data.record_file import read_records, write_records
from bghop.data.scene import SceneBuilder
from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.geometry.rotations import random_rotations
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.objects.sets import object_set
from bghop.training.config import LoopConfig
from bghop.training.distributed import World
from bghop.training.loop import Listener, train
from bghop.training.prior import TrainPrior, begin_prior, prior_task
from bghop.training.prior_task import PriorTaskConfig
from bghop.training.sources import SourceConfig, load_sources

TARGET = 20.0
"""Samples per second that training must reach, building included."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=Path)
    parser.add_argument("--objects", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--step-batch", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        records, objects = options.records, options.objects
        if records is None or objects is None:
            records, objects = make_set(Path(folder))
        result = {
            "benchmark": "training",
            "threads": options.threads,
            "device": options.device,
            "batch": options.batch,
            "target_samples_per_s": TARGET,
            **building(records, objects, options),
            **stepping(records, objects, Path(folder) / "run", options),
        }
    print(json.dumps(result))


def building(records: Path, objects: Path, options: argparse.Namespace) -> dict[str, float]:
    """Scenes and hand fields per second, in random poses."""
    rows = read_records(records)
    begun = time.perf_counter()
    store = read_objects(objects).to(options.device)
    reading = time.perf_counter() - begun
    spec = GridSpec(frame="object", unit=0.30)
    builder = SceneBuilder(
        rows, store, load_open_hand(), spec, augment=AugmentOptions(rotation="any")
    )
    generator = torch.Generator().manual_seed(0)

    def once() -> None:
        row = torch.randint(len(rows), (options.batch,), generator=generator)
        scenes = builder.scenes(row, generator=generator)
        hand_field(scenes.joints, spec, present=scenes.present)
        if options.device != "cpu":
            torch.cuda.synchronize()

    seconds = _median_seconds(once, options.rounds)
    rate = options.batch / seconds
    return {
        "objects": len(store),
        "objects_mb": round(store.megabytes, 1),
        "read_objects_s": round(reading, 2),
        "build_ms_per_sample": round(1e3 / rate, 2),
        "build_samples_per_s": round(rate, 1),
        "build_ratio_to_target": round(rate / TARGET, 1),
    }


def stepping(
    records: Path, objects: Path, folder: Path, options: argparse.Namespace
) -> dict[str, float | str]:
    """Whole steps of the small preset: scenes, first stage, network, optimiser, averages."""
    device = torch.device(options.device)
    config = TrainPrior(
        data=SourceConfig(records=records, objects=objects, validation_split=""),
        task=PriorTaskConfig(text_dropout=1.0),
        preset=options.preset,
        loop=LoopConfig(
            steps=options.rounds,
            batch=options.step_batch,
            micro=options.step_batch,
            precision=options.precision,
            sample_every=0,
        ),
    )
    prior = begin_prior(config).to(device)
    truncation = prior.codec.first_stage.truncation
    sources = load_sources(config.data, prior.codec.spec, device, truncation=truncation)
    task = prior_task(prior, sources, config, Listener(), device)
    marks: list[tuple[float, float]] = []

    class Clock(Listener):
        def stepped(self, step: int, losses: Mapping[str, float]) -> None:
            del step, losses
            marks.append((time.perf_counter(), time.process_time()))

    train(task, config.loop, folder, world=World(device=device), listener=Clock())
    # The last step also saves. On a GPU the loop looks at the clock every tenth step only.
    every = options.rounds / len(marks)
    pairs = list(itertools.pairwise(marks))
    seconds = sorted((b[0] - a[0]) / every for a, b in pairs)[len(pairs) // 2]
    busy = sorted((b[1] - a[1]) / every for a, b in pairs)[len(pairs) // 2]
    rate = options.step_batch / seconds
    return {
        "preset": options.preset,
        "precision": options.precision,
        "parameters_m": round(sum(p.numel() for p in prior.denoiser.parameters()) / 1e6, 1),
        "step_batch": options.step_batch,
        "step_cpu_ms_per_sample": round(1e3 * busy / options.step_batch, 1),
        "step_samples_per_s": round(rate, 1),
        "step_ratio_to_target": round(rate / TARGET, 2),
    }


def _median_seconds(once, rounds: int) -> float:  # noqa: ANN001
    once()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        once()
        times.append(time.perf_counter() - begun)
    return sorted(times)[len(times) // 2]


def make_set(folder: Path) -> tuple[Path, Path]:
    """Six objects with random hands about them."""
    hand = load_open_hand()
    things = [item.mesh for item in object_set("shapes:6").items]
    entries = [object_from_mesh(f"{i}", mesh) for i, mesh in enumerate(things)]
    num = 48
    generator = torch.Generator().manual_seed(0)
    R = random_rotations(2 * num, generator=generator).view(num, 2, 3, 3)
    hands = HandParameters(
        present=torch.ones(num, 2, dtype=torch.bool),
        T_object_hand=rigid(R, 0.15 * torch.randn(num, 2, 3, generator=generator)),
        pose=hand.random_poses(num, generator=generator),
        shape=torch.zeros(num, 2, hand.num_shape),
    )
    records = Records(
        id=tuple(map(str, range(num))),
        object=tuple(str(i % len(entries)) for i in range(num)),
        text=("",) * num,
        split=("train",) * num,
        source=("random",) * num,
        joint_value=torch.zeros(num),
        hands=hands,
        hand_model=hand.name,
        shape_names=hand.shape_names,
    )
    write_records(folder / "records.parquet", records)
    write_objects(folder / "objects.parquet", entries, reach=REACH)
    return folder / "records.parquet", folder / "objects.parquet"


if __name__ == "__main__":
    main()
