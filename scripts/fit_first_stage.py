"""Makes src/bghop/prior/assets/first_stage.safetensors from the training families.

    python scripts/fit_first_stage.py [--out FILE] [--grids runs/first_stage_train.pt]
                                      [--channels 8] [--steps 3000] [--per-family 36]

The grids (the training families, any pose, grids of any size from 60 to 84 cm) are made once,
about ten minutes on one core, and kept in `--grids`. The transform is fitted in closed form; then
net and filters are trained on crops of 48^3 samples around the surface, turned and mirrored at
random.
Held-out families and objects are never used.
"""

import argparse
import math
import time
from pathlib import Path

import torch
from jaxtyping import Float, Float16
from torch import Tensor

from bghop.prior.first_stage import BlockCodec, BlockCodecConfig, to_distance_grid, training_loss
from bghop.prior.first_stage_file import save_block_codec
from first_stage_data import training_grids

CROP = 48
BATCH = 8
RATE = 2e-3
FILTER_RATE = 0.05
"""Learning rate of the filters in parts of the net's; their 1500 taps move a latent together."""
NOISE = 0.10
"""Largest standard deviation of noise on the latent."""
MARGIN = 4
"""Samples at a crop's border, whose neighbours are missing, that do not count."""


def main() -> None:
    """Fit, train, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    asset = Path(__file__).parents[1] / "src/bghop/prior/assets/first_stage.safetensors"
    parser.add_argument("--out", type=Path, default=asset)
    parser.add_argument("--grids", type=Path, default=Path("runs/first_stage_train.pt"))
    parser.add_argument("--per-family", type=int, default=36)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3000)
    arguments = parser.parse_args()

    torch.manual_seed(0)
    distances = training_grids(arguments.grids, per_family=arguments.per_family)
    config = BlockCodecConfig(
        channels=arguments.channels, width=arguments.width, depth=arguments.depth
    )
    sample = to_distance_grid(distances[:: max(1, len(distances) // 200)].float(), 0.04)[:, None]
    codec = BlockCodec.fitted(sample, config)
    if config.depth:
        train(codec, distances, sample[::4], steps=arguments.steps)
    save_block_codec(codec, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes")


def train(
    codec: BlockCodec,
    distances: Float16[Tensor, "n 64 64 64"],
    calibration: Float[Tensor, "m 1 64 64 64"],
    *,
    steps: int,
) -> None:
    """Adam with a cosine; the latent is kept at unit variance on the calibration grids."""
    assert codec.net is not None
    filters = [codec.analysis, codec.synthesis]
    groups = [{"params": codec.net.parameters()}, {"params": filters}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=1e-4)
    total, start = 0.0, time.perf_counter()
    for step in range(steps):
        rate = RATE * min(1.0, step / 50) * (0.01 + 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group, part in zip(optimizer.param_groups, (1.0, FILTER_RATE), strict=True):
            group["lr"] = part * rate
        grids = torch.stack([crop(distances, codec.truncation) for _ in range(BATCH)])
        noise = NOISE * float(torch.rand(()))
        with torch.autocast("cpu", torch.bfloat16):
            loss = training_loss(codec, grids, latent_noise=noise, margin=MARGIN)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        # Not near the end: the net has to get used to it.
        if step % 50 == 49 and step < 0.8 * steps:
            codec.normalise(calibration)
        total += loss.item()
        if step % 100 == 99:
            seconds = time.perf_counter() - start
            print(f"step {step + 1}: loss {total / 100:.5f}, {seconds:.0f} s", flush=True)
            total = 0.0


def crop(distances: Float16[Tensor, "n 64 64 64"], truncation: float) -> Float[Tensor, "1 x y z"]:
    """A random crop with some surface in it, one of its 48 rotations and mirrors."""
    while True:
        grid = distances[int(torch.randint(len(distances), ()))]
        surface = (grid.abs() < 0.008).nonzero()
        if len(surface):
            break
    spot = surface[int(torch.randint(len(surface), ()))]
    low = ((spot - torch.randint(8, CROP - 7, (3,))) // 4 * 4).clamp(0, grid.shape[0] - CROP)
    x, y, z = (slice(int(i), int(i) + CROP) for i in low)
    axes, flips = torch.randperm(3).tolist(), (torch.rand(3) < 0.5).nonzero().flatten().tolist()
    turned = grid[x, y, z].float().permute(axes).flip(flips)
    return to_distance_grid(turned, truncation)[None]


if __name__ == "__main__":
    main()
