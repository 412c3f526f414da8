"""Points on triangles: uniform by area, reproducible."""

import numpy as np
import pytest

from bghop.geometry import shapes
from bghop.geometry.sampling import points_on_triangles, triangle_areas


def test_areas_of_a_box_add_up_to_its_surface():
    box = shapes.box((0.1, 0.2, 0.3))
    assert triangle_areas(box.vertices, box.faces).sum() == pytest.approx(2 * (0.02 + 0.03 + 0.06))


def test_each_side_gets_points_in_proportion_to_its_area():
    box = shapes.box((0.1, 0.2, 0.3))
    points = points_on_triangles(box.vertices, box.faces, 20_000, np.random.default_rng(0))
    half = np.array([0.05, 0.1, 0.15])
    on_side = np.isclose(np.abs(points), half)
    assert on_side.any(1).all()
    assert (np.abs(points) <= half + 1e-12).all()
    assert on_side.mean(0) == pytest.approx(np.array([6, 3, 2]) / 11, abs=0.02)
    assert points.mean(0) == pytest.approx(np.zeros(3), abs=0.003)


def test_the_same_seed_gives_the_same_points():
    ball = shapes.sphere(0.1)
    first, second = (
        points_on_triangles(ball.vertices, ball.faces, 50, np.random.default_rng(3))
        for _ in range(2)
    )
    assert (first == second).all()
