import numpy as np
import pytest
import trimesh

from bghop.drawing.scene import Scene
from bghop.drawing.views import FIELD_OF_VIEW, choose_views, fit_view


def part(mesh, shift=(0, 0, 0)):
    return np.array(mesh.vertices) + np.array(shift), np.array(mesh.faces)


def wall_scene(first, second):
    """Two balls beside a wide wall in the plane y = 0."""
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.03)
    wall = trimesh.creation.box((0.6, 0.02, 0.6))
    return Scene(object=part(wall), hands=(part(ball, first), part(ball, second)))


def test_hands_on_one_side_of_a_wall_are_seen_from_that_side():
    scene = wall_scene((-0.1, 0.06, 0), (0.1, 0.06, 0))
    view = choose_views(scene)[0]
    assert (view.position - view.target)[1] > 0


def test_the_second_view_is_from_another_side():
    scene = wall_scene((-0.1, 0.06, 0), (0.1, -0.06, 0))
    first, second = (view.position - view.target for view in choose_views(scene))
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert cosine < 0.5


def test_views_are_the_same_at_every_call_and_work_without_hands():
    scene = Scene(object=part(trimesh.creation.icosphere(radius=0.1)), hands=(None, None))
    one, two = choose_views(scene), choose_views(scene)
    assert len(one) == 2
    np.testing.assert_array_equal(one[0].position, two[0].position)


@pytest.mark.parametrize("size", [0.01, 0.2, 3.0])
def test_all_points_are_in_view_and_the_camera_is_as_near_as_that_allows(size):
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3)) * [size, size / 3, size / 2]
    direction = np.array([0.48, 0.64, 0.6])
    view = fit_view(points, direction)
    right = np.cross(view.up, direction)
    local = (points - view.position) @ np.stack([right, view.up, -direction]).T
    tangent = np.abs(local[:, :2]).max(1) / local[:, 2]
    assert local[:, 2].min() > 0
    assert 0.85 < tangent.max() / np.tan(FIELD_OF_VIEW / 2) <= 1.0
