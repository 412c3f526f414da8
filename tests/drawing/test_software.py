import numpy as np
import pytest
import trimesh

from bghop.drawing.render import Renderer
from bghop.drawing.scene import Scene
from bghop.drawing.software import SoftwareRenderer
from bghop.drawing.views import View, choose_views


def part(mesh, shift=(0, 0, 0)):
    return np.array(mesh.vertices) + np.array(shift), np.array(mesh.faces)


def scene():
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.04)
    block = part(trimesh.creation.box((0.1, 0.06, 0.1)))
    return Scene(object=block, hands=(part(ball, (-0.1, 0, 0)), part(ball, (0.1, 0, 0.02))))


def shape_of(picture):
    return (picture.astype(int) < 245).any(-1)


def test_it_covers_the_pixels_that_opengl_covers():
    soft, hard = SoftwareRenderer(160), Renderer(160)
    try:
        for view in choose_views(scene(), 2):
            one, two = (shape_of(each.picture(scene(), view)) for each in (soft, hard))
            assert (one & two).sum() / (one | two).sum() > 0.96  # rims differ by a pixel
    finally:
        hard.close()


def test_what_is_nearer_hides_what_is_behind():
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.03)
    near_left = Scene(object=part(ball, (0, 0.5, 0)), hands=(part(ball), part(ball, (0, 0.1, 0))))
    axis = np.array([0.0, -1.0, 0.0])
    view = View(position=0.6 * axis, target=np.zeros(3), up=np.array([0.0, 0, 1]))
    centre = SoftwareRenderer(64).picture(near_left, view)[32, 32].astype(int)
    assert centre[2] > centre[0]  # bluish: the left hand is in front
    behind = View(position=-2 * axis, target=np.zeros(3), up=np.array([0.0, 0, 1]))
    assert np.ptp(SoftwareRenderer(64).picture(near_left, behind)[32, 32].astype(int)) < 40


@pytest.mark.parametrize("size", [32, 100])
def test_pictures_have_the_size_asked_for_and_a_white_background(size):
    picture = SoftwareRenderer(size).picture(scene(), choose_views(scene())[0])
    assert picture.shape == (size, size, 3)
    assert (picture[0, 0] == 255).all()
