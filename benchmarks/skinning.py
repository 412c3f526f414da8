"""Time of posing hands: full skin, a subset, joints only, plus what loading costs. One JSON line.

    python benchmarks/skinning.py [--rows 64] [--threads 1]

Rows are pairs of hands. `naive_*` is the textbook formulation (blend 4x4 matrices per vertex, then
apply them) on the same inputs, in the same run.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from bghop.hands.model import HandModel, HandParameters
from bghop.hands.skinning import shaped


def best(function: Callable[[], object], repeats: int = 15) -> float:
    """Smallest wall time, milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return round(min(times) * 1000, 3)


def naive(model: HandModel, hands: HandParameters) -> torch.Tensor:
    """A 4x4 matrix per vertex."""
    bones = model.bones(hands)
    T = bones.matrices()
    T = torch.cat(
        [
            T[..., :3],
            T[..., 3:] - T @ torch.nn.functional.pad(bones.rest_joints, (0, 1))[..., None],
        ],
        -1,
    )
    rest = shaped(model.surface.template, model.surface.shape_directions, hands.shape)
    per_vertex = torch.einsum("hvk,...hkij->...hvij", model.skinning_weights, T)
    homogeneous = torch.nn.functional.pad(rest, (0, 1), value=1.0)
    return (per_vertex @ homogeneous[..., None])[..., :3, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    start = time.perf_counter()
    from bghop.hands.open_hand import load_open_hand

    model = load_open_hand()
    load = time.perf_counter() - start

    rows = arguments.rows
    generator = torch.Generator().manual_seed(0)
    pose = model.random_poses(rows, generator=generator).requires_grad_()
    shared = replace(model.rest_parameters(rows), pose=pose)
    shape = 0.3 * torch.randn(rows, 2, model.num_shape, generator=generator)
    own = replace(shared, shape=shape)
    some = torch.arange(0, model.num_vertices, 4)

    def backward(function: Callable[[], torch.Tensor]) -> Callable[[], None]:
        def run() -> None:
            pose.grad = None
            function().sum().backward()

        return run

    cases = {
        "full": lambda: model.pose_hands(shared).vertices_object,
        "full_own_shapes": lambda: model.pose_hands(own).vertices_object,
        "naive": lambda: naive(model, shared),
        "subset": lambda: model.skin(shared, vertices=some)[0],
        "joints": lambda: model.joints(shared),
    }
    result: dict[str, object] = {
        "benchmark": "skinning", "rows": rows, "hands": 2 * rows, "threads": arguments.threads,
        "vertices": model.num_vertices, "subset_vertices": len(some), "load_s": round(load, 3),
    }  # fmt: skip
    for name, function in cases.items():
        with torch.no_grad():
            result[f"{name}_ms"] = best(function)
        result[f"{name}_with_gradient_ms"] = best(backward(function))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
