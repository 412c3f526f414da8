"""Muon's step in the weights' precision beside torch's own, which computes in bfloat16.

One JSON line: processor milliseconds of a step over the matrices inside the blocks of a network,
theirs over ours, and ours as a share of forward and backward passes of a batch. Where bfloat16 is
fast (GPUs, CPUs with such units) the ratio is near one; elsewhere theirs takes most of the time.

    python benchmarks/muon.py [--width 192] [--depth 6] [--batch 24]
"""

import argparse
import json
import time
from collections.abc import Callable

import torch

from bghop.prior.denoiser import Condition
from bghop.prior.schedule import CosineSchedule
from bghop.prior.transformer import PatchTransformer, TransformerConfig
from bghop.training.muon import Muon


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    size = TransformerConfig(width=options.width, depth=options.depth, heads=options.heads)
    network = PatchTransformer(size, CosineSchedule())
    num = options.batch
    x = torch.randn(num, *network.layout.shape)
    condition = Condition(
        tokens=torch.randn(num, 1, size.text_dim),
        text_given=torch.ones(num, dtype=torch.bool),
        present=torch.ones(num, 2, dtype=torch.bool),
    )

    def passes() -> None:
        network(x, torch.full((num, 3), 0.5), condition).square().mean().backward()

    passing = processor_ms(passes, options.repeats)
    inner = [
        p
        for name, p in network.named_parameters()
        if p.ndim == 2 and name.startswith("blocks.") and ".modulation." not in name
    ]
    ours = processor_ms(Muon(inner, lr=1e-3).step, options.repeats)
    theirs = processor_ms(
        torch.optim.Muon(inner, lr=1e-3, adjust_lr_fn="match_rms_adamw").step, options.repeats
    )
    print(
        json.dumps(
            {
                "benchmark": "muon",
                "width": options.width,
                "depth": options.depth,
                "threads": options.threads,
                "ours_ms": round(ours, 1),
                "torch_ms": round(theirs, 1),
                "ratio": round(theirs / ours, 2),
                "ours_share_of_passes": round(ours / passing, 3),
                "batch": num,
            }
        )
    )


def processor_ms(work: Callable[[], object], repeats: int) -> float:
    """Least processor time of a call."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(1000 * (time.process_time() - start))
    return min(found)


if __name__ == "__main__":
    main()
