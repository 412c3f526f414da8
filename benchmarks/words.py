"""From a word to an object in two hands: is it an object, is it held, and is it what was asked for?

Draws `--num` interactions for every training family's name and for words that no training text
has, brings the hands into contact, and judges each by itself:

* `object`: closed, one piece, longest side 4 to 50 cm (bghop.evaluation.validity);
* `untorn`: no more handles than any of the six members of the nearest family has (below), their
  surfaces taken from the same grid at the same level;
* `held`: at least one finger of both hands in contact;
* `clear`: no hand deeper than 3 mm;
* `valid`: `object`, `held` and `clear`;
* `kind`: the nearest of six members of every training family (mean difference of the truncated
  distances, both centred on their box) is of the family that the word means. One in 45 would be by
  chance. `kind_3`: one of its three nearest families is.

One JSON line per word, one per group with means.

    python benchmarks/words.py [--checkpoint DIR] [--num 8] [--groups training novel]
        [--words mug box] [--no-refine]
        [--objects-only]        # draws no hands, which takes a tenth of the time
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
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
from bghop.prior.surface import drawn_surface
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
GROUPS = ("training", "novel")
MEMBERS = 6
CELLS, HALF = 32, 0.30


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--num", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument("--words", nargs="*", default=[], help="those of the groups; all if none")
    parser.add_argument("--no-refine", action="store_true")
    parser.add_argument("--objects-only", action="store_true")
    options = parser.parse_args()
    with one_thread():
        prior, hands = load_prior(options.checkpoint), load_open_hand()
        families = training_families()
        names = list(families)
        members, handles = known_members(prior, names)
        known = {families[name].texts[0]: (name,) for name in names}
        for group, words in zip(GROUPS, (known, NOVEL), strict=True):
            rows: list[dict[str, float]] = []
            if group not in options.groups:
                continue
            for word, kinds in words.items():
                if options.words and word not in options.words:
                    continue
                meshes, held = drawn(word, prior, hands, options)
                found = [
                    {**judged(mesh, kinds, names, members, handles), **in_hands}
                    for mesh, in_hands in zip(meshes, held, strict=True)
                ]
                for row in found:
                    if "held" in row:
                        row["valid"] = row["object"] and row["held"] and row["clear"]
                rows += found
                print(json.dumps({"group": group, "word": word, **means(found)}), flush=True)
            if rows:
                print(json.dumps({"group": group, "samples": len(rows), **means(rows)}), flush=True)


def drawn(
    word: str, prior: Prior, model: HandModel, options: argparse.Namespace
) -> tuple[list[Mesh], list[dict[str, float]]]:
    """Objects, and what is true of the hands on each."""
    sampler = sample_options(prior, steps=options.steps, guidance=options.guidance)
    if options.objects_only:
        sampler = replace(sampler, steps=1)
    drawn = sample_interactions(
        prior, model, prompt=word, num=options.num, seed=options.seed, options=sampler
    )
    meshes = [each.mesh for each in drawn]
    if options.objects_only:
        return meshes, [{} for _ in meshes]
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
        depth = max(d or 0.0 for d in metrics.penetration_depth_mm)
        held = min(n or 0 for n in metrics.fingers_in_contact) >= 1
        rows.append({"held": held, "clear": depth < 3, "depth_mm": depth})
    return meshes, rows


def judged(
    mesh: Mesh, kinds: tuple[str, ...], names: Sequence[str], members: Tensor, handles: list[int]
) -> dict[str, float]:
    """What is true of one object."""
    validity, size = object_validity(mesh), float(mesh.extents.max())
    order = nearest_families(mesh, names, members)
    return {
        "object": validity.plausible and 0.04 <= size <= 0.50,
        "untorn": validity.genus <= handles[names.index(order[0])],
        "kind": order[0] in kinds,
        "kind_3": bool(set(order[:3]) & set(kinds)),
        "size_cm": 100 * size,
    }


def means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}


def known_members(prior: Prior, names: Sequence[str]) -> tuple[Tensor, list[int]]:
    """Distances of some members of each family (family, member, cell); most handles of each."""
    families, grids, handles = training_families(), [], []
    truncation = prior.codec.first_stage.truncation
    for number, name in enumerate(names):
        # Seed 1: members of the families that are in no data set of seed 0.
        rng = training_rng(1, number)
        meshes = [families[name].mesh(families[name].sample(rng)) for _ in range(MEMBERS)]
        grids += [distances(mesh) for mesh in meshes]
        counts = [0]
        for mesh in meshes:
            fine = centred(mesh, CubeGrid(resolution=64, half_extent=HALF)) / truncation
            shown = drawn_surface(fine.clamp(-1, 1), prior.codec.spec, truncation=truncation)
            counts.append(0 if shown is None else object_validity(shown).genus)
        handles.append(max(counts))
    return torch.stack(grids).unflatten(0, (len(names), MEMBERS)), handles


def nearest_families(mesh: Mesh, names: Sequence[str], members: Tensor) -> list[str]:
    """Families by the distance of their nearest member."""
    away = (members - distances(mesh)).abs().mean(-1).amin(1)
    return [names[int(k)] for k in away.argsort()]


def distances(mesh: Mesh) -> Tensor:
    """Truncated to 4 cm, centred on the box, every cell of a coarse grid."""
    coarse = centred(mesh, CubeGrid(resolution=CELLS, half_extent=HALF))
    return coarse.flatten().clamp(-0.04, 0.04)


def centred(mesh: Mesh, cube: CubeGrid) -> Tensor:
    """Distances with the middle of the box in the middle of the grid."""
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    T = np.eye(4)
    T[:3, 3] = -middle
    return sdf_on_cube(mesh.transformed(T), cube).values


if __name__ == "__main__":
    main()
