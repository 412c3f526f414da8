"""Pictures from another process: the same ones, and no end of the job when that process ends."""

import os
import time

import numpy as np
import pytest

from bghop.drawing.scene import Scene
from bghop.drawing.software import SoftwareRenderer
from bghop.drawing.views import choose_views
from bghop.jobs.evaluate_painter import PictureProcess

CORNERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]) * 0.1
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
SCENES = [Scene(object=(scale * CORNERS, FACES), hands=(None, None)) for scale in (1.0, 2.0)]


class Dies(SoftwareRenderer):
    """A driver that ends its process at the first picture."""

    def picture(self, *_):
        os._exit(3)


class Fails(SoftwareRenderer):
    def picture(self, *_):
        os.write(1, b"from a library")
        raise RuntimeError("no context")


def dies_at_once(size):
    os._exit(3)


def no_window(size):
    raise OSError("cannot open a window")


def hangs(size):
    time.sleep(60)


def expected(scene, view):
    return SoftwareRenderer(16).picture(scene, view)


def test_pictures_are_those_of_the_painter():
    with PictureProcess(16, make=SoftwareRenderer) as painter:
        for scene in (*SCENES, SCENES[0]):
            for view in choose_views(scene, 2):
                np.testing.assert_array_equal(painter.picture(scene, view), expected(scene, view))
        assert painter.note == ""


@pytest.mark.parametrize(
    ("make", "patience_s", "words"),
    [
        (Dies, 60.0, "the drawing process ended"),
        (dies_at_once, 60.0, "the drawing process ended"),
        (Fails, 60.0, "RuntimeError: no context"),
        (no_window, 60.0, "OSError: cannot open a window"),
        (hangs, 0.6, "no answer within 0.6 s"),
    ],
)
def test_where_drawing_breaks_pictures_come_without_opengl(make, patience_s, words, capfd):
    with PictureProcess(16, make=make, patience_s=patience_s) as painter:
        for scene in SCENES:
            (view,) = choose_views(scene, 1)
            np.testing.assert_array_equal(painter.picture(scene, view), expected(scene, view))
        assert words in painter.note
        assert "install libegl1" in painter.note
    assert capfd.readouterr().out == ""
