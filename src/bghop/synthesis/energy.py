"""Energy terms of a two-hand grasp: each a named function of a `HandState`, one number a candidate.

A hand that is absent adds nothing to any of them.

Lengths are metres inside and come out as plain numbers of order one: 1 means "clearly bad".
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.physics.equilibrium import Contacts, balance_error, holding_forces
from bghop.synthesis.probe import HandState
from bghop.synthesis.spheres import FOREARM_RADIUS, HandSpheres, summed_overlap

PAD_FORCE = 15.0
"""Newtons that one finger can press with."""
PALM_FORCE = 10.0
"""Newtons at each of the three nearest palm points (40 N a wrist, fingers share it)."""
PALM_CONTACTS = 3
FREE_WAY = 0.003
"""Metres that a joint may go from its sample before `closeness` counts."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Factors of the terms in the sum; the names are those of the functions below."""

    pad_contact: float = 1.0
    pad_facing: float = 0.7
    palm_contact: float = 1.2
    penetration: float = 1.0
    bone_penetration: float = 4.0
    hand_collision: float = 4.0
    self_collision: float = 4.0
    force_closure: float = 30.0
    posture: float = 0.6
    wrist_clearance: float = 3.0
    closeness: float = 0.0
    """Only where there is a sample to stay close to."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Load:
    """What the contacts must bear: gravity from six sides on an object of this mass and size."""

    loads: Float[Tensor, "load 6"]
    centre: Float[Tensor, "3"]
    length: float
    friction: float


def soft_limit(x: Tensor, scale: float) -> Tensor:
    """`x / (1 + x / scale)`: what is far away anyway must not pull hardest."""
    return x / (1 + x / scale)


def over_hands(state: HandState, values: Float[Tensor, "n hand=2"]) -> Float[Tensor, "n"]:
    """Sum over the hands that are there."""
    return (values * state.present).sum(-1)


def pad_contact(state: HandState) -> Float[Tensor, "n"]:
    """Sum over ten fingers of the distance between the nearest pad point and the surface, in cm."""
    nearest = state.pad_distance.abs().amin(-1)
    return over_hands(state, soft_limit(nearest, 0.03).sum(-1)) / 0.01


def pad_facing(state: HandState) -> Float[Tensor, "n"]:
    """Fingers near the surface should meet it with the flat of the pad, not with side or nail."""
    near = torch.exp(-((state.pad_distance.detach() / 0.008) ** 2))
    return over_hands(state, (near * (1 + state.pad_facing)).mean(-1).sum(-1))


def palm_contact(state: HandState, wish: Float[Tensor, "n hand=2"]) -> Float[Tensor, "n"]:
    """Mean distance in cm of the ten palm points that are nearest to the surface.

    `wish` says for each hand how much its palm should touch (a pinch needs none).
    """
    nearest = state.palm_distance.abs().topk(10, dim=-1, largest=False).values
    return over_hands(state, wish * soft_limit(nearest, 0.06).mean(-1)) / 0.01


def penetration(state: HandState) -> Float[Tensor, "n"]:
    """Skin inside the object: mean depth (in 0.05 mm) and squared depth of the sampled points."""
    depth = (-state.skin_distance).clamp_min(0)
    return over_hands(state, (depth / 0.00005 + (depth / 0.0012).square()).mean(-1))


def bone_penetration(state: HandState, spheres: HandSpheres) -> Float[Tensor, "n"]:
    """Overlap (cm) of the balls along the bones with the object, less 15 % for soft skin.

    Skin on both sides of a thin wall has no depth in it; the bone between them has.
    """
    overlap = (0.85 * spheres.radius - state.sphere_distance).clamp_min(0)
    return over_hands(state, overlap.sum(-1)) / 0.01


def hand_collision(state: HandState, spheres: HandSpheres) -> Float[Tensor, "n"]:
    """Overlap (cm) of the balls of one hand with those of the other."""
    left, right = state.sphere_centres.unbind(1)
    overlap = summed_overlap(left, right, spheres.hand_reach)
    return overlap * state.present.all(-1) / 0.01


def self_collision(state: HandState, spheres: HandSpheres) -> Float[Tensor, "n"]:
    """Overlap (cm) of balls of one hand that belong to different fingers or finger and palm."""
    centres = state.sphere_centres
    return over_hands(state, summed_overlap(centres, centres, spheres.self_reach)) / 0.01


def contacts_of(state: HandState) -> Contacts:
    """Nearest point of each pad and three palm points a hand; far points may not push."""
    pad = state.pad_distance.abs().argmin(-1, keepdim=True)
    palm = state.palm_distance.abs().topk(PALM_CONTACTS, dim=-1, largest=False).indices

    def pick(values: Tensor, index: Tensor) -> Tensor:
        return values.gather(-2, index[..., None].expand(*index.shape, 3))

    points = torch.cat([pick(state.pad_points, pad).squeeze(-2), pick(state.palm_points, palm)], -2)
    normals = torch.cat(
        [pick(state.pad_object_normals, pad).squeeze(-2), pick(state.palm_object_normals, palm)], -2
    )
    distance = torch.cat(
        [state.pad_distance.gather(-1, pad).squeeze(-1), state.palm_distance.gather(-1, palm)], -1
    )
    force = torch.cat(
        [distance.new_full((5,), PAD_FORCE), distance.new_full((PALM_CONTACTS,), PALM_FORCE)]
    )
    touching = torch.exp(-((distance.clamp_min(0) / 0.005) ** 2)) * state.present[..., None]
    # Without a limit there is no force, but where a contact is would still set the solver's steps.
    points = points * state.present[..., None, None]
    return Contacts(
        points=points.flatten(1, 2), normals=normals.flatten(1, 2),
        limits=(force * touching).flatten(1, 2).detach(),
    )  # fmt: skip


def force_closure(
    state: HandState, load: Load, start: Tensor | None, iterations: int
) -> tuple[Float[Tensor, "n"], Tensor]:
    """What of gravity, from six sides, the contacts of both hands cannot bear (0 = nothing).

    Returns the error and the forces, to start from at the next step.
    """
    contacts = contacts_of(state)
    detached = Contacts(
        points=contacts.points.detach(), normals=contacts.normals.detach(), limits=contacts.limits
    )
    forces = holding_forces(
        detached, load.loads, centre=load.centre, length=load.length, friction=load.friction,
        iterations=iterations, start=start,
    )  # fmt: skip
    error = balance_error(contacts, forces, load.loads, centre=load.centre, length=load.length)
    return error, forces


def posture(state: HandState, limits: Float[Tensor, "15 3 2"]) -> Float[Tensor, "n"]:
    """Unusual postures: ends of the ranges, spread or twist, fingers unlike their neighbours.

    People bend the end joint with the middle one (about 0.6 of it) and neighbouring fingers alike.
    """
    width = (limits[..., 1] - limits[..., 0]).clamp_min(1e-3)
    unit = 2 * (state.angles - limits[..., 0]) / width - 1  # -1..1 within the limits
    ends = unit.square().square()[..., 0].mean(-1)
    sideways = unit[..., 1:].square().mean((-1, -2))
    bend = state.angles[..., 3:, 0].unflatten(-1, (4, 3))
    coupled = (bend[..., 2] - 0.6 * bend[..., 1]).square().mean(-1)
    neighbours = (bend[..., 1:, :] - bend[..., :-1, :]).square().mean((-1, -2))
    unusual = ends + sideways + coupled + 0.5 * neighbours
    return over_hands(state, unusual) / state.present.sum(-1).clamp_min(1)


def wrist_clearance(state: HandState) -> Float[Tensor, "n"]:
    """Forearms inside the object: overlap in cm of their axes' surroundings."""
    inside = (FOREARM_RADIUS - state.forearm_distance).clamp_min(0)
    return over_hands(state, inside.sum(-1)) / 0.01


def closeness(
    state: HandState,
    joints: Float[Tensor, "n hand=2 joint=21 3"],
    wanted: Float[Tensor, "n hand=2 joint=21 3"],
) -> Float[Tensor, "n"]:
    """How far joints are from where they were, in squared cm, the first 3 mm free of charge."""
    away = ((joints - wanted).square().sum(-1) + 1e-12).sqrt()
    return over_hands(state, ((away - FREE_WAY).clamp_min(0) / 0.01).square().mean(-1))


def weighted_sum(terms: dict[str, Tensor], weights: Weights) -> Float[Tensor, "n"]:
    """`sum of weight * term` over the terms present."""
    names = [field.name for field in fields(weights) if field.name in terms]
    total = [getattr(weights, name) * terms[name] for name in names]
    return torch.stack(total).sum(0)
