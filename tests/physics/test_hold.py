"""The hold test discriminates: squeezing holds; opening, letting go or oiling drops."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bghop.geometry import shapes
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.transforms import mirror_rigid, mirror_rotvec
from bghop.physics.hand_bodies import aim, plan_hands
from bghop.physics.hold import DIRECTIONS, hold_film, hold_test, hold_tests
from bghop.physics.pieces import pieces_of
from bghop.physics.settings import HandForces, HoldSettings

WIDTH = 0.20
BOX = shapes.box((WIDTH, 0.12, 0.20))


@pytest.fixture(scope="module")
def held(hand_model, palms_on_box):
    return hold_test(BOX, hand_model, palms_on_box(WIDTH))


def test_two_palms_that_only_touch_a_box_squeeze_and_hold_it(held):
    assert held.success
    assert max(held.moved_cm) < 1.0
    assert max(held.turned_deg) < 5.0
    assert held.mass == 2.0


def test_the_hands_press_with_their_strength_and_no_more(held):
    assert min(held.squeeze_force) > 20.0
    # A spring at its limit, and what is left of closing's swing.
    assert max(held.squeeze_force) < 45.0


def test_a_mirrored_grasp_of_a_symmetric_object_gives_mirrored_results(held):
    # The scene is its own mirror image in x = 0: gravity along +x and -x must do the same.
    assert held.moved_cm[0] == pytest.approx(held.moved_cm[3], rel=1e-3)
    assert held.squeeze_force[0] == pytest.approx(held.squeeze_force[1], rel=1e-3)


def test_an_asymmetric_grasp_mirrored_gives_the_mirrored_result(hand_model, palms_on_box):
    hands = palms_on_box(WIDTH)
    T = hands.T_object_hand.clone()
    T[0, :3, 3] += torch.tensor([0.0, 0.01, 0.02])
    pose = hands.pose.clone()
    pose[1, 4] += 0.1
    hands = replace(hands, T_object_hand=T, pose=pose)
    mirrored = replace(
        hands, T_object_hand=mirror_rigid(T).flip(0), pose=mirror_rotvec(pose).flip(0)
    )
    settings = HoldSettings(hold_s=0.2)
    first = hold_test(BOX, hand_model, hands, settings)
    second = hold_test(BOX, hand_model, mirrored, settings)
    order = [3, 1, 2, 0, 4, 5]  # +x and -x change places
    assert np.array(second.moved_cm)[order] == pytest.approx(np.array(first.moved_cm), abs=0.05)
    assert second.squeeze_force[::-1] == pytest.approx(first.squeeze_force, rel=0.05)


def test_open_hands_drop_it(hand_model, palms_on_box):
    result = hold_test(BOX, hand_model, palms_on_box(WIDTH, 0.03))
    assert not any(result.held)
    assert result.squeeze_force == (0.0, 0.0)


@pytest.mark.parametrize("present", [(True, False), (False, True)])
def test_one_hand_drops_a_large_object(hand_model, palms_on_box, present):
    result = hold_test(BOX, hand_model, palms_on_box(WIDTH), present=present)
    assert sum(result.held) <= 1
    assert min(result.squeeze_force) == 0.0


def test_without_any_hand_it_falls_freely(hand_model, palms_on_box):
    settings = HoldSettings(hold_s=0.1)
    result = hold_test(BOX, hand_model, palms_on_box(WIDTH), settings, present=(False, False))
    # Speed first, then place; bodies are seen where the last step found them.
    steps = round(0.1 / settings.timestep) - 1
    fall = 0.5 * 9.81 * settings.timestep**2 * steps * (steps + 1)
    assert result.moved_cm == pytest.approx([100 * fall] * 6, rel=1e-6)
    assert max(result.turned_deg) < 1e-6


def test_oiled_hands_drop_more(hand_model, palms_on_box):
    result = hold_test(BOX, hand_model, palms_on_box(WIDTH), HoldSettings(friction=0.1))
    assert sum(result.held) <= 3  # along the normals of the palms friction is not needed


def test_hands_that_do_not_squeeze_drop_it(hand_model, palms_on_box):
    settings = HoldSettings(forces=HandForces(squeeze=0.0))
    assert not hold_test(BOX, hand_model, palms_on_box(WIDTH), settings).success


def test_depth_earns_nothing(hand_model, palms_on_box, held):
    deep = hold_test(BOX, hand_model, palms_on_box(WIDTH, -0.003))
    assert deep.success == held.success
    assert max(deep.squeeze_force) < 1.25 * max(held.squeeze_force)


def test_the_same_grasp_gives_the_same_numbers_again(hand_model, palms_on_box):
    settings = HoldSettings(hold_s=0.1)
    first, second = (hold_test(BOX, hand_model, palms_on_box(WIDTH), settings) for _ in range(2))
    assert first.moved_cm == second.moved_cm
    assert first.turned_deg == second.turned_deg
    assert first.largest_force == second.largest_force


def test_directions_are_independent_of_each_other(hand_model, palms_on_box):
    """Each starts from the closed state: the object's own weight is the only difference."""
    assert np.abs(DIRECTIONS).sum(1).tolist() == [1.0] * 6
    settings = HoldSettings(hold_s=0.1, friction=0.05)
    result = hold_test(BOX, hand_model, palms_on_box(WIDTH), settings)
    # Falls along +z and -z start alike although +z came first.
    assert result.moved_cm[2] == pytest.approx(result.moved_cm[5], rel=0.2)


def plans_of(hand_model, hands):
    return plan_hands(MeshQuery(BOX), hand_model, hands)


def test_targets_lie_five_millimetres_inside(hand_model, palms_on_box):
    for plan, sign in zip(plans_of(hand_model, palms_on_box(WIDTH)), (1.0, -1.0), strict=True):
        assert plan is not None
        targets = aim(plan, np.zeros(16), 0.005)
        assert targets.wrist_shift[0] == pytest.approx(sign * 0.005, rel=0.05)
        low, high = np.array([hinge.limits for hinge in plan.hinges]).T
        assert (low <= targets.angles).all()
        assert (targets.angles <= high).all()
        assert len(plan.hinges) == 20


def test_gaps_between_the_simulations_shapes_are_made_up_for(hand_model, palms_on_box):
    """2 mm of air or of overlap move the targets by just that, and 5 mm of squeeze stay."""
    plan, _ = plans_of(hand_model, palms_on_box(WIDTH))
    assert plan.contacts.touches[0]  # the palm, which only the wrist can move
    near = aim(plan, np.zeros(16), 0.005)
    for gap in (0.002, -0.002):
        far = aim(plan, np.full(16, gap), 0.005)
        assert far.wrist_shift - near.wrist_shift == pytest.approx([gap, 0, 0], abs=3e-4)
    finger = 3 * ((np.flatnonzero(plan.contacts.touches)[-1] - 1) // 3)
    gaps = np.zeros(16)
    gaps[finger + 1 : finger + 4] = -0.002
    moved = aim(plan, gaps, 0.005).angles - near.angles
    own = [i for i, hinge in enumerate(plan.hinges) if (hinge.bone - 1) // 3 == finger // 3]
    assert np.abs(moved[own]).max() > 0.01
    assert np.abs(np.delete(moved, own)).max() < 0.01


def test_without_squeeze_even_hands_that_penetrate_press_little(hand_model, palms_on_box):
    """3 mm of overlap at the wrists' 8 N/mm would be 24 N; with squeeze the hands give 40 N."""
    settings = HoldSettings(forces=HandForces(squeeze=0.0), hold_s=0.02)
    for gap, most in ((0.0, 4.0), (-0.001, 4.0), (-0.003, 14.0)):
        result = hold_test(BOX, hand_model, palms_on_box(WIDTH, gap), settings)
        assert max(result.squeeze_force) < most


def test_only_touching_fingers_get_a_target(hand_model, palms_on_box):
    for plan in plans_of(hand_model, palms_on_box(WIDTH, 0.03)):
        assert plan is not None
        targets = aim(plan, np.zeros(16), 0.005)
        assert np.abs(targets.wrist_shift).max() == 0.0
        assert np.abs(targets.angles).max() == 0.0


def test_side_by_side_gives_what_one_after_the_other_gives(hand_model, palms_on_box):
    settings = HoldSettings(hold_s=0.05)
    grasps = [palms_on_box(WIDTH, gap) for gap in (0.0, 0.03, -0.001)]
    alone = [hold_test(BOX, hand_model, hands, settings) for hands in grasps]
    together = hold_tests(BOX, hand_model, grasps, settings, threads=3)
    assert [result.moved_cm for result in together] == [result.moved_cm for result in alone]


def test_a_film_shows_the_grasp_the_closed_state_and_the_fall(hand_model, palms_on_box):
    hands = palms_on_box(WIDTH)
    film = hold_film(BOX, hand_model, hands, direction=2, frames=6, present=(True, False))
    assert film.captions[:2] == ("grasp", "closed")
    assert len(film.captions) == len(film.Ts_object_now) == len(film.hands.pose) == 6
    assert film.Ts_object_now[0] == pytest.approx(np.eye(4), abs=1e-9)
    # It falls along +z and is lost at 10 cm; hands as posed in the simulation start as they were.
    assert film.Ts_object_now[-1, 2, 3] - film.Ts_object_now[1, 2, 3] > 0.05
    assert film.moved_cm[-1] > 10.0
    torch.testing.assert_close(film.hands.pose[0, 0], hands.pose[0], atol=1e-5, rtol=0)
    T = film.hands.T_object_hand[0, 0]
    torch.testing.assert_close(T, hands.T_object_hand[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("side", "mass"), [(0.05, 0.1), (0.1, 0.5), (0.3, 2.0)])
def test_mass_is_that_of_light_wood_within_bounds(side, mass):
    cube: Mesh = shapes.box((side, side, side))
    assert pieces_of(cube).body.mass == pytest.approx(mass, rel=0.01)
