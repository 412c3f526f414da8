import io
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from PIL import Image

from bghop.drawing.contact_sheet import Cell, draw_contact_sheet
from bghop.drawing.scene import HAND_COLORS, Scene
from bghop.drawing.worker import SheetWorker
from bghop.errors import DrawingError


def part(mesh, shift=(0, 0, 0)):
    return np.array(mesh.vertices) + np.array(shift), np.array(mesh.faces)


def cells(num):
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.04)
    block = part(trimesh.creation.box((0.1, 0.1, 0.1)))
    scene = Scene(object=block, hands=(part(ball, (-0.1, 0, 0)), part(ball, (0.1, 0, 0))))
    return [Cell(scene=scene, heading=str(k + 1), caption="depth 1.0 | 2.0 mm") for k in range(num)]


class FlatRenderer:
    """Stands in for the window where only the layout matters."""

    def picture(self, *_):
        return np.full((32, 32, 3), 200, dtype=np.uint8)


def flat_sheet(num):
    return draw_contact_sheet(FlatRenderer(), cells(num), title="mug", subtitle="9 x 9 cm")


@pytest.mark.slow
def test_cells_fill_rows_of_four_and_the_sheet_ends_with_the_best_48():
    widths = [flat_sheet(num).width for num in (1, 2, 4, 5)]
    assert widths[1] - widths[0] == (widths[2] - widths[0]) / 3
    assert widths[3] == widths[2]
    heights = [flat_sheet(num).height for num in (4, 5, 8, 9)]
    assert heights[1] == heights[2]
    assert heights[3] - heights[2] == heights[1] - heights[0] > 0
    assert flat_sheet(49).size == flat_sheet(48).size


def near(picture, color):
    """Share of pixels that have the hue of a colour, whatever the light."""
    pixels = np.asarray(picture.convert("RGB"), dtype=float)
    wanted = np.array(color) / np.linalg.norm(color)
    length = np.linalg.norm(pixels, axis=-1)
    cosine = pixels @ wanted / np.maximum(length, 1)
    saturated = np.ptp(pixels, axis=-1) > 25
    return float((saturated & (cosine > 0.995)).mean())


def test_the_other_process_draws_both_hands_and_several_sheets():
    worker = SheetWorker()
    try:
        for num in (2, 1):
            worker.request(cells(num), title="block", subtitle="10 x 10 x 10 cm")
            picture = Image.open(io.BytesIO(worker.answer()))
            assert picture.format == "PNG"
            for color in HAND_COLORS:
                assert near(picture, color) > 0.02
    finally:
        worker.close()


def test_where_opengl_ends_the_process_another_draws_without_it():
    worker = SheetWorker()
    worker._process.kill()
    worker.request(cells(1), title="", subtitle="")
    picture = Image.open(io.BytesIO(worker.answer()))
    assert "install libegl1" in worker.note
    for color in HAND_COLORS:
        assert near(picture, color) > 0.02
    worker.request(cells(2), title="", subtitle="")
    assert worker.answer().startswith(b"\x89PNG")
    worker.close()


@pytest.mark.parametrize("broken", [False, True])
def test_strips_come_from_the_other_process_with_or_without_opengl(broken):
    worker = SheetWorker()
    try:
        worker.request(cells(1), title="", subtitle="")
        worker.answer()
        if broken:
            worker._process.kill()
        worker.request_strip([cell.scene for cell in cells(3)], ["grasp", "closed", "0.1 s"])
        picture = Image.open(io.BytesIO(worker.answer()))
        assert picture.width > 2 * picture.height  # three frames in a row
        assert bool(worker.note) == broken or "without OpenGL" in worker.note
        for color in HAND_COLORS:
            assert near(picture, color) > 0.01
    finally:
        worker.close()


def test_when_nothing_can_draw_it_is_an_error_and_not_a_crash(monkeypatch):
    monkeypatch.setattr("bghop.drawing.worker.sys.executable", "/bin/false")
    worker = SheetWorker()
    worker.request(cells(1), title="", subtitle="")
    with pytest.raises(DrawingError, match="bghop doctor"):
        worker.answer()
    worker.close()


def test_drawing_needs_no_torch():
    code = (
        "import sys, bghop.drawing.worker, bghop.drawing.export; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
