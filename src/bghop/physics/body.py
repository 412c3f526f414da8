"""What an object weighs: volume, centre of mass and inertia of a mesh, however it is made.

Counted on a lattice with winding numbers, so holes and overlapping parts do no harm.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bghop.errors import MeshError
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.physics.settings import mass_from_volume

LATTICE = 300_000
"""Lattice points in the bounding box that the hold test's masses are counted with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Body:
    """A solid of one density; object frame."""

    volume: float
    """Cubic metres."""
    centre: Float[np.ndarray, "3"]
    """Centre of mass, metres."""
    inertia: Float[np.ndarray, "3 3"]
    """About the centre, per unit of mass, square metres."""
    radius: float
    """Metres from the centre to the farthest vertex of the mesh."""

    @property
    def mass(self) -> float:
        """Kilograms: 500 kg/m3 times the volume, between 0.1 and 2 kg."""
        return mass_from_volume(self.volume)


def body_of(mesh: Mesh, query: MeshQuery, *, samples: int = LATTICE) -> Body:
    """Counts lattice points inside the mesh.

    Args:
        mesh: The object.
        query: Exact queries to it.
        samples: About how many points fill its bounding box; 20,000 give the volume of a compact
            solid within a percent in 0.05 s.

    Raises:
        MeshError: The mesh encloses no volume.
    """
    points, cell = lattice(mesh, samples)
    inside = points[query.contains(points)]
    if not len(inside):
        raise MeshError(f"{mesh.name} encloses no volume: close it or give it a thickness")
    centre = inside.mean(0)
    arm = inside - centre
    spread = arm.T @ arm / len(arm)
    return Body(
        volume=len(inside) * cell,
        centre=centre,
        inertia=np.trace(spread) * np.eye(3) - spread,
        radius=float(np.linalg.norm(mesh.vertices - centre, axis=1).max()),
    )


def lattice(mesh: Mesh, samples: int) -> tuple[Float[np.ndarray, "n 3"], float]:
    """Cell centres that fill the bounding box, symmetric in it, and a cell's volume."""
    lower, upper = mesh.bounds
    extents = np.maximum(upper - lower, 1e-9)
    step = (extents.prod() / samples) ** (1 / 3)
    counts = np.maximum(np.ceil(extents / step), 8).astype(int)
    axes = [
        low + (np.arange(n) + 0.5) * size / n
        for low, size, n in zip(lower, extents, counts, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return points, float((extents / counts).prod())
