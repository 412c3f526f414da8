"""What should a hand be in the latent: cells of a grid, and which function of distance, or joints?

No training here: for random hands it prints, per transform of the distance d to a joint and for
joints themselves,
- `share`: cells (or numbers) whose slope is at least a twentieth of the largest one,
- `kurtosis`: 3 for a Gaussian; far above it nearly all the variance sits in few cells,
- `peak`: largest value in standard deviations,
- `spread_over_mean`: what unnormalised channels would show of it,
- `joint_mm`: the best possible error (Cramer-Rao) of a joint under unit noise on every normalised
  cell. Noise must be 120 mm / joint_mm times larger to hide a joint, so the smaller this is, the
  farther a schedule for images is off.

One JSON line per representation. The network side is `benchmarks/denoisers.py`.

    python benchmarks/representations.py [--hands 200] [--seed 0]
"""

import argparse
import json
from collections.abc import Callable

import torch
from torch import Tensor

from bghop.fields.grid_spec import GridSpec
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandParameters
from bghop.hands.open_hand import load_open_hand

RELEASED_REACH = 0.0692  # metres
SPREAD = 0.12  # metres; of joints about the middle of the grid

TRANSFORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "released: min(d^2, 6.9 cm)": lambda d: d.square().clamp_max(RELEASED_REACH**2),
    "min(d, 20 cm)": lambda d: d.clamp_max(0.20),
    "d^2": torch.square,
    "d": lambda d: d,
    "log(1 + d / 5 cm)": lambda d: torch.log1p(d / 0.05),
    "exp(-d / 5 cm)": lambda d: torch.exp(-d / 0.05),
    "exp(-d / 10 cm)": lambda d: torch.exp(-d / 0.10),
}


def joints_of_random_hands(num: int, seed: int) -> Tensor:
    """Joints without the wrist, `num 20 3`, metres, spread as about a held object."""
    model, generator = load_open_hand(), torch.Generator().manual_seed(seed)
    R = matrix_from_rotvec(2 * torch.randn(num, 2, 3, generator=generator))
    t = SPREAD * torch.randn(num, 2, 3, generator=generator)
    still = model.rest_parameters(num)
    hands = HandParameters(
        present=still.present,
        T_object_hand=rigid(R, t),
        pose=model.random_poses(num, generator=generator),
        shape=still.shape,
    )
    return model.joints(hands)[:, 1, 1:]


def describe(name: str, transform: Callable[[Tensor], Tensor], joints: Tensor) -> dict:
    spec = GridSpec(frame="object", unit=0.30)
    axis = spec.axis() * spec.unit
    cells = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).flatten(0, 2)
    away = joints[:, :, None] - cells
    distance = away.norm(dim=-1).clamp_min(1e-6).requires_grad_()
    value = transform(distance)
    (slope,) = torch.autograd.grad(value.sum(), distance)
    value, distance = value.detach(), distance.detach()
    deviation = value.std()
    normal = (value - value.mean()) / deviation
    gradient = (slope / deviation)[..., None] * away / distance[..., None]
    information = (gradient.mT @ gradient).double()
    known = torch.linalg.eigvalsh(information)[..., 0] > 1e-6
    variance = torch.linalg.inv(information[known]).diagonal(dim1=-2, dim2=-1).sum(-1)
    return {
        "representation": name,
        "numbers": cells.shape[0],
        "share": round(float((slope.abs() > 0.05 * slope.abs().max()).float().mean()), 3),
        "kurtosis": round(float(normal.pow(4).mean()), 1),
        "peak": round(float(normal.abs().max()), 1),
        "spread_over_mean": round(float(deviation / value.mean()), 3),
        "joint_mm": round(1000 * float(variance.sqrt().median()), 2),
    }


def describe_joints(joints: Tensor) -> dict:
    normal = joints / SPREAD
    return {
        "representation": "joints / 12 cm",
        "numbers": 3,
        "share": 1.0,
        "kurtosis": round(float(normal.pow(4).mean() / normal.var().square()), 1),
        "peak": round(float(normal.abs().max() / normal.std()), 1),
        "spread_over_mean": None,
        "joint_mm": round(1000 * SPREAD * 3**0.5, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hands", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    joints = joints_of_random_hands(options.hands, options.seed)
    for name, transform in TRANSFORMS.items():
        print(json.dumps(describe(name, transform, joints)), flush=True)
    print(json.dumps(describe_joints(joints)), flush=True)


if __name__ == "__main__":
    main()
