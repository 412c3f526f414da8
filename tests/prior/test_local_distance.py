"""Distances and directions at points, each row in its own grid."""

import torch

from bghop.geometry.grid import CubeGrid
from bghop.geometry.sdf import sdf_on_cube
from bghop.geometry.shapes import sphere
from bghop.prior.local_distance import distance_at

HALF = 0.30


def test_a_ball_is_as_far_as_it_is_and_its_surface_looks_outward():
    cube = CubeGrid(resolution=64, half_extent=HALF)
    balls = [sdf_on_cube(sphere(radius), cube).values for radius in (0.08, 0.12)]
    points = 0.1 * torch.randn(2, 2, 21, 3, generator=torch.Generator().manual_seed(0))
    points = points.clamp(-0.28, 0.28)
    found, gradient = distance_at(torch.stack(balls)[:, None], points, half_extent=HALF)
    length = points.norm(dim=-1, keepdim=True)
    wanted = length - torch.tensor([0.08, 0.12])[:, None, None, None]
    torch.testing.assert_close(found, wanted, atol=0.002, rtol=0)
    outward = (gradient * points / length).sum(-1)[length[..., 0] > 0.03]
    assert outward.min() > 0.95


def test_beyond_the_grid_there_is_its_border():
    ramp = torch.linspace(-HALF, HALF, 8)[:, None, None].expand(1, 1, 8, 8, 8)
    points = torch.tensor([[-0.5, 0.0, 0.0], [0.1, 0.2, 0.0], [0.9, 0.0, 0.1]]).expand(1, 2, 3, 3)
    found, gradient = distance_at(ramp, points, half_extent=HALF)
    torch.testing.assert_close(found[0, 0, :, 0], torch.tensor([-HALF, 0.1, HALF]))
    torch.testing.assert_close(gradient[0, 0, 1], torch.tensor([1.0, 0.0, 0.0]))
    assert gradient[0, 0, 2].abs().max() == 0
