"""Joints from hand channels, with covariance; joints without evidence stay unseen.

Where a channel is not truncated, `|x|^2 - field = 2 x . j - |j|^2`: every free cell is one linear
equation for the joint. Which cells are free is decided by the PREDICTED distance, never by the
observed value, because choosing low values chooses low noise and pulls the joint (measured: 1 to
2 mm at noise 0.03). The start is therefore a likelihood search over a lattice of joint positions,
which also finds joints outside the grid; Gauss-Newton steps on the truncated distances then
solve exactly the equations above with the two sides of `|j|^2` tied together.

Everything happens in a window of cells around the start, in units of the cell spacing, for all
channels of all hands at once.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec

_GAUSS_NEWTON_STEPS = 6
_CHUNK_CELLS = 700_000  # cells of all windows worked on at once: keeps the temporaries in cache
_EXACT = 1e-6  # noise floor relative to the truncation: float32 rounding of the field


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a channel must show before its joint counts as seen."""

    cells: int = 6
    """Free cells that the joint must predict inside the grid."""
    ratio: float = 6.5
    """Least square root of twice the log likelihood ratio against "no joint". White noise on a
    saturated channel of the released grid reaches 5.6 once in 20,000 channels; a joint inside that
    grid shows about 9.5 at noise 0.03 and 28 at noise 0.01."""
    worst_sd: float = 0.01
    """Largest standard deviation along the worst direction, metres."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredJoints:
    """Joints read from channels and how well each is known; unseen ones hold no information."""

    joints_frame: Float[Tensor, "*batch channel=20 3"]
    """Metres, in the frame of the grid; the grid's centre where unseen."""
    covariance: Float[Tensor, "*batch channel=20 3 3"]
    """Square metres; zero where unseen (do not invert)."""
    seen: Bool[Tensor, "*batch channel=20"]
    noise: Float[Tensor, "*batch channel=20"]
    """Standard deviation of the channel about its best joint, in the channel's own unit."""
    cells: Int[Tensor, "*batch channel=20"]
    """Free cells that the joint rests on."""
    ratio: Float[Tensor, "*batch channel=20"]
    """Signal-to-noise ratio of the dip: root of twice its log likelihood ratio to "no joint"."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """Cells about a start cell per channel, in units of the cell spacing and relative to it."""

    offsets: Float[Tensor, "cell 3"]
    """Relative positions of the cells, the same for all channels."""
    basis: Float[Tensor, "cell 10"]
    """1, x, y, z, xx, xy, xz, yy, yz, zz of the offsets: moments become matrix products."""
    values: Float[Tensor, "channel cell"]
    """Field over squared spacing; the truncation where the window leaves the grid."""
    inside: Float[Tensor, "channel cell"]
    """1 for cells of the grid, 0 outside."""
    reach_squared: float
    """Truncation in units of the squared spacing."""
    start: Int[Tensor, "channel 3"]
    """Index of the start cell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Quadratic model of the misfit about a position: `A step = b`, and how well it fits."""

    A: Float[Tensor, "channel 3 3"]
    b: Float[Tensor, "channel 3"]
    cells: Float[Tensor, "channel"]
    squared_free: Float[Tensor, "channel"]
    """Sum of squared residuals over the predicted free cells."""
    residual: Float[Tensor, "channel cell"]
    depth: Float[Tensor, "channel cell"]
    """Predicted truncation minus value; zero where not free."""


def recover_joints(
    field: Float[Tensor, "*batch channel=20 x y z"],
    spec: GridSpec,
    *,
    evidence: Evidence | None = None,
) -> MeasuredJoints:
    """Find the joint of every channel; exact on exact fields, about 2.5 mm at noise 0.01.

    Args:
        field: Truncated squared distances, see `hand_field`; NaN counts as truncated. Float32 or
            float64; no gradients.
        spec: The grid that the field was built on.
        evidence: When a joint counts as seen.

    Returns:
        Joints in `spec.frame`, metres, float64 rounded to the field's type.

    Raises:
        OptionError: If the field's size is not the grid's.
    """
    check_field(field, spec)
    *batch, channel, x, y, z = field.shape
    with torch.no_grad():
        flat = field.detach().reshape(-1, x, y, z)
        chunks = flat.split(max(20, _CHUNK_CELLS // window_cells(spec)))
        parts = [measure_channels(chunk, spec, evidence or Evidence()) for chunk in chunks]

    def joined(name: str) -> Tensor:
        value = torch.cat([getattr(part, name) for part in parts])
        value = value.to(field.dtype) if value.is_floating_point() else value
        return value.reshape(*batch, channel, *value.shape[1:])

    return MeasuredJoints(
        joints_frame=joined("joints_frame"),
        covariance=joined("covariance"),
        seen=joined("seen"),
        noise=joined("noise"),
        cells=joined("cells"),
        ratio=joined("ratio"),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelFits:
    """`MeasuredJoints` of a list of channels in float64, with the windows that they came from."""

    window: Window
    joints_frame: Float[Tensor, "channel 3"]
    covariance: Float[Tensor, "channel 3 3"]
    seen: Bool[Tensor, "channel"]
    noise: Float[Tensor, "channel"]
    cells: Int[Tensor, "channel"]
    ratio: Float[Tensor, "channel"]


def measure_channels(
    field: Float[Tensor, "channel x y z"], spec: GridSpec, evidence: Evidence
) -> ChannelFits:
    """Joints of some thousand channels at once; see `recover_joints`."""
    field = torch.nan_to_num(field, nan=spec.truncation)
    return fit_channels(open_window(field, deepest_cells(field, spec), spec), spec, evidence)


def fit_channels(window: Window, spec: GridSpec, evidence: Evidence) -> ChannelFits:
    """Joints in given windows; see `recover_joints`."""
    position = _search_lattice(window)
    for _ in range(_GAUSS_NEWTON_STEPS):
        moments = moments_about(window, position)
        step = (inverse_3x3(moments.A) @ moments.b[..., None]).squeeze(-1)
        length = step.norm(dim=-1, keepdim=True)
        position = position + step * (0.5 / length.clamp_min(0.5))
    moments = moments_about(window, position)

    variance = _noise_variance(window, moments)
    covariance = inverse_3x3(moments.A) * variance[:, None, None]
    ratio = _signal_to_noise(window, moments, variance)
    worst = torch.linalg.eigvalsh(covariance)[:, -1].clamp_min(0).sqrt() * spec.spacing
    seen = (
        (moments.cells >= evidence.cells)
        & (ratio >= evidence.ratio)
        & (worst <= evidence.worst_sd)
        & position.isfinite().all(-1)
    )
    axis = spec.axis(dtype=position.dtype, device=position.device)
    spacing_grid = spec.spacing / spec.unit
    joints_frame = spec.from_grid(axis[window.start] + spacing_grid * position)
    centre = joints_frame.new_tensor(spec.centre)
    return ChannelFits(
        window=window,
        joints_frame=torch.where(seen[:, None], joints_frame, centre),
        covariance=torch.where(seen[:, None, None], covariance * spec.spacing**2, 0.0),
        seen=seen,
        noise=variance.sqrt() * spacing_grid**2,
        cells=moments.cells.long(),
        ratio=ratio,
    )


def check_field(field: Float[Tensor, "*batch channel=20 x y z"], spec: GridSpec) -> None:
    """Refuse a field that another grid built.

    Raises:
        OptionError: Saying both sizes.
    """
    if tuple(field.shape[-3:]) != (spec.resolution,) * 3:
        raise OptionError(
            f"A field of {tuple(field.shape[-3:])} cells does not fit a grid of "
            f"{spec.resolution}^3: pass the GridSpec that the field was built on."
        )


def window_cells(spec: GridSpec) -> int:
    """Cells of one window: work and memory per channel grow with it."""
    return (2 * _window_radius(spec) + 1) ** 3


def _window_radius(spec: GridSpec) -> int:
    """Cells to each side that hold all free cells of a joint one cell away from the start."""
    return int(spec.reach / spec.spacing) + 2


def deepest_cells(
    field: Float[Tensor, "channel x y z"], spec: GridSpec
) -> Int[Tensor, "channel 3"]:
    """Index of the deepest 3x3x3 mean of each channel."""
    size = field.shape[-1]
    summed = spec.truncation - field
    for axis in (-3, -2, -1):
        total = summed.clone()
        total.narrow(axis, 1, size - 1).add_(summed.narrow(axis, 0, size - 1))
        total.narrow(axis, 0, size - 1).add_(summed.narrow(axis, 1, size - 1))
        summed = total
    best = summed.flatten(1).argmax(-1)
    return torch.stack([best // size**2, best // size % size, best % size], dim=-1)


def open_window(
    field: Float[Tensor, "channel x y z"], start: Int[Tensor, "channel 3"], spec: GridSpec
) -> Window:
    """Cut the window about a cell of each channel."""
    size = field.shape[-1]
    radius = _window_radius(spec)
    row = torch.arange(-radius, radius + 1, device=field.device)
    steps = torch.cartesian_prod(row, row, row)
    index = start[:, None] + steps
    inside = ((index >= 0) & (index < size)).all(-1)
    i, j, k = index.clamp(0, size - 1).unbind(-1)
    values = field.flatten(1).gather(1, (i * size + j) * size + k)
    values = torch.where(inside, values, spec.truncation).double()
    offsets = steps.double()
    x, y, z = offsets.unbind(-1)
    basis = torch.stack(
        [torch.ones_like(x), x, y, z, x * x, x * y, x * z, y * y, y * z, z * z], dim=-1
    )
    squared_spacing = (spec.spacing / spec.unit) ** 2
    return Window(
        offsets=offsets,
        basis=basis,
        values=values / squared_spacing,
        inside=inside.double(),
        reach_squared=spec.truncation / squared_spacing,
        start=start,
    )


def _search_lattice(window: Window) -> Float[Tensor, "channel 3"]:
    """Most likely joint on a lattice about the start cell, which may lie outside the grid.

    Log likelihood against "no joint", times the noise variance: `sum(depth * template) -
    sum(template^2) / 2`, over cells of the grid only.
    """
    reach = window.reach_squared**0.5
    step = reach / 3.6
    num = int((reach + 0.5) / step)
    row = step * torch.arange(-num, num + 1, dtype=torch.float32, device=window.values.device)
    lattice = torch.cartesian_prod(row, row, row)
    lattice = lattice[lattice.norm(dim=-1) <= reach + 0.5]
    squared = (window.offsets.float()[:, None] - lattice).square().sum(-1)
    template = (window.reach_squared - squared).clamp_min(0)
    inside = window.inside.float()
    depth = (window.reach_squared - window.values.float()) * inside
    score = depth @ template - 0.5 * (inside @ template.square())
    return lattice[score.argmax(-1)].double()


def moments_about(window: Window, position: Float[Tensor, "channel 3"]) -> Moments:
    """Normal equations of the free cells about a position, in units of the spacing."""
    squared = torch.addmm(position.square().sum(-1, keepdim=True), position, -2 * window.offsets.T)
    squared += window.offsets.square().sum(-1)
    free = (squared < window.reach_squared) * window.inside
    predicted = squared.clamp_max(window.reach_squared)
    residual = (window.values - predicted) * window.inside
    weighted = residual * free
    m = free @ window.basis
    r = weighted @ window.basis[:, :4]
    second = m[:, [4, 5, 6, 5, 7, 8, 6, 8, 9]].unflatten(-1, (3, 3))
    cross = m[:, 1:4, None] * position[:, None, :]
    outer = position[:, :, None] * position[:, None, :]
    A = 4 * (second - cross - cross.transpose(-1, -2) + m[:, 0, None, None] * outer)
    b = -2 * (r[:, 1:] - r[:, :1] * position)
    return Moments(
        A=A,
        b=b,
        cells=m[:, 0],
        squared_free=weighted.square().sum(-1),
        residual=residual,
        depth=(window.reach_squared - predicted) * free,
    )


def _noise_variance(window: Window, moments: Moments) -> Float[Tensor, "channel"]:
    """Variance of the residuals: the larger one of the free cells and of the whole window.

    The whole window is the better estimate if the noise is the same everywhere; the free cells
    count on their own because a denoiser may be sure of the truncated ones only.
    """
    whole = moments.residual.square().sum(-1) / (window.inside.sum(-1) - 3).clamp_min(1)
    free = moments.squared_free / (moments.cells - 3).clamp_min(3)
    rounding = (_EXACT * window.reach_squared) ** 2
    return torch.maximum(whole, free).clamp_min(rounding)


def _signal_to_noise(
    window: Window, moments: Moments, variance: Float[Tensor, "channel"]
) -> Float[Tensor, "channel"]:
    """`sqrt(2 log L(joint) / L(no joint))`; zero where "no joint" explains the channel better.

    A dip less than half as deep as the joint predicts scores zero, one far deeper than predicted
    scores less than its size: noise that fits a joint at the rim of the grid is of that kind.
    """
    observed = ((window.reach_squared - window.values) * moments.depth).sum(-1)
    gain = 2 * observed - moments.depth.square().sum(-1)
    # A saturated channel that differs from the truncation by rounding only is no signal.
    noise = variance.clamp_min((1e-3 * window.reach_squared) ** 2).sqrt()
    return gain.clamp_min(0).sqrt() / noise


def inverse_3x3(A: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Inverse of symmetric positive matrices by cross products; huge, never NaN, if singular."""
    scale = A.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(1e-30)[..., None, None] / 3
    A = A / scale + 1e-12 * torch.eye(3, dtype=A.dtype, device=A.device)
    x, y, z = A.unbind(-2)
    columns = [torch.linalg.cross(p, q, dim=-1) for p, q in ((y, z), (z, x), (x, y))]
    determinant = (x * columns[0]).sum(-1).clamp_min(1e-30)[..., None, None]
    return torch.stack(columns, dim=-1) / determinant / scale
