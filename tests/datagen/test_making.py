"""An object and its grasps from a seed and a number: checked, whole, the same again."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bghop.data.objects import stack_objects
from bghop.data.objects_from_mesh import REACH
from bghop.datagen import making
from bghop.datagen.candidates import CandidateOptions
from bghop.datagen.checks import Checked, CheckOptions
from bghop.datagen.making import MakeOptions, make, make_shape, shape_of
from bghop.evaluation.metrics import FINGER_DISTANCE
from bghop.geometry.mesh import MeshQuery
from bghop.synthesis.optimize import OptimizeOptions

OPTIONS = MakeOptions(
    families=("box", "mug", "lidded_box"), num=6,
    candidates=CandidateOptions(pool=200, optimize=OptimizeOptions(steps=60, prune_at=())),
)  # fmt: skip


@pytest.fixture(scope="module")
def made(hand_model):
    return make(OPTIONS, 0, 2, hand_model)


def test_records_say_what_the_checks_saw(made, hand_model):
    """The stored hands, on the average model with their shape, against the exact mesh."""
    records, checks = made.records, CheckOptions()
    assert len(records) >= 2
    shape = made.shape.sample
    mesh = shape_of(shape.family, shape.parameters, shape.joint_value)
    query = MeshQuery(mesh)
    with torch.no_grad():
        vertices = hand_model.pose_hands(records.hands).vertices_object.double().numpy()
    for i in range(len(records)):
        for side in range(2):
            distance = query.signed_distances(vertices[i, side])
            depth = 1000 * max(0.0, -distance.min())
            assert abs(depth - float(made.checked.depth_mm[i, side])) < 0.6
            assert depth < checks.deepest_mm + 0.6
            near = [np.abs(distance[pad]).min() for pad in hand_model.regions.pads]
            assert sum(gap < FINGER_DISTANCE + 0.001 for gap in near) >= checks.fewest_fingers
    assert (made.checked.residual <= checks.unbalanced).all()


def test_no_two_grasps_are_copies(made, hand_model):
    with torch.no_grad():
        joints = hand_model.joints(made.records.hands)
    apart = (joints[:, None] - joints).norm(dim=-1).mean((-1, -2))
    apart.fill_diagonal_(1.0)
    assert apart.min() >= CheckOptions().copy_distance


def test_every_candidate_is_accounted_for(made):
    assert made.num_candidates == len(made.records) + sum(made.rejected.values())


def test_the_hold_test_meets_every_family_either_hand_and_grasps_that_only_balance_refuses(
    hand_model, monkeypatch
):
    monkeypatch.setattr(
        making, "hold_tests",
        lambda mesh, person, grasps, **_: [SimpleNamespace(success=True) for _ in grasps],
    )  # fmt: skip
    reasons = ("", "unbalanced", "deep", "", "copy", "unbalanced", "", "", "", "unbalanced")
    nothing = torch.full((len(reasons),), torch.nan)
    checked = Checked(
        reason=reasons, depth_mm=torch.zeros(len(reasons), 2),
        fingers=torch.zeros(len(reasons), 2), residual=nothing, instability=nothing,
    )  # fmt: skip
    hands = hand_model.rest_parameters(len(reasons))
    options = replace(OPTIONS, hold_every=40)
    mesh = make_shape(OPTIONS, 0, 0).mesh
    query = MeshQuery(mesh)

    def held(number, options=options):
        return making._held(options, 0, number, hands, checked, mesh, query, hand_model)

    tested = []
    for number in range(4000):
        accepted, unbalanced = held(number)
        if accepted:
            tested.append(number)
            assert len(accepted) == options.hold_most
            assert set(accepted) < {0, 3, 6, 7, 8}
            assert set(unbalanced) == {1, 5, 9}
    assert 70 < len(tested) < 130  # one in 40
    assert {number % 2 for number in tested} == {0, 1}
    assert len({number % 45 for number in tested}) > 30  # families take turns
    assert held(tested[0], replace(options, hold_every=0)) == ({}, {})


@pytest.mark.parametrize("num", [2, 3, 45])
def test_members_of_every_family_are_held_by_either_hand(num):
    options = replace(OPTIONS, hands="one", families=tuple(f"family {k}" for k in range(num)))
    for family in range(num):
        hands = [making._one_hand(options, family + turn * num) for turn in range(4)]
        assert hands == [hands[0], hands[1]] * 2
        assert sorted(hands[:2]) == [(False, True), (True, False)]


def test_the_stored_object_is_the_one_that_was_held(made):
    store = stack_objects([made.stored], reach=REACH)
    assert made.stored.joint is not None
    assert set(made.records.object) == {made.stored.key}
    assert store is not None
    assert (made.records.joint_value == made.shape.sample.joint_value).all()


def test_seed_and_number_choose_the_object():
    # That equal ones make equal data is tested with the command (slow).
    assert make_shape(OPTIONS, 0, 2).sample == make_shape(OPTIONS, 0, 2).sample
    assert make_shape(OPTIONS, 0, 5).sample != make_shape(OPTIONS, 0, 2).sample
    assert make_shape(OPTIONS, 1, 2).sample != make_shape(OPTIONS, 0, 2).sample


@pytest.mark.slow
def test_one_hand_grasps_have_one_hand(hand_model):
    number = 1
    options = replace(OPTIONS, hands="one", families=("cup",), num=8)
    found = make(options, 0, number, hand_model)
    hands = found.records.hands
    assert len(hands.present) > 0
    assert (hands.present == torch.tensor([False, True])).all()
    assert torch.equal(hands.T_object_hand[:, 0], torch.eye(4).expand(len(hands.present), 4, 4))
    assert not hands.pose[:, 0].any()
    assert not hands.shape[:, 0].any()
    # The same object as with two hands: it fits into one.
    assert found.shape.sample == make_shape(replace(options, hands="both"), 0, number).sample


@pytest.mark.slow
def test_another_person_grasps_the_same_object_in_another_way(made, hand_model):
    other = make(OPTIONS, 0, 2, hand_model, person_number=1)
    assert other.shape.sample == made.shape.sample
    first, second = made.records.hands.shape[0], other.records.hands.shape[0]
    assert torch.equal(first[0], first[1])  # both hands of one person
    assert (first - second).abs().max() > 0.1
    places, theirs = (each.records.hands.T_object_hand[:, 0, :3, 3] for each in (made, other))
    assert torch.cdist(places, theirs).min() > 1e-4
