"""The skin points that the energy looks at, and everything it needs to know of posed hands.

Full hands have 1,600 vertices a side; the energy sees all pads and a spread of the rest.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bghop.geometry.sdf import SdfGrid
from bghop.hands.anatomy import vertex_areas_and_normals
from bghop.hands.joints import TIP_BONES
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis.spheres import HandSpheres, forearm_points, make_spheres

PAD_POINTS = 10
PALM_POINTS = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
    """Chosen vertices of a hand model: five pads, then palm, then the rest of the skin."""

    model: HandModel
    vertices: Int[Tensor, "vert"]
    pad_normals: Float[Tensor, "hand=2 5 pad 3"]
    """Outward skin normals of the pad points in their bone's rest frame."""
    spheres: HandSpheres


@dataclass(frozen=True, kw_only=True, eq=False)
class HandState:
    """What the energy terms are functions of; batch `n` candidates, all lengths in metres."""

    present: Bool[Tensor, "n hand=2"]
    """Hands that exist; no term counts the others."""
    angles: Float[Tensor, "n hand=2 15 3"]
    pad_points: Float[Tensor, "n hand=2 5 pad 3"]
    pad_distance: Float[Tensor, "n hand=2 5 pad"]
    pad_facing: Float[Tensor, "n hand=2 5 pad"]
    """Skin normal times object normal: -1 = the pad's flat side meets the surface."""
    pad_object_normals: Float[Tensor, "n hand=2 5 pad 3"]
    palm_points: Float[Tensor, "n hand=2 palm 3"]
    palm_distance: Float[Tensor, "n hand=2 palm"]
    palm_object_normals: Float[Tensor, "n hand=2 palm 3"]
    skin_distance: Float[Tensor, "n hand=2 vert"]
    sphere_centres: Float[Tensor, "n hand=2 sphere 3"]
    sphere_distance: Float[Tensor, "n hand=2 sphere"]
    forearm_distance: Float[Tensor, "n hand=2 point"]


def make_probe(model: HandModel, *, num_skin: int = 260) -> Probe:
    """Choose points once per model, in each region as far from each other as possible."""
    rest = model.vertices_rest
    right = rest[1]
    pads = [pad[_spread(right[pad], PAD_POINTS)] for pad in model.regions.pads]
    palm = model.regions.palm[_spread(right[model.regions.palm], PALM_POINTS)]
    fixed = torch.cat([*pads, palm])
    skin = _spread(right, num_skin, first=fixed)
    normals = _vertex_normals(model)
    return Probe(
        model=model,
        vertices=torch.cat([fixed, skin]),
        pad_normals=torch.stack([normals[:, pad] for pad in pads], dim=1),
        spheres=make_spheres(model),
    )


def observe(
    probe: Probe, sdf: SdfGrid, hands: HandParameters, angles: Float[Tensor, "n hand=2 15 3"]
) -> HandState:
    """Pose the probe's points and look up the object's distances and normals there."""
    points, bones = probe.model.skin(hands, vertices=probe.vertices)
    num_pads = 5 * PAD_POINTS
    contact = points[..., : num_pads + PALM_POINTS, :]
    distance, normals = sdf.distance_and_normal(contact)
    # The rest of the skin needs distances only.
    rest = sdf.distance(points[..., num_pads + PALM_POINTS :, :])

    tips = bones[..., list(TIP_BONES), :3, :3]  # n hand 5 3 3
    pad_skin = (tips[..., None, :, :] @ probe.pad_normals[..., None]).squeeze(-1)

    pad_normals = normals[..., :num_pads, :].unflatten(-2, (5, PAD_POINTS))
    palm_normals = normals[..., num_pads:, :]
    centres = probe.spheres.centres_object(bones)
    return HandState(
        present=hands.present,
        angles=angles,
        pad_points=points[..., :num_pads, :].unflatten(-2, (5, PAD_POINTS)),
        pad_distance=distance[..., :num_pads].unflatten(-1, (5, PAD_POINTS)),
        pad_facing=(pad_skin * pad_normals).sum(-1),
        pad_object_normals=pad_normals,
        palm_points=points[..., num_pads : num_pads + PALM_POINTS, :],
        palm_distance=distance[..., num_pads:],
        palm_object_normals=palm_normals,
        skin_distance=torch.cat([distance, rest], dim=-1),
        sphere_centres=centres,
        sphere_distance=sdf.distance(centres),
        forearm_distance=sdf.distance(forearm_points(hands.T_object_hand)),
    )


def _spread(
    points: Float[Tensor, "n 3"], num: int, first: Int[Tensor, "m"] | None = None
) -> Int[Tensor, "k"]:
    """Farthest-point sampling; `first` counts as taken already. Returns at most `num` indices."""
    if first is None:
        start = (points - points.mean(0)).norm(dim=-1).argmin()
        taken = [int(start)]
        nearest = (points - points[start]).norm(dim=-1)
    else:
        taken = []
        nearest = torch.cdist(points, points[first]).amin(-1)
    while len(taken) < num:
        i = int(nearest.argmax())
        taken.append(i)
        nearest = torch.minimum(nearest, (points - points[i]).norm(dim=-1))
    return torch.tensor(taken, device=points.device)


def _vertex_normals(model: HandModel) -> Float[Tensor, "hand=2 vert 3"]:
    """Area-weighted outward normals of the rest meshes."""
    normals = [
        vertex_areas_and_normals(
            model.vertices_rest[side].detach().cpu().double().numpy(),
            model.faces[side].cpu().numpy(),
        )[1]
        for side in range(2)
    ]
    return torch.as_tensor(np.stack(normals)).to(model.vertices_rest)
