"""Hands and meshes as scenes to draw; needs torch, which the process that draws does not."""

from collections.abc import Sequence

import torch

from bghop.drawing.scene import Scene, Triangles
from bghop.drawing.shading import split_sharp_edges
from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.interaction import stacked


def drawable(mesh: Mesh) -> Triangles:
    """Triangles of an object whose sharp edges look sharp."""
    return split_sharp_edges(mesh.vertices, mesh.faces)


def posed_scenes(
    model: HandModel, hands: HandParameters, objects: Sequence[Triangles]
) -> list[Scene]:
    """Hands (batch `n`) on `n` objects, or on one for all; wrists are closed."""
    with torch.no_grad():
        posed = model.pose_hands(hands).vertices_object.cpu().double().numpy()
    faces = [each.cpu().numpy() for each in model.closed_faces]
    scenes = []
    for i, present in enumerate(hands.present.tolist()):
        left, right = ((posed[i, k], faces[k]) if present[k] else None for k in range(2))
        scenes.append(Scene(object=objects[i if len(objects) > 1 else 0], hands=(left, right)))
    return scenes


def posed_scene(model: HandModel, hands: HandParameters, mesh: Mesh) -> Scene:
    """One object with hands (no leading batch)."""
    return posed_scenes(model, stacked([hands]), [drawable(mesh)])[0]
