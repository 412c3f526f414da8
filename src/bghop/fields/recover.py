"""Hand channels to hands: measure joints, place the palm, bend the fingers, refine on cells.

`recover_joints` (multilateration) reads each channel on its own; here the hand model ties the
twenty joints together. The last steps fit the hand to the channels' cells themselves, which is
the maximum likelihood answer and lowers the error under noise by what the joints' Gaussian
summary loses.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bghop.fields.articulation import (
    Articulation,
    MeasureMisfit,
    Misfit,
    Skeletons,
    fit_articulation,
    minimise,
    normal_equations,
    pick,
    put,
    start_from_palm,
)
from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import NUM_CHANNELS
from bghop.fields.multilateration import (
    ChannelFits,
    Evidence,
    MeasuredJoints,
    check_field,
    fit_channels,
    measure_channels,
    moments_about,
    open_window,
    window_cells,
)
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid
from bghop.hands.jacobian import joints_and_jacobian
from bghop.hands.joints import TIP_JOINTS
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.postures import Postures

_CELL_STEPS = 4
_CELL_LATE_STEPS = 12
_CELL_FINISHED = 0.05  # of chi-squared; cells change sides, so that it never settles further
_LEAST_NOISE = 5e-4  # of the truncation; bounds the condition of the normal equations
_WEAK_EVIDENCE = Evidence(cells=1, ratio=4.5, worst_sd=float("inf"))
_TIP_ROUNDS = 4
_TIP_TOLERANCE = 1e-5  # metres
_CHUNK_CELLS = 700_000  # cells of all windows worked on at once: keeps the temporaries in cache


@dataclass(frozen=True, kw_only=True, eq=False)
class RecoveredHands:
    """Hands read from a field, in the frame of its grid, with what they rest on."""

    hands: HandParameters
    """`T_object_hand` maps to `GridSpec.frame`. Absent hands: identity, zero pose and shape."""
    joints_frame: Float[Tensor, "*batch hand=2 joint=21 3"]
    """Joints of the fitted hands, metres; seen or not."""
    measured: MeasuredJoints
    """Joints read from the channels before the hand model; batch `*batch hand`."""
    wrist_covariance: Float[Tensor, "*batch hand=2 6 6"]
    """Of rotation (radians), then translation (metres), in the wrist's axes; zero if absent."""


def recover_hands(
    field: Float[Tensor, "*batch hand=2 channel=20 x y z"],
    spec: GridSpec,
    model: HandModel,
    *,
    shape: Float[Tensor, "*batch hand=2 shape"] | None = None,
    estimate_shape: bool = False,
    evidence: Evidence | None = None,
    least_joints: int = 4,
) -> RecoveredHands:
    """Fit both hands of every field; exact on exact fields, no gradients.

    Args:
        field: Truncated squared distances, sides left then right, see `hand_field`.
        spec: The grid that the field was built on.
        model: Hand model whose skeleton is fitted.
        shape: Known shape parameters; the model's mean (zeros) if not given.
        estimate_shape: Fit the shape too, starting at `shape`, with a unit Gaussian prior about it.
        evidence: When a joint counts as seen.
        least_joints: Hands with fewer seen joints are absent.

    Returns:
        Hands in `spec.frame`, in the field's type and on its device.

    Raises:
        OptionError: If the field's size is not the grid's.
    """
    check_field(field, spec)
    batch = field.shape[:-5]
    pairs = field.detach().reshape(-1, *field.shape[-5:])
    num_shape = model.num_shape
    if shape is None:
        shape = field.new_zeros(*batch, 2, num_shape)
    shapes = shape.detach().double().reshape(-1, 2, num_shape)
    per_chunk = max(1, _CHUNK_CELLS // (2 * NUM_CHANNELS * window_cells(spec)))
    with torch.no_grad():
        parts = []
        for chunk, known in zip(pairs.split(per_chunk), shapes.split(per_chunk), strict=True):
            skeletons = skeletons_of(model, known, estimate_shape=estimate_shape)
            parts.append(
                _recover_pairs(
                    chunk, spec, model, skeletons, known, evidence or Evidence(), least_joints
                )
            )

    def joined(values: list[Tensor]) -> Tensor:
        value = torch.cat(values)
        value = value.to(field.dtype) if value.is_floating_point() else value
        return value.reshape(*batch, 2, *value.shape[1:])

    def hands_of(name: str) -> Tensor:
        return joined([getattr(part.hands, name).flatten(0, 1) for part in parts])

    def measured_of(name: str) -> Tensor:
        return joined([getattr(part.measured, name) for part in parts])

    return RecoveredHands(
        hands=HandParameters(**{name: hands_of(name) for name in vars(parts[0].hands)}),
        joints_frame=joined([part.joints_frame for part in parts]),
        measured=MeasuredJoints(**{name: measured_of(name) for name in vars(parts[0].measured)}),
        wrist_covariance=joined([part.wrist_covariance for part in parts]),
    )


def skeletons_of(
    model: HandModel,
    shapes: Float[Tensor, "pair hand=2 shape"],
    *,
    estimate_shape: bool,
    postures: Postures | None = None,
) -> Skeletons:
    """One skeleton per hand with its known shape, float64; left and right take turns."""
    pairs = len(shapes)
    directions = model.joint_shape_directions.double()
    rest = model.joints_rest.double() + torch.einsum("phs,hsjc->phjc", shapes, directions)
    free = directions if estimate_shape else directions[:, :0]
    limits = model.anatomy.limits.double()
    return Skeletons(
        rest_joints=rest.flatten(0, 1),
        axes=model.anatomy.axes.double().expand(pairs, 2, 15, 3, 3).flatten(0, 1),
        limits=limits,
        # A checkpoint's postures are read to the CPU, wherever its networks go.
        postures=(postures or Postures.within(limits)).to(limits.device),
        shape_directions=free.expand(pairs, *free.shape).flatten(0, 1),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Recovered:
    """Results of some hands, one row each."""

    hands: HandParameters
    joints_frame: Float[Tensor, "row joint=21 3"]
    measured: MeasuredJoints
    wrist_covariance: Float[Tensor, "row 6 6"]


def _recover_pairs(
    field: Float[Tensor, "pair hand=2 channel=20 x y z"],
    spec: GridSpec,
    model: HandModel,
    skeletons: Skeletons,
    shapes: Float[Tensor, "pair hand=2 shape"],
    evidence: Evidence,
    least_joints: int,
) -> _Recovered:
    """Every step of the recovery for as many hands as fit into cache."""
    fits = measure_channels(field.flatten(0, 2), spec, evidence)
    measured = _by_hand(fits)
    seen = measured.seen
    present = seen.sum(-1) >= least_joints
    seen = seen & present[:, None]

    start = start_from_palm(skeletons, measured.joints_frame, measured.covariance, seen)
    fit = fit_articulation(skeletons, start, measured.joints_frame, measured.covariance, seen)
    fits, used = look_again(field.flatten(0, 2), fits, seen, present, _joints(skeletons, fit), spec)
    cells = cell_misfit(fits, used, spec)
    fit, moving = minimise(skeletons, fit, cells, _CELL_STEPS, finished=_CELL_FINISHED)
    rows = moving.nonzero().squeeze(-1)
    if len(rows):
        few = cell_misfit(_pick_hands(fits, rows), used[rows], spec)
        late, _ = minimise(
            pick(skeletons, rows), pick(fit, rows), few, _CELL_LATE_STEPS, finished=_CELL_FINISHED
        )
        fit = put(fit, rows, late)
    for _ in range(_TIP_ROUNDS):
        tips, gap = skinned_tips(model, skeletons, fit, shapes)
        if gap < _TIP_TOLERANCE:
            break
        skeletons = replace(skeletons, rest_joints=tips)
        fit, _ = minimise(skeletons, fit, cells, 2 * _CELL_STEPS)
    return _result(model, skeletons, fit, cells, measured, present, shapes)


def _by_hand(fits: ChannelFits) -> MeasuredJoints:
    names = ("joints_frame", "covariance", "seen", "noise", "cells", "ratio")
    return MeasuredJoints(
        **{name: getattr(fits, name).unflatten(0, (-1, NUM_CHANNELS)) for name in names}
    )


def look_again(
    field: Float[Tensor, "channel x y z"],
    fits: ChannelFits,
    seen: Bool[Tensor, "row channel=20"],
    present: Bool[Tensor, "row"],
    joints_frame: Float[Tensor, "row joint=21 3"],
    spec: GridSpec,
) -> tuple[ChannelFits, Bool[Tensor, "row channel=20"]]:
    """Search unseen channels where the fitted hand expects their joints: weak dips count there.

    A dip in one window of a few hundred cells needs less to stand out than one anywhere in the
    grid, and a joint at the rim needs no full-rank information once the hand holds it. What is
    found refines the hand but stays unseen in `MeasuredJoints`. The absence of a dip counts for
    nothing: a generated field may just lack a joint.

    Returns:
        The fits with new windows for those channels, and which channels hold evidence.
    """
    index = (~seen & present[:, None]).flatten().nonzero().squeeze(-1)
    if len(index) == 0:
        return fits, seen
    axis = spec.axis(dtype=torch.float64, device=field.device)
    expected = spec.to_grid(joints_frame[:, 1:].flatten(0, 1)[index])
    start = ((expected - axis[0]) / (axis[1] - axis[0])).round().long()
    values = torch.nan_to_num(field[index], nan=spec.truncation)
    window = open_window(values, start.clamp(0, spec.resolution - 1), spec)
    again = fit_channels(window, spec, _WEAK_EVIDENCE)
    near = (again.joints_frame - joints_frame[:, 1:].flatten(0, 1)[index]).norm(dim=-1) < spec.reach
    old = fits.window
    moved = replace(
        old,
        values=old.values.index_copy(0, index, window.values),
        inside=old.inside.index_copy(0, index, window.inside),
        start=old.start.index_copy(0, index, window.start),
    )
    fits = replace(fits, window=moved, noise=fits.noise.index_copy(0, index, again.noise))
    return fits, seen.flatten().index_copy(0, index, again.seen & near).reshape(seen.shape)


def _pick_hands(fits: ChannelFits, rows: Int[Tensor, "picked"]) -> ChannelFits:
    """The channels of some hands."""
    shared = ("offsets", "basis", "reach_squared")
    channel = torch.arange(NUM_CHANNELS, device=rows.device)
    index = (rows[:, None] * NUM_CHANNELS + channel).flatten()
    window = {k: v[index] for k, v in vars(fits.window).items() if k not in shared}
    rest = {k: v[index] for k, v in vars(fits).items() if k != "window"}
    return replace(fits, window=replace(fits.window, **window), **rest)


def cell_misfit(
    fits: ChannelFits, seen: Bool[Tensor, "row channel=20"], spec: GridSpec
) -> MeasureMisfit:
    """Misfit of joint positions to the cells of their channels, each by its noise variance."""
    spacing_grid = spec.spacing / spec.unit
    axis = spec.axis(dtype=torch.float64, device=seen.device)
    origin = axis[fits.window.start]
    noise = fits.noise.clamp_min(_LEAST_NOISE * spec.truncation)
    weight = seen.flatten() * (spacing_grid**2 / noise).square()

    def measure(joints_frame: Float[Tensor, "row channel=20 3"]) -> Misfit:
        position = (spec.to_grid(joints_frame.flatten(0, 1)) - origin) / spacing_grid
        moments = moments_about(fits.window, position)
        A = moments.A * (weight / spec.spacing**2)[:, None, None]
        b = moments.b * (weight / spec.spacing)[:, None]
        cost = moments.residual.square().sum(-1) * weight
        shape = seen.shape
        return Misfit(
            cost=cost.reshape(shape).sum(-1), A=A.unflatten(0, shape), b=b.unflatten(0, shape)
        )

    return measure


def parameters_of(
    model: HandModel, fit: Articulation, shapes: Float[Tensor, "pair hand=2 shape"]
) -> tuple[Tensor, Tensor]:
    """Pose and shape parameters, one row per hand, float64."""
    turns = model.anatomy.axes.double().mT @ fit.angles.unflatten(0, (-1, 2))[..., None]
    pose = turns.squeeze(-1) - model.mean_pose.double()
    shape = shapes.flatten(0, 1)
    return pose.flatten(0, 1), shape + fit.shape if fit.shape.shape[-1] else shape


def skinned_tips(
    model: HandModel,
    skeletons: Skeletons,
    fit: Articulation,
    shapes: Float[Tensor, "pair hand=2 shape"],
) -> tuple[Float[Tensor, "row joint=21 3"], float]:
    """Rest joints whose tips give the model's tips in this pose; the largest gap before, metres.

    A tip is a point of the skin: blending and pose correctives move it a little against its bone.
    Moving it in the bone's rest frame and fitting again converges in a few rounds.
    """
    pose, shape = parameters_of(model, fit, shapes)
    still = model.rest_parameters(len(shapes))
    wanted = model.joints(
        replace(
            still,
            pose=pose.unflatten(0, (-1, 2)).to(still.pose),
            shape=shape.unflatten(0, (-1, 2)).to(still.shape),
        )
    )
    rest = _rest(skeletons, fit)
    kinematics = joints_and_jacobian(rest, skeletons.axes, fit.angles, skeletons.shape_directions)
    tips = list(TIP_JOINTS)
    gap = wanted.double().flatten(0, 1)[:, tips] - kinematics.joints_hand[:, tips]
    rotvecs = (skeletons.axes.mT @ fit.angles[..., None]).squeeze(-1)
    turns = matrix_from_rotvec(rotvecs).unflatten(1, (5, 3))
    R_last = turns[:, :, 0] @ turns[:, :, 1] @ turns[:, :, 2]
    moved = skeletons.rest_joints.clone()
    moved[:, tips] += (R_last.mT @ gap[..., None]).squeeze(-1)
    return moved, float(gap.abs().max()) if len(gap) else 0.0


def _rest(skeletons: Skeletons, fit: Articulation) -> Float[Tensor, "row joint=21 3"]:
    return skeletons.rest_joints + torch.einsum(
        "rs,rsjc->rjc", fit.shape, skeletons.shape_directions
    )


def _joints(skeletons: Skeletons, fit: Articulation) -> Float[Tensor, "row joint=21 3"]:
    """Joints of the fitted hands in the grid's frame."""
    kinematics = joints_and_jacobian(
        _rest(skeletons, fit), skeletons.axes, fit.angles, skeletons.shape_directions
    )
    return (fit.R[:, None] @ kinematics.joints_hand[..., None]).squeeze(-1) + fit.t[:, None]


def _result(
    model: HandModel,
    skeletons: Skeletons,
    fit: Articulation,
    measure: MeasureMisfit,
    measured: MeasuredJoints,
    present: Bool[Tensor, "row"],
    shapes: Float[Tensor, "pair hand=2 shape"],
) -> _Recovered:
    """Put neutral values where a hand is absent."""
    normal = normal_equations(skeletons, fit, measure)
    solved = torch.linalg.solve_ex(normal.fingers, normal.coupling.mT)[0]
    information = normal.palm - (normal.coupling @ solved).sum(1)
    eye = torch.eye(information.shape[-1], dtype=information.dtype, device=information.device)
    here = present[:, None, None]
    covariance = torch.linalg.inv_ex(torch.where(here, information, eye))[0][:, :6, :6]
    pose, shape = parameters_of(model, fit, shapes)
    T = rigid(fit.R, fit.t)
    joints = _joints(skeletons, fit)
    neutral = torch.eye(4, dtype=T.dtype, device=T.device)
    hands = HandParameters(
        present=present.unflatten(0, (-1, 2)),
        T_object_hand=torch.where(here, T, neutral).unflatten(0, (-1, 2)),
        pose=torch.where(here, pose, 0.0).unflatten(0, (-1, 2)),
        shape=torch.where(present[:, None], shape, shapes.flatten(0, 1)).unflatten(0, (-1, 2)),
    )
    return _Recovered(
        hands=hands,
        joints_frame=torch.where(here, joints, 0.0),
        measured=measured,
        wrist_covariance=torch.where(here, covariance, 0.0),
    )
