"""Distance grids: against formulas and exact queries, on broken meshes, and their lookup."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bghop.geometry.grid import CubeGrid
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh, sdf_on_cube, union
from bghop.geometry.shapes import box, mug, sphere, torus


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    torch.manual_seed(0)


def shifted(mesh: Mesh, x: float, y: float = 0.0, z: float = 0.0) -> Mesh:
    return Mesh(vertices=mesh.vertices + np.array([x, y, z]), faces=mesh.faces)


def without_faces(mesh: Mesh, share: float) -> Mesh:
    keep = np.random.default_rng(0).random(len(mesh.faces)) >= share
    return Mesh(vertices=mesh.vertices, faces=mesh.faces[keep])


def box_distance(points: np.ndarray, extents: np.ndarray) -> np.ndarray:
    beyond = np.abs(points) - extents / 2
    return np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.minimum(beyond.max(axis=-1), 0)


@pytest.fixture(scope="module")
def mug_grid() -> SdfGrid:
    return sdf_from_mesh(mug(), resolution=64)


# Samples


def test_samples_of_a_box_equal_the_formula():
    extents = np.array([0.1, 0.2, 0.15])
    sdf = sdf_from_mesh(box((0.1, 0.2, 0.15)), resolution=48)
    truth = box_distance(sdf.points().double().numpy(), extents)
    error = np.abs(sdf.values.numpy() - truth)
    near = np.abs(truth) < 6 * sdf.spacing
    assert error[near].max() < 1e-6
    assert (error / np.maximum(np.abs(truth), sdf.spacing)).max() < 0.01


def test_samples_of_a_mug_are_exact_near_and_within_one_percent_far(mug_grid):
    points = mug_grid.points().reshape(-1, 3).double().numpy()
    truth = MeshQuery(mug()).signed_distances(points)
    found = mug_grid.values.reshape(-1).double().numpy()
    off_surface = np.abs(truth) > 1e-9
    assert ((found < 0) == (truth < 0))[off_surface].all()
    outside = truth > 0
    near = outside & (truth < 6 * mug_grid.spacing)
    np.testing.assert_allclose(found[near], truth[near], atol=1e-6)
    far = outside & ~near
    relative = np.abs(found - truth)[far] / truth[far]
    assert np.quantile(relative, 0.999) < 0.01
    assert relative.max() < 0.02


def test_index_order_is_x_y_z_on_an_off_centre_sphere():
    center, cube = (0.04, -0.02, 0.06), CubeGrid(resolution=33, half_extent=0.16)
    sdf = sdf_on_cube(shifted(sphere(0.05), *center), cube)
    i, j, k = np.unravel_index(int(sdf.values.argmin()), sdf.shape)
    assert (i, j, k) == (20, 14, 22)
    truth = (cube.points() - torch.tensor(center)).norm(dim=-1) - 0.05
    torch.testing.assert_close(sdf.values, truth, atol=4e-4, rtol=0.01)


def test_box_has_one_spacing_and_does_not_waste_samples():
    sdf = sdf_from_mesh(box((0.3, 0.1, 0.05)), resolution=64, padding=4)
    assert sdf.shape[0] == 64
    assert sdf.spacing == pytest.approx(0.3 / 55)
    assert sdf.shape[1] == 28
    assert sdf.shape[2] == 19
    middle = (sdf.origin + sdf.upper) / 2
    torch.testing.assert_close(middle, torch.zeros(3), atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="padding of 4"):
        sdf_from_mesh(box((0.3, 0.1, 0.05)), resolution=8)


@pytest.mark.parametrize("whole", [mug(), torus(0.1, 0.03, segments=128)], ids=["mug", "torus"])
def test_missing_faces_hardly_change_signs(whole):
    torn = sdf_from_mesh(without_faces(whole, 0.05), resolution=64)
    truth = MeshQuery(whole).contains(torn.points().reshape(-1, 3).double().numpy())
    assert ((torn.values.reshape(-1).numpy() < 0) == truth).mean() > 0.995


def test_holes_leave_no_cliffs():
    torn = sdf_from_mesh(without_faces(torus(0.1, 0.03, segments=128), 0.2), resolution=96)
    for axis in range(3):
        assert float(torn.values.diff(dim=axis).abs().max()) < 1.3 * torn.spacing


def test_large_hole_is_covered():
    whole = sphere(0.1)
    lid = whole.vertices[whole.faces].mean(axis=1)[:, 2] > 0.085
    sdf = sdf_from_mesh(Mesh(vertices=whole.vertices, faces=whole.faces[~lid]), resolution=64)
    on_axis = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.07], [0.0, 0.0, 0.13]])
    distance = sdf.distance(on_axis)
    assert distance[0] < -0.07
    assert distance[1] < 0
    assert distance[2] > 0.02
    assert float(sdf.values.diff(dim=2).abs().max()) < 1.3 * sdf.spacing


def test_flipped_faces_hardly_change_signs():
    whole = mug()
    flip = np.random.default_rng(1).random(len(whole.faces)) < 0.1
    faces = np.where(flip[:, None], whole.faces[:, ::-1], whole.faces)
    sdf = sdf_from_mesh(Mesh(vertices=whole.vertices, faces=faces), resolution=48)
    truth = MeshQuery(whole).contains(sdf.points().reshape(-1, 3).double().numpy())
    assert ((sdf.values.reshape(-1).numpy() < 0) == truth).mean() > 0.99


@pytest.mark.parametrize("shift", [0.06, 0.1])
def test_overlapping_and_touching_solids_have_no_inner_walls(shift):
    first = box((0.1, 0.1, 0.1))
    sdf = sdf_from_mesh(Mesh.concatenated([first, shifted(first, shift)]), resolution=48)
    points = sdf.points().double().numpy() - [shift / 2, 0, 0]
    truth = box_distance(points, np.array([0.1 + shift, 0.1, 0.1]))
    # Walls within a spacing of the outside are left as they are.
    assert np.abs(sdf.values.numpy() - truth).max() < 0.5 * sdf.spacing


def test_cavity_is_outside():
    inner = box((0.1, 0.1, 0.1))
    wall = Mesh(vertices=inner.vertices, faces=inner.faces[:, ::-1].copy())
    sdf = sdf_from_mesh(Mesh.concatenated([box((0.2, 0.2, 0.2)), wall]), resolution=48)
    found = sdf.distance(torch.tensor([[0.0, 0.0, 0.0], [0.075, 0.0, 0.0], [0.12, 0.0, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([0.05, -0.025, 0.02]), atol=3e-3, rtol=0)


def test_sheet_thinner_than_the_spacing_is_still_seen_from_outside():
    sdf = sdf_from_mesh(box((0.3, 0.3, 0.001)), resolution=48)
    points = torch.tensor([[0.02, 0.03, 0.01], [0.02, 0.03, -0.02]])
    torch.testing.assert_close(sdf.distance(points), torch.tensor([0.0095, 0.0195]), atol=1e-3,
                               rtol=0)  # fmt: skip


def test_cube_that_cuts_the_mesh_still_has_the_right_signs():
    cube = CubeGrid(resolution=24, half_extent=0.1, center=(0.1, 0.0, 0.0))
    sdf = sdf_on_cube(torus(0.1, 0.03), cube)
    truth = MeshQuery(torus(0.1, 0.03)).contains(cube.points().reshape(-1, 3).double().numpy())
    np.testing.assert_array_equal(sdf.values.reshape(-1).numpy() < 0, truth)


# Lookup


def test_lookup_reproduces_linear_functions_exactly():
    grid = SdfGrid(values=torch.zeros(4, 5, 6), origin=torch.tensor([0.1, -0.2, 0.3]), spacing=0.1)
    slope = torch.tensor([0.3, -0.5, 0.7])
    linear = SdfGrid(values=grid.points() @ slope, origin=grid.origin, spacing=0.1)
    points = grid.origin + (grid.upper - grid.origin) * torch.rand(200, 3)
    torch.testing.assert_close(linear.distance(points), points @ slope, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        linear.distance_and_normal(points)[1],
        (slope / slope.norm()).expand(200, 3), atol=1e-5, rtol=0,
    )  # fmt: skip


def test_lookup_equals_grid_sample(mug_grid):
    low, high = mug_grid.origin, mug_grid.upper
    points = low + (high - low) * torch.rand(500, 3)
    theirs = torch.nn.functional.grid_sample(
        mug_grid.values.permute(2, 1, 0)[None, None],
        ((points - low) / (high - low) * 2 - 1).reshape(1, 1, 1, -1, 3),
        align_corners=True,
    ).flatten()
    torch.testing.assert_close(mug_grid.distance(points), theirs, atol=1e-6, rtol=0)


def test_samples_themselves_and_the_far_corner_are_found(mug_grid):
    found = mug_grid.distance(mug_grid.points())
    torch.testing.assert_close(found, mug_grid.values, atol=1e-6, rtol=0)


@given(seed=st.integers(0, 2**31), reach=st.sampled_from([0.9, 1.5, 4.0]))
@settings(max_examples=20, deadline=None)
def test_gradient_is_that_of_the_value(mug_grid, seed, reach):
    grid = mug_grid.to(dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    middle, half = (grid.origin + grid.upper) / 2, (grid.upper - grid.origin) / 2
    unit = 2 * torch.rand(64, 3, generator=generator, dtype=torch.float64) - 1
    points = (middle + reach * half * unit).requires_grad_()
    grid.distance(points).sum().backward()
    step = 1e-7
    numeric = torch.stack(
        [
            (grid.distance(points + step * axis) - grid.distance(points - step * axis)) / (2 * step)
            for axis in torch.eye(3, dtype=torch.float64)
        ],
        dim=-1,
    ).detach()
    assert points.grad is not None
    outside = ((points - middle).abs() > half).any(-1)
    error = (points.grad - numeric).norm(dim=-1)
    assert error[~outside].numel() == 0 or float(error[~outside].median()) < 1e-5
    # Outside it points away from the border's surface point, as if that did not move.
    assert error[outside].numel() == 0 or float(error[outside].median()) < 0.25


def test_outside_the_box_values_continue_and_attract():
    sdf = sdf_from_mesh(sphere(0.1), resolution=48)
    points = 0.5 * torch.nn.functional.normalize(torch.randn(300, 3), dim=-1)
    points.requires_grad_()
    distance, normal = sdf.distance_and_normal(points)
    # An upper bound: the border's surface point is not quite the nearest one.
    assert float(distance.detach().min()) > 0.4 - 1e-3
    assert float(distance.detach().max()) < 0.4 * 1.08
    distance.sum().backward()
    assert points.grad is not None
    torch.testing.assert_close(points.grad, normal, atol=1e-6, rtol=0)
    radial = (normal * points.detach()).sum(-1) / 0.5
    assert float(radial.min()) > 0.95


def test_value_is_continuous_at_the_border(mug_grid):
    low, high = mug_grid.origin, mug_grid.upper
    points = low + (high - low) * torch.rand(200, 3)
    points[:, 0] = high[0]
    step = torch.tensor([1e-6, 0.0, 0.0])
    jump = mug_grid.distance(points + step) - mug_grid.distance(points - step)
    assert float(jump.abs().max()) < 1e-4


def test_any_batch_and_no_point_at_all(mug_grid):
    points = torch.rand(2, 3, 4, 3) * 0.1
    flat = mug_grid.distance(points.reshape(-1, 3))
    torch.testing.assert_close(mug_grid.distance(points), flat.reshape(2, 3, 4))
    assert mug_grid.distance_and_normal(points)[1].shape == (2, 3, 4, 3)
    assert mug_grid.distance(torch.zeros(2, 0, 3)).shape == (2, 0)


def test_normals_are_unit_and_lead_away_from_the_surface():
    sdf = sdf_from_mesh(sphere(0.1), resolution=64)
    direction = torch.nn.functional.normalize(torch.randn(300, 3), dim=-1)
    for radius in (0.05, 0.1, 0.108):
        _, normal = sdf.distance_and_normal(radius * direction)
        torch.testing.assert_close(normal.norm(dim=-1), torch.ones(300))
        assert float((normal * direction).sum(-1).min()) > 0.99


def test_other_precision_moves_everything(mug_grid):
    double = mug_grid.to(dtype=torch.float64)
    points = torch.rand(5, 3, dtype=torch.float64) * 0.05
    assert double.distance(points).dtype == torch.float64
    torch.testing.assert_close(double.distance(points).float(), mug_grid.distance(points.float()))


# Union


def test_union_is_the_smaller_distance_everywhere():
    first = sdf_from_mesh(sphere(0.05), resolution=48)
    second = sdf_from_mesh(shifted(sphere(0.03), 0.12), resolution=48)
    both = union(first, second)
    assert both.spacing == min(first.spacing, second.spacing)
    points = torch.rand(500, 3) * torch.tensor([0.2, 0.1, 0.1]) - torch.tensor([0.05, 0.05, 0.05])
    truth = torch.minimum(
        points.norm(dim=-1) - 0.05, (points - torch.tensor([0.12, 0, 0])).norm(dim=-1) - 0.03
    )
    torch.testing.assert_close(both.distance(points), truth, atol=1.5e-3, rtol=0)


@pytest.mark.gpu
def test_lookup_on_the_gpu_equals_that_on_the_cpu(mug_grid):
    points = torch.rand(1000, 3) * 0.3 - 0.1
    there = mug_grid.to("cuda").distance_and_normal(points.cuda())
    for mine, theirs in zip(mug_grid.distance_and_normal(points), there, strict=True):
        torch.testing.assert_close(mine, theirs.cpu(), atol=1e-5, rtol=1e-4)
