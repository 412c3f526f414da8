"""Sampled hands made to touch: the optimiser from given hands, with small steps and few of them.

A sample says how the hands hold the object; its fingers are some millimetres off the surface. The
term `closeness` keeps the refined hands near what was sampled.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.geometry.sdf import SdfGrid
from bghop.hands.model import HandParameters
from bghop.synthesis.energy import Load, Weights, weighted_sum
from bghop.synthesis.optimize import Optimized, OptimizeOptions, evaluate_terms, optimize
from bghop.synthesis.probe import HandState, Probe, observe
from bghop.synthesis.starts import Starts
from bghop.synthesis.synthesize import object_load

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
    optimize: OptimizeOptions = field(
        default_factory=lambda: OptimizeOptions(
            steps=40,
            prune_at=(),
            step_translation=0.0015,
            step_rotation=0.015,
            step_angle=0.03,
            weights=Weights(closeness=0.5),
        )
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
    """Bring sampled hands into contact and out of the object; every row stays in its place.

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
    starts = Starts(hands=hands, cost=wish.new_zeros(len(wish)), palm_wish=wish)
    with torch.no_grad():
        wanted = probe.model.joints(hands)
    found = optimize(
        probe, sdf, load, starts, options=options.optimize, wanted=wanted, free=moving,
        progress=progress,
    )  # fmt: skip
    return replace(found, hands=kept_where(hands, found.hands, ~moving))


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
    return Optimized(hands=hands, terms=terms, total=weighted_sum(terms, options.optimize.weights))


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
