import numpy as np
import pytest
import torch
import trimesh

from bghop.fields.grid_spec import GridSpec
from bghop.geometry.topology import genus
from bghop.prior.surface import DRAWN_LEVELS, drawn_surface, surface_of

AXIS = torch.linspace(-0.30, 0.30, 64)
POINTS = torch.stack(torch.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), dim=-1)


def ball(radius, middle):
    return (POINTS - torch.tensor(middle)).norm(dim=-1) - radius


def decoded(distance):
    return (distance / 0.04).clamp(-1, 1)


def test_the_mesh_lies_in_the_frame_of_the_spec():
    spec = GridSpec(centre=(0.5, -0.2, 0.1))
    mesh = surface_of(
        decoded(ball(0.1, (0.05, 0.0, -0.1))), spec, truncation=0.04, level=0.0, name="ball"
    )
    assert mesh.name == "ball"
    assert mesh.is_watertight
    radius = np.linalg.norm(mesh.vertices - np.array([0.55, -0.2, 0.0]), axis=1)
    np.testing.assert_allclose(radius, 0.1, atol=1e-3)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.001, rel=0.03)


def test_a_wide_grid_has_wide_cells():
    spec = GridSpec(half_extent=0.45, frame="object")
    mesh = surface_of(decoded(ball(0.1, (0.0, 0.0, 0.0))), spec, truncation=0.04, level=0.0)
    np.testing.assert_allclose(mesh.extents, 0.3, atol=5e-3)


def test_crumbs_are_dropped_and_real_pieces_stay():
    spec = GridSpec()
    pair = torch.minimum(ball(0.1, (-0.1, 0.0, 0.0)), ball(0.05, (0.15, 0.0, 0.0)))
    scene = decoded(torch.minimum(pair, ball(0.012, (0.0, 0.2, 0.2))))
    whole = surface_of(scene, spec, truncation=0.04, crumb=0.0)
    clean = surface_of(scene, spec, truncation=0.04)
    assert whole.bounds[1, 1] > 0.19
    assert clean.bounds[1, 1] < 0.11
    assert clean.bounds[1, 0] > 0.19
    assert clean.is_watertight


def test_an_object_that_leaves_the_grid_is_closed_at_the_border():
    mesh = surface_of(decoded(ball(0.1, (0.28, 0.0, 0.0))), GridSpec(), truncation=0.04)
    assert mesh.is_watertight
    assert mesh.bounds[1, 0] < 0.30 + 0.6 / 63


def plate(*holes, thickness=0.03):
    """A square of 24 cm with holes of 4 cm."""
    solid = (POINTS.abs() - torch.tensor([0.12, 0.12, thickness / 2])).amax(-1)
    for x, y in holes:
        rod = (POINTS[..., :2] - torch.tensor([x, y])).norm(dim=-1) - 0.02
        solid = torch.maximum(solid, -rod)
    return solid


HOLES = ((0.06, 0.06), (-0.06, 0.0))


@pytest.mark.parametrize(
    ("usual", "there"),
    [
        (None, True),
        ((0, 0), False),
        ((0, 1), False),
        ((0, 2), True),
        ((2, 2), True),
        ((3, 9), True),
    ],
)
def test_a_drawn_wall_with_too_many_holes_gives_none(usual, there):
    whole = drawn_surface(decoded(plate()), GridSpec(), truncation=0.04, usual_genus=(0, 0))
    assert whole is not None
    assert whole.is_watertight
    torn = drawn_surface(decoded(plate(*HOLES)), GridSpec(), truncation=0.04, usual_genus=usual)
    assert (torn is not None) == there  # with fewer than usual it lacks something, but is whole


def test_a_thin_wall_is_made_as_thick_as_it_must_be_to_be_whole():
    solid = plate(thickness=0.04)
    middle = POINTS.norm(dim=-1) < 0.045
    torn = torch.where(middle, 0.007 + 0 * solid, solid)  # closes at the third level only
    kept = drawn_surface(decoded(torn), GridSpec(), truncation=0.04)
    mended = drawn_surface(decoded(torn), GridSpec(), truncation=0.04, usual_genus=(0, 0))
    assert kept is not None
    assert mended is not None
    assert (genus(kept.faces), genus(mended.faces)) == (1, 0)
    grown = DRAWN_LEVELS[2] - DRAWN_LEVELS[0]
    wider = mended.extents[:2] - kept.extents[:2]
    np.testing.assert_allclose(wider, 2 * grown, atol=1.5e-3)


def test_a_drawn_surface_is_smoother_and_has_its_size():
    lumps = 0.003 * torch.randn(64, 64, 64, generator=torch.Generator().manual_seed(0))
    grid = decoded(ball(0.2, (0.0, 0.0, 0.0)) + lumps)
    rough = surface_of(grid, GridSpec(), truncation=0.04)
    smooth = drawn_surface(grid, GridSpec(), truncation=0.04)
    assert rough is not None
    assert smooth is not None
    edges = [
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).face_adjacency_angles.mean()
        for mesh in (rough, smooth)
    ]
    assert edges[1] < 0.6 * edges[0]
    radius = np.linalg.norm(smooth.vertices, axis=1).mean()
    assert radius == pytest.approx(0.2 + DRAWN_LEVELS[0], abs=5e-4)
    assert smooth.is_watertight


def test_a_drawn_object_in_pieces_gives_none_and_crumbs_are_dropped():
    pair = torch.minimum(ball(0.1, (-0.1, 0.0, 0.0)), ball(0.05, (0.15, 0.0, 0.0)))
    assert drawn_surface(decoded(pair), GridSpec(), truncation=0.04) is None
    crumbs = torch.minimum(ball(0.1, (-0.1, 0.0, 0.0)), ball(0.015, (0.2, 0.2, 0.2)))
    clean = drawn_surface(decoded(crumbs), GridSpec(), truncation=0.04)
    assert clean is not None
    assert clean.bounds[1, 1] < 0.12


@pytest.mark.parametrize("value", [1.0, -1.0])
def test_a_grid_without_a_surface_gives_none(value):
    assert surface_of(torch.full((64, 64, 64), value), GridSpec(), truncation=0.04) is None


def test_a_level_moves_the_surface_outward():
    spec, scene = GridSpec(), decoded(ball(0.1, (0.0, 0.0, 0.0)))
    near = surface_of(scene, spec, truncation=0.04, level=0.0)
    far = surface_of(scene, spec, truncation=0.04, level=0.01)
    np.testing.assert_allclose(far.extents - near.extents, 0.02, atol=2e-3)
