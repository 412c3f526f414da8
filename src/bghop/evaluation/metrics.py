"""What a grasp is worth, in numbers that need no physics. One definition per metric.

Everything here works on exact signed distances (negative inside) to closed or nearly closed
meshes, given as functions of points; distances in are metres, results carry their unit in the name.
The definitions are those of docs/results.md; where the literature differs (voxel sizes, surface
voxels, sums over hands), numbers of other tools must not be compared with these.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

CONTACT_DISTANCE = 0.005
"""A hand vertex this near to the surface counts for the contact ratio (as in GraspTTA, DiffH2O)."""
FINGER_DISTANCE = 0.003
"""A finger whose pad comes this near to the surface is in contact (as in ARCTIC's contact set)."""
VOXEL = 0.001
"""Edge of the voxels that volumes are counted in (as in HALO)."""


@runtime_checkable
class Region(Protocol):
    """A solid that can be asked about points; `bghop.geometry.mesh.MeshQuery` is one."""

    def signed_distances(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """Metres, negative inside."""
        ...

    def contains(self, points: Float[np.ndarray, "n 3"]) -> np.ndarray:
        """Whether each point is inside; cheaper."""
        ...


_COARSEST = 8  # voxels along the edge of the first cells; a power of two


def penetration_depth_mm(signed_distances: Float[np.ndarray, "vert"]) -> float:
    """Depth in mm of the deepest hand vertex inside the object; 0 if none is inside."""
    return float(max(0.0, -signed_distances.min()) * 1e3)


def contact_ratio(signed_distances: Float[np.ndarray, "vert"]) -> float:
    """Share of the hand's vertices within 5 mm of the object's surface, on either side of it."""
    return float((np.abs(signed_distances) <= CONTACT_DISTANCE).mean())


def fingers_in_contact(
    signed_distances: Float[np.ndarray, "vert"], pads: tuple[Int[np.ndarray, "_"], ...]
) -> int:
    """How many fingers have a pad vertex within 3 mm of the surface, on either side of it."""
    return sum(
        int(np.abs(signed_distances[pad]).min(initial=np.inf) <= FINGER_DISTANCE) for pad in pads
    )


def limit_violation_deg(
    angles: Float[np.ndarray, "bone axis=3"], limits: Float[np.ndarray, "bone axis=3 bound=2"]
) -> float:
    """Largest excess in degrees of an anatomical angle (radians) over its limits; 0 if inside."""
    excess = np.maximum(limits[..., 0] - angles, angles - limits[..., 1])
    return float(np.degrees(excess.max(initial=0.0)))


def shared_volume_cm3(
    first: Region,
    second: Region,
    lower: Float[np.ndarray, "3"],
    upper: Float[np.ndarray, "3"],
) -> float:
    """Volume in cm3 inside both solids: 1 mm voxels whose centres have two negative distances.

    The voxels lie on one fixed lattice, centres at half-odd millimetres of the frame (so a mirrored
    scene gives the same count). Cells of 8 mm are divided only where a distance leaves it open
    whether their voxels are inside, so the count equals that of all voxels and the cost follows the
    overlap's surface. (Across holes of an open mesh the sign jumps away from any surface; there
    the count can be off by part of a cell.)

    Args:
        first: One solid; asked more often, so give the cheaper one.
        second: The other.
        lower: Smallest corner of a box that holds the overlap, metres.
        upper: Its largest corner.
    """
    if np.any(upper <= lower):
        return 0.0
    edge = _COARSEST
    start, stop = (
        rounding(bound / (edge * VOXEL)).astype(int)
        for rounding, bound in ((np.floor, lower), (np.ceil, upper))
    )
    axes = [np.arange(a, b) for a, b in zip(start, stop, strict=True)]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3) * edge
    # What is known of the distance at each cell's centre: nothing yet.
    values = [np.zeros(len(cells)) for _ in range(2)]
    shift = np.inf
    count = 0
    while True:
        # No voxel centre of a cell is farther from the cell's centre than this.
        reach = (edge - 1) / 2 * np.sqrt(3.0) * VOXEL
        for which, region in enumerate((first, second)):
            values[which] = _updated(values[which], shift, reach, cells, edge, region)
            keep = values[which] < reach if edge > 1 else values[which] < 0
            cells, values = cells[keep], [known[keep] for known in values]
        whole = np.maximum(*values) < -reach if edge > 1 else np.ones(len(cells), dtype=bool)
        count += int(whole.sum()) * edge**3
        if edge == 1:
            return count * VOXEL**3 * 1e6
        edge //= 2
        corners = np.stack(np.meshgrid(*[[0, edge]] * 3, indexing="ij"), -1).reshape(-1, 3)
        cells = (cells[~whole][:, None] + corners).reshape(-1, 3)
        values = [np.repeat(known[~whole], 8) for known in values]
        shift = edge / 2 * np.sqrt(3.0) * VOXEL


def _updated(
    known: Float[np.ndarray, "cell"],
    shift: float,
    reach: float,
    cells: Int[np.ndarray, "cell 3"],
    edge: int,
    region: Region,
) -> Float[np.ndarray, "cell"]:
    """Distances at cell centres, asked for only where those `shift` away leave the side open."""
    open_cells = np.abs(known) - shift <= reach
    values = np.sign(known) * (np.abs(known) - np.where(open_cells, 0.0, shift))
    centres = (cells[open_cells] + edge / 2) * VOXEL
    if edge > 1:
        values[open_cells] = region.signed_distances(centres)
    else:  # of a single voxel only the side matters
        values[open_cells] = np.where(region.contains(centres), -VOXEL, VOXEL)
    return values


@dataclass(frozen=True, kw_only=True)
class GraspMetrics:
    """The metrics of one grasp; pairs are (left, right), None for a hand that is absent."""

    penetration_depth_mm: tuple[float | None, float | None]
    """Deepest hand vertex inside the object."""
    intersection_volume_cm3: tuple[float | None, float | None]
    """1 mm voxels inside both the object and the hand sealed at the wrist."""
    contact_ratio: tuple[float | None, float | None]
    """Share of hand vertices within 5 mm of the surface."""
    fingers_in_contact: tuple[int | None, int | None]
    """Fingers whose pad is within 3 mm of the surface, 0 to 5."""
    limit_violation_deg: tuple[float | None, float | None]
    """Largest excess over a joint limit."""
    hand_hand_depth_mm: float
    """Deepest vertex of one hand inside the other, sealed at the wrist; 0 for one hand."""
    hand_hand_volume_cm3: float
    """1 mm voxels inside both sealed hands."""
    time_s: float
    """Wall-clock time of the synthesis, shared equally among the grasps of its batch."""

    @property
    def both_hands_in_contact(self) -> bool:
        """Whether each hand has a vertex within 5 mm of the surface."""
        return all(bool(ratio) for ratio in self.contact_ratio)

    def to_json(self) -> dict[str, Any]:
        """Plain values for grasps.json: pairs as left, right and, where meaningful, sum."""
        return {
            **{name: _sides(getattr(self, name), summed) for name, summed in _PAIRS.items()},
            "both_hands_in_contact": self.both_hands_in_contact,
            **{name: getattr(self, name) for name in _SCALARS},
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "GraspMetrics":
        """Inverse of `to_json`; KeyError or TypeError if a value is missing."""
        pairs = {name: (values[name]["left"], values[name]["right"]) for name in _PAIRS}
        return cls(**pairs, **{name: values[name] for name in _SCALARS})


# Pair-valued fields, and whether their sum over the hands is meaningful.
_PAIRS = {
    "penetration_depth_mm": True,
    "intersection_volume_cm3": True,
    "contact_ratio": False,
    "fingers_in_contact": True,
    "limit_violation_deg": False,
}
_SCALARS = ("hand_hand_depth_mm", "hand_hand_volume_cm3", "time_s")


def _sides(pair: tuple[Any, Any], summed: bool) -> dict[str, Any]:
    sides = {"left": pair[0], "right": pair[1]}
    if summed:
        sides["sum"] = sum(value for value in pair if value is not None)
    return sides
