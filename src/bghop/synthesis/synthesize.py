"""Two hands for a given mesh: start, optimise, choose the best that differ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.interaction import joined
from bghop.physics.equilibrium import gravity_loads
from bghop.physics.settings import mass_from_volume
from bghop.synthesis.energy import Load
from bghop.synthesis.handles import takes_handle
from bghop.synthesis.optimize import OptimizeOptions, optimize
from bghop.synthesis.probe import make_probe
from bghop.synthesis.starts import (
    Starts,
    choose_pairs,
    joined_starts,
    pair_costs,
    single_starts,
)
from bghop.synthesis.surface import sample_surface

POOL = 1200
"""Single-hand starts per side."""
HANDLE_SHARE = 0.5
"""Of the starts of an object with handles: those that have a hand at one."""
_NO_HANDLE = 6.0
"""What a pair pays that should have a hand at a handle; good pairs cost 3 to 6 in all."""


@dataclass(frozen=True, kw_only=True)
class SynthesizeOptions:
    """Settings of `synthesize`; defaults fit two CPU cores and some seconds per object."""

    starts_per_result: float = 3.0
    """Start pairs for every result asked for (at least 32 in all)."""
    pool: int = POOL
    """Single-hand starts per side that the pairs are chosen from."""
    sdf_resolution: int = 112
    """Samples along the object's longest side."""
    friction: float = 0.5
    """Coulomb friction that the grasp must make do with; the hold test has 0.8."""
    load_factor: float = 2.0
    """Times its weight that the object must be borne with."""
    up: tuple[float, float, float] | None = (0.0, 0.0, 1.0)
    """Direction against gravity in the object frame; None if unknown. Only start poses use it."""
    optimize: OptimizeOptions = field(default_factory=OptimizeOptions)


Film = tuple[tuple[str, HandParameters], ...]
"""Moments of candidates with captions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Synthesis:
    """Results, best first."""

    hands: HandParameters
    """Batch `n`."""
    energy: Float[Tensor, "n"]
    terms: dict[str, Float[Tensor, "n"]]
    film: Film = ()
    """Moments on the way; rows are those of `hands`."""
    method: str = ""
    """Which way found them, where the caller left the choice; else empty."""
    notes: tuple[str, ...] = ()
    """What the user should know."""

    def best(self, num: int) -> "Synthesis":
        """Up to `num` of them, the best that differ (see `choose_diverse`), best first."""
        order = choose_diverse(self.hands, self.energy, num)
        return Synthesis(
            hands=self.hands.rows(order),
            energy=self.energy[order],
            terms={name: value[order] for name, value in self.terms.items()},
            film=tuple((caption, hands.rows(order)) for caption, hands in self.film),
        )


def joined_syntheses(found: Sequence[Synthesis]) -> Synthesis:
    """One after the other, without films."""
    return Synthesis(
        hands=joined([each.hands for each in found]),
        energy=torch.cat([each.energy for each in found]),
        terms={name: torch.cat([each.terms[name] for each in found]) for name in found[0].terms},
    )


def object_load(sdf: SdfGrid, *, friction: float, factor: float = 1.0) -> Load:
    """Mass from volume, centre of mass of the solid, and gravity from six sides.

    Both are counted on the grid, where holes in the mesh do no harm; a cell that the surface cuts
    counts in part, so thin walls count too.
    """
    solid = (0.5 - sdf.values / sdf.spacing).clamp(0, 1)
    volume = float(solid.sum()) * sdf.spacing**3
    points = sdf.points()
    centre = (solid[..., None] * points).sum((0, 1, 2)) / solid.sum().clamp_min(1e-9)
    radius = float((points - centre).norm(dim=-1)[solid > 0].max())
    loads = gravity_loads(
        factor * mass_from_volume(volume), dtype=centre.dtype, device=centre.device
    )
    return Load(loads=loads, centre=centre, length=radius, friction=friction)


def synthesize(
    mesh: Mesh,
    *,
    hand_model: HandModel,
    num: int = 16,
    seed: int = 0,
    options: SynthesizeOptions | None = None,
    sdf: SdfGrid | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Synthesis:
    """Put two hands on a mesh, `num` times in different ways.

    Args:
        mesh: a validated object in metres.
        hand_model: the hands; its device decides where everything runs.
        num: results wanted.
        seed: of all random choices; the same seed on the same machine gives the same results.
        options: see `SynthesizeOptions`.
        sdf: the object's distance grid if it exists already.
        progress: called with (steps done, steps in all).

    Returns:
        Up to `num` grasps in the object frame, best first.
    """
    options = options or SynthesizeOptions()
    device = hand_model.vertices_rest.device
    if sdf is None:
        sdf = sdf_from_mesh(mesh, resolution=options.sdf_resolution)
    sdf = sdf.to(device)
    load = object_load(sdf, friction=options.friction, factor=options.load_factor)
    num_starts = max(32, round(options.starts_per_result * num))
    starts = geometric_starts(
        mesh, sdf, load, hand_model, num=num_starts, seed=seed, up=options.up, pool=options.pool
    )
    found = optimize(
        make_probe(hand_model), sdf, load, starts, options=options.optimize,
        progress=progress,
    )  # fmt: skip
    return Synthesis(hands=found.hands, energy=found.total, terms=found.terms).best(num)


def geometric_starts(
    mesh: Mesh,
    sdf: SdfGrid,
    load: Load,
    hand_model: HandModel,
    *,
    num: int,
    seed: int,
    up: tuple[float, float, float] | None,
    pool: int = POOL,
) -> Starts:
    """Pairs of hands about an object that touch it from outside, the best that differ.

    Args:
        mesh: the object, metres.
        sdf: its distance grid, on the hands' device.
        load: what the hands must bear.
        hand_model: the hands.
        num: pairs wanted.
        seed: of all random choices.
        up: direction against gravity in the object frame; None if unknown.
        pool: single-hand starts per side that the pairs are chosen from.
    """
    generator = torch.Generator().manual_seed(seed)
    samples = sample_surface(mesh, sdf, 3000, np.random.default_rng(seed))
    with torch.no_grad():
        single = single_starts(hand_model, sdf, samples, num=pool, generator=generator)
        against = None if up is None else torch.tensor(up, device=sdf.values.device)
        cost = pair_costs(single, centre=load.centre, size=load.length, up=against)
        taking = takes_handle(single, samples, sdf)
        if taking is None:
            return choose_pairs(hand_model, single, cost, num=num)
        share = round(HANDLE_SHARE * num)
        first = choose_pairs(hand_model, single, cost + _NO_HANDLE * ~taking, num=share)
        rest = choose_pairs(hand_model, single, cost, num=num - share, avoid=first.place)
        return joined_starts([first, rest])


def up_axis(name: str) -> tuple[float, float, float] | None:
    """The direction of an axis' name (`x`, `y`, `z`); None for any other word."""
    axis = (float(name == "x"), float(name == "y"), float(name == "z"))
    return axis if any(axis) else None


def choose_diverse(hands: HandParameters, energy: Float[Tensor, "n"], num: int) -> Int[Tensor, "m"]:
    """Rows of up to `num` candidates: the best first, near-copies later, then sorted by energy.

    Two grasps are near-copies when both wrists are within about 3 cm and 30 degrees of each other.
    """
    T = hands.T_object_hand
    feature = torch.cat([T[..., :3, 3].flatten(1), 0.06 * T[..., :3, :2].flatten(1)], dim=1)
    value = energy.clone()
    spread = float(energy.std()) if len(energy) > 1 else 1.0
    taken: list[int] = []
    for _ in range(min(num, len(energy))):
        i = int(value.argmin())
        taken.append(i)
        near = torch.exp(-(((feature - feature[i]).norm(dim=-1) / 0.05) ** 2))
        value = value + 3 * spread * near
        value[i] = torch.inf
    rows = torch.tensor(taken, device=energy.device)
    return rows[energy[rows].argsort(stable=True)]
