"""What the first step of Adam costs a command: torch's class against ours, in new processes.

torch's optimizers load the compiler at first use. One JSON line: seconds and modules that each
adds after `import torch`, and the ratio of the times (median of `--repeats`).

    python benchmarks/adam_start.py [--repeats 5]
"""

import argparse
import json
import statistics
import subprocess
import sys

CODE = """
import json, sys, time, torch
torch.set_num_threads(1)
leaf = torch.ones(8, requires_grad=True)
leaf.sum().backward()
before, start = len(sys.modules), time.perf_counter()
{step}
print(json.dumps([time.perf_counter() - start, len(sys.modules) - before]))
"""
TORCH = "torch.optim.Adam([leaf], lr=0.1).step()"
OURS = "from bghop.synthesis.adam import Adam; Adam([leaf], betas=(0.9, 0.999)).step([0.1])"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    found = {"torch": [measured(TORCH)], "ours": [measured(OURS)]}  # the first fills the disk cache
    for _ in range(repeats):
        found["torch"].append(measured(TORCH))
        found["ours"].append(measured(OURS))
    seconds = {
        name: statistics.median(each[0] for each in runs[1:]) for name, runs in found.items()
    }
    print(
        json.dumps(
            {
                "benchmark": "adam_start",
                **{f"{name}_s": round(value, 4) for name, value in seconds.items()},
                **{f"{name}_modules": int(runs[-1][1]) for name, runs in found.items()},
                "ratio": round(seconds["torch"] / seconds["ours"], 1),
            }
        )
    )


def measured(step: str) -> tuple[float, float]:
    """Seconds and modules."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(step=step)], capture_output=True, text=True, check=True
    )
    seconds, modules = json.loads(done.stdout)
    return seconds, modules


if __name__ == "__main__":
    main()
