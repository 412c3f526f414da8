"""The left hand completed from object and right hand, beside what the data engine put there.

New objects of the training families (a seed that no data set has) with the engine's own grasps.
Some grasps lose their left hand; the prior draws `--num` others, which are brought into contact.
Per drawn hand: is its wrist within 6 cm and 35 degrees of the left wrist of SOME grasp of the same
object (`near`), and does the pair hold (hold test, six directions)? Beside it, the same question

* of each grasp's own left hand, the grasp itself left out (`data`: how dense the data are),
* of left hands of grasps of other objects, placed at this one's middle (`chance`).

One JSON line per object and one with means; `near_2` and `near_best`: of the better half by the
refinement's energy, and of the best one.

    python benchmarks/completion.py [--checkpoint DIR] [--objects 20] [--grasps 4] [--num 4]
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bghop.datagen.making import Made, MakeOptions, make
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.interaction import Interaction
from bghop.objects.splits import held_out_families, training_families
from bghop.physics.hold import hold_tests
from bghop.prior.checkpoint import load_prior
from bghop.prior.prior import Prior
from bghop.synthesis.completion import complete
from bghop.synthesis.prior_grasps import best_of_more
from bghop.threads import one_thread

SEED = 7001
FAR, TURN = 0.06, math.radians(35)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--objects", type=int, default=20)
    parser.add_argument("--grasps", type=int, default=4, help="of each object that are completed")
    parser.add_argument("--num", type=int, default=4, help="completions of each")
    parser.add_argument("--no-hold", action="store_true")
    parser.add_argument("--held-out", action="store_true", help="held-out families instead")
    options = parser.parse_args()
    families = tuple(held_out_families() if options.held_out else training_families())
    making = MakeOptions(families=families)
    stride = max(1, len(families) // options.objects)
    with one_thread():
        prior, model = load_prior(options.checkpoint), load_open_hand()
        things = [make(making, SEED, k * stride, model) for k in range(options.objects)]
        things = [thing for thing in things if len(thing.records) >= 2]
        rows = []
        for number, thing in enumerate(things):
            other = things[(number + 1) % len(things)]
            rows.append(asked(thing, other, prior, model, options))
            print(json.dumps(rows[-1]), flush=True)
    numbers = [name for name, value in rows[0].items() if not isinstance(value, str)]
    found = {n: [row[n] for row in rows if row[n] is not None] for n in numbers}
    means = {n: round(float(np.mean(v)), 3) for n, v in found.items() if v}
    print(json.dumps({"benchmark": "completion", "objects": len(rows), **means}))


def asked(
    thing: Made, other: Made, prior: Prior, model: HandModel, options: argparse.Namespace
) -> dict:
    """Shares of one object."""
    hands = thing.records.hands
    wrists = hands.T_object_hand[:, 0]
    picked = torch.linspace(0, len(wrists) - 1, min(options.grasps, len(wrists))).round().long()
    near, best, half, held_drawn, held_data = [], [], [], [], []
    for i in picked.tolist():
        given = Interaction(
            mesh=thing.shape.mesh, hands=hands.rows(i), text=thing.records.text[i], up="z",
            hand_model=model.name,
        )  # fmt: skip
        keep = ("object", "right")
        drawn = complete(given, keep, prior, model, num=options.num, seed=i)
        found = best_of_more(drawn, prior, model, keep=keep, seed=1000 + i)
        close = is_near(found.hands.T_object_hand[:, 0], wrists)
        order = found.energy.argsort()
        near.append(close.float().mean())
        half.append(close[order[: (options.num + 1) // 2]].float().mean())
        best.append(close[order[0]].float())
        if not options.no_hold:
            held_drawn += holds(thing, model, found.hands.rows(order[:1]))
            held_data += holds(thing, model, hands.rows(torch.tensor([i])))
    self_near = [
        is_near(wrists[i : i + 1], torch.cat([wrists[:i], wrists[i + 1 :]]))[0].float()
        for i in range(len(wrists))
    ]
    chance = is_near(other.records.hands.T_object_hand[:, 0], wrists).float()
    return {
        "object": thing.shape.key,
        "grasps": len(wrists),
        "near": mean(near),
        "near_2": mean(half),
        "near_best": mean(best),
        "data": mean(self_near),
        "chance": mean(list(chance)),
        "hold_best": mean(held_drawn) if held_drawn else None,
        "hold_data": mean(held_data) if held_data else None,
    }


def holds(thing: Made, model: HandModel, hands: HandParameters) -> list[float]:
    """One or zero of each grasp."""
    rows = [hands.rows(i) for i in range(len(hands.present))]
    return [float(result.success) for result in hold_tests(thing.shape.mesh, model, rows)]


def is_near(T: Tensor, data: Tensor) -> Tensor:
    """Whether each wrist is near some wrist of the data."""
    away = (T[:, None, :3, 3] - data[None, :, :3, 3]).norm(dim=-1)
    R = T[:, None, :3, :3].mT @ data[None, :, :3, :3]
    cosine = (R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return ((away <= FAR) & (cosine.clamp(-1, 1).arccos() <= TURN)).any(1)


def mean(values: list) -> float:
    return round(float(np.mean([float(value) for value in values])), 3)


if __name__ == "__main__":
    main()
