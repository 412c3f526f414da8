"""The static check: what pushes from both sides balances, what touches from one side does not."""

from dataclasses import replace

import pytest

from bghop.geometry import shapes
from bghop.geometry.mesh import MeshQuery
from bghop.physics.pieces import pieces_of
from bghop.physics.settings import HandForces, HoldSettings
from bghop.physics.static_check import static_check

WIDTH = 0.20
BOX = shapes.box((WIDTH, 0.12, 0.20))


@pytest.fixture(scope="module")
def check(hand_model):
    query = MeshQuery(BOX)

    def run(hands, settings=None, **options):
        return static_check(query, pieces_of(BOX).body, hand_model, hands, settings, **options)

    return run


def test_two_palms_on_a_box_balance_it(check, palms_on_box):
    result = check(palms_on_box(WIDTH))
    assert result.success
    assert max(result.residual) < 0.01
    assert min(result.num_contacts) >= 3


def test_one_palm_balances_only_what_pushes_it_into_the_palm(check, palms_on_box):
    result = check(palms_on_box(WIDTH), present=(False, True))
    assert sum(result.held) <= 1
    assert result.num_contacts[0] == 0


def test_hands_apart_balance_nothing(check, palms_on_box):
    result = check(palms_on_box(WIDTH, 0.03))
    assert result.residual == (1.0,) * 6
    assert not any(result.held)


def test_without_friction_only_the_normals_of_the_palms_are_left(check, palms_on_box):
    result = check(palms_on_box(WIDTH), HoldSettings(friction=0.01))
    assert not any(result.held[k] for k in (1, 2, 4, 5))


def test_a_hand_gives_no_more_than_its_limit(check, palms_on_box):
    # 2 kg weigh 19.6 N: two hands of 9 N and friction 0.8 can lift 14 N at most.
    weak = HoldSettings(forces=replace(HandForces(), wrist_force=9.0))
    assert not any(check(palms_on_box(WIDTH), weak).held[k] for k in (1, 2, 4, 5))
    strong = HoldSettings(forces=replace(HandForces(), wrist_force=20.0))
    assert check(palms_on_box(WIDTH), strong).success


def test_depth_earns_nothing(check, palms_on_box):
    at_surface, deep = check(palms_on_box(WIDTH)), check(palms_on_box(WIDTH, -0.003))
    assert deep.success == at_surface.success


def test_opposed_palms_are_more_stable_than_one(check, palms_on_box):
    both = check(palms_on_box(WIDTH)).instability
    one = check(palms_on_box(WIDTH), present=(True, False)).instability
    nothing = check(palms_on_box(WIDTH, 0.05)).instability
    assert both < 0.05  # balanced with poor friction, and the squeeze cancels
    assert 0.2 < one < nothing
    assert nothing == pytest.approx(1.03)


def test_instability_is_the_same_in_the_mirror(check, palms_on_box):
    """Palms on opposite sides: only what breaks the balance counts, not which side it is on."""
    hands = palms_on_box(WIDTH)
    left, right = (check(hands, present=side) for side in ((True, False), (False, True)))
    assert left.instability == pytest.approx(right.instability, abs=1e-3)
