"""What the results of one object of a grasp job say about themselves."""

from dataclasses import asdict
from typing import Any

import numpy as np

from bghop.drawing.posed import posed_scene
from bghop.geometry.mesh import Mesh
from bghop.hands.mano import OWN_SETTINGS
from bghop.hands.model import HandModel
from bghop.jobs.checkpoints import checkpoint_name
from bghop.jobs.grasp_inputs import (
    HOLD_SETTINGS,
    ObjectInput,
    identity_of,
    settings_of,
)
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.result_writer import Page, Strip
from bghop.synthesis.synthesize import Film, Synthesis


def page_of(
    job: GraspJob, item: ObjectInput, mesh: Mesh, hand_model: HandModel, found: Synthesis
) -> Page:
    """Header, title and subtitle of the results of one mesh."""
    film = found.film
    options = settings_of(job, item)
    verified = {"verified": True, "hold_settings": asdict(HOLD_SETTINGS)} if job.verified else {}
    learned = {}
    if job.prior_folder is not None:
        name = checkpoint_name(job.prior_folder)
        learned = {"checkpoint": {"folder": name, "sha256": options["checkpoint"]}}
    return Page(
        title=item.name,
        about=size_words(mesh),
        header={
            "job": identity_of(job, item),
            "method": found.method or job.method,
            "seed": job.seed,
            "text": job.text,
            "options": options,
            "hand_model": hand_model_header(hand_model),
            "object": {
                "file": item.source,
                "name": item.name,
                "scale": job.scale,
                "unit": job.unit,
                **mesh_header(mesh),
            },
            **verified,
            **learned,
        },
        warnings=(*(warning.message for warning in mesh.warnings), *found.notes),
        moments=(lambda row: _moments(film, row, mesh, hand_model)) if film else None,
    )


def _moments(film: Film, row: int, mesh: Mesh, hand_model: HandModel) -> Strip:
    """How one candidate came to be."""
    scenes = [posed_scene(hand_model, hands.rows(row), mesh) for _, hands in film]
    return scenes, [caption for caption, _ in film]


def hand_model_header(hand_model: HandModel) -> dict[str, Any]:
    """The field `hand_model`: how to read parameters."""
    return {
        "name": hand_model.name,
        "shape_names": list(hand_model.shape_names),
        "settings": dict(OWN_SETTINGS) if hand_model.name == "mano" else {},
    }


def mesh_header(mesh: Mesh) -> dict[str, Any]:
    """Size of a mesh as it was loaded."""
    return {
        "size_m": np.ptp(mesh.vertices, axis=0).tolist(),
        "num_vertices": len(mesh.vertices),
        "num_faces": len(mesh.faces),
    }


def size_words(mesh: Mesh) -> str:
    """`24.0 x 10.1 x 9.0 cm`."""
    size = " x ".join(f"{100 * edge:.1f}" for edge in np.ptp(mesh.vertices, axis=0))
    return f"{size} cm"
