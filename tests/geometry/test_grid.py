"""Cubes of samples: where they are, and the normalised frame."""

import pytest
import torch

from bghop.geometry.grid import CubeGrid


def test_corner_samples_touch_the_faces_and_cell_samples_do_not():
    corner = CubeGrid(resolution=5, half_extent=1.0)
    cell = CubeGrid(resolution=4, half_extent=1.0, alignment="cell")
    assert corner.axis() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert cell.axis() == [-0.75, -0.25, 0.25, 0.75]
    assert corner.spacing == cell.spacing == 0.5


@pytest.mark.parametrize(("alignment", "align_corners"), [("corner", True), ("cell", False)])
def test_axes_are_those_of_affine_grid(alignment, align_corners):
    cube = CubeGrid(resolution=6, half_extent=1.0, alignment=alignment)
    theirs = torch.nn.functional.affine_grid(
        torch.eye(3, 4)[None], [1, 1, 6, 6, 6], align_corners=align_corners
    )[0]
    # affine_grid is indexed z, y, x.
    torch.testing.assert_close(cube.points(), theirs.permute(2, 1, 0, 3))


def test_index_order_is_x_y_z():
    points = CubeGrid(resolution=3, half_extent=0.2, center=(1.0, 2.0, 3.0)).points()
    torch.testing.assert_close(points[2, 0, 1], torch.tensor([1.2, 1.8, 3.0]))


def test_grid_frame_is_the_unit_cube_and_back():
    cube = CubeGrid(resolution=8, half_extent=0.25, center=(0.1, -0.3, 0.5))
    points = torch.rand(3, 4, 3)
    torch.testing.assert_close(cube.to_object(cube.to_grid(points)), points)
    torch.testing.assert_close(
        cube.to_grid(torch.tensor([0.35, -0.55, 0.5])), torch.tensor([1.0, -1, 0])
    )
    grid = cube.to_grid(cube.points())
    assert float(grid.min()) == pytest.approx(-1)
    assert float(grid.max()) == pytest.approx(1)


@pytest.mark.parametrize("alignment", ["corner", "cell"])
def test_index_of_a_sample_is_its_index(alignment):
    cube = CubeGrid(resolution=7, half_extent=0.25, center=(0.1, -0.3, 0.5), alignment=alignment)
    found = cube.index_of(cube.points()[1, 5, 2])
    torch.testing.assert_close(found, torch.tensor([1.0, 5.0, 2.0]), atol=1e-5, rtol=0)
