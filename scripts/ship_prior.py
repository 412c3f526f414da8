"""Puts a trained prior into the package: half-precision weights, config, learning curves.

    python scripts/ship_prior.py RUN [OBJECTS]

RUN is a run of `bghop train prior`, OBJECTS one of `bghop train objects`; without it the object
prior that is shipped stays. Writes
src/bghop/prior/assets/shipped/ (what `load_prior()` reads) and into recipes/ the training loss of
every tenth step and both validation curves, and draws the prior's curves into
docs/images/shipped_prior_curves.png.
"""

import argparse
from pathlib import Path

import numpy as np

from bghop.drawing.plots import figure_of
from bghop.files import write_json, write_whole
from bghop.prior.checkpoint import CONFIG, WEIGHTS, load_prior, prior_config, prior_tensors
from bghop.training.curves import TRAIN_FILE, VALIDATION_FILE, read_curve
from bghop.training.prior import PRIOR_FOLDER

ROOT = Path(__file__).parents[1]
MOST_BYTES = 48 * 10**6
EVERY = 10
WINDOW = 50  # steps that the drawn training loss is a mean of


def main() -> None:
    """Copy, thin, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of `bghop train prior`")
    parser.add_argument("objects", type=Path, nargs="?", help="folder of `bghop train objects`")
    options = parser.parse_args()
    run, objects = options.run, options.objects
    prior = load_prior(run / PRIOR_FOLDER)
    with_objects = load_prior(None if objects is None else objects / PRIOR_FOLDER)
    prior.objects = with_objects.objects
    prior.origin = {**prior.origin, "objects": with_objects.origin["objects"]}
    weights = prior_tensors(prior, half=True)
    if len(weights) > MOST_BYTES:
        raise SystemExit(f"{len(weights)} bytes: the package takes {MOST_BYTES}")
    shipped = ROOT / "src/bghop/prior/assets/shipped"
    shipped.mkdir(parents=True, exist_ok=True)
    write_whole(shipped / WEIGHTS, weights)
    write_json(shipped / CONFIG, prior_config(prior), indent=1)
    lines = (run / TRAIN_FILE).read_text(encoding="utf-8").splitlines(keepends=True)
    thin = [lines[0], *lines[EVERY::EVERY]]
    recipes = ROOT / "recipes"
    write_whole(recipes / "shipped_prior_train.csv", "".join(thin).encode())
    for name, folder in (("prior", run), ("objects", objects)):
        if folder is not None:
            content = (folder / VALIDATION_FILE).read_bytes()
            write_whole(recipes / f"shipped_{name}_validation.csv", content)
    write_whole(ROOT / "docs/images/shipped_prior_curves.png", drawn(run))
    print(f"{len(weights) / 1e6:.1f} MB, step {prior.origin.get('step')}")


def drawn(run: Path) -> bytes:
    """Training loss as a running mean, validation loss by case."""
    train, validation = read_curve(run / TRAIN_FILE), read_curve(run / VALIDATION_FILE)
    with figure_of((7.2, 3.6)) as (figure, png):
        axes = figure.subplots()
        loss = np.array([row["loss"] for row in train])
        mean = np.convolve(loss, np.ones(WINDOW) / WINDOW, mode="valid")
        axes.plot(np.arange(len(mean)) + WINDOW / 2, mean, color="#a3abb5", label="training")
        for name in validation[0]:
            if name not in {"step", "loss"}:
                steps = [row["step"] for row in validation]
                axes.plot(
                    steps, [row[name] for row in validation], marker="o", markersize=3,
                    label=name.replace("_", " "),
                )  # fmt: skip
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("denoising loss")
        axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    return png.getvalue()


if __name__ == "__main__":
    main()
