"""`ObjectStore`: signed distances of many objects in one small tensor, looked up on any lattice.

Each rigid part of an object has a box of samples, padded by `reach` beyond its surface and clamped
there: one byte a sample (`reach / 127`, 0.4 mm, is the step). Objects with a joint are the union of
their parts, each looked up where it has moved to. Nothing else is stored: a batch of 64^3 grids in
any pose takes milliseconds, because only points within a part's box are looked up at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int8, Int32, Int64
from torch import Tensor

from bghop.errors import DataError
from bghop.geometry.joint import Joint
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import invert_rigid, rigid, transform_points

STEPS = 127
"""Steps of the stored numbers on either side of the surface."""
NUM_SUPPORT = 192
"""Outermost points of a part that are kept to know its box in any pose."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredTriangles:
    """A surface; training never reads it, pictures and simulations do."""

    vertices: Float[Tensor, "vert 3"]
    """Metres, float32."""
    faces: Int32[Tensor, "face 3"]
    """Corners of each face, counter-clockwise seen from outside."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredPart:
    """One rigid part, in the object frame at joint value 0."""

    values: Int8[Tensor, "nx ny nz"]
    origin: Float[Tensor, "3"]
    """Position of sample [0, 0, 0], metres."""
    spacing: float
    """Metres between samples."""
    support: Float[Tensor, "support=192 3"]
    """Points of the surface that are outermost in some direction, metres."""
    triangles: StoredTriangles | None = None
    """The surface itself, where it is kept."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredObject:
    """One object as a file holds it."""

    key: str
    parts: tuple[StoredPart, ...]
    joint: Joint | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectStore:
    """All objects of a data set; made by `stack_objects`.

    The samples may be on any device. All else, and every pose, index and joint value that is asked
    about, is on the CPU, so that no device ever waits for a number.
    """

    keys: tuple[str, ...]
    reach: float
    """Metres from the surface up to which distances are known; farther ones are clamped."""
    values: Int8[Tensor, "total"]
    """Samples of all parts one after the other, z fastest."""
    part_start: Int64[Tensor, "part"]
    part_counts: Int64[Tensor, "part 3"]
    part_origin: Float[Tensor, "part 3"]
    part_spacing: Float[Tensor, "part"]
    part_support: Float[Tensor, "part support=192 3"]
    parts: Int64[Tensor, "object slot"]
    """Parts of each object; objects of fewer parts than others repeat their first one."""
    moving: Bool[Tensor, "object slot"]
    """Whether the object's joint moves that part."""
    prismatic: Bool[Tensor, "object"]
    joint_axis: Float[Tensor, "object 3"]
    joint_origin: Float[Tensor, "object 3"]
    joint_limits: Float[Tensor, "object 2"]

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.keys)

    @property
    def megabytes(self) -> float:
        """Memory of the samples."""
        return self.values.numel() / 1e6

    def index_of(self, keys: Sequence[str]) -> Int64[Tensor, "n"]:
        """Numbers of objects by key, on the CPU.

        Raises:
            DataError: An object is not in the store.
        """
        number = {key: i for i, key in enumerate(self.keys)}
        missing = sorted({key for key in keys if key not in number})
        if missing:
            raise DataError(
                f"{len(missing)} objects of the records are not in the object store (the first is "
                f"'{missing[0]}'): give the file that was written together with the records"
            )
        return torch.tensor([number[key] for key in keys], dtype=torch.int64)

    def to(self, device: torch.device | str) -> "ObjectStore":
        """The same store with its samples on another device; poses are always on the CPU."""
        return replace(self, values=self.values.to(device))

    def Ts_object_part(
        self, index: Int64[Tensor, "b"], joint_value: Float[Tensor, "b"]
    ) -> Float[Tensor, "b slot 4 4"]:
        """`p_object = T_object_part @ p_part`: identity for parts that do not move."""
        motion = joint_value[:, None] * self.joint_axis[index]
        slides = self.prismatic[index, None]
        R = matrix_from_rotvec(torch.where(slides, torch.zeros_like(motion), motion))
        origin = self.joint_origin[index]
        turned = origin - (R @ origin[..., None]).squeeze(-1)
        T_moved = rigid(R, torch.where(slides, motion, turned))[:, None]
        eye = torch.eye(4, device=motion.device, dtype=motion.dtype)
        return torch.where(self.moving[index][..., None, None], T_moved, eye)

    def box(
        self,
        index: Int64[Tensor, "b"],
        joint_value: Float[Tensor, "b"],
        T_frame_object: Float[Tensor, "b 4 4"],
    ) -> Float[Tensor, "b corner=2 3"]:
        """Lowest and highest corner of the objects' surfaces in a frame, metres.

        `T_frame_object` may be a mirroring (determinant -1).
        """
        Ts = T_frame_object[:, None] @ self.Ts_object_part(index, joint_value)
        points = transform_points(Ts, self.part_support[self.parts[index]]).flatten(1, 2)
        return torch.stack([points.amin(1), points.amax(1)], dim=1)

    def distance(
        self,
        index: Int64[Tensor, "b"],
        joint_value: Float[Tensor, "b"],
        points_object: Float[Tensor, "b n 3"],
    ) -> Float[Tensor, "b n"]:
        """Signed distance (metres) at points of each object's own frame, within +-`reach`."""
        Ts_part_object = invert_rigid(self.Ts_object_part(index, joint_value))
        found = torch.full(points_object.shape[:2], self.reach, device=self.values.device)
        # All rows of an object at once: a call for each of them takes longer than its sums.
        for number in index.unique().tolist():
            rows = (index == number).nonzero().squeeze(1)
            points, Ts = points_object[rows], Ts_part_object[rows]
            here = found.new_full(points.shape[:2], torch.inf)
            for k, part in enumerate(self._parts_of(number)):
                place = self._place(part, transform_points(Ts[:, k], points).flatten(0, 1))
                here = torch.minimum(here, self._look_up(part, place).view_as(here))
            found[rows.to(found.device)] = here
        return found

    def lattice_distance(
        self,
        index: Int64[Tensor, "b"],
        joint_value: Float[Tensor, "b"],
        T_object_frame: Float[Tensor, "b 4 4"],
        axes: Float[Tensor, "xyz=3 n"],
        *,
        truncation: float,
    ) -> Float[Tensor, "b n n n"]:
        """Distances on the lattice `(axes[0][i], axes[1][j], axes[2][k])` of a frame.

        Args:
            index: objects.
            joint_value: radians or metres.
            T_object_frame: `p_object = T_object_frame @ p_frame`; may mirror.
            axes: ascending lattice coordinates in the frame, metres.
            truncation: largest absolute distance that is told, metres.

        Returns:
            Metres, clamped to +-`truncation`, on the device of the samples; index i, j, k follows
            x, y, z.

        Raises:
            DataError: `truncation` is more than the store's reach.
        """
        if truncation > self.reach + 1e-6:
            raise DataError(
                f"distances up to {truncation} m are asked but the object store knows them up to "
                f"{self.reach} m: write it again with a larger reach"
            )
        n = axes.shape[1]
        grid = torch.full((len(index), n, n, n), truncation, device=self.values.device)
        Ts_part_object = invert_rigid(self.Ts_object_part(index, joint_value))
        Ts_part_frame = Ts_part_object @ T_object_frame[:, None]
        ranges = self._ranges(index, Ts_part_frame, axes)
        # Place in a box = start + A @ point, in samples; moved to the device all at once.
        part = self.parts[index]
        spacing = self.part_spacing[part][..., None]
        A = (Ts_part_frame[..., :3, :3] / spacing[..., None]).to(grid.device)
        start = ((Ts_part_frame[..., :3, 3] - self.part_origin[part]) / spacing).to(grid.device)
        axes_here = axes.to(grid.device)
        lower = self._lower_all if grid.is_cuda else self._lower_inside
        for i, number in enumerate(index.tolist()):
            for slot, each in enumerate(self._parts_of(number)):
                (x0, x1), (y0, y1), (z0, z1) = ranges[i][slot]
                block = grid[i, x0:x1, y0:y1, z0:z1]
                if block.numel():
                    near = (axes_here[0, x0:x1], axes_here[1, y0:y1], axes_here[2, z0:z1])
                    lower(block, each, _places(A[i, slot], start[i, slot], near))
        return grid.clamp_(-truncation, truncation)

    def _parts_of(self, number: int) -> list[int]:
        """Parts of one object, without repetitions."""
        parts = self.parts[number].tolist()
        return [part for k, part in enumerate(parts) if part not in parts[:k]]

    def _ranges(
        self, index: Tensor, Ts_part_frame: Float[Tensor, "b slot 4 4"], axes: Tensor
    ) -> list[list[list[list[int]]]]:
        """First and last-but-one lattice numbers along x, y, z of what a part's box can touch."""
        part = self.parts[index]
        low = self.part_origin[part]
        high = low + (self.part_counts[part] - 1) * self.part_spacing[part][..., None]
        middle, half = (low + high) / 2, (high - low) / 2
        # Only the linear part may mirror; its inverse is its transpose either way.
        R = Ts_part_frame[..., :3, :3].transpose(-1, -2)
        centre = (R @ (middle - Ts_part_frame[..., :3, 3])[..., None]).squeeze(-1)
        size = (R.abs() @ half[..., None]).squeeze(-1)
        bounds = torch.stack([centre - size, centre + size], dim=-1)  # b slot xyz 2
        flat = bounds.permute(2, 0, 1, 3).flatten(1).contiguous()
        numbers = torch.searchsorted(axes.contiguous(), flat).view(3, *bounds.shape[:2], 2)
        return numbers.permute(1, 2, 0, 3).tolist()

    def _lower_inside(
        self, block: Float[Tensor, "nx ny nz"], part: int, place: Float[Tensor, "xyz=3 n"]
    ) -> None:
        """`block = min(block, distance)` in place; only places inside the box are looked up."""
        last = (self.part_counts[part] - 1)[:, None]
        inside = ((place >= 0) & (place <= last)).all(0).nonzero().squeeze(1)
        found = self._look_up(part, place[:, inside].T)
        flat = block.flatten()
        flat[inside] = torch.minimum(flat[inside], found)
        block.copy_(flat.view(block.shape))

    def _lower_all(
        self, block: Float[Tensor, "nx ny nz"], part: int, place: Float[Tensor, "xyz=3 n"]
    ) -> None:
        """The same without choosing, which would make the host wait for a GPU."""
        found = self._look_up(part, place.T)
        torch.minimum(block, found.view(block.shape), out=block)

    def _place(self, part: int, points_part: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Points in units of samples."""
        place = (points_part - self.part_origin[part]) / self.part_spacing[part]
        return place.to(self.values.device)

    def _look_up(self, part: int, place: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """Trilinear value (metres) at places in units of samples; clamped to the part's box.

        The border of every box holds `reach`, so that clamping is right outside of it.
        """
        nx, ny, nz = self.part_counts[part].tolist()
        first = int(self.part_start[part])
        values = self.values[first : first + nx * ny * nz]
        cells, fractions = [], []
        for size, wanted in zip((nx, ny, nz), place.unbind(-1), strict=True):
            column = wanted.clamp(0, size - 1)
            cell = column.to(torch.int32).clamp_max(size - 2)
            cells.append(cell)
            fractions.append(column - cell)
        base = (cells[0] * ny + cells[1]) * nz + cells[2]
        x, y, z = fractions

        def corner(offset: int) -> Tensor:
            return values[offset:].index_select(0, base).to(place.dtype)

        def row(offset: int) -> Tensor:
            return torch.lerp(corner(offset), corner(offset + 1), z)

        def face(offset: int) -> Tensor:
            return torch.lerp(row(offset), row(offset + nz), y)

        return torch.lerp(face(0), face(ny * nz), x) * (self.reach / STEPS)


def _places(
    A: Float[Tensor, "3 3"], start: Float[Tensor, "3"], axes: tuple[Tensor, Tensor, Tensor]
) -> Float[Tensor, "xyz=3 n"]:
    """`start + A @ (x, y, z)` for all points of a lattice: three short rows per coordinate."""
    x, y, z = (A[:, i, None] * axes[i] for i in range(3))
    plane = (x + start[:, None])[:, :, None] + y[:, None]
    return (plane[..., None] + z[:, None, None]).flatten(1)


def stack_objects(objects: Sequence[StoredObject], *, reach: float) -> ObjectStore:
    """Objects as one store on the CPU.

    Raises:
        DataError: There are none, or a key is there twice.
    """
    keys = tuple(thing.key for thing in objects)
    if not keys:
        raise DataError("no objects to store: give at least one")
    if len(set(keys)) != len(keys):
        raise DataError("an object's key is there twice: give every object a key of its own")
    every = [part for thing in objects for part in thing.parts]
    sizes = torch.tensor([part.values.numel() for part in every])
    slots = max(len(thing.parts) for thing in objects)
    numbers, moving, first = [], [], 0
    for thing in objects:
        count = len(thing.parts)
        numbers.append([first + (i if i < count else 0) for i in range(slots)])
        joint = thing.joint
        # A repeated first part must move as the first part does.
        moves = [
            joint is not None and (i if i < count else 0) == joint.moving for i in range(slots)
        ]
        moving.append(moves)
        first += count
    still = Joint(kind="revolute", axis=(0.0, 0.0, 1.0), limits=(0.0, 0.0))
    joints = [thing.joint or still for thing in objects]
    axis = torch.tensor([joint.axis for joint in joints], dtype=torch.float32)
    return ObjectStore(
        keys=keys,
        reach=reach,
        values=torch.cat([part.values.flatten() for part in every]),
        part_start=sizes.cumsum(0) - sizes,
        part_counts=torch.tensor([list(part.values.shape) for part in every]),
        part_origin=torch.stack([part.origin for part in every]).float(),
        part_spacing=torch.tensor([part.spacing for part in every], dtype=torch.float32),
        part_support=torch.stack([part.support for part in every]).float(),
        parts=torch.tensor(numbers),
        moving=torch.tensor(moving),
        prismatic=torch.tensor([joint.kind == "prismatic" for joint in joints]),
        joint_axis=torch.nn.functional.normalize(axis, dim=-1),
        joint_origin=torch.tensor([joint.origin for joint in joints], dtype=torch.float32),
        joint_limits=torch.tensor([joint.limits for joint in joints], dtype=torch.float32),
    )
