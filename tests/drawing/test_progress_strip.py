import io

import numpy as np
import pytest
import trimesh
from PIL import Image

from bghop.drawing.progress_strip import draw_progress_strip
from bghop.drawing.scene import Scene
from bghop.drawing.views import choose_views


def moment(shift, object_part):
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.03)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces)
    aside, ahead = np.array([-shift, 0, 0]), np.array([0, shift, 0])
    return Scene(object=object_part, hands=((vertices + aside, faces), (vertices + ahead, faces)))


@pytest.fixture
def rows():
    block = trimesh.creation.box((0.1, 0.1, 0.1))
    part = np.array(block.vertices), np.array(block.faces)
    return [[moment(0.3 - 0.05 * k - 0.02 * row, part) for k in range(4)] for row in range(3)]


class Recorder:
    def __init__(self):
        self.asked = []

    def picture(self, scene, view):
        self.asked.append((scene, view))
        return np.full((60, 60, 3), len(self.asked), dtype=np.uint8)


def test_a_row_for_every_candidate_and_a_column_for_every_moment(rows):
    painter = Recorder()
    png = draw_progress_strip(painter, rows, ["0", "10", "25", "50"])
    assert [scene for scene, _ in painter.asked] == [scene for row in rows for scene in row]
    picture = np.asarray(Image.open(io.BytesIO(png)))
    height = picture.shape[0] // 3
    assert picture.shape[1] == 4 * 60
    places = [(row * height + 30, column * 60 + 30) for row in range(3) for column in range(4)]
    assert [picture[place][0] for place in places] == list(range(1, 13))


def test_the_camera_of_a_row_shows_its_last_moment(rows):
    painter = Recorder()
    draw_progress_strip(painter, rows[:1], ["0", "10", "25", "50"])
    views = {id(view): view for _, view in painter.asked}
    assert len(views) == 1
    (view,) = views.values()
    sight = (view.target - view.position) / np.linalg.norm(view.target - view.position)
    best = choose_views(rows[0][-1], 1)[0]
    wanted = (best.target - best.position) / np.linalg.norm(best.target - best.position)
    assert sight @ wanted > 0.999


def test_moments_that_are_missing_are_named(rows):
    with pytest.raises(ValueError, match="no candidates"):
        draw_progress_strip(Recorder(), [], [])
    with pytest.raises(ValueError, match="4 frames and 2 captions"):
        draw_progress_strip(Recorder(), rows, ["0", "10"])
