"""Where an object lies in a prior's grid: `p_grid = R p_object + t`, one motion for every sample.

Priors in the object's frame were trained with z up and the middle of the object's box at the grid's
origin. Released ones live in the right wrist's frame: with a known right hand the place follows
from it, without one every sample tries another direction (the object's middle at the origin, which
is 8 cm before the palm) and the sampled right hand says whether it fits.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.fields.released_frame import T_frame_object
from bghop.geometry.grid import CubeGrid
from bghop.geometry.mesh import Mesh
from bghop.geometry.rotations import random_rotations
from bghop.geometry.sdf import sdf_on_cube
from bghop.geometry.transforms import invert_rigid, rigid, transform_points
from bghop.hands.model import HandModel, HandParameters

MARGIN = 0.05
"""Metres that must stay free between the object and every side of the grid."""
_UP = {
    "x": ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),
    "y": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    "z": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
}
"""Rotations that turn an axis to +z."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """Motions of one object into the grid, one for each sample."""

    T_grid_object: Float[Tensor, "n 4 4"]
    same: bool
    """Whether all samples have the same one."""

    def to_object(self, hands: HandParameters, rows: slice) -> HandParameters:
        """Hands of these samples from the grid's frame to the object's."""
        back = invert_rigid(self.T_grid_object[rows]).to(hands.T_object_hand)
        return replace(hands, T_object_hand=back[:, None] @ hands.T_object_hand)

    def points_to_grid(
        self, points_object: Float[Tensor, "hand=2 joint 3"]
    ) -> Float[Tensor, "n hand=2 joint 3"]:
        """Points of the object's frame as every sample sees them."""
        num = len(self.T_grid_object)
        T = self.T_grid_object[:, None].to(points_object).expand(num, 2, 4, 4)
        return transform_points(T, points_object.expand(num, *points_object.shape))


def place(
    mesh: Mesh,
    spec: GridSpec,
    *,
    num: int,
    seed: int,
    first: int = 0,
    up: str = "z",
    right_joints: tuple[HandModel, HandParameters] | None = None,
) -> Placement:
    """Motions of an object into a prior's grid.

    Args:
        mesh: the object.
        spec: the prior's grid.
        num: samples.
        seed: of random directions; the motion of a sample depends on `(seed, first + i)` only.
        first: number of the first sample.
        up: axis of the object's frame that points up, or `none`.
        right_joints: model and parameters (no leading batch) of a known right hand, which decides
            the place in the frame `right`.
    """
    if spec.frame == "object":
        T = _centred(mesh, up_rotation(up)[None])
        return Placement(T_grid_object=T.expand(num, 4, 4), same=True)
    if right_joints is not None:
        T = T_frame_object(*right_joints)
        return Placement(T_grid_object=T.expand(num, 4, 4), same=True)
    turns = [
        random_rotations(1, generator=torch.Generator().manual_seed((seed * 1_000_003 + i) % 2**63))
        for i in range(first, first + num)
    ]
    return Placement(T_grid_object=_centred(mesh, torch.cat(turns).double()), same=False)


def up_rotation(up: str) -> Float[Tensor, "3 3"]:
    """Turns an axis (`x`, `y`, `z`) to +z; the identity for `none`."""
    return torch.tensor(_UP.get(up, _UP["z"]), dtype=torch.float64)


def grid_distances(mesh: Mesh, spec: GridSpec, placement: Placement) -> Float[Tensor, "n 1 x y z"]:
    """Exact distances of the placed object on the first stage's lattice, metres.

    Raises:
        OptionError: The object is too long for the grid.
    """
    cube = CubeGrid(
        resolution=spec.resolution * spec.reduction,
        half_extent=spec.half_extent,
        alignment="corner",
    )
    distinct = placement.T_grid_object[:1] if placement.same else placement.T_grid_object
    grids = []
    for T in distinct.double().numpy():
        moved = mesh.transformed(T)
        check_size(moved, spec)
        grids.append(sdf_on_cube(moved, cube).values)
    return torch.stack(grids)[:, None].expand(len(placement.T_grid_object), -1, -1, -1, -1)


def check_size(mesh: Mesh, spec: GridSpec) -> None:
    """Refuse an object that does not fit into the grid.

    Raises:
        OptionError: It is longer than the grid holds.
    """
    if not fits(mesh, spec):
        raise OptionError(
            f"{mesh.name} is {100 * float(mesh.extents.max()):.0f} cm long and this prior sees "
            f"objects up to {100 * _room(spec):.0f} cm: use --scale to make it smaller, or "
            "--method optimize"
        )


def fits(mesh: Mesh, spec: GridSpec) -> bool:
    """Whether an object is short enough for the grid."""
    return float(mesh.extents.max()) <= _room(spec) + 1e-9


def _room(spec: GridSpec) -> float:
    return 2 * (spec.half_extent - MARGIN)


def _centred(mesh: Mesh, R: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n 4 4"]:
    """Turned, with the middle of its box after turning at the origin."""
    moved = torch.from_numpy(mesh.vertices) @ R.transpose(-1, -2)
    middle = (moved.amin(1) + moved.amax(1)) / 2
    return rigid(R, -middle)
