"""Pictures of any data set: records at random, where hands touch."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from bghop.data.objects_file import read_stored_objects
from bghop.data.objects_from_mesh import mesh_of_object
from bghop.data.record import Records
from bghop.datagen.making import shape_of
from bghop.datagen.parts import PROVENANCE_FILE, read_reports
from bghop.drawing.contact_map import plot_contact_maps
from bghop.drawing.contact_sheet import Cell
from bghop.drawing.posed import posed_scene
from bghop.drawing.worker import SheetWorker
from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel
from bghop.jobs.data_folder import OBJECTS_FILE
from bghop.reporting.blocks import Picture

SHEET_CELLS = 24
_TITLE = "Records at random"


def at_random(objects: Sequence[str], *, most: int = SHEET_CELLS, seed: int = 1) -> list[int]:
    """Rows, as many of different objects as there are, then any.

    Args:
        objects: the object of each row.
        most: rows that are wanted.
        seed: of the choice.
    """
    order: list[int] = np.random.default_rng(seed).permutation(len(objects)).tolist()
    first: dict[str, int] = {}
    for i in order:
        first.setdefault(objects[i], i)
    chosen = list(first.values())[:most]
    shown = set(chosen)
    return chosen + [i for i in order if i not in shown][: most - len(chosen)]


def contact_picture(
    name: str, share: Float[torch.Tensor, "hand=2 vert"], model: HandModel
) -> Picture:
    """Both palms, coloured by how often they touch."""
    png = plot_contact_maps(model.vertices_rest.double().numpy(), share.double().numpy())
    return Picture(
        name=name, title="Contact maps", png=png,
        caption="Palmar side; share of hands with an object within 5 mm.",
    )  # fmt: skip


def sheet_picture(
    name: str,
    records: Records,
    meshes: Sequence[Mesh],
    captions: Sequence[tuple[str, str]],
    model: HandModel,
) -> Picture:
    """Each record from two sides.

    Args:
        name: of the file.
        records: those to show.
        meshes: their objects.
        captions: a heading and a line of words for each.
        model: of the hands.

    Raises:
        DrawingError: Pictures cannot be drawn on this machine.
    """
    cells = [
        Cell(
            scene=posed_scene(model, records.hands.rows(row), mesh), heading=heading, caption=words
        )
        for row, (mesh, (heading, words)) in enumerate(zip(meshes, captions, strict=True))
    ]
    with closing(SheetWorker()) as worker:
        worker.request(cells, title=_TITLE, subtitle="of as many objects as there are")
        return Picture(name=name, title=_TITLE, png=worker.answer())


def meshes_of(folder: Path, records: Records) -> list[Mesh]:
    """The object of each record at its joint value, as exactly as the folder knows it.

    Args:
        folder: of a data set: what made its objects, their triangles, or else their distances.
        records: of that data set; a few.

    Raises:
        DataError: A file is damaged.
    """
    if (folder / PROVENANCE_FILE).exists():
        reports = {each.key: each for each in read_reports(folder / PROVENANCE_FILE)}
        if set(records.object) <= set(reports):
            made = [reports[key] for key in records.object]
            return [shape_of(each.family, each.parameters, each.joint_value) for each in made]
    stored, reach = read_stored_objects(folder / OBJECTS_FILE, set(records.object), triangles=True)
    things = {thing.key: thing for thing in stored}
    return [
        mesh_of_object(things[key], value, reach=reach)
        for key, value in zip(records.object, records.joint_value.tolist(), strict=True)
    ]
