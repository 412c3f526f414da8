"""Seconds per two-hand sample: network, hands, surface; amortised over a batch.

`small` (or another preset) with random weights and an object latent of a box, as the time of a
network does not depend on its weights: 25 steps of DPM-Solver++ with guidance, hands fitted to
joints of real hands (a fit of random numbers would say nothing), the object decoded and its surface
extracted. One JSON line per precision; `ratio_to_target` is 1.0 s over the total.

    python benchmarks/sampling.py [--batch 8] [--threads 2] [--preset small] [--device cpu]
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from bghop.fields.fit_joints import fit_hands
from bghop.fields.grid_spec import GridSpec
from bghop.geometry.grid import CubeGrid
from bghop.geometry.sdf import sdf_on_cube
from bghop.geometry.shapes import box
from bghop.hands.open_hand import load_open_hand
from bghop.prior.codec import JointCodec
from bghop.prior.denoiser import Condition
from bghop.prior.first_stage_file import load_block_codec
from bghop.prior.sampling import SampleOptions, noise_like, sample_latents
from bghop.prior.schedule import CosineSchedule
from bghop.prior.surface import surface_of
from bghop.prior.transformer import SIZES, PatchTransformer, TransformerConfig

TARGET = 1.0
"""Seconds per sample."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device, num = torch.device(options.device), options.batch
    torch.manual_seed(0)
    schedule = CosineSchedule()
    network = PatchTransformer(replace(TransformerConfig(), **SIZES[options.preset]), schedule)
    network = network.eval().to(device)
    stage = load_block_codec(device=device)
    spec = GridSpec(frame="object", unit=0.30)
    codec = JointCodec(first_stage=stage, spec=spec)
    hands = load_open_hand(device=device)
    still = hands.rest_parameters(num)
    pose = hands.random_poses(num, generator=torch.Generator().manual_seed(0)).to(device)
    joints = hands.joints(replace(still, pose=pose))
    cube = CubeGrid(resolution=64, half_extent=0.30)
    sdf = sdf_on_cube(box((0.2, 0.1, 0.15)), cube).values.to(device)
    latent = codec.encode(sdf.expand(num, 1, -1, -1, -1), joints, still.present)
    condition = Condition(
        tokens=torch.randn(num, 1, 384, device=device),
        text_given=torch.ones(num, dtype=torch.bool, device=device),
        present=still.present,
    )
    noise = noise_like(num, codec.layout.shape, seed=0, device=device)

    def timed(work: Callable[[], object]) -> float:
        work()
        spent = []
        for _ in range(options.repeats):
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            spent.append(time.perf_counter() - start)
        return min(spent) / num

    def surfaces() -> None:
        with torch.no_grad():
            grids = codec.decode_object(latent)
        for grid in grids:
            surface_of(grid[0], spec, truncation=stage.truncation)

    fit = timed(lambda: fit_hands(joints, hands, present=still.present, estimate_shape=True))
    surface = timed(surfaces)
    for half in (False, True):
        told = SampleOptions(steps=options.steps, guidance=2.0, half=half)
        network_s = timed(
            lambda told=told: sample_latents(
                network, schedule, codec.layout, condition, noise, options=told
            )
        )
        total = network_s + fit + surface
        print(
            json.dumps(
                {
                    "benchmark": "sampling", "preset": options.preset, "batch": num,
                    "steps": options.steps, "threads": options.threads, "device": str(device),
                    "precision": "bfloat16" if half else "float32",
                    "network_s": round(network_s, 4), "hands_s": round(fit, 4),
                    "surface_s": round(surface, 4), "total_s": round(total, 4),
                    "ratio_to_target": round(TARGET / total, 2),
                }
            ),
            flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
