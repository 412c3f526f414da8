"""`GridSpec`: where the cells of an interaction grid are. One convention for building and decoding.

Grid coordinates are `x_grid = (x_frame - centre) / unit`, axes parallel to the frame's; arrays are
`*batch channel x y z`, index i, j, k follows x, y, z.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import OptionError

PALM_SIDE = 0.08
"""Metres from the base of the right index finger to the released frame's origin, along -y."""
_HAND_REACH = 0.20
"""Metres: how far a hand that touches an object can stick out beyond the object's box."""


@dataclass(frozen=True, kw_only=True)
class GridSpec:
    """Cells of an interaction grid and the truncation of its hand channels. Plain numbers."""

    resolution: int = 16
    """Cells along each axis."""
    half_extent: float = 0.30
    """Metres; half the side of the cube whose corners the first-stage (object) grid touches."""
    unit: float = 0.20
    """Metres per unit of grid coordinates."""
    truncation: float = 0.12
    """Largest value of a hand channel: a SQUARED distance in grid units."""
    reduction: int = 4
    """First-stage cells that one cell averages along each axis; 1: the cells sit on the corners."""
    frame: Literal["object", "right"] = "right"
    """Frame that the centre is given in and that decoded hands are in."""
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Grid origin in the frame, metres."""

    def __post_init__(self) -> None:
        """Refuse numbers that no grid can have.

        Raises:
            OptionError: Naming the field and what it may be.
        """
        if self.resolution < 4 or self.reduction < 1:
            raise OptionError(
                f"Grid of {self.resolution} cells, reduction {self.reduction}: "
                "use a resolution of at least 4 and a reduction of at least 1."
            )
        if not (self.half_extent > 0 and self.unit > 0 and self.truncation > 0):
            raise OptionError(
                f"Grid with half extent {self.half_extent} m, unit {self.unit} m, truncation "
                f"{self.truncation}: all three must be greater than zero."
            )

    @classmethod
    def released(cls, index_base_right: Float[Tensor, "3"]) -> "GridSpec":
        """The grid of the released G-HOP and BG-HOP models: 16^3, +-0.30 m, right wrist frame.

        Its centre lies 8 cm to the palm side (-y) of the right hand's index base joint.

        Args:
            index_base_right: Joint 5 of the right hand in its wrist frame, metres.
        """
        x, y, z = (float(v) for v in index_base_right)
        return cls(centre=(x, y - PALM_SIDE, z))

    @classmethod
    def object_centred(
        cls,
        lower_object: Float[Tensor, "3"],
        upper_object: Float[Tensor, "3"],
        *,
        resolution: int = 16,
        reduction: int = 4,
    ) -> "GridSpec":
        """A grid about an object's bounding box that holds any two hands that touch it.

        Grid coordinates span [-1, 1]. The truncation keeps the released reach of 6.9 cm, or as
        many cells as the released grid has free around a joint if the cells are larger than those.

        Args:
            lower_object: Smallest corner of the object's box, metres.
            upper_object: Largest corner of the object's box, metres.
            resolution: Cells along each axis.
            reduction: First-stage cells per cell along each axis.
        """
        half = max(0.30, float((upper_object - lower_object).max()) / 2 + _HAND_REACH)
        x, y, z = (float(v) for v in (lower_object + upper_object) / 2)
        spec = cls(
            resolution=resolution,
            half_extent=half,
            unit=half,
            reduction=reduction,
            frame="object",
            centre=(x, y, z),
        )
        released = cls()
        cells = released.reach / released.spacing
        reach = max(released.reach, cells * spec.spacing)
        return cls(**{**spec.__dict__, "truncation": (reach / half) ** 2})

    @property
    def spacing(self) -> float:
        """Metres between neighbouring cells."""
        return 2 * self.half_extent * self.reduction / (self.resolution * self.reduction - 1)

    @property
    def reach(self) -> float:
        """Metres at which a hand channel saturates."""
        return self.truncation**0.5 * self.unit

    def axis(
        self, *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
    ) -> Float[Tensor, "{self.resolution}"]:
        """Grid coordinates of the cells along each axis, ascending."""
        last = (self.resolution - 1) / 2 * self.spacing / self.unit
        axis = torch.linspace(-last, last, self.resolution, dtype=torch.float64, device=device)
        return axis.to(dtype)

    def first_stage_axis(
        self, *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
    ) -> Float[Tensor, "fine"]:
        """Grid coordinates of the object's first-stage grid; each cell is the mean of a block."""
        end = self.half_extent / self.unit
        fine = self.resolution * self.reduction
        return torch.linspace(-end, end, fine, dtype=torch.float64, device=device).to(dtype)

    def S_grid_frame(
        self, *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
    ) -> Float[Tensor, "4 4"]:
        """`x_grid = S_grid_frame @ x_frame`: `S_grid_right` or `S_grid_object` by `frame`."""
        S = torch.eye(4, dtype=torch.float64) / self.unit
        S[:3, 3] = -torch.tensor(self.centre, dtype=torch.float64) / self.unit
        S[3, 3] = 1.0
        return S.to(dtype=dtype, device=device)

    def to_grid(self, points_frame: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """`x_grid = (x_frame - centre) / unit`."""
        return (points_frame - points_frame.new_tensor(self.centre)) / self.unit

    def from_grid(self, points_grid: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """`x_frame = unit * x_grid + centre`."""
        return points_grid * self.unit + points_grid.new_tensor(self.centre)
