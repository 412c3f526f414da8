"""Objects of rigid parts with one joint: distances at any joint value from one grid per part."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.geometry.joint import Joint
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid, lattice, sdf_from_mesh
from bghop.geometry.transforms import invert_rigid, transform_points


@dataclass(frozen=True, kw_only=True, eq=False)
class ArticulatedSdf:
    """Distance grids of the parts, each in its own frame, and the joint."""

    grids: tuple[SdfGrid, ...]
    joint: Joint

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "ArticulatedSdf":
        """The same grids on another device or in another precision."""
        grids = tuple(grid.to(device, dtype) for grid in self.grids)
        return ArticulatedSdf(grids=grids, joint=self.joint)

    def distance(
        self, points: Float[Tensor, "*batch n 3"], value: Float[Tensor, "*#batch"]
    ) -> Float[Tensor, "*batch n"]:
        """Signed distance (metres) to the union of the parts, with gradients in both arguments.

        Exact outside all parts up to the grids; inside an overlap of parts a lower bound of the
        depth.

        Args:
            points: object frame, metres.
            value: joint values, one per batch entry (a scalar tensor for all of them).
        """
        pairs = zip(self.grids, self._local(points, value), strict=True)
        return torch.stack([grid.distance(local) for grid, local in pairs], dim=-1).amin(-1)

    def distance_and_normal(
        self, points: Float[Tensor, "*batch n 3"], value: Float[Tensor, "*#batch"]
    ) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch n 3"]]:
        """As `distance`, and the unit outward direction in the object frame (not tracked)."""
        looked = [
            grid.distance_and_normal(local)
            for grid, local in zip(self.grids, self._local(points, value), strict=True)
        ]
        with torch.no_grad():
            R = self.joint.T_object_part(value)[..., :3, :3]
            normals = [
                normal @ R.transpose(-1, -2) if number == self.joint.moving else normal
                for number, (_, normal) in enumerate(looked)
            ]
        distance, nearest = torch.stack([d for d, _ in looked], dim=-1).min(-1)
        index = nearest[..., None, None].expand(*nearest.shape, 3, 1)
        return distance, torch.stack(normals, dim=-1).gather(-1, index).squeeze(-1)

    def at(self, value: float, *, resolution: int = 96, padding: int = 4) -> SdfGrid:
        """One grid of the whole object at one joint value, in the object frame."""
        with torch.no_grad():
            first = self.grids[0].values
            scalar = first.new_tensor(value)
            corners = []
            for number, grid in enumerate(self.grids):
                box = torch.stack([grid.origin, grid.upper])
                eight = torch.cartesian_prod(box[:, 0], box[:, 1], box[:, 2])
                moves = number == self.joint.moving
                T = self.joint.T_object_part(scalar)
                corners.append(transform_points(T, eight) if moves else eight)
            low, high = torch.cat(corners).aminmax(dim=0)
            spacing = float((high - low).max()) / (resolution - 1 - 2 * padding)
            counts = [int(float(side) / spacing + 0.999) + 1 + 2 * padding for side in high - low]
            origin = low - padding * spacing
            points = lattice(origin, spacing, (counts[0], counts[1], counts[2]))
            values = self.distance(points.flatten(0, 2), scalar).reshape(counts)
        return SdfGrid(values=values, origin=origin, spacing=spacing)

    def _local(self, points: Tensor, value: Tensor) -> list[Tensor]:
        """The points in the frame of each part."""
        T_part_object = invert_rigid(self.joint.T_object_part(value))
        moved = transform_points(T_part_object, points)
        return [
            moved if number == self.joint.moving else points for number in range(len(self.grids))
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class ArticulatedObject:
    """Rigid parts in the object frame at joint value 0, and the joint that moves one of them."""

    parts: tuple[Mesh, ...]
    joint: Joint
    name: str = "object"

    def __post_init__(self) -> None:
        """Refuse a joint that moves a part which is not there."""
        if not 0 <= self.joint.moving < len(self.parts):
            raise ValueError(f"joint moves part {self.joint.moving} of {len(self.parts)} parts")

    def mesh(self, value: float) -> Mesh:
        """All parts as one mesh at one joint value (radians or metres)."""
        T = self.joint.T_object_part(torch.tensor(value, dtype=torch.float64)).numpy()
        moved = [
            part.transformed(T) if number == self.joint.moving else part
            for number, part in enumerate(self.parts)
        ]
        return Mesh.concatenated(moved, name=self.name)

    def scaled(self, factor: float) -> "ArticulatedObject":
        """Parts and joint scaled about the origin of the object frame."""
        x, y, z = self.joint.origin
        low, high = self.joint.limits
        stretch = factor if self.joint.kind == "prismatic" else 1.0
        joint = Joint(
            kind=self.joint.kind,
            axis=self.joint.axis,
            origin=(x * factor, y * factor, z * factor),
            limits=(low * stretch, high * stretch),
            moving=self.joint.moving,
        )
        parts = tuple(part.scaled(factor) for part in self.parts)
        return ArticulatedObject(parts=parts, joint=joint, name=self.name)

    def sdf(self, *, resolution: int = 64, padding: int = 4) -> ArticulatedSdf:
        """One distance grid per part; enough for every joint value."""
        grids = tuple(
            sdf_from_mesh(part, resolution=resolution, padding=padding) for part in self.parts
        )
        return ArticulatedSdf(grids=grids, joint=self.joint)
