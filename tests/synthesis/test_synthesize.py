"""The whole way from a mesh to grasps, measured by the metrics and not by its own energy."""

import pytest
import torch

from bghop.evaluation.measure import measure_grasp, solid_of_mesh
from bghop.evaluation.ranking import faults
from bghop.geometry import shapes
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid
from bghop.hands.model import HandModel
from bghop.synthesis.optimize import OptimizeOptions
from bghop.synthesis.synthesize import (
    Synthesis,
    SynthesizeOptions,
    choose_diverse,
    object_load,
    synthesize,
)

QUICK = SynthesizeOptions(
    pool=400, sdf_resolution=56, starts_per_result=4.0, optimize=OptimizeOptions(steps=70)
)


def num_good(mesh: Mesh, hand_model: HandModel, found: Synthesis) -> int:
    solid = solid_of_mesh(mesh)
    measured = [
        measure_grasp(solid, hand_model, found.hands.rows(i), time_s=0.0)
        for i in range(len(found.energy))
    ]
    return sum(not faults(each) for each in measured)


@pytest.fixture(scope="module")
def found(box_mesh: Mesh, hand_model: HandModel) -> Synthesis:
    torch.set_num_threads(1)
    return synthesize(box_mesh, hand_model=hand_model, num=8, seed=1, options=QUICK)


def test_grasps_of_a_box_are_good(box_mesh: Mesh, hand_model: HandModel, found: Synthesis):
    assert num_good(box_mesh, hand_model, found) >= 6


def test_no_angle_leaves_its_limits(hand_model: HandModel, found: Synthesis):
    assert hand_model.limit_violation(found.hands.pose).max() < 1e-5


def test_best_first(found: Synthesis):
    assert found.energy.tolist() == sorted(found.energy.tolist())


def test_results_differ(found: Synthesis):
    wrists = found.hands.T_object_hand[..., :3, 3].flatten(1)
    apart = torch.cdist(wrists, wrists) + torch.eye(len(wrists))
    assert apart.min() > 0.01
    assert apart[~torch.eye(len(wrists), dtype=torch.bool)].mean() > 0.08


def test_the_same_seed_gives_the_same_grasps(
    box_mesh: Mesh, hand_model: HandModel, found: Synthesis
):
    again = synthesize(box_mesh, hand_model=hand_model, num=8, seed=1, options=QUICK)
    assert torch.equal(again.hands.T_object_hand, found.hands.T_object_hand)
    assert torch.equal(again.hands.pose, found.hands.pose)


@pytest.mark.slow
def test_another_seed_gives_others(box_mesh: Mesh, hand_model: HandModel, found: Synthesis):
    other = synthesize(box_mesh, hand_model=hand_model, num=8, seed=2, options=QUICK)
    assert not torch.equal(other.hands.T_object_hand, found.hands.T_object_hand)


def test_progress_is_told_to_the_end(box_mesh: Mesh, hand_model: HandModel):
    told: list[tuple[int, int]] = []
    options = SynthesizeOptions(pool=60, sdf_resolution=32, optimize=OptimizeOptions(steps=5))
    synthesize(
        box_mesh, hand_model=hand_model, num=1, options=options,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(i, 5) for i in range(1, 6)]


def test_the_load_of_a_box(box_sdf: SdfGrid):
    """20 x 10 x 16 cm at 500 kg/m3 is 1.6 kg, its centre the origin."""
    load = object_load(box_sdf, friction=0.8)
    assert float(load.loads[0, 0]) == pytest.approx(1.6 * 9.81, rel=0.02)
    torch.testing.assert_close(load.centre, torch.zeros(3), atol=1e-4, rtol=0)


def test_copies_come_after_what_is_new(hand_model: HandModel):
    T = torch.eye(4).repeat(4, 2, 1, 1)
    T[2:, :, 0, 3] = 0.3  # 0 and 1 are copies, 2 and 3 are copies
    rest = hand_model.rest_parameters(4)
    hands = type(rest)(present=rest.present, T_object_hand=T, pose=rest.pose, shape=rest.shape)
    rows = choose_diverse(hands, torch.tensor([1.0, 1.1, 1.2, 1.3]), 2)
    assert rows.tolist() == [0, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "mesh",
    [
        shapes.sphere(0.03), shapes.box((0.45, 0.3, 0.3)), shapes.box((0.24, 0.17, 0.025)),
        shapes.cylinder(0.13, 0.015), shapes.torus(0.09, 0.02), shapes.casserole(), shapes.mug(),
    ],
    ids=["ball 6 cm", "box 45 cm", "book", "plate", "ring", "casserole", "mug"],
)  # fmt: skip
def test_every_kind_of_object_gets_good_grasps(mesh: Mesh, hand_model: HandModel):
    found = synthesize(mesh, hand_model=hand_model, num=8, seed=0)
    assert num_good(mesh, hand_model, found) >= 6
