"""Convex pieces: closed forms for boxes, decompositions of small shapes, and the cache."""

from dataclasses import replace

import numpy as np
import pytest

from bghop.errors import MeshError
from bghop.geometry import shapes
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.physics import decompose as decomposition
from bghop.physics import pieces as module
from bghop.physics.decomposition.balancing import balanced
from bghop.physics.decomposition.cutting import cut_up, stand_off
from bghop.physics.decomposition.hulls import hull_of, simplified
from bghop.physics.decomposition.merging import merged
from bghop.physics.decomposition.parts import split, whole
from bghop.physics.decomposition.room import GridQuery, room_around
from bghop.physics.pieces import Pieces, cache_folder, decompose, pieces_of

EXTENTS = (0.2, 0.1, 0.3)
SMALL = (0.02, 0.02, 0.02)


@pytest.fixture(scope="module", autouse=True)
def coarse_lattice():
    """Volumes within a few percent are enough here; most of the time would go into them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decomposition, "LATTICE", 60_000)
        yield


def test_a_box_is_one_piece_with_a_boxs_mass_and_inertia():
    found = decompose(shapes.box(EXTENTS))
    assert found.method == "hull"
    assert len(found.vertices) == 1
    assert found.body.volume == pytest.approx(np.prod(EXTENTS), rel=1e-6)
    assert found.body.centre == pytest.approx(np.zeros(3), abs=1e-9)
    a, b, c = np.square(EXTENTS)
    assert np.diag(found.body.inertia) == pytest.approx(
        np.array([b + c, a + c, a + b]) / 12, rel=0.01
    )
    assert abs(found.volume_error) < 1e-6
    assert max(found.surface_error_mm) < 1e-6


def test_faces_of_pieces_look_outward():
    found = decompose(shapes.sphere(0.03, segments=16))
    piece = Mesh(vertices=found.vertices[0], faces=found.faces[0].astype(np.int64))
    assert piece.volume == pytest.approx(shapes.sphere(0.03, segments=16).volume, rel=0.01)


def test_pieces_do_not_care_where_the_object_is():
    moved = shapes.box(EXTENTS)
    moved = replace(moved, vertices=moved.vertices + np.array([1.0, -2.0, 0.5]))
    found = decompose(moved)
    assert found.body.centre == pytest.approx([1.0, -2.0, 0.5], abs=1e-6)
    assert found.body.inertia == pytest.approx(
        decompose(shapes.box(EXTENTS)).body.inertia, abs=1e-9
    )


def test_what_is_flat_is_refused_with_a_remedy():
    sheet = shapes.box((0.1, 0.1, 0.0))
    with pytest.raises(MeshError, match="thickness"):
        decompose(sheet)


def test_pieces_come_back_from_disk_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "_in_memory", {})
    first = pieces_of(shapes.box(SMALL))
    assert len(list((cache_folder() / "pieces").iterdir())) == 1
    monkeypatch.setattr(module, "_in_memory", {})
    monkeypatch.setattr(module, "decompose", lambda _: pytest.fail("made again"))
    second = pieces_of(shapes.box(SMALL, name="other"))
    assert second.method == first.method
    assert second.body.volume == first.body.volume
    assert np.array_equal(second.vertices[0], first.vertices[0])
    assert np.array_equal(second.faces[0], first.faces[0])


def test_a_broken_cache_file_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "_in_memory", {})
    pieces_of(shapes.box(SMALL))
    (file,) = (cache_folder() / "pieces").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    monkeypatch.setattr(module, "_in_memory", {})
    assert pieces_of(shapes.box(SMALL)).method == "hull"


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(module, "_in_memory", {})
    assert pieces_of(shapes.box(SMALL)).method == "hull"


def l_shape() -> Mesh:
    """A lying and a standing box, edge on edge: 5 x 5 x 1 cm and 1 x 5 x 4 cm."""
    upright = shapes.box((0.01, 0.05, 0.04))
    upright = replace(upright, vertices=upright.vertices + np.array([-0.02, 0, 0.025]))
    return Mesh.concatenated([shapes.box((0.05, 0.05, 0.01)), upright], name="l")


@pytest.fixture(scope="module")
def pieces_of_l() -> Pieces:
    return decompose(l_shape())


def test_an_l_is_two_boxes(pieces_of_l):
    found = pieces_of_l
    assert found.method == "cuts"
    assert len(found.vertices) == 2
    assert found.body.volume == pytest.approx(0.05 * 0.05 * 0.01 + 0.01 * 0.05 * 0.04, rel=0.05)
    assert abs(found.volume_error) < 0.03
    assert found.surface_error_mm[1] < 1


def test_a_ring_keeps_its_hole():
    ring = shapes.torus(0.025, 0.007, segments=32)
    found = decompose(ring)
    hulls = [hull_of(vertices) for vertices in found.vertices]
    assert not any(hull.contains(np.zeros((1, 3)))[0] for hull in hulls)
    assert 2 < len(hulls) <= 16
    assert abs(found.volume_error) < 0.1
    assert found.surface_error_mm[0] < 0.5
    assert found.outward_error_mm[1] < 2


def test_the_same_mesh_gives_the_same_pieces(pieces_of_l):
    first, second = pieces_of_l, decompose(l_shape())
    for one, two in zip(first.vertices, second.vertices, strict=True):
        assert np.array_equal(one, two)


def test_a_cavity_without_a_way_in_counts_as_solid():
    """A box inside out in a box: only a finger's room matters."""
    cavity = shapes.box((0.04, 0.04, 0.04))
    hollow = Mesh.concatenated([
        shapes.box((0.05, 0.05, 0.05)), replace(cavity, faces=cavity.faces[:, ::-1])
    ])  # fmt: skip
    found = decompose(hollow)
    assert len(found.vertices) == 1
    assert found.body.volume == pytest.approx(0.05**3 - 0.04**3, rel=0.05)
    assert found.surface_error_mm == pytest.approx((0, 0), abs=1e-6)


def test_an_open_box_is_hollow_as_soon_as_a_finger_fits_in():
    """A groove of 5 mm may be bridged, one of 40 mm may not."""
    for gap, pieces in ((0.005, 1), (0.04, 3)):
        walls = [shapes.box((0.01, 0.03, 0.03)) for _ in range(2)]
        walls = [
            replace(wall, vertices=wall.vertices + np.array([sign * (gap + 0.01) / 2, 0, 0]))
            for wall, sign in zip(walls, (-1, 1), strict=True)
        ]
        floor = shapes.box((gap + 0.02, 0.03, 0.01))
        floor = replace(floor, vertices=floor.vertices - np.array([0, 0, 0.02]))
        assert len(decompose(Mesh.concatenated([*walls, floor])).vertices) == pieces


def test_when_cuts_run_out_the_result_is_complete_and_says_so(monkeypatch):
    monkeypatch.setattr(decomposition, "MOST_PARTS", 3)
    ring = shapes.torus(0.03, 0.008, segments=32)
    found = decompose(ring)
    assert found.method == "cuts, unfinished"
    held = [hull_of(vertices).distance(ring.vertices) for vertices in found.vertices]
    assert np.min(held, axis=0).max() < 0.008  # balanced, yet all of the ring is near some piece


def test_parts_of_a_cut_box_fill_it():
    """The law of `split`: volumes add up, the plane bounds both sides."""
    mesh = shapes.box(EXTENTS)
    room = room_around(mesh, MeshQuery(mesh))
    (part,) = whole(mesh.vertices, mesh.faces, room)
    normal, offset = np.array([0.6, 0.0, 0.8]), 0.01
    below, above = (each.hull() for each in split(part, room, normal, offset))
    assert below.volume + above.volume == pytest.approx(np.prod(EXTENTS))
    assert (below.corners @ normal).max() == pytest.approx(offset)
    assert (above.corners @ normal).min() == pytest.approx(offset)


def test_a_handle_falls_into_separate_parts_when_cut_across():
    ring = shapes.torus(0.03, 0.006, segments=48)
    room = room_around(ring, MeshQuery(ring))
    (part,) = whole(ring.vertices, ring.faces, room)
    assert len(split(part, room, np.array([1.0, 0.0, 0.0]), 0.0)) == 2
    assert len(split(part, room, np.array([1.0, 0.0, 0.0]), 0.02)) == 2
    sides = split(part, room, np.array([1.0, 0.0, 0.0]), 0.01)
    longer = max(sides, key=lambda side: len(side.faces))
    assert len(split(longer, room, np.array([1.0, 0.0, 0.0]), -0.01)) == 3


def test_a_simplified_hull_misses_no_corner_by_more_than_told():
    points = np.random.default_rng(0).normal(size=(400, 3))
    points *= 0.05 / np.linalg.norm(points, axis=1, keepdims=True)
    full = hull_of(points)
    fewer = simplified(full, 0.002, most=400)
    assert len(fewer.corners) < 0.7 * len(full.corners)
    assert fewer.distance(full.corners).max() <= 0.002


def test_balancing_halves_what_a_hull_stands_off():
    """Hull of an arc of a pipe: its chord side moves towards the hollow wall."""
    angle = np.linspace(-0.35, 0.35, 40)
    section = [(r * np.cos(a), r * np.sin(a)) for r in (0.037, 0.042) for a in angle]
    pipe = shapes.lathe(
        np.array([[0.037, -0.01], [0.042, -0.01], [0.042, 0.01], [0.037, 0.01]]),
        closed_profile=True, segments=128,
    )  # fmt: skip
    query = MeshQuery(pipe)
    room = room_around(pipe, query)
    hull = hull_of(np.array([(x, y, z) for x, y in section for z in (-0.01, 0.01)]))
    before, _ = stand_off(hull, room, query)
    after, _ = stand_off(balanced(hull, [], room, query), room, query)
    assert before == pytest.approx(0.037 * (1 - np.cos(0.35)), rel=0.1)
    assert after < 0.6 * before


def test_sides_on_a_neighbour_stay():
    """Two halves of a bridge: the cut between them stands off into air below, yet stays closed."""
    legs = [shapes.box((0.01, 0.03, 0.03)) for _ in range(2)]
    legs = [
        replace(leg, vertices=leg.vertices + np.array([x, 0, -0.015]))
        for leg, x in zip(legs, (-0.025, 0.025), strict=True)
    ]
    bridge = Mesh.concatenated([shapes.box((0.06, 0.03, 0.01)), *legs])
    query = MeshQuery(bridge)
    room = room_around(bridge, query)
    sides = [(-0.03, 0.0), (0.0, 0.03)]
    left, right = (
        hull_of(np.array([(x, y, z) for x in xs for y in (-0.015, 0.015) for z in (-0.03, 0.005)]))
        for xs in sides
    )
    alone = balanced(left, [], room, query)
    beside = balanced(left, [right], room, query)
    assert alone.corners[:, 0].max() < -0.001
    assert beside.corners[:, 0].max() == pytest.approx(0, abs=1e-9)


def test_merging_ends_with_no_more_than_the_most_hulls():
    ring = shapes.torus(0.03, 0.008, segments=48)
    query = MeshQuery(ring)
    room = room_around(ring, query)
    parts = cut_up(
        whole(ring.vertices, ring.faces, room), room, query, tolerance=0.003, most=96
    )  # fmt: skip
    usual = merged(parts, room, query, tolerance=0.003, most=64)
    few = merged(parts, room, query, tolerance=0.003, most=4)
    assert len(few) <= 4 < len(usual)
    assert np.min([hull.distance(ring.vertices) for hull in few], axis=0).max() < 1e-3


def test_inside_told_by_the_grid_is_inside_told_by_winding_numbers():
    ring = shapes.torus(0.03, 0.008, segments=48)
    query = MeshQuery(ring)
    quick = GridQuery(query, room_around(ring, query))
    lower, upper = ring.bounds
    points = np.random.default_rng(0).uniform(lower - 0.01, upper + 0.01, (5000, 3))
    expected = query.contains(points)
    assert 0.02 < expected.mean() < 0.5
    assert np.array_equal(quick.contains(points), expected)
