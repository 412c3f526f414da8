"""The left hand completed from object and right hand, beside what the data engine put there.

New objects of the training families (a seed that no data set has) with the engine's own grasps by
many people (`--people`): what may be done with an object is known only where grasps are dense.
Some grasps lose their left hand; the prior draws `--num` others, which are brought into contact.
Per drawn hand: is its wrist within 6 cm and 35 degrees of the left wrist of SOME grasp of the same
object (`near`), and does the pair hold (hold test, six directions)? Beside it, the same question

* of left hands of other grasps of the object (`data`: an object's own left hands, each left out),
* of left hands of grasps of other objects, placed at this one's middle (`chance`),

all against N of the object's grasps, for several N: where `data` still rises with N, the engine
does more with the object than N grasps show. One JSON line per object and one with means;
`near_best`: of the best by the refinement's energy.

    python benchmarks/completion.py [--checkpoint DIR] [--objects 9] [--grasps 2] [--people 12]
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bghop.data.record import Records, concatenate_records
from bghop.datagen.making import MakeOptions, Shape, make
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
SUBSETS = (19, 50, 100, 200)
"""Numbers of grasps that hands are compared with; 19 is what a data set has of an object."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--objects", type=int, default=9)
    parser.add_argument("--grasps", type=int, default=2, help="of each object that are completed")
    parser.add_argument("--people", type=int, default=12, help="that grasp each object")
    parser.add_argument("--num", type=int, default=4, help="completions of each")
    parser.add_argument("--no-hold", action="store_true")
    parser.add_argument("--held-out", action="store_true", help="held-out families instead")
    options = parser.parse_args()
    families = tuple(held_out_families() if options.held_out else training_families())
    making = MakeOptions(families=families)
    stride = max(1, len(families) // options.objects)
    with one_thread():
        prior, model = load_prior(options.checkpoint), load_open_hand()
        rows, things = [], []
        for k in range(options.objects):
            made = [
                make(making, SEED, k * stride, model, person_number=person)
                for person in range(options.people)
            ]
            records = concatenate_records([each.records for each in made if len(each.records)])
            things.append(Thing(shape=made[0].shape, records=records))
        for number, thing in enumerate(things):
            other = things[(number + 1) % len(things)]
            rows.append(asked(thing, other, prior, model, options))
            print(json.dumps(rows[-1]), flush=True)
    numbers = list(dict.fromkeys(n for row in rows for n in row if n != "object"))
    found = {n: [row[n] for row in rows if row.get(n) is not None] for n in numbers}
    means = {n: round(float(np.mean(v)), 3) for n, v in found.items() if v}
    print(json.dumps({"benchmark": "completion", "objects": len(rows), **means}))


@dataclass(frozen=True)
class Thing:
    """An object and grasps of many people."""

    shape: Shape
    records: Records


def asked(
    thing: Thing, other: Thing, prior: Prior, model: HandModel, options: argparse.Namespace
) -> dict:
    """Shares of one object."""
    hands = thing.records.hands
    wrists = hands.T_object_hand[:, 0]
    picked = torch.linspace(0, len(wrists) - 1, min(options.grasps, len(wrists))).round().long()
    drawn_wrists, best, held_drawn, held_data = [], [], [], []
    for i in picked.tolist():
        given = Interaction(
            mesh=thing.shape.mesh, hands=hands.rows(i), text=thing.records.text[i], up="z",
            hand_model=model.name,
        )  # fmt: skip
        keep = ("object", "right")
        drawn = complete(given, keep, prior, model, num=options.num, seed=i)
        found = best_of_more(drawn, prior, model, keep=keep, seed=1000 + i)
        order = found.energy.argsort()
        drawn_wrists.append(found.hands.T_object_hand[:, 0])
        best.append(found.hands.T_object_hand[order[:1], 0])
        if not options.no_hold:
            held_drawn += holds(thing, model, found.hands.rows(order[:1]))
            held_data += holds(thing, model, hands.rows(torch.tensor([i])))
    asked_of = {
        "near": torch.cat(drawn_wrists),
        "near_best": torch.cat(best),
        "chance": other.records.hands.T_object_hand[:, 0],
    }
    numbers: dict = {"object": thing.shape.key, "grasps": len(wrists)}
    shown = torch.randperm(len(wrists), generator=torch.Generator().manual_seed(0))
    for most in (n for n in SUBSETS if n < len(wrists)):
        data, rest = wrists[shown[:most]], wrists[shown[most:]]
        for name, T in asked_of.items():
            numbers[f"{name}_{most}"] = mean(is_near(T, data))
        numbers[f"data_{most}"] = mean(is_near(rest, data))
    return {
        **numbers,
        "hold_best": mean(held_drawn) if held_drawn else None,
        "hold_data": mean(held_data) if held_data else None,
    }


def holds(thing: Thing, model: HandModel, hands: HandParameters) -> list[float]:
    """One or zero of each grasp."""
    rows = [hands.rows(i) for i in range(len(hands.present))]
    return [float(result.success) for result in hold_tests(thing.shape.mesh, model, rows)]


def is_near(T: Tensor, data: Tensor) -> Tensor:
    """Whether each wrist is near some wrist of the data."""
    away = (T[:, None, :3, 3] - data[None, :, :3, 3]).norm(dim=-1)
    R = T[:, None, :3, :3].mT @ data[None, :, :3, :3]
    cosine = (R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return ((away <= FAR) & (cosine.clamp(-1, 1).arccos() <= TURN)).any(1)


def mean(values: Sequence[float] | Tensor) -> float:
    return round(float(np.mean(np.asarray(values, dtype=float))), 3)


if __name__ == "__main__":
    main()
