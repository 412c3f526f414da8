"""Hands from interaction grids as the released G-HOP and BG-HOP code reads them, written anew.

Kept as the baseline that `recover_hands` is measured against. Joints are taken at the smallest cell
of each channel; the left wrist is the Procrustes fit of twenty joints in the mean pose to them and
stays as it is; then L-BFGS bends the fingers against the whole field. The right wrist is the frame
of the grid itself. Unlike the released code, the grid that builds a field also reads it, and the
mean pose is counted once: both differences favour the baseline.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.fields.multilateration import check_field
from bghop.fields.rigid_fit import fit_rigid
from bghop.geometry.transforms import rigid, transform_points
from bghop.hands.model import HandModel, HandParameters

BATCH = 5
"""Hands that share one run of L-BFGS: its line search is common to them."""
_ITERATIONS = 150
_TOWARDS_MEAN = 1e-3
"""Weight of the squared angles from the mean pose, beside squared field units summed over cells."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedFit:
    """Hands of one side, in the frame of the grid."""

    T_frame_hand: Float[Tensor, "row 4 4"]
    angles: Float[Tensor, "row 15 3"]
    joints_placed: Float[Tensor, "row joint=21 3"]
    """After the placement, fingers in the mean pose; metres."""
    joints: Float[Tensor, "row joint=21 3"]
    """After the articulation; metres."""


def smallest_cells(
    field: Float[Tensor, "*batch channel=20 x y z"], spec: GridSpec
) -> Float[Tensor, "*batch channel=20 3"]:
    """Position of each channel's smallest cell in the grid's frame, metres.

    A channel without any dip gives the first cell, a corner of the grid, as in the released code.
    """
    axis = spec.axis(dtype=field.dtype, device=field.device)
    best = field.flatten(-3).argmin(-1)
    n = spec.resolution
    cells = torch.stack([axis[best // n**2], axis[best // n % n], axis[best % n]], dim=-1)
    return spec.from_grid(cells)


def fit_released(
    field: Float[Tensor, "row channel=20 x y z"],
    side: int,
    spec: GridSpec,
    model: HandModel,
    *,
    T_frame_hand: Float[Tensor, "4 4"] | None = None,
) -> ReleasedFit:
    """One side of some fields, in batches of `BATCH`.

    Args:
        field: Truncated squared distances of one hand, see `hand_field`.
        side: 0 left, 1 right.
        spec: The grid that the field was built on.
        model: Hand model whose average shape is fitted.
        T_frame_hand: The wrist if it is known; otherwise it is placed by the smallest cells.
    """
    parts = [_fit(rows, side, spec, model, T_frame_hand) for rows in field.split(BATCH)]
    return ReleasedFit(
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])}
    )


def recover_hands_released(
    field: Float[Tensor, "pair hand=2 channel=20 x y z"], spec: GridSpec, model: HandModel
) -> HandParameters:
    """Both hands of every field in the right wrist's frame; every hand counts as present.

    Args:
        field: Sides left then right, see `hand_field`.
        spec: The grid that the field was built on; its frame is the right wrist.
        model: Hand model whose average shape is fitted.

    Raises:
        OptionError: If the field's size is not the grid's.
    """
    check_field(field, spec)
    eye = torch.eye(4, dtype=field.dtype, device=field.device)
    left = fit_released(field[:, 0], 0, spec, model)
    right = fit_released(field[:, 1], 1, spec, model, T_frame_hand=eye)
    return replace(
        model.rest_parameters(len(field)),
        T_object_hand=torch.stack([left.T_frame_hand, right.T_frame_hand], dim=1),
        pose=model.pose_from_angles(torch.stack([left.angles, right.angles], dim=1)),
    )


def _fit(
    field: Float[Tensor, "row channel=20 x y z"],
    side: int,
    spec: GridSpec,
    model: HandModel,
    T_known: Float[Tensor, "4 4"] | None,
) -> ReleasedFit:
    middle = model.anatomy.limits.mean(-1)
    num = len(field)

    def joints_hand(angles: Tensor) -> Tensor:
        pose = model.pose_from_angles(angles[:, None].expand(-1, 2, -1, -1))
        return model.joints(replace(model.rest_parameters(num), pose=pose))[:, side]

    start = middle.expand(num, 15, 3)
    if T_known is None:
        cells = smallest_cells(field, spec)
        T = rigid(*fit_rigid(joints_hand(start)[:, 1:], cells, torch.ones_like(cells[..., 0])))
    else:
        T = T_known.expand(num, 4, 4)
    placed = transform_points(T, joints_hand(start))
    angles = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [angles], lr=1.0, max_iter=_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        predicted = hand_field(transform_points(T, joints_hand(angles)), spec)
        misfit = (predicted - field).square().sum()
        loss = misfit + _TOWARDS_MEAN * (angles - middle).square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    found = angles.detach()
    return ReleasedFit(
        T_frame_hand=T,
        angles=found,
        joints_placed=placed,
        joints=transform_points(T, joints_hand(found)),
    )
