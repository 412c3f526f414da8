"""Wrist pose, finger angles and shape from measured joints: batched Levenberg-Marquardt.

Maximum a posteriori: the joints count by their inverse covariance, so the priors decide only what
the joints leave open (twist of a straight finger, fingers outside the grid, noise). Those are
Gaussians of each finger's angles (`Postures`: from the joint limits if nothing better is known)
and a soft wall at the limits.
The wrist and shape couple with every finger, fingers not with each other: the normal equations
are an arrow, solved by one small Schur complement per hand.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bghop.fields.multilateration import inverse_3x3
from bghop.fields.rigid_fit import fit_rigid
from bghop.geometry.rotations import matrix_from_rotvec, skew
from bghop.hands.jacobian import joints_and_jacobian
from bghop.hands.postures import Postures

_STAGES_SD = (0.02, 0.005, 0.001, 1e-5)
"""Extra standard deviation of the joints, metres: coarse to fine, so that no stage starts blind.
The last one bounds the condition of the normal equations; exact joints stay exact to 1 um."""
_STAGE_STEPS = (4, 3, 3, 8)
_SHARED = ("limits", "postures")
"""Fields of `Skeletons` without rows."""
_LATE_STEPS = 40
"""Further steps for the hands that still move after the last stage."""
_WALL_SD = 0.03
"""Radians beyond a limit that count as one standard deviation."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Skeletons:
    """What articulation needs of a hand model, one row per hand."""

    rest_joints: Float[Tensor, "row joint=21 3"]
    axes: Float[Tensor, "row bone=15 3 3"]
    limits: Float[Tensor, "bone=15 3 2"]
    postures: Postures
    shape_directions: Float[Tensor, "row shape joint=21 3"]
    """Empty along `shape` if the shape is not to be estimated."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Articulation:
    """One hand per row: `p_frame = R p_hand + t`."""

    R: Float[Tensor, "row 3 3"]
    t: Float[Tensor, "row 3"]
    angles: Float[Tensor, "row bone=15 3"]
    shape: Float[Tensor, "row shape"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Misfit:
    """Quadratic model of the data about 20 joint positions: `cost - 2 b . d + d . A d`."""

    cost: Float[Tensor, "row"]
    A: Float[Tensor, "row channel=20 3 3"]
    b: Float[Tensor, "row channel=20 3"]


MeasureMisfit = Callable[[Float[Tensor, "row channel=20 3"]], Misfit]


@dataclass(frozen=True, kw_only=True, eq=False)
class NormalEquations:
    """Arrow system. `palm`: wrist rotation, wrist translation, shape; fingers: nine angles each."""

    cost: Float[Tensor, "row"]
    palm: Float[Tensor, "row g g"]
    coupling: Float[Tensor, "row finger=5 g 9"]
    fingers: Float[Tensor, "row finger=5 9 9"]
    palm_gradient: Float[Tensor, "row g"]
    finger_gradient: Float[Tensor, "row finger=5 9"]


def joint_misfit(
    joints_frame: Float[Tensor, "row channel=20 3"],
    covariance: Float[Tensor, "row channel=20 3 3"],
    seen: Bool[Tensor, "row channel=20"],
    extra_sd: float,
) -> MeasureMisfit:
    """Misfit to measured joints whose covariance is widened by `extra_sd` metres."""
    eye = torch.eye(3, dtype=covariance.dtype, device=covariance.device)
    wide = torch.where(seen[..., None, None], covariance + extra_sd**2 * eye, eye)
    A = inverse_3x3(wide) * seen[..., None, None]

    def measure(joints: Float[Tensor, "row channel=20 3"]) -> Misfit:
        gap = joints_frame - joints
        b = (A @ gap[..., None]).squeeze(-1)
        return Misfit(cost=(gap * b).sum((-1, -2)), A=A, b=b)

    return measure


def start_from_palm(
    skeletons: Skeletons,
    joints_frame: Float[Tensor, "row channel=20 3"],
    covariance: Float[Tensor, "row channel=20 3 3"],
    seen: Bool[Tensor, "row channel=20"],
) -> Articulation:
    """Rigid fit of the mean posture; each joint counts by its inverse variance.

    The variance is that of the measurement plus how far articulation can move the joint: none for
    the five bases, so that they decide alone where they are exact, and the other joints step in
    where bases are unseen.
    """
    rows = len(joints_frame)
    postures = skeletons.postures
    angles = postures.mean.expand(rows, 15, 3)
    kinematics = joints_and_jacobian(
        skeletons.rest_joints, skeletons.axes, angles, skeletons.shape_directions
    )
    swing = (
        (kinematics.by_angles * postures.spread.reshape(5, 1, 1, 9))
        .square()
        .sum((-1, -2))
        .flatten(-2)
    )
    variance = covariance.diagonal(dim1=-2, dim2=-1).sum(-1) + swing
    weights = torch.where(seen, 1 / variance.clamp_min(1e-18), torch.zeros_like(variance))
    R, t = fit_rigid(kinematics.joints_hand[:, 1:], joints_frame, weights)
    shape = joints_frame.new_zeros(rows, skeletons.shape_directions.shape[1])
    return Articulation(R=R, t=t, angles=angles, shape=shape)


def fit_articulation(
    skeletons: Skeletons,
    start: Articulation,
    joints_frame: Float[Tensor, "row channel=20 3"],
    covariance: Float[Tensor, "row channel=20 3 3"],
    seen: Bool[Tensor, "row channel=20"],
) -> Articulation:
    """Fit measured joints, from loosely to fully trusted."""
    state, moving = start, torch.ones_like(seen[:, 0])
    for extra_sd, steps in zip(_STAGES_SD, _STAGE_STEPS, strict=True):
        state, moving = minimise(
            skeletons, state, joint_misfit(joints_frame, covariance, seen, extra_sd), steps
        )
    # A few hands need many more steps than the rest; only those pay for them.
    rows = moving.nonzero().squeeze(-1)
    if len(rows):
        measure = joint_misfit(joints_frame[rows], covariance[rows], seen[rows], _STAGES_SD[-1])
        late, _ = minimise(pick(skeletons, rows), pick(state, rows), measure, _LATE_STEPS)
        state = put(state, rows, late)
    return state


def minimise(
    skeletons: Skeletons,
    state: Articulation,
    measure: MeasureMisfit,
    steps: int,
    *,
    finished: float = 0.02,
) -> tuple[Articulation, Bool[Tensor, "row"]]:
    """Levenberg-Marquardt with one damping per hand; a step that does not help is not taken.

    A hand is finished when a step promises less than `finished` decrease of its chi-squared.

    Returns:
        The state, and which hands were still moving when the steps ran out.
    """
    normal = normal_equations(skeletons, state, measure)
    damping = torch.full_like(normal.cost, 1e-3)
    moving = torch.ones_like(damping, dtype=torch.bool)
    for _ in range(steps):
        palm_step, finger_step = solve_arrow(normal, damping)
        promised = (palm_step * normal.palm_gradient).sum(-1)
        promised = promised + (finger_step * normal.finger_gradient).sum((-1, -2))
        trial = _moved(state, palm_step, finger_step)
        trial_normal = normal_equations(skeletons, trial, measure)
        # A finished hand stays put, so that no hand's result depends on the others in the batch.
        better = (trial_normal.cost <= normal.cost) & moving
        state = _choose(better, trial, state)
        normal = _choose(better, trial_normal, normal)
        damping = torch.where(better, damping / 10, damping * 10).clamp(1e-9, 1e6)
        moving = moving & (promised > finished)
        if not bool(moving.any()):
            break
    return state, moving


def normal_equations(
    skeletons: Skeletons, state: Articulation, measure: MeasureMisfit
) -> NormalEquations:
    """Linearise data and priors about a state; steps are in the wrist's own axes."""
    rest = skeletons.rest_joints + torch.einsum(
        "rs,rsjc->rjc", state.shape, skeletons.shape_directions
    )
    kinematics = joints_and_jacobian(rest, skeletons.axes, state.angles, skeletons.shape_directions)
    joints_hand = kinematics.joints_hand[:, 1:]
    R = state.R[:, None]
    misfit = measure((R @ joints_hand[..., None]).squeeze(-1) + state.t[:, None])
    A = R.mT @ misfit.A @ R
    b = R.mT @ misfit.b[..., None]

    eye = torch.eye(3, dtype=b.dtype, device=b.device).expand(*joints_hand.shape, 3)
    by_palm = torch.cat([-skew(joints_hand), eye, kinematics.by_shape[:, 1:]], dim=-1)
    by_fingers = kinematics.by_angles.flatten(-3, -2)
    A_by_palm = A @ by_palm
    A_by_fingers = (A.unflatten(1, (5, 4)) @ kinematics.by_angles).flatten(-3, -2)
    palm_rows = by_palm.unflatten(1, (5, 4)).flatten(2, 3)

    prior = _angle_terms(skeletons, state.angles)
    fingers = by_fingers.mT @ A_by_fingers + skeletons.postures.precision
    fingers.diagonal(dim1=-2, dim2=-1).add_(prior.wall)
    finger_gradient = (by_fingers.mT @ b.unflatten(1, (5, 4)).flatten(2, 3)).squeeze(-1)
    palm = by_palm.flatten(1, 2).mT @ A_by_palm.flatten(1, 2)
    palm_gradient = (by_palm.flatten(1, 2).mT @ b.flatten(1, 2)).squeeze(-1)
    # Shape parameters are standardised: a unit Gaussian is their prior.
    palm.diagonal(dim1=-2, dim2=-1)[:, 6:].add_(1.0)
    palm_gradient[:, 6:] -= state.shape
    return NormalEquations(
        cost=misfit.cost + prior.cost + state.shape.square().sum(-1),
        palm=palm,
        coupling=palm_rows.mT @ A_by_fingers,
        fingers=fingers,
        palm_gradient=palm_gradient,
        finger_gradient=finger_gradient + prior.gradient,
    )


def solve_arrow(
    normal: NormalEquations, damping: Float[Tensor, "row"]
) -> tuple[Float[Tensor, "row g"], Float[Tensor, "row finger=5 9"]]:
    """Damped step of the arrow system: eliminate the fingers, solve the palm, substitute back."""
    scale = 1 + damping
    fingers = normal.fingers.clone()
    fingers.diagonal(dim1=-2, dim2=-1).mul_(scale[:, None, None])
    palm = normal.palm.clone()
    # The floor keeps a hand without any seen joint solvable: it stays where it is.
    palm.diagonal(dim1=-2, dim2=-1).mul_(scale[:, None]).add_(1e-9)
    rights = torch.cat([normal.coupling.mT, normal.finger_gradient[..., None]], dim=-1)
    factor, _ = torch.linalg.cholesky_ex(fingers)
    solved = torch.cholesky_solve(rights, factor)
    reduced = palm - (normal.coupling @ solved[..., :-1]).sum(1)
    right = normal.palm_gradient - (normal.coupling @ solved[..., -1:]).sum(1).squeeze(-1)
    palm_factor, _ = torch.linalg.cholesky_ex(reduced)
    palm_step = torch.cholesky_solve(right[..., None], palm_factor)
    finger_step = solved[..., -1:] - solved[..., :-1] @ palm_step[:, None]
    palm_step = torch.nan_to_num(palm_step.squeeze(-1), nan=0.0, posinf=0.0, neginf=0.0)
    return palm_step, torch.nan_to_num(finger_step.squeeze(-1), nan=0.0, posinf=0.0, neginf=0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class _AngleTerms:
    cost: Float[Tensor, "row"]
    gradient: Float[Tensor, "row finger=5 9"]
    wall: Float[Tensor, "row finger=5 9"]
    """Curvature of the wall; that of the Gaussian is its precision."""


def _angle_terms(skeletons: Skeletons, angles: Float[Tensor, "row bone=15 3"]) -> _AngleTerms:
    """Gaussian of the postures plus the soft wall beyond the limits."""
    limits = skeletons.limits
    away = (angles - skeletons.postures.mean).reshape(-1, 5, 9)
    pull = (skeletons.postures.precision @ away[..., None]).squeeze(-1)
    beyond = (angles - limits[..., 1]).clamp_min(0) - (limits[..., 0] - angles).clamp_min(0)
    beyond = beyond.reshape(-1, 5, 9) / _WALL_SD
    return _AngleTerms(
        cost=(away * pull + beyond.square()).sum((-1, -2)),
        gradient=-(pull + beyond / _WALL_SD),
        wall=(beyond != 0) / _WALL_SD**2,
    )


def _moved(
    state: Articulation,
    palm_step: Float[Tensor, "row g"],
    finger_step: Float[Tensor, "row finger=5 9"],
) -> Articulation:
    turn, shift = palm_step[:, :3], palm_step[:, 3:6, None]
    return Articulation(
        R=state.R @ matrix_from_rotvec(turn),
        t=state.t + (state.R @ shift).squeeze(-1),
        angles=state.angles + finger_step.unflatten(-1, (3, 3)).flatten(1, 2),
        shape=state.shape + palm_step[:, 6:],
    )


_Solved = TypeVar("_Solved", Articulation, NormalEquations)


def _choose(better: Bool[Tensor, "row"], new: _Solved, old: _Solved) -> _Solved:
    """Row by row the new or the old value."""
    merged = {
        name: torch.where(better.reshape(-1, *[1] * (value.dim() - 1)), value, getattr(old, name))
        for name, value in vars(new).items()
    }
    return replace(old, **merged)


_Table = TypeVar("_Table", Articulation, Skeletons)


def pick(table: _Table, rows: Int[Tensor, "picked"]) -> _Table:
    """Some rows of every tensor that has rows."""
    picked = {k: v[rows] for k, v in vars(table).items() if k not in _SHARED}
    return replace(table, **picked)


def put(state: Articulation, rows: Int[Tensor, "picked"], new: Articulation) -> Articulation:
    """Replace some rows."""
    merged = {k: v.index_copy(0, rows, getattr(new, k)) for k, v in vars(state).items()}
    return replace(state, **merged)
