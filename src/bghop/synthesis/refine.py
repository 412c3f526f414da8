"""Sampled hands made to touch: the optimiser from given hands.

A sample says how the hands hold the object; its fingers are off the surface, or in it. First every
hand is taken out of the object (`settle`); then the optimiser, the same as without a prior, brings
it into contact. The term `closeness` keeps the refined hands near the sample, weakly: contact comes
first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis.energy import Load, Weights, weighted_sum
from bghop.synthesis.optimize import Optimized, OptimizeOptions, evaluate_terms, optimize
from bghop.synthesis.probe import HandState, Probe, make_probe, observe
from bghop.synthesis.settle import settle
from bghop.synthesis.starts import Starts
from bghop.synthesis.synthesize import Synthesis, joined_syntheses, object_load

PALM_NEAR = 0.015
"""Metres; a palm whose nearest points are this close in the sample is meant to touch."""


@dataclass(frozen=True, kw_only=True)
class RefineOptions:
    """How far refined hands may go from the sample."""

    friction: float = 0.5
    """As in `SynthesizeOptions`."""
    load_factor: float = 2.0
    sdf_resolution: int = 80
    """Samples along the object's longest side."""
    settle: bool = True
    """Whether hands are taken out of the object first."""
    optimize: OptimizeOptions = field(
        default_factory=lambda: OptimizeOptions(prune_at=(), weights=Weights(closeness=0.005))
    )


def refine(
    probe: Probe,
    sdf: SdfGrid,
    hands: HandParameters,
    *,
    options: RefineOptions | None = None,
    free: Bool[Tensor, "n hand=2"] | None = None,
    load: Load | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Optimized:
    """Bring sampled hands into contact and out of the object.

    Every row stays in its place, unless `options.optimize` prunes: then `rows` of the result says
    which are left.

    Args:
        probe: points of the hand model that the energy sees.
        sdf: the object.
        hands: samples in the object's frame; absent hands stay as they are.
        options: see `RefineOptions`.
        free: hands that may move; the others come back bit for bit. All that are there if None.
        load: what the hands must bear; from the object if None.
        progress: called with (steps done, steps in all).
    """
    options = options or RefineOptions()
    if load is None:
        load = object_load(sdf, friction=options.friction, factor=options.load_factor)
    moving = hands.present if free is None else free & hands.present
    wish, _ = palm_wish(probe, sdf, hands)
    with torch.no_grad():
        wanted = probe.model.joints(hands)
    begin = settle(probe, sdf, hands, moving=moving) if options.settle else hands
    starts = Starts(hands=begin, cost=wish.new_zeros(len(wish)), palm_wish=wish)
    found = optimize(
        probe, sdf, load, starts, options=options.optimize, wanted=wanted, free=moving,
        progress=progress,
    )  # fmt: skip
    still = ~moving[found.rows]
    return replace(found, hands=kept_where(hands.rows(found.rows), found.hands, still))


def best_hands(
    mesh: Mesh,
    hands: HandParameters,
    hand_model: HandModel,
    *,
    num: int,
    options: RefineOptions | None = None,
    free: Bool[Tensor, "n hand=2"] | None = None,
    sdf: SdfGrid | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Synthesis:
    """Up to `num` sampled hands in contact, the best that differ, best first.

    The worse half is dropped on the way, as the optimiser does with its own starts.

    Args:
        mesh: the object.
        hands: more samples than are wanted, in the object's frame.
        hand_model: its device decides where everything runs.
        num: results wanted.
        options: see `RefineOptions`.
        free: hands that may move; all that are there if None.
        sdf: the object's distance grid if it exists already.
        progress: called with (steps done, steps in all).
    """
    options = options or RefineOptions()
    if len(hands.present) > num:
        pruned = replace(options.optimize, prune_at=OptimizeOptions().prune_at)
        options = replace(options, optimize=pruned)
    if sdf is None:
        sdf = sdf_from_mesh(mesh, resolution=options.sdf_resolution)
    found = refine(
        make_probe(hand_model), sdf.to(hand_model.vertices_rest.device), hands, options=options,
        free=free, progress=progress,
    )  # fmt: skip
    return Synthesis(hands=found.hands, energy=found.total, terms=found.terms).best(num)


def refine_hands(
    meshes: Sequence[Mesh],
    hands: HandParameters,
    hand_model: HandModel,
    *,
    options: RefineOptions | None = None,
    only_score: bool = False,
    free: Bool[Tensor, "n hand=2"] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Synthesis:
    """Sampled hands in contact with their objects, in the given order, and their energy.

    Args:
        meshes: one object for all, or one for each.
        hands: samples in the objects' frames.
        hand_model: its device decides where everything runs.
        options: see `RefineOptions`.
        only_score: leave the hands as they are.
        free: hands that may move; all that are there if None.
        progress: called with (steps done, steps in all).
    """
    options = options or RefineOptions()
    num, probe = len(hands.present), make_probe(hand_model)
    batches = [slice(0, num)] if len(meshes) == 1 else [slice(i, i + 1) for i in range(num)]
    steps, found = options.optimize.steps, []
    for index, (mesh, rows) in enumerate(zip(meshes, batches, strict=True)):
        sdf = sdf_from_mesh(mesh, resolution=options.sdf_resolution)
        sdf = sdf.to(hand_model.vertices_rest.device)
        some = hands.rows(rows)
        if only_score:
            found.append(score(probe, sdf, some, options=options))
            continue

        def tick(step: int, _: int, before: int = steps * index) -> None:
            if progress is not None:
                progress(before + step, steps * len(batches))

        moving = None if free is None else free[rows]
        found.append(refine(probe, sdf, some, options=options, free=moving, progress=tick))
    return joined_syntheses(
        [Synthesis(hands=each.hands, energy=each.total, terms=each.terms) for each in found]
    )


def score(
    probe: Probe,
    sdf: SdfGrid,
    hands: HandParameters,
    *,
    options: RefineOptions | None = None,
) -> Optimized:
    """The energy of hands as they are."""
    options = options or RefineOptions()
    load = object_load(sdf, friction=options.friction, factor=options.load_factor)
    with torch.no_grad():
        wish, state = palm_wish(probe, sdf, hands)
        terms, _ = evaluate_terms(state, probe, load, wish)
    return Optimized(
        rows=torch.arange(len(wish), device=wish.device),
        hands=hands,
        terms=terms,
        total=weighted_sum(terms, options.optimize.weights),
    )


def palm_wish(
    probe: Probe, sdf: SdfGrid, hands: HandParameters
) -> tuple[Float[Tensor, "n hand=2"], HandState]:
    """1 for palms that lie on the surface already, 0 for others; and the hands' state."""
    with torch.no_grad():
        state = observe(probe, sdf, hands, probe.model.angles_from_pose(hands.pose))
    nearest = state.palm_distance.abs().topk(10, dim=-1, largest=False).values.mean(-1)
    return (nearest < PALM_NEAR).to(nearest), state


def kept_where(
    first: HandParameters, second: HandParameters, from_first: Bool[Tensor, "*batch hand=2"]
) -> HandParameters:
    """Hands of `first` where the mask says so, bit for bit, those of `second` elsewhere."""

    def choose(one: Tensor, other: Tensor) -> Tensor:
        mask = from_first.reshape(*from_first.shape, *[1] * (one.ndim - from_first.ndim))
        return torch.where(mask, one, other)

    return HandParameters(
        present=choose(first.present, second.present),
        T_object_hand=choose(first.T_object_hand, second.T_object_hand),
        pose=choose(first.pose, second.pose),
        shape=choose(first.shape, second.shape),
    )
