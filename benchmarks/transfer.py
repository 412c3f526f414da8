"""Does a prior of one hand help to learn two? The paper's three variants in miniature.

A one-hand prior is trained first. Then, for each number of two-hand examples, three priors take the
same steps on the same rows: from `scratch`; `semi-frozen` (input and output layers of the one-hand
prior trained, the rest frozen); `full` (all of it trained). Measured on validation objects that no
run has seen: the denoising loss by case, and of hands drawn for `DRAWN` of them, not refined:

* `behind`: share of pairs whose forearms come from one side (their directions less than 90 degrees
  apart), for loss does not tell whether two hands belong together; `behind data` beside it;
* `off_mm`: how far from the surface, inside or out, a hand's nearest (or deepest) skin is.

Every run is a folder of its own and goes on where it was; what is finished is not done again.

    python benchmarks/transfer.py --two data/two --one data/one --out runs/transfer
        [--sizes 500 2000 20000] [--steps 800] [--one-steps 1500] [--threads 1] [--pictures]

One JSON line per run, `curve` its loss (all cases) on the way; transfer.png (loss against examples,
and against steps) and, with `--pictures`, samples.png (the variants side by side, a row for each
object and number of examples; not refined) in `--out`. Several commands with some of the sizes each
may share an `--out` once the one-hand prior is there; one with all sizes then draws the pictures.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bghop.data.scene import SceneBuilder, Scenes
from bghop.drawing.contact_sheet import Cell
from bghop.drawing.plots import figure_of
from bghop.drawing.posed import posed_scene
from bghop.drawing.worker import SheetWorker
from bghop.files import write_whole
from bghop.hands.axes import forearm_directions
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.prior.checkpoint import load_prior
from bghop.prior.prior import Known, Prior
from bghop.prior.surface import surface_of
from bghop.synthesis.from_prior import sample_options
from bghop.training.config import LoopConfig
from bghop.training.curves import VALIDATION_FILE, read_curve
from bghop.training.prior import INITS, PRIOR_FOLDER, TrainPrior, begin_prior, train_prior
from bghop.training.sources import SourceConfig, Sources, load_sources

CASES = ("joint", "object", "object_and_hand")
LOOKS = 5
"""Validations of a run."""
DRAWN = 64
SHOWN = ("bottle", "pot", "book", "ball")
"""Words of pictured objects; the first two that validation objects have."""
MARKERS = {"scratch": "o", "semi-frozen": "s", "full": "^"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--two", type=Path, required=True)
    parser.add_argument("--one", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 20000])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--one-steps", type=int, default=1500)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pictures", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    one = options.out / "one-hand"
    ran(config_of(options, options.one, options.one_steps), one)
    rows, sources, model = [], sources_of(options), load_open_hand()
    for size in options.sizes:
        for init in INITS:
            source = None if init == "scratch" else one / PRIOR_FOLDER
            config = config_of(options, options.two, options.steps)
            config = replace(
                config, init=init, source=source, data=replace(config.data, most_rows=size)
            )
            folder = options.out / f"{init}-{size}"
            curve = ran(config, folder)
            losses = {int(row["step"]): round(row["loss"], 4) for row in curve}
            hands = asked(load_prior(folder / PRIOR_FOLDER), sources, model)
            rows.append({"examples": size, "init": init, **curve[-1], **hands, "curve": losses})
            print(json.dumps({"benchmark": "transfer", **rows[-1]}), flush=True)
    write_whole(options.out / "transfer.png", drawn(rows))
    if options.pictures:
        write_whole(options.out / "samples.png", pictures(options, sources, model))


def config_of(options: argparse.Namespace, data: Path, steps: int) -> TrainPrior:
    """The same network and loop for all."""
    return TrainPrior(
        data=SourceConfig(records=data / "records.parquet", objects=data / "objects.parquet"),
        network={"width": options.width, "depth": options.depth, "heads": 4},
        loop=LoopConfig(
            steps=steps, batch=32, micro=32, optimizer="muon", learning_rate=3e-3, warmup=50,
            clip=10.0, ema=0.995, validate_every=max(1, steps // LOOKS), sample_every=0,
            save_every=200,
        ),
    )  # fmt: skip


def ran(config: TrainPrior, folder: Path) -> list[dict[str, Any]]:
    """Train to the end; the validation losses on the way."""
    train_prior(config, folder)
    return read_curve(folder / VALIDATION_FILE)


def drawn(rows: list[dict[str, Any]]) -> bytes:
    """Loss against examples, a panel for each case; against steps, a panel for each size."""
    sizes = sorted({row["examples"] for row in rows})
    with figure_of((7.2, 5.4)) as (figure, png):
        above, below = figure.subfigures(2, 1)
        for axes, case in zip(above.subplots(1, len(CASES)), CASES, strict=True):
            for init in INITS:
                own = [row for row in rows if row["init"] == init]
                axes.plot(
                    [row["examples"] for row in own], [row[case] for row in own],
                    marker=MARKERS[init], label=init,
                )  # fmt: skip
            axes.set_xscale("log")
            axes.set_title(case.replace("_", " "), fontsize=10)
            axes.set_xlabel("two-hand examples")
        above.axes[0].set_ylabel("denoising loss, new objects")
        above.axes[0].legend()
        panels = below.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
        for axes, size in zip(panels, sizes, strict=True):
            for row in (row for row in rows if row["examples"] == size):
                steps, losses = zip(*row["curve"].items(), strict=True)
                axes.plot(steps, losses, marker=MARKERS[row["init"]], label=row["init"])
            axes.set_title(f"{size:,} examples", fontsize=10)
            axes.set_xlabel("steps")
        panels[0].set_ylabel("denoising loss, all cases")
    return png.getvalue()


def sources_of(options: argparse.Namespace) -> Sources:
    """The two-hand data, as the runs read them."""
    config = config_of(options, options.two, 1)
    codec = begin_prior(config).codec
    return load_sources(
        config.data, codec.spec, torch.device("cpu"), truncation=codec.first_stage.truncation
    )


def asked(prior: Prior, sources: Sources, model: HandModel) -> dict[str, float]:
    """`behind` and `off_mm` of hands for validation objects, spread over the set."""
    builder = sources.validation or sources.train
    rows = torch.linspace(0, len(builder) - 1, DRAWN).round().long()
    scenes, hands = drawn_for(prior, builder, rows, model)
    with torch.no_grad():
        skin = model.pose_hands(hands).vertices_object
    place = skin.flip(-1) / prior.codec.spec.half_extent  # grid_sample counts z, y, x
    distance = torch.nn.functional.grid_sample(
        scenes.sdf, place[:, :, :, None], padding_mode="border", align_corners=True
    ).view(skin.shape[:3])
    off = 1000 * distance.amin(-1).abs()[hands.present].mean()
    return {
        "behind": behind(hands), "behind data": behind(scenes.hands), "off_mm": round(float(off), 1)
    }  # fmt: skip


def behind(hands: HandParameters) -> float:
    """Share of pairs whose forearms come from one side."""
    arms = forearm_directions(hands.T_object_hand[..., :3, :3])
    together = (arms[:, 0] * arms[:, 1]).sum(-1) > 0
    return round(float(together[hands.present.all(-1)].float().mean()), 3)


def drawn_for(
    prior: Prior, builder: SceneBuilder, rows: Tensor, model: HandModel
) -> tuple[Scenes, HandParameters]:
    """Scenes of rows, and hands that a prior draws for their objects."""
    scenes = builder.scenes(rows)
    drawn = prior.sample(
        prior.condition(builder.texts(rows), scenes.present), model, known=Known(sdf=scenes.sdf),
        options=sample_options(prior, given=True),
    )  # fmt: skip
    return scenes, drawn.hands


def pictures(options: argparse.Namespace, sources: Sources, model: HandModel) -> bytes:
    """Hands for two validation objects: a row for each object and number of examples."""
    builder, cells = sources.validation or sources.train, []
    texts = builder.records.text
    rows = [texts.index(word) for word in SHOWN if word in texts][:2] or [len(texts) // 2]
    for row in rows:
        for size in options.sizes:
            for init in INITS:
                prior = load_prior(options.out / f"{init}-{size}" / PRIOR_FOLDER)
                cells.append(cell(prior, builder, row, model, f"{init}, {size}"))
    worker = SheetWorker()
    try:
        worker.request(
            cells, title="From one hand to two", subtitle="drawn for new objects, not refined",
            columns=len(INITS),
        )  # fmt: skip
        return worker.answer()
    finally:
        worker.close()


def cell(prior: Prior, builder: SceneBuilder, row: int, model: HandModel, heading: str) -> Cell:
    """One validation object with the hands that a prior draws for it."""
    scenes, hands = drawn_for(prior, builder, torch.tensor([row]), model)
    stage, spec = prior.codec.first_stage, prior.codec.spec
    grid = scenes.sdf[0, 0] / stage.truncation
    mesh = surface_of(grid.clamp(-1, 1), spec, truncation=stage.truncation)
    assert mesh is not None
    return Cell(
        scene=posed_scene(model, hands.rows(0), mesh), heading=heading,
        caption=builder.records.text[row],
    )  # fmt: skip


if __name__ == "__main__":
    main()
