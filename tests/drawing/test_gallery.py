import io

import numpy as np
import pytest
import trimesh
from PIL import Image

from bghop.drawing.gallery import Failure, draw_gallery, failure_reason
from bghop.drawing.scene import HAND_COLORS, Scene
from bghop.drawing.software import SoftwareRenderer


def part(mesh, shift=(0, 0, 0)):
    return np.array(mesh.vertices) + np.array(shift), np.array(mesh.faces)


def scene():
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.04)
    block = part(trimesh.creation.box((0.1, 0.1, 0.1)))
    return Scene(object=block, hands=(part(ball, (-0.1, 0, 0)), part(ball, (0.1, 0, 0))))


class CountingPainter:
    """Stands in for a window, and counts."""

    def __init__(self):
        self.pictures = 0

    def picture(self, *_):
        self.pictures += 1
        return np.full((64, 64, 3), 200, dtype=np.uint8)


def failures(num, reason="moved 5.0 cm"):
    return [Failure(scene=scene(), heading=f"mug {k}", reason=reason) for k in range(num)]


def size(png):
    return Image.open(io.BytesIO(png)).size


def test_each_failure_is_drawn_once_from_two_sides():
    painter = CountingPainter()
    _, single = draw_gallery(painter, failures(5), title="failures")
    assert painter.pictures == 10
    assert [size(png) for png in single] == 5 * [(128, 64)]


def test_failures_fill_rows_of_three():
    def sheet(num):
        return size(draw_gallery(CountingPainter(), failures(num), title="")[0])

    widths, heights = zip(*(sheet(num) for num in (1, 2, 3, 4, 6)), strict=True)
    assert widths[1] - widths[0] == widths[2] - widths[1] > 0
    assert set(widths[2:]) == {widths[2]}
    assert heights[0] == heights[2] < heights[3] == heights[4]


def test_words_of_any_length_keep_the_size_and_are_seen():
    def sheet(reason):
        return draw_gallery(CountingPainter(), failures(1, reason), title="")[0]

    short, long = sheet("moved 5.0 cm"), sheet(40 * "left hand 4.1 mm deep, ")
    assert size(short) == size(long)
    assert short != long
    pictures = [Image.open(io.BytesIO(png)).convert("RGB") for png in (short, long)]
    colors = [np.asarray(picture).astype(int) for picture in pictures]
    inked = [((each[..., 0] - each[..., 2]) > 60).sum() for each in colors]
    assert inked[1] > 2 * inked[0] > 0


def test_both_hands_are_in_the_picture():
    _, single = draw_gallery(SoftwareRenderer(96), failures(1), title="")
    pixels = np.asarray(Image.open(io.BytesIO(single[0]))).astype(float)
    for color in HAND_COLORS:
        wanted = np.array(color) / np.linalg.norm(color)
        cosine = pixels @ wanted / np.maximum(np.linalg.norm(pixels, axis=-1), 1)
        assert ((np.ptp(pixels, axis=-1) > 25) & (cosine > 0.995)).mean() > 0.02


ROW = {"hold": True, "hold_directions": 6, "hold_moved_cm": 0.2, "hold_turned_deg": 1.0,
       "hold_closing_cm": 0.1, "faults": ""}  # fmt: skip
FALL = {"hold": False, "hold_directions": 4, "hold_moved_cm": 6.34, "hold_turned_deg": 41.2}
NOT_TESTED = dict.fromkeys(("hold", "hold_directions", "hold_moved_cm", "hold_turned_deg",
                            "hold_closing_cm"))  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, ""),
        (FALL, "held in 4 of 6 directions, moved 6.3 cm, turned 41°"),
        (FALL | {"hold_closing_cm": 2.26},
         "held in 4 of 6 directions, moved 6.3 cm, turned 41°, pushed 2.3 cm by closing"),
        (FALL | {"hold_moved_cm": None, "hold_turned_deg": None}, "held in 4 of 6 directions"),
        ({"faults": "left hand 4.1 mm deep"}, "left hand 4.1 mm deep"),
        (FALL | {"faults": "left hand 4.1 mm deep; right hand 2 fingers in contact"},
         "held in 4 of 6 directions, moved 6.3 cm, turned 41°; left hand 4.1 mm deep; "
         "right hand 2 fingers in contact"),
        (NOT_TESTED | {"faults": "left hand 4.1 mm deep"}, "left hand 4.1 mm deep"),
    ],
)  # fmt: skip
def test_the_reason_says_what_went_wrong_and_nothing_else(changed, words):
    assert failure_reason(ROW | changed) == words
