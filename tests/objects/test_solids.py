"""Building blocks of the families: closed forms for volumes and shapes."""

import numpy as np
import pytest

from bghop.geometry.mesh import MeshQuery
from bghop.geometry.shapes import loft, tube
from bghop.objects.blocks import centred, union_of_blocks, with_round_corners
from bghop.objects.outlines import ellipse, filleted, inset, resampled, rounded_rectangle, spline
from bghop.objects.solids import (
    blend,
    hoop,
    moved,
    open_box,
    peg,
    prism,
    slab,
    stacked,
    turned,
    vessel,
)


def test_a_loft_between_squares_is_a_frustum():
    square = np.array([[1.0, 1.0, 0.0], [-1.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [1.0, -1.0, 0.0]])
    cut = loft(np.stack([2 * square, square + np.array([0, 0, 3])]))
    assert cut.is_watertight
    assert cut.volume == pytest.approx(3 / 3 * (16 + 8 + 4))


def test_a_tube_with_two_radii_is_a_cone():
    path = np.linspace([0.0, 0.0, 0.0], [0.0, 0.3, 0.0], 9)
    cone = tube(path, np.linspace(0.03, 0.01, 9), segments=200)
    assert cone.is_watertight
    assert cone.volume == pytest.approx(np.pi * 0.1 * (9 + 3 + 1) * 1e-4, rel=1e-3)


def test_a_slab_is_a_box_without_its_edges():
    block = slab(0.2, 0.1, 0.05, corner=0.004, rounding=0.003)
    np.testing.assert_allclose(block.bounds, [[-0.1, -0.05, 0.0], [0.1, 0.05, 0.05]], atol=1e-12)
    assert 0.98 * 1e-3 < block.volume < 1e-3


def test_a_prism_has_base_times_height():
    solid = prism(ellipse(0.2, 0.1, num=400), 0.05, rounding=1e-5)
    assert solid.volume == pytest.approx(np.pi * 0.1 * 0.05 * 0.05, rel=2e-3)


def test_stacked_outlines_are_cut_cones():
    circle = ellipse(0.1, 0.1, num=400)
    cone = stacked([(circle, 0.0), (0.5 * circle, 0.06)])
    assert cone.is_watertight
    assert cone.volume == pytest.approx(np.pi * 0.06 / 3 * (25 + 12.5 + 6.25) * 1e-4, rel=1e-3)


def test_a_frame_makes_the_screen_one_millimetre_deeper():
    outline = rounded_rectangle(0.2, 0.1, 0.015)
    plain, framed = (prism(outline, 0.01, frame=frame) for frame in (0.0, 0.01))
    assert framed.is_watertight
    assert plain.volume - framed.volume == pytest.approx(0.18 * 0.08 * 0.001, rel=0.02)
    np.testing.assert_allclose(plain.bounds, framed.bounds, atol=1e-12)


def test_a_peg_has_few_faces():
    knob = peg(0.01, 0.02, rounding=0.001)
    assert knob.is_watertight
    assert knob.volume == pytest.approx(np.pi * 0.01**2 * 0.02, rel=0.03)
    assert len(knob.faces) < 600


def test_round_corners_of_blocks_lie_on_circles():
    block = union_of_blocks([centred(0.2, 0.1, (0.0, 0.02))], step=0.002)
    round_ = with_round_corners(block, 0.02)
    assert round_.is_watertight
    assert np.array_equal(round_.bounds, block.bounds)
    assert round_.volume == pytest.approx(0.02 * (0.2 * 0.1 - (4 - np.pi) * 0.02**2), rel=1e-3)
    away = np.linalg.norm(round_.vertices[:, :2] - [0.08, 0.03], axis=1)
    corner = (round_.vertices[:, :2] > [0.08 - 1e-9, 0.03 - 1e-9]).all(axis=1)
    assert away[corner].max() == pytest.approx(0.02)


def test_an_open_box_has_the_volume_of_its_floor_and_walls():
    mesh = open_box(0.2, 0.1, 0.08, 0.005, corner=0.0055)
    walls = 0.2 * 0.1 * 0.08 - 0.19 * 0.09 * 0.075
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(walls, rel=0.03)
    room, floor = np.array([[0.0, 0.0, 0.04]]), np.array([[0.03, 0.02, 0.0025]])
    query = MeshQuery(mesh)
    assert query.signed_distances(room)[0] == pytest.approx(0.035, abs=1e-4)
    assert query.signed_distances(floor)[0] == pytest.approx(-0.0025, abs=1e-4)


def test_a_vessel_has_its_wall_everywhere():
    cup = vessel(filleted(np.array([[0, 0], [0.05, 0], [0.07, 0.1]]), 0.01), 0.005, segments=160)
    assert cup.is_watertight
    heights = np.linspace(0.02, 0.09, 8)
    inward = np.array([-0.1, 0.02]) / np.hypot(0.1, 0.02)
    middle = np.stack([0.05 + 0.2 * heights, heights], 1) + 0.0025 * inward
    points = np.stack([middle[:, 0], 0 * heights, middle[:, 1]], 1)
    depth = MeshQuery(cup).signed_distances(points)
    np.testing.assert_allclose(depth, -0.0025, atol=1e-4)


def test_turned_corners_make_a_cylinder_and_a_hoop_makes_a_torus():
    rod = turned([(0, 0), (0.05, 0), (0.05, 0.2), (0, 0.2)], rounding=1e-4, segments=200)
    assert rod.volume == pytest.approx(np.pi * 0.0025 * 0.2, rel=2e-3)
    ring = hoop(ellipse(0.2, 0.2, num=200), 0.3, 0.01, segments=100)
    assert ring.volume == pytest.approx(2 * np.pi**2 * 0.1 * 1e-4, rel=3e-3)
    np.testing.assert_allclose(ring.bounds[:, 2], [0.29, 0.31], atol=1e-9)


def test_a_blend_of_one_ball_is_the_ball_and_two_flow_together():
    center = (0.1, 0.0, 0.05)
    ball = blend([(center, center, 0.04, 0.04)], softness=0.01)
    distances = np.linalg.norm(ball.vertices - center, axis=1)
    np.testing.assert_allclose(distances, 0.04, atol=2e-4)
    other = (0.17, 0.0, 0.05)
    pair = blend([(center, center, 0.04, 0.04), (other, other, 0.04, 0.04)], softness=0.02)
    waist = MeshQuery(pair).signed_distances(np.array([[0.135, 0.0, 0.05]]))[0]
    assert pair.is_watertight
    assert waist < -np.sqrt(0.04**2 - 0.035**2) - 0.002


def test_a_union_of_blocks_counts_overlaps_once_and_has_no_inner_walls():
    blocks = [centred(0.2, 0.1, (0.0, 0.05)), ((0.0, 0.15), (0.0, 0.2), (0.02, 0.1))]
    solid = union_of_blocks(blocks, step=0.013)
    shared = 0.1 * 0.05 * 0.03
    assert solid.is_watertight
    assert solid.volume == pytest.approx(0.2 * 0.1 * 0.05 + 0.15 * 0.2 * 0.08 - shared)
    # The nearest face is an outer one although the upper block starts at z = 0.02.
    depth = MeshQuery(solid).signed_distances(np.array([[0.05, 0.025, 0.021]]))[0]
    assert depth == pytest.approx(-0.021)


def test_outlines_have_their_sizes():
    corner = rounded_rectangle(0.3, 0.2, 0.05)
    np.testing.assert_allclose(np.ptp(corner, axis=0), [0.3, 0.2], atol=1e-12)
    np.testing.assert_allclose(np.ptp(inset(corner, 0.02), axis=0), [0.26, 0.16], atol=1e-6)
    assert len(corner) == len(rounded_rectangle(0.1, 0.1, 0.01))
    line = resampled(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.5]]), 0.1)
    assert np.linalg.norm(np.diff(line, axis=0), axis=1).max() <= 0.1 + 1e-9
    assert np.linalg.norm(np.diff(line, axis=0), axis=1).sum() == pytest.approx(1.5)


def test_a_spline_passes_its_points_and_a_fillet_keeps_its_ends():
    points = np.array([[0.0, 0.0], [1.0, 0.5], [1.2, 2.0], [0.4, 3.0]])
    curve = spline(points, 2001)
    nearest = np.linalg.norm(curve[:, None] - points, axis=2).min(axis=0)
    assert nearest.max() < 2e-3
    bent = filleted(points[:3], 0.2)
    np.testing.assert_array_equal(bent[[0, -1]], points[[0, 2]])
    assert np.linalg.norm(bent - points[1], axis=1).min() > 0.01


@pytest.mark.parametrize(
    ("axis", "arrived"), [("x", [1, -3, 2]), ("y", [3, 2, -1]), ("z", [-2, 1, 3])]
)
def test_turns_are_right_handed_about_each_axis(axis, arrived):
    solid = slab(0.1, 0.1, 0.1, coarse=True)
    turned_solid = moved(solid, (0.5, 0, 0), turn_deg=90, about=axis)
    index = [abs(i) - 1 for i in arrived]
    wanted = solid.vertices[:, index] * np.sign(arrived) + [0.5, 0, 0]
    np.testing.assert_allclose(turned_solid.vertices, wanted, atol=1e-12)
