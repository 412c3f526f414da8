"""Can the contacts hold the object? Forces inside friction cones that balance given loads.

For contact points p_i with outward surface normals n_i the hands may push with forces f_i whose
component along -n_i lies in [0, limit_i] and whose tangential part is at most `friction` times
that (Coulomb). The object is held against a load (force F, torque M about the centre) when
`sum f_i = -F` and `sum (p_i - centre) x f_i = -M`. The best forces come from a projected, faster
gradient method (FISTA, Beck & Teboulle 2009) on the squared wrench error, batched over candidates
and loads; with the forces fixed, the remaining error is a differentiable function of points and
normals (its gradient is that of the optimum, by the envelope theorem).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.geometry.rotations import skew

GRAVITY = 9.81
"""Metres per second squared."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contacts:
    """Where hands may push on an object; any leading batch."""

    points: Float[Tensor, "*batch contact 3"]
    """Object frame, metres."""
    normals: Float[Tensor, "*batch contact 3"]
    """Outward unit normals of the object."""
    limits: Float[Tensor, "*batch contact"]
    """Largest normal force in newtons; 0 where there is no contact."""


def project_to_cone(
    force: Float[Tensor, "*#batch 3 contact"],
    inward: Float[Tensor, "*#batch 3 contact"],
    limit: Float[Tensor, "*#batch contact"],
    friction: float | Float[Tensor, "load 1"],
) -> Float[Tensor, "*out 3 contact"]:
    """Nearest force in the friction cone about `inward`, then scaled to a normal part <= limit.

    Contacts lie along the last axis, so that sums over three components are sums of whole rows.
    """
    normal = (force * inward).sum(-2)
    tangent = force - normal[..., None, :] * inward
    slip = tangent.square().sum(-2).sqrt()
    on_surface = ((normal + friction * slip) / (1 + friction**2)).clamp_min(0)
    inside = slip <= friction * normal
    new_normal = torch.where(inside, normal, on_surface)
    new_slip = torch.where(inside, slip, friction * on_surface)
    cap = limit / torch.maximum(new_normal, limit).clamp_min(1e-9)
    along = new_slip * cap / slip.clamp_min(1e-9)
    return (new_normal * cap)[..., None, :] * inward + along[..., None, :] * tangent


def wrench(
    points: Float[Tensor, "*#batch contact 3"],
    forces: Float[Tensor, "*#batch contact 3"],
    centre: Float[Tensor, "3"],
    length: float,
) -> Float[Tensor, "*out 6"]:
    """Summed force (N) and torque about `centre` divided by `length` (so N too)."""
    torque = torch.linalg.cross((points - centre) / length, forces, dim=-1)
    return torch.cat([forces.sum(-2), torque.sum(-2)], dim=-1)


def _wrench_matrix(arm: Float[Tensor, "*batch contact 3"]) -> Float[Tensor, "*batch rows 6"]:
    """What a unit of each force component adds to the wrench; rows are x, y, z of all contacts."""
    force = torch.eye(3, dtype=arm.dtype, device=arm.device)[:, None]
    torque = skew(arm).movedim(-1, -3)  # component contact 3
    return torch.cat([force.expand_as(torque), torque], dim=-1).flatten(-3, -2)


def _largest_eigenvalue(arm: Float[Tensor, "*batch contact 3"]) -> Float[Tensor, "*batch"]:
    """Of `G G^T`, where G maps forces at these lever arms to wrenches; at most 12 % too large.

    `|M^8|_F^(1/8)` lies between the largest eigenvalue of the 6 x 6 matrix M and 6^(1/16) times it.
    """
    num = arm.shape[-2]
    eye = torch.eye(3, dtype=arm.dtype, device=arm.device)
    outer = arm.transpose(-1, -2) @ arm
    inertia = outer.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None] * eye - outer
    cross = skew(arm.sum(-2))
    top = torch.cat([(num * eye).expand_as(inertia), -cross], dim=-1)
    M = torch.cat([top, torch.cat([cross, inertia], dim=-1)], dim=-2)
    scale = M.square().sum((-1, -2), keepdim=True).sqrt().clamp_min(1e-12)
    power = M / scale
    for _ in range(3):
        power = power @ power
    return scale[..., 0, 0] * power.square().sum((-1, -2)).pow(1 / 16)


@torch.no_grad()
def holding_forces(
    contacts: Contacts,
    loads: Float[Tensor, "load 6"],
    *,
    centre: Float[Tensor, "3"],
    length: float,
    friction: float | Float[Tensor, "load"],
    iterations: int,
    tolerance: float = 0.0,
    start: Float[Tensor, "*batch load contact 3"] | None = None,
    groups: tuple[slice, ...] = (),
    group_limit: float = float("inf"),
) -> Float[Tensor, "*batch load contact 3"]:
    """Forces (N) that best balance each load; `start` continues from an earlier answer.

    Args:
        contacts: points, normals and force limits, batch `*batch`.
        loads: external wrenches (force, torque / length) in newtons.
        centre: reference point of torques, normally the centre of mass.
        length: metres that make torques comparable to forces (the object's radius).
        friction: Coulomb coefficient, of all loads or of each.
        iterations: FISTA steps; 60 from zero or 8 from a good start are enough in practice.
        tolerance: ends early once no load is left unbalanced by more than this part of it.
        start: forces of an earlier call for slightly different contacts.
        groups: contacts that share one more limit, such as those of one hand.
        group_limit: largest sum of the normal forces of a group, newtons. Kept by scaling the
            group, which is feasible but not the nearest point: a little pessimistic.
    """
    mu = friction[:, None] if isinstance(friction, Tensor) else friction
    batch, num = contacts.limits.shape[:-1], contacts.limits.shape[-1]
    # Inside, contacts lie along the last axis and the wrench is a product with one matrix.
    inward = -contacts.normals.mT[..., None, :, :]  # load 3 contact
    limit = contacts.limits[..., None, :].expand(*batch, len(loads), num)
    arm = (contacts.points - centre) / length
    to_wrench = _wrench_matrix(arm)
    step = 1 / _largest_eigenvalue(arm)[..., None, None]

    forces = (
        torch.zeros(*batch, len(loads), 3, num, dtype=arm.dtype, device=arm.device)
        if start is None
        else project_to_cone(start.mT, inward, limit, mu)
    )
    momentum, look = 1.0, forces
    small = tolerance * loads.norm(dim=-1)
    for step_number in range(iterations):
        flat = look.flatten(-2)
        error = flat @ to_wrench + loads
        if tolerance and step_number % 8 == 7 and bool((error.norm(dim=-1) < small).all()):
            break
        moved = flat - (step * error) @ to_wrench.mT
        new = project_to_cone(moved.unflatten(-1, (3, num)), inward, limit, mu)
        for group in groups:
            total = (new[..., group] * inward[..., group]).sum((-1, -2), keepdim=True)
            new[..., group] *= (group_limit / total.clamp_min(1e-9)).clamp_max(1)
        next_momentum = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        look = new + (momentum - 1) / next_momentum * (new - forces)
        forces, momentum = new, next_momentum
    return forces.mT.contiguous()


def balance_error(
    contacts: Contacts,
    forces: Float[Tensor, "*batch load contact 3"],
    loads: Float[Tensor, "load 6"],
    *,
    centre: Float[Tensor, "3"],
    length: float,
) -> Float[Tensor, "*batch"]:
    """Mean squared wrench error relative to the loads: 0 = held in all, 1 = nothing holds.

    Differentiable in points and normals: each force keeps its normal size and tangential part while
    its direction of push follows the normal.
    """
    normals = contacts.normals[..., None, :, :]
    fixed = normals.detach()
    push = -(forces * fixed).sum(-1, keepdim=True)
    turned = -push * normals + (forces + push * fixed)
    error = wrench(contacts.points[..., None, :, :], turned, centre, length) + loads
    return (error.square().sum(-1) / loads.square().sum(-1)).mean(-1)


def gravity_loads(mass: float, *, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "6 6"]:
    """Weight along plus and minus each axis of the object, no torque about the centre of mass."""
    force = torch.cat([torch.eye(3), -torch.eye(3)]) * (mass * GRAVITY)
    return torch.cat([force, torch.zeros(6, 3)], dim=-1).to(dtype=dtype, device=device)
