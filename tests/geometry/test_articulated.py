"""Articulated objects: one grid per part gives the distance at every joint value."""

import numpy as np
import pytest
import torch

from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.isosurface import extract_surface
from bghop.geometry.joint import Joint
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.shapes import box


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    torch.manual_seed(0)


def shifted(mesh: Mesh, x: float, y: float, z: float) -> Mesh:
    return Mesh(vertices=mesh.vertices + np.array([x, y, z]), faces=mesh.faces)


@pytest.fixture(scope="module")
def book() -> ArticulatedObject:
    """Two boards hinged along y at x = 0; 0 is flat open, pi is closed."""
    left = shifted(box((0.18, 0.25, 0.02)), -0.1, 0.0, 0.0)
    right = shifted(box((0.18, 0.25, 0.02)), 0.1, 0.0, 0.0)
    joint = Joint(kind="revolute", axis=(0.0, -2.0, 0.0), origin=(0.0, 0.0, 0.02),
                  limits=(0.0, np.pi))  # fmt: skip
    return ArticulatedObject(parts=(left, right), joint=joint, name="book")


@pytest.fixture(scope="module")
def drawer() -> ArticulatedObject:
    joint = Joint(kind="prismatic", axis=(0.0, 0.0, 3.0), limits=(0.0, 0.1), moving=0)
    inner, outer = box((0.1, 0.1, 0.1)), shifted(box((0.1, 0.1, 0.1)), 0.12, 0.0, 0.0)
    return ArticulatedObject(parts=(inner, outer), joint=joint)


def test_revolute_joint_turns_right_handed_about_its_axis():
    joint = Joint(kind="revolute", axis=(0.0, 0.0, 1.0), origin=(1.0, 0.0, 0.0), limits=(0.0, 1.0))
    T = joint.T_object_part(torch.tensor(np.pi / 2))
    point = T @ torch.tensor([2.0, 0.0, 0.5, 1.0])
    torch.testing.assert_close(point, torch.tensor([1.0, 1.0, 0.5, 1.0]), atol=1e-6, rtol=0)


def test_prismatic_joint_slides_by_its_value(drawer):
    np.testing.assert_allclose(drawer.mesh(0.07).bounds[1], [0.17, 0.05, 0.12], atol=1e-9)


def test_value_zero_is_the_pose_of_the_parts(book):
    rest = Mesh.concatenated(book.parts)
    np.testing.assert_allclose(book.mesh(0.0).vertices, rest.vertices, atol=1e-12)
    np.testing.assert_allclose(
        book.mesh(np.pi / 2).bounds[1, 2], 0.02 + 0.19, atol=1e-9
    )  # the right board stands up


@pytest.mark.parametrize("angle", np.linspace(-0.3, np.pi, 9).tolist())
def test_distance_equals_that_to_the_moved_mesh(book, angle):
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (3000, 3))
    truth = MeshQuery(book.mesh(angle)).signed_distances(points)
    sdf = book.sdf(resolution=64)
    found = sdf.distance(torch.tensor(points, dtype=torch.float32), torch.tensor(angle)).numpy()
    outside = truth > sdf.grids[0].spacing
    assert np.abs(found - truth)[outside].max() < 0.02 * np.abs(truth[outside]).max() + 1e-3
    assert np.quantile(np.abs(found - truth)[outside], 0.95) < 1e-3
    clear = np.abs(truth) > 0.5 * sdf.grids[0].spacing
    assert ((found < 0) == (truth < 0))[clear].mean() > 0.999


def test_batched_angles_are_the_single_ones(book):
    sdf = book.sdf(resolution=32)
    angles = torch.linspace(0, 3, 4)
    points = torch.rand(4, 50, 3) * 0.4 - 0.2
    together, normals = sdf.distance_and_normal(points, angles)
    for i in range(4):
        torch.testing.assert_close(sdf.distance(points[i], angles[i]), together[i])
    torch.testing.assert_close(sdf.distance(points, angles), together)
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(4, 50))


@pytest.mark.parametrize("which", ["book", "drawer"])
def test_gradients_by_value_and_points_are_those_of_differences(which, request):
    thing = request.getfixturevalue(which)
    sdf = thing.sdf(resolution=48).to(dtype=torch.float64)
    points = torch.rand(400, 3, dtype=torch.float64) * 0.16 - 0.08
    value = torch.full((400,), 0.03, dtype=torch.float64).requires_grad_()
    sdf.distance(points[:, None], value).sum().backward()
    step = 1e-7
    high = sdf.distance(points[:, None], value.detach() + step)
    low = sdf.distance(points[:, None], value.detach() - step)
    numeric = ((high - low) / (2 * step))[:, 0]
    assert value.grad is not None
    assert float(numeric.abs().max()) > 0.01
    assert float((value.grad - numeric).abs().median()) < 1e-6
    assert float(((value.grad - numeric).abs() < 1e-4).double().mean()) > 0.9


def test_normals_turn_with_the_part(book):
    sdf = book.sdf(resolution=64)
    _, normal = sdf.distance_and_normal(
        torch.tensor([[-0.03, 0.0, 0.12]]), torch.tensor(np.pi / 2, dtype=torch.float32)
    )
    # The right board stands on edge; its lower face, now at x > 0, is behind the upper at x = -.
    torch.testing.assert_close(normal, torch.tensor([[-1.0, 0.0, 0.0]]), atol=1e-3, rtol=0)


def test_one_grid_at_one_value_is_the_whole_object(book):
    grid = book.sdf(resolution=64).at(1.0, resolution=80)
    surface = extract_surface(grid)
    truth = book.mesh(1.0)
    np.testing.assert_allclose(surface.bounds, truth.bounds, atol=grid.spacing)
    assert surface.volume == pytest.approx(truth.volume, rel=0.05)


def test_scaling_scales_parts_joint_and_sliding(book, drawer):
    np.testing.assert_allclose(
        book.scaled(0.4).mesh(1.0).vertices, 0.4 * book.mesh(1.0).vertices, atol=1e-12
    )
    half = drawer.scaled(0.5)
    assert half.joint.limits == (0.0, 0.05)
    np.testing.assert_allclose(half.mesh(0.05).vertices, 0.5 * drawer.mesh(0.1).vertices, atol=1e-9)


def test_joint_must_move_a_part_that_exists(book):
    joint = Joint(kind="revolute", axis=(1.0, 0.0, 0.0), limits=(0.0, 1.0), moving=2)
    with pytest.raises(ValueError, match="part 2 of 2"):
        ArticulatedObject(parts=book.parts, joint=joint)
