"""Start poses from the object's geometry: many single hands, then pairs that belong together.

A single start takes a surface sample and a preshape, turns the hand so that its approach meets the
surface (palm kind: against the normal; clamp kind: along the surface, thumb and fingers on either
side of a thin part), and slides it in along the approach until a ball of the hand touches. Pairs
are scored for balance (do the hands push against each other or carry beside the centre of mass?)
and for a body behind them (forearms side by side, not crossed, thumbs not down).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bghop.geometry.rotations import matrix_from_6d
from bghop.geometry.sdf import SdfGrid
from bghop.geometry.transforms import rigid
from bghop.hands.axes import forearm_directions
from bghop.hands.model import HandModel, HandParameters
from bghop.interaction import joined
from bghop.synthesis.preshapes import PosedPreshapes, pose_preshapes, tilt
from bghop.synthesis.spheres import FOREARM_RADIUS, forearm_points, make_spheres
from bghop.synthesis.surface import SurfaceSamples

_FAR = 0.14
"""Metres before the surface at which a hand starts to slide in."""
_CROWDED = 2.5
"""What a pair costs more at the very place of another one."""
_THICKEST_CLAMP = 0.065
"""Metres between thumb and fingers that a clamp can take."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """Single-hand starts for both sides, axis `n` runs over starts (not paired)."""

    T_object_hand: Float[Tensor, "hand=2 n 4 4"]
    preshape: Int[Tensor, "hand=2 n"]
    contact: Float[Tensor, "hand=2 n 3"]
    """Where the hand touches or soon will: mean of near pad and palm points, metres."""
    push: Float[Tensor, "hand=2 n 3"]
    """Mean direction in which it would push the object; short if it clamps."""
    cost: Float[Tensor, "hand=2 n"]
    """How far pads and palm are from the surface, in units of 2 cm, plus penalties."""
    spheres: Float[Tensor, "hand=2 n sphere 3"]
    radii: Float[Tensor, "hand=2 sphere"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Starts:
    """Paired starts, best first."""

    hands: HandParameters
    cost: Float[Tensor, "n"]
    palm_wish: Float[Tensor, "n hand=2"]
    """How much each palm should touch, see `PosedPreshapes`."""
    place: Float[Tensor, "n feature"] | None = None
    """Where the hands are, so that others can keep away; see `choose_pairs`."""


def single_starts(
    model: HandModel,
    sdf: SdfGrid,
    samples: SurfaceSamples,
    *,
    num: int,
    generator: torch.Generator,
) -> Pool:
    """`num` starts for each side.

    Args:
        model: the hands.
        sdf: the object.
        samples: surface points with normals and thickness.
        num: starts per side.
        generator: CPU generator; all randomness comes from it.
    """
    shapes = pose_preshapes(model)
    sides = [_placed(side, shapes, samples, num, generator) for side in range(2)]
    preshape = torch.stack([side[1] for side in sides])
    T = torch.stack([side[0] for side in sides])
    advance = torch.stack([side[2] for side in sides])

    spheres = make_spheres(model)
    posed = _pose(model, shapes, T, preshape)
    centres = spheres.centres_object(posed.Ts_object_bone).transpose(0, 1)
    shift, started_inside = _slide(sdf, centres, spheres.radius, advance)
    T = T.clone()
    T[..., :3, 3] += shift
    centres = centres + shift[..., None, :]

    forearm = forearm_points(T.transpose(0, 1)).transpose(0, 1)
    blocked = (FOREARM_RADIUS - sdf.distance(forearm)).clamp_min(0).sum(-1)
    return _score(
        model, sdf, T, preshape, centres, spheres.radius,
        posed.vertices_object.transpose(0, 1) + shift[..., None, :],
        penalty=blocked / 0.02 + 10.0 * started_inside,
        is_clamp=torch.tensor(shapes.is_clamp, device=T.device)[preshape],
    )  # fmt: skip


def _placed(
    side: int,
    shapes: PosedPreshapes,
    samples: SurfaceSamples,
    num: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n 4 4"], Int[Tensor, "n"], Float[Tensor, "n 3"]]:
    """Hands of one side before sliding in: pose, preshape index, and the way they will go."""
    device = samples.points.device
    kinds = torch.tensor(shapes.is_clamp)
    thin = torch.nonzero(samples.thickness < _THICKEST_CLAMP)[:, 0].cpu()
    num_clamp = int(num * 0.5 * min(1.0, len(thin) / len(samples.points) / 0.2))
    choice = torch.nonzero(kinds)[:, 0], torch.nonzero(~kinds)[:, 0]

    def draw(options: Int[Tensor, "m"], count: int) -> Int[Tensor, "c"]:
        return options[torch.randint(len(options), (count,), generator=generator)]

    everywhere = torch.arange(len(samples.points))
    index = torch.cat(
        [draw(thin, num_clamp) if num_clamp else thin[:0], draw(everywhere, num - num_clamp)]
    ).to(device)
    preshape = torch.cat([draw(choice[0], num_clamp), draw(choice[1], num - num_clamp)]).to(device)
    normals = samples.normals[index]
    clamp = torch.zeros(num, 1, dtype=torch.bool, device=device)
    clamp[:num_clamp] = True

    random = torch.randn(num, 3, generator=generator).to(normals)
    along = torch.nn.functional.normalize(
        random - (random * normals).sum(-1, keepdim=True) * normals, dim=-1
    )
    flip = torch.where(torch.rand(num, 1, generator=generator) < 0.5, -1.0, 1.0).to(normals)
    first = torch.where(clamp, along, -tilt(normals, 0.25, generator))
    second = torch.where(clamp, flip * normals, along)
    of_hand = [shapes.approach_hand[side, preshape], shapes.second_hand[side, preshape]]
    R_hand = matrix_from_6d(torch.cat(of_hand, dim=-1))
    R = matrix_from_6d(torch.cat([first, second], dim=-1)) @ R_hand.transpose(-1, -2)
    depth = torch.where(clamp, samples.thickness[index, None] / 2, torch.zeros_like(along[:, :1]))
    target = samples.points[index] - depth * normals
    anchor = (R @ shapes.anchor_hand[side, preshape, :, None]).squeeze(-1)
    # A palm may slide on past the sample until it touches; a clamp stops with its anchor there.
    travel = _FAR + torch.where(clamp, 0.0, 0.05)
    T = rigid(R, target - anchor - _FAR * first)
    return T, preshape, first * travel


def _pose(model: HandModel, shapes: PosedPreshapes, T: Tensor, preshape: Tensor):  # noqa: ANN202
    """Pose both sides' starts at once: `hand n` becomes batch n with the hand axis inside."""
    rest = model.rest_parameters(T.shape[1])
    return model.pose_hands(
        HandParameters(
            present=rest.present,
            T_object_hand=T.transpose(0, 1),
            pose=model.pose_from_angles(shapes.angles[preshape].transpose(0, 1)),
            shape=rest.shape,
        )
    )


def _slide(
    sdf: SdfGrid,
    centres: Float[Tensor, "hand=2 n sphere 3"],
    radius: Float[Tensor, "hand=2 sphere"],
    way: Float[Tensor, "hand=2 n 3"],
) -> tuple[Float[Tensor, "hand=2 n 3"], Float[Tensor, "hand=2 n"]]:
    """Sphere tracing of the whole hand along `way`: the shift at first touch or at its end."""
    length = way.norm(dim=-1)
    direction = way / length[..., None]
    gone = torch.zeros_like(length)
    inside = torch.zeros_like(length)
    for step in range(14):
        moved = centres + (gone[..., None] * direction)[..., None, :]
        gap = (sdf.distance(moved) - radius[:, None]).amin(-1)
        if step == 0:
            inside = (gap < -0.003).to(gap)
        gone = torch.minimum(gone + gap.clamp_min(0), length)
    return gone[..., None] * direction, inside


def _score(
    model: HandModel,
    sdf: SdfGrid,
    T: Float[Tensor, "hand=2 n 4 4"],
    preshape: Int[Tensor, "hand=2 n"],
    centres: Float[Tensor, "hand=2 n sphere 3"],
    radius: Float[Tensor, "hand=2 sphere"],
    vertices: Float[Tensor, "hand=2 n vert 3"],
    *,
    penalty: Float[Tensor, "hand=2 n"],
    is_clamp: Tensor,
) -> Pool:
    pads = torch.cat([_some(pad, 4) for pad in model.regions.pads])
    palm = _some(model.regions.palm, 16)
    points = vertices[:, :, torch.cat([pads, palm])]
    distance, normals = sdf.distance_and_normal(points)
    per_pad = distance[..., : len(pads)].unflatten(-1, (5, 4)).abs().amin(-1)
    palm_gap = distance[..., len(pads) :].abs().sort(-1).values[..., :6].mean(-1)
    # A clamp lives from its fingers, a palm grasp from both.
    cost = (per_pad.clamp_max(0.06).mean(-1) + torch.where(is_clamp, 0.2, 0.6) * palm_gap) / 0.02
    weight = torch.exp(-((distance.clamp_min(0) / 0.015) ** 2)) + 1e-6
    weight = weight / weight.sum(-1, keepdim=True)
    return Pool(
        T_object_hand=T,
        preshape=preshape,
        contact=(weight[..., None] * points).sum(-2),
        push=-(weight[..., None] * normals).sum(-2),
        cost=cost + penalty,
        spheres=centres,
        radii=radius,
    )


def _some(indices: Int[Tensor, "n"], num: int) -> Int[Tensor, "{num}"]:
    """`num` entries at even steps; coarse hands may have fewer, then some repeat."""
    steps = torch.linspace(0, len(indices) - 1, num, device=indices.device)
    return indices[steps.round().long()]


def pair_costs(
    pool: Pool, *, centre: Float[Tensor, "3"], size: float, up: Float[Tensor, "3"] | None
) -> Float[Tensor, "left right"]:
    """How badly each left start goes with each right start; lower is better.

    Args:
        pool: single starts.
        centre: centre of mass, metres.
        size: radius of the object about it, metres.
        up: unit vector against gravity in the object frame, if known.
    """
    contact, push = pool.contact, pool.push
    left, right = 0, 1

    def pairs(x: Tensor) -> tuple[Tensor, Tensor]:
        return x[left][:, None], x[right][None, :]

    contact_left, contact_right = pairs(contact)
    push_left, push_right = pairs(push)
    force = (push_left + push_right).norm(dim=-1)
    arm = (contact - centre) / size
    moment = torch.linalg.cross(arm, push, dim=-1)
    moment_left, moment_right = pairs(moment)
    torque = (moment_left + moment_right).norm(dim=-1)
    middle = ((contact_left + contact_right) / 2 - centre).norm(dim=-1) / size
    near = (contact_left - contact_right).norm(dim=-1)
    crowded = (0.07 - near).clamp_min(0) / 0.02

    return (
        pool.cost[left][:, None]
        + pool.cost[right][None, :]
        + 1.5 * force
        + 1.5 * torque
        + 1.5 * middle
        + crowded
        + 1.5 * _unnatural(pool.T_object_hand, up)
    )


def _unnatural(
    T_object_hand: Float[Tensor, "hand=2 n 4 4"], up: Float[Tensor, "3"] | None
) -> Float[Tensor, "n n"]:
    """Penalty for pairs that no body stands behind.

    Forearms point back to one body: `back` is their mean direction, and the wrists span the
    body's left-right axis. That fixes the body's own up direction; thumbs should not point down,
    forearms should neither oppose nor cross each other, and if gravity is known, the body stands.
    """
    R, wrist = T_object_hand[..., :3, :3], T_object_hand[..., :3, 3]
    forearms = forearm_directions(R.transpose(0, 1))
    forearm_left, forearm_right = forearms[:, None, 0], forearms[None, :, 1]
    # Thumbs point along +z of both hands' frames.
    thumb_left, thumb_right = R[0][:, None, :, 2], R[1][None, :, :, 2]
    apart = wrist[1][None] - wrist[0][:, None]
    back = torch.nn.functional.normalize(forearm_left + forearm_right, dim=-1)
    lateral = apart - (apart * back).sum(-1, keepdim=True) * back
    across = torch.nn.functional.normalize(lateral, dim=-1)
    # Right-handed body frame: right x forward = up, forward = -back.
    body_up = torch.linalg.cross(across, -back, dim=-1)

    opposed = (0.1 - (forearm_left * forearm_right).sum(-1)).clamp_min(0)
    elbows = apart + 0.25 * (forearm_right - forearm_left)
    crossed = (0.05 - (elbows * across).sum(-1)).clamp_min(0) / 0.1
    thumbs_down = sum(
        (-0.1 - (thumb * body_up).sum(-1)).clamp_min(0) for thumb in (thumb_left, thumb_right)
    )
    one_behind = (1 - lateral.norm(dim=-1) / apart.norm(dim=-1).clamp_min(1e-3) - 0.3).clamp_min(0)
    penalty = 2 * opposed + crossed + 2 * thumbs_down + one_behind
    if up is not None:
        lying = (0.5 - body_up @ up).clamp_min(0)
        from_above = (back @ up - 0.35).clamp_min(0)
        penalty = penalty + 0.8 * lying + 1.5 * from_above
    return penalty


def choose_pairs(
    model: HandModel,
    pool: Pool,
    cost: Float[Tensor, "left right"],
    *,
    num: int,
    considered: int = 3000,
    avoid: Float[Tensor, "other feature"] | None = None,
) -> Starts:
    """`num` good pairs that differ from each other and whose hands are apart.

    The best pairs are checked for collisions; then pairs are taken greedily, each one making its
    neighbours (in contact places and hand directions) more expensive.

    Args:
        model: the hands.
        pool: single starts.
        cost: of every pair, lower is better.
        num: pairs wanted.
        considered: how many of the best pairs are looked at.
        avoid: places of pairs that are taken already (`Starts.place`).
    """
    kept = min(considered, cost.numel())
    best = cost.flatten().topk(kept, largest=False).indices
    left, right = best // cost.shape[1], best % cost.shape[1]
    gap = (
        torch.cdist(pool.spheres[0, left], pool.spheres[1, right])
        - pool.radii[0][:, None] - pool.radii[1][None, :]
    ).amin((-1, -2))  # fmt: skip
    value = cost[left, right] + (-gap).clamp_min(0) / 0.005

    index = torch.stack([left, right], dim=1)  # n hand
    sides = torch.arange(2, device=index.device)
    T = pool.T_object_hand[sides, index]
    place = pool.contact[sides, index].flatten(1)
    turn = T[..., :3, :2].flatten(1) * 0.04  # a quarter turn counts like about 5 cm
    feature = torch.cat([place, turn], dim=1)
    if avoid is not None:
        value = value + _CROWDED * _nearness(torch.cdist(feature, avoid)).sum(-1)
    taken: list[int] = []
    for _ in range(min(num, kept)):
        i = int(value.argmin())
        taken.append(i)
        value = value + _CROWDED * _nearness((feature - feature[i]).norm(dim=-1))
        value[i] = torch.inf
    shapes = pose_preshapes(model)
    rest = model.rest_parameters(len(taken))
    preshape = pool.preshape[sides, index[taken]]
    hands = HandParameters(
        present=rest.present,
        T_object_hand=T[taken],
        pose=model.pose_from_angles(shapes.angles[preshape]),
        shape=rest.shape,
    )
    return Starts(
        hands=hands, cost=cost[left, right][taken], palm_wish=shapes.palm_wish[preshape],
        place=feature[taken],
    )  # fmt: skip


def joined_starts(parts: Sequence[Starts]) -> Starts:
    """One after the other; without their places."""
    return Starts(
        hands=joined([part.hands for part in parts]),
        cost=torch.cat([part.cost for part in parts]),
        palm_wish=torch.cat([part.palm_wish for part in parts]),
    )


def _nearness(distance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    return torch.exp(-((distance / 0.06) ** 2))
