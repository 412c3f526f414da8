"""One member of every family in a picture."""

from contextlib import closing
from pathlib import Path

import numpy as np

from bghop.drawing.contact_sheet import Cell
from bghop.drawing.scene import Scene
from bghop.drawing.shading import split_sharp_edges
from bghop.drawing.worker import SheetWorker
from bghop.files import write_whole
from bghop.objects.catalog import FAMILIES
from bghop.objects.seeds import training_rng


def draw_families(path: Path, *, seed: int = 0) -> None:
    """A contact sheet: every family from two sides, with its size.

    Args:
        path: PNG file.
        seed: Of the members.

    Raises:
        DrawingError: Pictures cannot be drawn on this machine.
        ResultError: The file cannot be written.
    """
    cells = []
    for number, (name, family) in enumerate(FAMILIES.items()):
        mesh = family.mesh(family.sample(training_rng(seed, number)))
        drawn = split_sharp_edges(mesh.vertices, np.asarray(mesh.faces))
        caption = f"{family.texts[0]}, {100 * mesh.extents.max():.0f} cm"
        heading = name.replace("_", " ")
        scene = Scene(object=drawn, hands=(None, None))
        cells.append(Cell(scene=scene, heading=heading, caption=caption))
    with closing(SheetWorker()) as worker:
        worker.request(cells, title="Families of objects", subtitle=f"members of seed {seed}")
        write_whole(path, worker.answer())
