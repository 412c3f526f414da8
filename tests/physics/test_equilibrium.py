"""Holding forces: laws of the friction cone, and agreement with a general-purpose solver."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from bghop.physics.equilibrium import (
    GRAVITY,
    Contacts,
    balance_error,
    gravity_loads,
    holding_forces,
    project_to_cone,
    wrench,
)

CENTRE = torch.zeros(3)
RADIUS = 0.05


def loads(mass: float) -> torch.Tensor:
    return gravity_loads(mass, dtype=torch.float32, device=torch.device("cpu"))


def opposite_contacts(limit: float = 20.0) -> Contacts:
    """Three contacts on each of two opposite sides of a box, not on a line."""
    corners = torch.tensor([[0.0, 0.03, 0.0], [0.0, -0.02, 0.02], [0.0, -0.02, -0.02]])
    left, right = corners + torch.tensor([-RADIUS, 0, 0]), corners + torch.tensor([RADIUS, 0, 0])
    normals = torch.tensor([[-1.0, 0, 0]] * 3 + [[1.0, 0, 0]] * 3)
    return Contacts(
        points=torch.cat([left, right]), normals=normals, limits=torch.full((6,), limit)
    )


def error_of(contacts: Contacts, mass: float, friction: float = 0.8) -> float:
    forces = holding_forces(
        contacts, loads(mass), centre=CENTRE, length=RADIUS, friction=friction, iterations=300
    )
    return float(balance_error(contacts, forces, loads(mass), centre=CENTRE, length=RADIUS))


def in_cone(force: Tensor, inward: Tensor, limit: Tensor, friction: float) -> Tensor:
    """`project_to_cone` of forces whose last axis is x, y, z: each a contact of its own."""
    rows = project_to_cone(force[..., None], inward[..., None], limit[..., None], friction)
    return rows.squeeze(-1)


def test_forces_of_a_projection_lie_in_the_cone_and_below_the_limit():
    torch.manual_seed(0)
    force = 10 * torch.randn(500, 3)
    inward = torch.nn.functional.normalize(torch.randn(500, 3), dim=-1)
    inside = in_cone(force, inward, torch.full((500,), 4.0), 0.5)
    normal = (inside * inward).sum(-1)
    slip = (inside - normal[:, None] * inward).norm(dim=-1)
    assert (normal >= -1e-5).all()
    assert (normal <= 4.0 + 1e-4).all()
    assert (slip <= 0.5 * normal + 1e-4).all()


def test_projection_without_limit_is_the_nearest_point_of_the_cone():
    rng = np.random.default_rng(0)
    inward = torch.tensor([0.0, 0.0, 1.0])
    samples = rng.normal(size=(200_000, 3)) * 3
    slip = np.linalg.norm(samples[:, :2], axis=1)
    cone = samples[slip <= 0.7 * samples[:, 2]]
    for force in rng.normal(size=(20, 3)):
        ours = in_cone(
            torch.tensor(force, dtype=torch.float32), inward, torch.tensor(1e6), 0.7
        ).numpy()
        best_sampled = np.linalg.norm(cone - force, axis=1).min()
        assert np.linalg.norm(ours - force) <= best_sampled + 1e-4


def test_points_inside_the_cone_stay():
    force = torch.tensor([[0.1, 0.0, 1.0]])
    same = in_cone(force, torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([5.0]), 0.5)
    torch.testing.assert_close(same, force)


def test_two_hands_squeezing_hold_a_light_box():
    assert error_of(opposite_contacts(), mass=0.5) < 1e-3


@pytest.mark.parametrize("change", ["no friction", "weak", "one side"])
def test_what_cannot_hold_does_not(change: str):
    contacts, friction = opposite_contacts(), 0.8
    if change == "no friction":
        friction = 0.001
    elif change == "weak":
        contacts = opposite_contacts(limit=0.05)
    else:
        contacts = Contacts(
            points=contacts.points[:3], normals=contacts.normals[:3], limits=contacts.limits[:3]
        )
    assert error_of(contacts, mass=0.5, friction=friction) > 0.3


def test_equals_a_general_solver_on_random_contacts():
    """SLSQP with explicit cone constraints finds no better forces."""
    torch.manual_seed(3)
    points = 0.05 * torch.randn(4, 3)
    normals = torch.nn.functional.normalize(points + 0.01 * torch.randn(4, 3), dim=-1)
    contacts = Contacts(points=points, normals=normals, limits=torch.full((4,), 6.0))
    load = loads(0.5)[:1]
    forces = holding_forces(
        contacts, load, centre=CENTRE, length=RADIUS, friction=0.5, iterations=2000
    )
    ours = float(balance_error(contacts, forces, load, centre=CENTRE, length=RADIUS))
    inward = -normals.double().numpy()
    p, w = points.double().numpy() / RADIUS, load[0].double().numpy()

    def objective(x: np.ndarray) -> float:
        f = x.reshape(4, 3)
        total = np.concatenate([f.sum(0), np.cross(p, f).sum(0)]) + w
        return float(total @ total / (w @ w))

    def normal_part(x: np.ndarray) -> np.ndarray:
        return (x.reshape(4, 3) * inward).sum(1)

    def cone(x: np.ndarray) -> np.ndarray:
        a = normal_part(x)
        slip = x.reshape(4, 3) - a[:, None] * inward
        return (0.5 * a) ** 2 - (slip**2).sum(1)

    best = minimize(
        objective,
        (2 * inward).ravel(),
        method="SLSQP",
        constraints=[
            {"type": "ineq", "fun": cone},
            {"type": "ineq", "fun": normal_part},
            {"type": "ineq", "fun": lambda x: 6.0 - normal_part(x)},
        ],
        options={"maxiter": 500, "ftol": 1e-10},
    )
    assert ours == pytest.approx(best.fun, abs=0.02)


def test_a_good_start_needs_few_steps():
    contacts = opposite_contacts()
    arguments = {"centre": CENTRE, "length": RADIUS, "friction": 0.8}
    long = holding_forces(contacts, loads(1.0), iterations=300, **arguments)
    warm = holding_forces(contacts, loads(1.0), iterations=3, start=long, **arguments)
    assert balance_error(contacts, warm, loads(1.0), centre=CENTRE, length=RADIUS) < 1e-3


def test_weight_of_a_kilogram_pulls_along_every_axis():
    expected = torch.cat([torch.eye(3), -torch.eye(3)]) * GRAVITY
    torch.testing.assert_close(loads(1.0)[:, :3], expected)


def test_wrench_of_a_couple_is_pure_torque():
    points = torch.tensor([[0.0, RADIUS, 0.0], [0.0, -RADIUS, 0.0]])
    forces = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    expected = torch.tensor([0.0, 0, 0, 0, 0, -2.0])
    torch.testing.assert_close(wrench(points, forces, CENTRE, RADIUS), expected)


def test_gradient_agrees_with_finite_differences_of_the_optimum():
    """With the forces at their optimum, moving a contact changes the error as the gradient says."""
    base = opposite_contacts(limit=1.5)
    arguments = {"centre": CENTRE, "length": RADIUS, "friction": 0.8}

    def optimum(points: torch.Tensor) -> torch.Tensor:
        contacts = Contacts(points=points, normals=base.normals, limits=base.limits)
        forces = holding_forces(contacts, loads(0.5), iterations=800, **arguments)
        return balance_error(contacts, forces, loads(0.5), centre=CENTRE, length=RADIUS)

    points = (base.points + torch.tensor([0.0, 0.01, 0.02])).requires_grad_()
    value = optimum(points)
    (gradient,) = torch.autograd.grad(value, points)
    direction, step, at = gradient / gradient.norm(), 1e-4, points.detach()
    slope = (optimum(at + step * direction) - optimum(at - step * direction)) / (2 * step)
    assert float(slope) == pytest.approx(float((gradient * direction).sum()), rel=0.1)
