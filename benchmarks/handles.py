"""Do hands take handles? Of new objects with handles, by each method, and by the data engine.

Shares of the pairs in which some hand is at a handle: of the fifth of its pads and palm that is
nearest to the object most is at one, and within 2 cm (samples are not refined, so touch would ask
too much of them). `chance` is the handles' share of the surface. One JSON line a family, and one of
means.

    python benchmarks/handles.py [--families pan mug ...] [--objects 3] [--num 48]
        [--methods samples prior mixed optimize] [--checkpoint DIR]
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bghop.datagen.candidates import make_candidates
from bghop.datagen.checks import check
from bghop.datagen.making import checks_for
from bghop.datagen.roles import Places, places_of
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.objects.catalog import FAMILIES
from bghop.objects.seeds import training_rng
from bghop.physics.body import body_of
from bghop.prior.checkpoint import load_prior
from bghop.synthesis.from_prior import sample_hands
from bghop.synthesis.prior_grasps import grasps_from_prior, mixed_grasps
from bghop.synthesis.synthesize import synthesize
from bghop.threads import one_thread

WITH_HANDLES = ("pan", "mug", "pot", "pitcher", "teapot", "kettle", "bucket", "watering_can")
METHODS = ("samples", "prior", "mixed", "optimize")
NEAR, NEAREST = 0.02, 0.2
RESULTS = 16
SEED = 1
"""Of the objects; data sets of seed 0 have others."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--families", nargs="+", default=WITH_HANDLES)
    parser.add_argument("--objects", type=int, default=3)
    parser.add_argument("--num", type=int, default=48, help="samples, and candidates of the engine")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--checkpoint", type=Path)
    options = parser.parse_args()
    with one_thread():
        model, prior = load_open_hand(), load_prior(options.checkpoint)
        rows: list[dict[str, float]] = []
        for family in options.families:
            text = FAMILIES[family].texts[0]

            def drawn(mesh: Mesh, _: SdfGrid, text: str = text) -> HandParameters:
                return sample_hands(mesh, prior, model, num=options.num, prompt=text)

            def refined(mesh: Mesh, sdf: SdfGrid, text: str = text) -> HandParameters:
                return grasps_from_prior(
                    mesh, prior, model, num=RESULTS, prompt=text, sdf=sdf
                ).hands

            def mixed(mesh: Mesh, _: SdfGrid, text: str = text) -> HandParameters:
                return mixed_grasps(mesh, prior, model, num=RESULTS, prompt=text).hands

            def geometric(mesh: Mesh, sdf: SdfGrid) -> HandParameters:
                return synthesize(mesh, hand_model=model, num=RESULTS, sdf=sdf).hands

            known = dict(zip(METHODS, (drawn, refined, mixed, geometric), strict=True))
            methods = {name: known[name] for name in options.methods}
            found = [
                shares(family, number, model, methods, num=options.num)
                for number in range(options.objects)
            ]
            own = [each for each in found if each]
            if own:
                rows.append(means(own))
                print(json.dumps({"family": family, **rows[-1]}), flush=True)
        print(json.dumps({"families": len(rows), **means(rows)}), flush=True)


def shares(
    family: str,
    number: int,
    model: HandModel,
    methods: dict[str, Callable[[Mesh, SdfGrid], HandParameters]],
    *,
    num: int,
) -> dict[str, float]:
    """Of one object; empty if no handle is found on it."""
    rng = training_rng(SEED, number)
    mesh = FAMILIES[family].mesh(FAMILIES[family].sample(rng))
    places = places_of(mesh, rng=rng)
    if not bool(places.grip.any()):
        return {}
    sdf, query = sdf_from_mesh(mesh, resolution=80), MeshQuery(mesh)
    made = make_candidates(mesh, sdf, places, model, num=num, rng=rng)
    body = body_of(mesh, query, samples=40_000)
    accepted = check(made, sdf, query, body, model, checks_for("both")).accepted
    data = made.hands.rows(accepted.nonzero().flatten())
    return {
        "chance": float(places.grip.float().mean()),
        "data": at_handle(model, data, places, sdf),
        **{name: at_handle(model, take(mesh, sdf), places, sdf) for name, take in methods.items()},
    }


@torch.no_grad()
def at_handle(model: HandModel, hands: HandParameters, places: Places, sdf: SdfGrid) -> float:
    """Share of the pairs with a hand at a handle."""
    skin = torch.cat([*model.regions.pads, model.regions.palm])
    points, _ = model.skin(hands, vertices=skin)
    away = sdf.distance(points).abs()
    close = away.topk(round(NEAREST * len(skin)), largest=False)
    grip, _ = places.near(points)
    there = grip.gather(-1, close.indices) & (close.values < NEAR)
    return float((there.float().mean(-1) > 0.5).any(-1).float().mean())


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}


if __name__ == "__main__":
    main()
