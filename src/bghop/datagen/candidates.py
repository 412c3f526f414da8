"""Grasps of one object by one person: starts for every role, optimised in one batch."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bghop.datagen.roles import Places, role_penalties
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis.optimize import OptimizeOptions, optimize
from bghop.synthesis.preshapes import pose_preshapes
from bghop.synthesis.probe import make_probe
from bghop.synthesis.starts import (
    Pool,
    Starts,
    choose_pairs,
    joined_starts,
    pair_costs,
    single_starts,
)
from bghop.synthesis.surface import sample_surface
from bghop.synthesis.synthesize import object_load

UP = (0.0, 0.0, 1.0)
"""Against gravity; every family stands on z = 0."""
_CONSIDERED = 1000
"""Pairs of each role that are looked at closely."""
_APART = 0.06
"""Metres (a quarter turn counts 4 cm) within which one-hand starts crowd each other."""


@dataclass(frozen=True, kw_only=True)
class CandidateOptions:
    """How many starts, and how hard they are worked on."""

    pool: int = 800
    """Single-hand starts a side."""
    friction: float = 0.5
    load_factor: float = 2.0
    optimize: OptimizeOptions = field(
        default_factory=lambda: OptimizeOptions(steps=70, prune_at=(0.3,), prune_keep=0.6)
    )
    starts_per_candidate: float = 1.6


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Optimised grasps in no order."""

    hands: HandParameters
    """Of the person's own model: shape zero. Absent hands have identity and zeros."""
    energy: Float[Tensor, "n"]
    hand_overlap_cm: Float[Tensor, "n"]
    """Of the balls of one hand with those of the other, and of each hand with itself."""


def make_candidates(
    mesh: Mesh,
    sdf: SdfGrid,
    places: Places,
    person: HandModel,
    *,
    num: int,
    present: tuple[bool, bool] = (True, True),
    rng: np.random.Generator,
    options: CandidateOptions | None = None,
) -> Candidates:
    """Put the hands of one person on an object.

    Args:
        mesh: The object, z up, metres.
        sdf: Its distances.
        places: What its surface invites to.
        person: The hands, see `bghop.hands.person`.
        num: Candidates; about so many come back.
        present: One hand or both.
        rng: All random choices.
        options: See `CandidateOptions`.
    """
    options = options or CandidateOptions()
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    load = object_load(sdf, friction=options.friction, factor=options.load_factor)
    samples = sample_surface(mesh, sdf, 3000, rng)
    count = round(options.starts_per_candidate * num)
    with torch.no_grad():
        pool = single_starts(person, sdf, samples, num=options.pool, generator=generator)
        if all(present):
            starts = _pairs(person, pool, places, load.centre, load.length, count)
        else:
            starts = _singles(person, pool, present, count)
    found = optimize(make_probe(person), sdf, load, starts, options=options.optimize)
    return Candidates(
        hands=found.hands,
        energy=found.total,
        hand_overlap_cm=found.terms["hand_collision"] + found.terms["self_collision"],
    )


def _pairs(
    person: HandModel, pool: Pool, places: Places, centre: Tensor, size: float, count: int
) -> Starts:
    """Equal numbers of starts for every role that the object offers."""
    up = torch.tensor(UP)
    cost = pair_costs(pool, centre=centre, size=size, up=up)
    roles = places.roles()
    shares = np.diff(np.linspace(0, count, len(roles) + 1).round().astype(int))
    parts: list[Starts] = []
    for role, share in zip(roles, shares.tolist(), strict=True):
        avoid = [part.place for part in parts if part.place is not None]
        parts.append(
            choose_pairs(
                person, pool, cost + role_penalties(role, pool, places, up), num=share,
                considered=_CONSIDERED, avoid=torch.cat(avoid) if avoid else None,
            )
        )  # fmt: skip
    return joined_starts([part for part in parts if len(part.cost)])


def _singles(person: HandModel, pool: Pool, present: tuple[bool, bool], count: int) -> Starts:
    """The best starts of one hand that differ from each other."""
    side = present.index(True)
    T = pool.T_object_hand[side]
    place = torch.cat([pool.contact[side], 0.04 * T[:, :3, :2].flatten(1)], dim=1)
    chosen = _distinct(pool.cost[side].clone(), place, count)
    shapes = pose_preshapes(person)
    preshape = pool.preshape[side, chosen]
    rest = person.rest_parameters(len(chosen))
    T_hands, wish = rest.T_object_hand.clone(), torch.zeros(len(chosen), 2)
    pose = rest.pose.clone()
    T_hands[:, side], wish[:, side] = T[chosen], shapes.palm_wish[preshape]
    pose[:, side] = person.pose_from_angles(shapes.angles[preshape][:, None].expand(-1, 2, -1, -1))[
        :, side
    ]
    there = torch.tensor(present).expand(len(chosen), 2)
    hands = replace(rest, present=there, T_object_hand=T_hands, pose=pose)
    return Starts(hands=hands, cost=pool.cost[side, chosen], palm_wish=wish)


def _distinct(
    cost: Float[Tensor, "n"], place: Float[Tensor, "n d"], count: int
) -> Int[Tensor, "m"]:
    taken: list[int] = []
    for _ in range(min(count, len(cost))):
        i = int(cost.argmin())
        taken.append(i)
        cost += 2.5 * torch.exp(-(((place - place[i]).norm(dim=-1) / _APART) ** 2))
        cost[i] = torch.inf
    return torch.tensor(taken)
