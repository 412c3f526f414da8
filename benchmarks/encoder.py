"""The first stage's encoder beside the convolution that it equals.

Grids of the benchmark's held-out shapes, as a training scene has them. One JSON line: processor
milliseconds a grid of both ways (features included), their ratio, the largest difference, and the
part of the samples that is not empty, on which the ratio depends.

    python benchmarks/encoder.py [--objects 8] [--threads 1]
"""

import argparse
import json
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from bghop.geometry.grid import CubeGrid
from bghop.geometry.sdf import sdf_on_cube
from bghop.objects.sets import object_set
from bghop.prior.first_stage import GRID, to_distance_grid
from bghop.prior.first_stage_file import load_block_codec


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    codec, cube = load_block_codec(), CubeGrid(resolution=GRID, half_extent=0.30)
    items = object_set(f"shapes:{options.objects}").items
    sdf = torch.stack([sdf_on_cube(item.mesh, cube).values for item in items])[:, None]
    grids = to_distance_grid(sdf.float(), codec.truncation)
    unit = codec.encode(torch.ones(1, 1, 8, 8, 8))

    def convolved() -> Tensor:
        soft_sign = torch.tanh(8 * grids) - math.tanh(8.0)
        nearness = torch.exp(-25 * grids**2) - math.exp(-25.0)
        features = torch.cat([grids - 1, soft_sign, nearness], dim=1)
        kernel = codec.analysis
        for axis in range(3):
            signs = codec.signs[axis][:, None, None, None, None]
            kernel = (kernel + kernel.flip(axis + 2) * signs) / 2
        return functional.conv3d(features, kernel, stride=4, padding=2) + unit[:, :, :1, :1, :1]

    with torch.no_grad():
        ours, theirs = timed(lambda: codec.encode(grids), options), timed(convolved, options)
        away = float((codec.encode(grids) - convolved()).abs().max())
    print(
        json.dumps(
            {
                "benchmark": "encoder",
                "grids": len(grids),
                "threads": options.threads,
                "filled": round(float((grids < 1).float().mean()), 3),
                "ours_ms": round(ours / len(grids), 2),
                "conv3d_ms": round(theirs / len(grids), 2),
                "ratio": round(theirs / ours, 2),
                "largest_difference": away,
            }
        )
    )


def timed(work: Callable[[], object], options: argparse.Namespace) -> float:
    """Least processor milliseconds of a call."""
    found = []
    for _ in range(options.repeats):
        start = time.process_time()
        work()
        found.append(1000 * (time.process_time() - start))
    return min(found)


if __name__ == "__main__":
    main()
