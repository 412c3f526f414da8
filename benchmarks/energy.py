"""One step of the optimiser, and overlaps of balls found first against all pairs: one JSON line.

    python benchmarks/energy.py [--candidates 48] [--repeats 15]

The step is what `optimize` does again and again (hands, distances, energy, gradients, on the
casserole): a run of fifteen steps less one of five, by ten. The ratio is that of the overlap of
both hands' balls with themselves, gradients included.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from bghop.geometry.sdf import sdf_from_mesh
from bghop.geometry.shapes import casserole
from bghop.hands.open_hand import load_open_hand
from bghop.synthesis.optimize import OptimizeOptions, optimize
from bghop.synthesis.probe import make_probe
from bghop.synthesis.spheres import HandSpheres, summed_overlap
from bghop.synthesis.synthesize import geometric_starts, object_load
from bghop.threads import one_thread


def of_all_pairs(spheres: HandSpheres, centres: Tensor) -> Tensor:
    """Every pair that may not touch is measured."""
    i, j = spheres.may_touch.nonzero().unbind(-1)
    gap = (centres[..., i, :] - centres[..., j, :]).norm(dim=-1)
    return (spheres.self_reach[:, i, j] - gap).clamp_min(0).sum(-1)


def alternating(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each, taken in turn, so that a busy machine slows all alike."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if repeat:  # the first is for warming up
                taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in taken.items()}


def main() -> None:
    """Time both and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()

    mesh, model = casserole(), load_open_hand()
    sdf = sdf_from_mesh(mesh, resolution=80)
    load = object_load(sdf, friction=0.5, factor=2.0)
    starts = geometric_starts(
        mesh, sdf, load, model, num=arguments.candidates, seed=0, up=(0.0, 0.0, 1.0)
    )
    probe = make_probe(model)
    spheres = probe.spheres
    posed = model.pose_hands(starts.hands)
    centres = spheres.centres_object(posed.Ts_object_bone).detach().requires_grad_()

    def gradients(overlap: Callable[[], Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(overlap().sum(), centres)

    def search(steps: int) -> Callable[[], object]:
        options = OptimizeOptions(steps=steps, prune_at=())
        return lambda: optimize(probe, sdf, load, starts, options=options)

    with one_thread():
        taken = alternating(
            {
                "short": search(5),
                "long": search(15),
                "found_first_ms": gradients(
                    lambda: summed_overlap(centres, centres, spheres.self_reach)
                ),
                "all_pairs_ms": gradients(lambda: of_all_pairs(spheres, centres)),
            },
            arguments.repeats,
        )
    step = (taken.pop("long") - taken.pop("short")) / 10
    result = {
        "torch": torch.__version__, "candidates": arguments.candidates,
        "step_ms": round(step, 2),
        **{name: round(value, 2) for name, value in taken.items()},
        "ratio": round(taken["all_pairs_ms"] / taken["found_first_ms"], 2),
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
