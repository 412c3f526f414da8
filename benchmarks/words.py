"""From a word to an object in two hands: is it an object, is it held, and is it what was asked for?

Draws `--num` interactions for every training family's name and for words that no training text
has, brings the hands into contact, and judges each by itself:

* `object`: closed, one piece, longest side 4 to 50 cm (bghop.evaluation.validity);
* `held`: at least one finger of both hands in contact;
* `clear`: no hand deeper than 3 mm;
* `valid`: all three;
* `kind`: the nearest of six members of every training family (mean difference of the truncated
  distances, both centred on their box) is of the family that the word means. One in 45 would be by
  chance. `kind_3`: one of its three nearest families is.

One JSON line per word, one per group with means.

    python benchmarks/words.py [--checkpoint DIR] [--num 8] [--words mug box] [--no-refine]
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bghop.evaluation.measure import measure_grasp, solid_of_mesh
from bghop.evaluation.validity import object_validity
from bghop.geometry.grid import CubeGrid
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import sdf_on_cube
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.interaction import joined, stacked
from bghop.objects.seeds import training_rng
from bghop.objects.splits import training_families
from bghop.prior.checkpoint import load_prior
from bghop.prior.prior import Prior
from bghop.synthesis.from_prior import sample_interactions, sample_options
from bghop.synthesis.prior_grasps import best_of_more
from bghop.threads import one_thread

NOVEL = {
    "encyclopedia": ("book",), "dictionary": ("book",), "canister": ("cylinder", "jar"),
    "crate": ("box", "lidded_box"), "flask": ("bottle",), "saucepan": ("pan", "pot"),
    "mallet": ("hammer",), "platter": ("plate", "tray"), "urn": ("vase", "jar"),
    "football": ("ball",), "teacup": ("cup", "mug"), "wok": ("pan", "bowl"),
    "carafe": ("pitcher", "bottle", "vase"), "beaker": ("cup", "cylinder"),
    "suitcase": ("box", "lidded_box"),
}  # fmt: skip
"""Words near a known one, and the families that they mean."""
MEMBERS = 6
CELLS, HALF = 32, 0.30


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--num", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--words", nargs="*", default=[])
    parser.add_argument("--no-refine", action="store_true")
    options = parser.parse_args()
    with one_thread():
        prior, hands = load_prior(options.checkpoint), load_open_hand()
        families = training_families()
        names = list(families)
        members = known_members(names)
        known = {families[name].texts[0]: (name,) for name in names}
        for group, words in (("training", known), ("novel", NOVEL)):
            rows: list[dict[str, float]] = []
            for word, kinds in words.items():
                if options.words and word not in options.words:
                    continue
                found = judged(word, kinds, prior, hands, names, members, options)
                rows += found
                print(json.dumps({"group": group, "word": word, **means(found)}), flush=True)
            if rows:
                print(json.dumps({"group": group, "samples": len(rows), **means(rows)}), flush=True)


def judged(
    word: str,
    kinds: tuple[str, ...],
    prior: Prior,
    model: HandModel,
    names: Sequence[str],
    members: Tensor,
    options: argparse.Namespace,
) -> list[dict[str, float]]:
    """One row of truths per sample."""
    sampler = sample_options(prior, steps=options.steps, guidance=options.guidance)
    drawn = sample_interactions(
        prior, model, prompt=word, num=options.num, seed=options.seed, options=sampler
    )
    meshes = [each.mesh for each in drawn]
    hands = stacked([each.hands for each in drawn])
    if not options.no_refine:  # as `bghop sample` does
        found = [
            best_of_more([each], prior, model, seed=1000 * options.seed + k + 1, options=sampler)
            for k, each in enumerate(drawn)
        ]
        hands = joined([each.hands for each in found])
    rows = []
    for i, mesh in enumerate(meshes):
        metrics = measure_grasp(solid_of_mesh(mesh), model, hands.rows(i), time_s=0.0)
        validity, size = object_validity(mesh), float(mesh.extents.max())
        whole = validity.plausible and 0.04 <= size <= 0.50
        held = min(n or 0 for n in metrics.fingers_in_contact) >= 1
        depth = max(d or 0.0 for d in metrics.penetration_depth_mm)
        order = nearest_families(mesh, names, members)
        rows.append(
            {
                "valid": whole and held and depth < 3,
                "object": whole,
                "held": held,
                "clear": depth < 3,
                "kind": order[0] in kinds,
                "kind_3": bool(set(order[:3]) & set(kinds)),
                "depth_mm": depth,
                "size_cm": 100 * size,
            }
        )
    return rows


def means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}


def known_members(names: Sequence[str]) -> Tensor:
    """Distances of some members of each family: family, member, cell."""
    families, grids = training_families(), []
    for number, name in enumerate(names):
        # Seed 1: members of the families that are in no data set of seed 0.
        rng = training_rng(1, number)
        grids += [
            distances(families[name].mesh(families[name].sample(rng))) for _ in range(MEMBERS)
        ]
    return torch.stack(grids).unflatten(0, (len(names), MEMBERS))


def nearest_families(mesh: Mesh, names: Sequence[str], members: Tensor) -> list[str]:
    """Families by the distance of their nearest member."""
    away = (members - distances(mesh)).abs().mean(-1).amin(1)
    return [names[int(k)] for k in away.argsort()]


def distances(mesh: Mesh) -> Tensor:
    """Truncated to 4 cm, centred on the box, every cell of the grid."""
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    T = np.eye(4)
    T[:3, 3] = -middle
    cube = CubeGrid(resolution=CELLS, half_extent=HALF)
    return sdf_on_cube(mesh.transformed(T), cube).values.flatten().clamp(-0.04, 0.04)


if __name__ == "__main__":
    main()
