"""A mesh as a prior knows objects: turned upright, the middle of its box at the origin, metres."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh
from bghop.geometry.transforms import invert_rigid, rigid
from bghop.hands.model import HandModel, HandParameters

_REACH = 0.05
"""Metres around the surface that the distance grid covers; first stages are told 4 cm."""
_SAMPLES, _FINEST, _COARSEST = 64, 0.003, 0.005  # as the objects of training are stored


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedObject:
    """The object in the prior's frame, and the way there."""

    mesh: Mesh
    sdf: SdfGrid
    lattice: Float[Tensor, "1 1 n n n"]
    """Distances on the first stage's lattice about the origin, metres."""
    T_object_prior: Float[Tensor, "4 4"]
    """`p_object = T_object_prior @ p_prior`: into the mesh's own frame."""

    def in_mesh_frame(self, hands: HandParameters, like: HandModel) -> HandParameters:
        """Hands relative to the mesh's own frame, on the hand model's device; no gradients."""
        target = like.vertices_rest
        return HandParameters(
            present=hands.present.to(target.device),
            T_object_hand=(self.T_object_prior @ hands.T_object_hand).detach().to(target),
            pose=hands.pose.detach().to(target),
            shape=hands.shape.detach().to(target),
        )

    def in_prior_frame(self, hands: HandParameters) -> HandParameters:
        """Inverse of `in_mesh_frame`."""
        T_prior_object = invert_rigid(self.T_object_prior)
        return HandParameters(
            present=hands.present.to(T_prior_object.device),
            T_object_hand=T_prior_object @ hands.T_object_hand.to(T_prior_object),
            pose=hands.pose.to(T_prior_object),
            shape=hands.shape.to(T_prior_object),
        )


def place_object(
    mesh: Mesh,
    spec: GridSpec,
    R_prior_object: Float[Tensor, "3 3"] | None = None,
    device: torch.device | str | None = None,
) -> PlacedObject:
    """Turn and centre a mesh, and measure distances around it.

    Raises:
        OptionError: It does not fit into the prior's grid.
    """
    R = torch.eye(3, dtype=torch.float64) if R_prior_object is None else R_prior_object.double()
    R = R.cpu()
    turned = mesh.vertices @ R.numpy().T
    middle = (turned.min(0) + turned.max(0)) / 2
    upright = replace(mesh, vertices=turned - middle)
    longest = float(upright.extents.max())
    if longest > 2 * spec.half_extent:
        raise OptionError(
            f"{mesh.name} is {longest:.2f} m long, and this prior knows objects of up to "
            f"{2 * spec.half_extent:.2f} m: check its unit (--unit, --scale)"
        )
    spacing = min(max(longest / _SAMPLES, _FINEST), _COARSEST)
    padding = math.ceil(_REACH / spacing)
    samples = max(2, math.ceil(longest / spacing) + 1)
    sdf = sdf_from_mesh(upright, resolution=samples + 2 * padding, padding=padding).to(device)
    axis = spec.first_stage_axis(device=device) * spec.unit
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
    with torch.no_grad():
        lattice = sdf.distance(points)[None, None]
    T = rigid(R.T, R.T @ torch.from_numpy(middle))
    return PlacedObject(mesh=upright, sdf=sdf, lattice=lattice, T_object_prior=T.float().to(device))
