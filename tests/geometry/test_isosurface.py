"""Surfaces of grids: closed, outward, of the right volume and place."""

import numpy as np
import pytest
import torch

from bghop.errors import MeshError
from bghop.geometry.isosurface import extract_surface
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh
from bghop.geometry.shapes import box, mug, sphere, torus


@pytest.mark.parametrize(
    "mesh", [sphere(0.1), torus(0.1, 0.03), box((0.1, 0.2, 0.3)), mug(wall=0.008)],
    ids=["sphere", "torus", "box", "mug"],
)  # fmt: skip
def test_surface_of_a_grid_is_the_mesh_again(mesh):
    sdf = sdf_from_mesh(mesh, resolution=80)
    surface = extract_surface(sdf)
    assert surface.is_watertight
    solid = (sdf.values < 0).sum().item() * sdf.spacing**3
    assert surface.volume == pytest.approx(solid, rel=0.05)
    distance, _, _ = MeshQuery(mesh).unsigned(surface.vertices)
    assert np.quantile(distance, 0.99) < 0.3 * sdf.spacing
    assert distance.max() < sdf.spacing


def test_volumes_match_formulas():
    ball = extract_surface(sdf_from_mesh(sphere(0.1, segments=96), resolution=80))
    assert ball.volume == pytest.approx(4 / 3 * np.pi * 0.001, rel=0.01)
    block = extract_surface(sdf_from_mesh(box((0.1, 0.2, 0.3)), resolution=80))
    assert block.volume == pytest.approx(0.006, rel=0.02)


def test_level_moves_the_surface_outward():
    sdf = sdf_from_mesh(sphere(0.1, segments=96), resolution=80, padding=8)
    grown = extract_surface(sdf, level=0.01)
    np.testing.assert_allclose(np.linalg.norm(grown.vertices, axis=1), 0.11, atol=5e-4)


def test_surface_stays_in_the_objects_frame():
    mesh = Mesh(
        vertices=sphere(0.05).vertices + np.array([0.3, -0.2, 0.1]), faces=sphere(0.05).faces
    )
    surface = extract_surface(sdf_from_mesh(mesh, resolution=48), name="ball")
    np.testing.assert_allclose(surface.bounds, mesh.bounds, atol=1e-3)
    assert surface.name == "ball"


def test_samples_on_the_level_and_cuts_at_the_border_stay_closed():
    x = torch.linspace(-1, 1, 9)
    values = x[:, None, None].expand(9, 9, 9).contiguous()  # half the box is inside
    surface = extract_surface(SdfGrid(values=values, origin=-torch.ones(3), spacing=0.25))
    assert surface.is_watertight
    assert surface.volume == pytest.approx(1 * 2 * 2, rel=0.35)
    assert surface.volume > 0


def test_grid_without_a_surface_is_an_error():
    sdf = SdfGrid(values=torch.ones(4, 4, 4), origin=torch.zeros(3), spacing=0.1)
    with pytest.raises(MeshError, match="choose a level between them or a finer grid"):
        extract_surface(sdf)
