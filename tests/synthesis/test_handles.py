"""Handles are slender bars, wherever they are; pairs of starts that take one are known."""

import numpy as np
import pytest
import torch

from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import sdf_from_mesh
from bghop.geometry.shapes import box, cylinder, mug, sphere, torus, tube
from bghop.hands.joints import TIP_JOINTS
from bghop.hands.model import HandModel
from bghop.synthesis import synthesize as synthesizing
from bghop.synthesis.handles import on_handle, takes_handle
from bghop.synthesis.starts import single_starts
from bghop.synthesis.surface import sample_surface


def found(mesh: Mesh, *, resolution: int = 80, num: int = 600):
    """Surface points, and which of them are on a handle."""
    sdf = sdf_from_mesh(mesh, resolution=resolution)
    samples = sample_surface(mesh, sdf, num, np.random.default_rng(0))
    return samples.points, on_handle(samples.points, samples.normals, sdf)


def turned(mesh: Mesh) -> Mesh:
    """Askew to the grid's axes."""
    R = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    T = np.eye(4)
    T[:3, :3] = R * np.sign(np.linalg.det(R))
    return mesh.transformed(T)


@pytest.mark.parametrize("way", [lambda mesh: mesh, turned])
@pytest.mark.parametrize("radius", [0.006, 0.012, 0.020])
def test_a_bar_is_a_handle_but_for_its_ends(radius, way):
    points, marks = found(way(cylinder(radius, 0.20)))
    along = points - points.mean(0)
    axis = torch.linalg.svd(along, full_matrices=False).Vh[0]
    inner = (along @ axis).abs() < 0.10 - 3 * radius
    assert marks[inner].float().mean() > 0.8


@pytest.mark.parametrize(
    "mesh",
    [
        sphere(0.015), sphere(0.06), cylinder(0.05, 0.2), cylinder(0.001, 0.2),
        box((0.2, 0.2, 0.012)), box((0.2, 0.15, 0.1)),
    ],
    ids=["marble", "ball", "pillar", "needle", "board", "block"],
)  # fmt: skip
def test_balls_boards_blocks_and_needles_have_no_handle(mesh):
    _, marks = found(mesh)
    assert marks.float().mean() < 0.05


def test_the_handle_of_a_mug_is_found_and_its_body_is_not():
    mesh = mug()
    points, marks = found(mesh, num=2000)
    beyond = points[:, :2].norm(dim=-1) > 1.15 * points[:, :2].norm(dim=-1).median()
    assert marks[beyond].float().mean() > 0.5
    assert marks[~beyond].float().mean() < 0.02


def pool_on(mesh: Mesh, model: HandModel):
    sdf = sdf_from_mesh(mesh, resolution=80)
    samples = sample_surface(mesh, sdf, 1000, np.random.default_rng(0))
    generator = torch.Generator().manual_seed(0)
    return single_starts(model, sdf, samples, num=150, generator=generator), samples, sdf


def test_pairs_take_a_handle_if_one_of_their_hands_does(hand_model):
    pool, samples, sdf = pool_on(mug(), hand_model)
    taking = takes_handle(pool, samples, sdf)
    assert taking is not None
    beyond = pool.contact[..., :2].norm(dim=-1) > 0.055  # the body's radius is 4 cm
    assert bool(beyond.any())
    wanted = beyond[0][:, None] | beyond[1][None]
    assert (taking == wanted).float().mean() > 0.9


@pytest.mark.parametrize("mesh", [box((0.2, 0.15, 0.1)), torus(0.12, 0.03)], ids=["none", "all"])
def test_without_handles_or_with_nothing_else_there_is_no_choice(mesh, hand_model):
    assert takes_handle(*pool_on(mesh, hand_model)) is None


def test_half_of_the_starts_are_sought_at_a_handle(hand_model, monkeypatch):
    """Without that share none of a ball's starts would be at the bar that sticks out of it."""
    bar = tube(np.array([[0.09, 0.0, 0.0], [0.15, 0.0, 0.0], [0.22, 0.0, 0.0]]), 0.012)
    mesh = Mesh.concatenated([sphere(0.1), bar], name="rattle")
    sdf = sdf_from_mesh(mesh, resolution=80)
    load = synthesizing.object_load(sdf, friction=0.5)

    def at_the_bar() -> int:
        starts = synthesizing.geometric_starts(
            mesh, sdf, load, hand_model, num=12, seed=0, up=(0.0, 0.0, 1.0), pool=300
        )
        assert len(starts.cost) == 12
        tips = hand_model.joints(starts.hands)[:, :, TIP_JOINTS, 0].mean(-1)
        return int((tips > 0.11).any(-1).sum())

    assert at_the_bar() >= 3
    monkeypatch.setattr(synthesizing, "HANDLE_SHARE", 0.0)
    assert at_the_bar() == 0
