"""Convex pieces: closed forms for boxes, a real decomposition (slow), and the cache."""

from dataclasses import replace

import numpy as np
import pytest

from bghop.errors import MeshError
from bghop.geometry import shapes
from bghop.geometry.mesh import Mesh
from bghop.physics import pieces as module
from bghop.physics.pieces import cache_folder, decompose, pieces_of

EXTENTS = (0.2, 0.1, 0.3)


def test_a_box_is_one_piece_with_a_boxs_mass_and_inertia():
    found = decompose(shapes.box(EXTENTS))
    assert found.method == "hull"
    assert len(found.vertices) == 1
    assert found.volume == pytest.approx(np.prod(EXTENTS), rel=1e-6)
    assert found.centre == pytest.approx(np.zeros(3), abs=1e-9)
    a, b, c = np.square(EXTENTS)
    assert np.diag(found.inertia) == pytest.approx(np.array([b + c, a + c, a + b]) / 12, rel=0.01)
    assert abs(found.volume_error) < 1e-6
    assert max(found.surface_error_mm) < 1e-6


def test_faces_of_pieces_look_outward():
    found = decompose(shapes.sphere(0.05, segments=16))
    piece = Mesh(vertices=found.vertices[0], faces=found.faces[0].astype(np.int64))
    assert piece.volume == pytest.approx(shapes.sphere(0.05, segments=16).volume, rel=0.01)


def test_pieces_do_not_care_where_the_object_is():
    moved = shapes.box(EXTENTS)
    moved = replace(moved, vertices=moved.vertices + np.array([1.0, -2.0, 0.5]))
    found = decompose(moved)
    assert found.centre == pytest.approx([1.0, -2.0, 0.5], abs=1e-6)
    assert found.inertia == pytest.approx(decompose(shapes.box(EXTENTS)).inertia, abs=1e-9)


def test_what_is_flat_is_refused_with_a_remedy():
    sheet = shapes.box((0.1, 0.1, 0.0))
    with pytest.raises(MeshError, match="thickness"):
        decompose(sheet)


def test_pieces_come_back_from_disk_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "_in_memory", {})
    first = pieces_of(shapes.box(EXTENTS))
    assert len(list((cache_folder() / "pieces").iterdir())) == 1
    monkeypatch.setattr(module, "_in_memory", {})
    monkeypatch.setattr(module, "decompose", lambda _: pytest.fail("made again"))
    second = pieces_of(shapes.box(EXTENTS, name="other"))
    assert second.method == first.method
    assert second.volume == first.volume
    assert np.array_equal(second.vertices[0], first.vertices[0])
    assert np.array_equal(second.faces[0], first.faces[0])


def test_a_broken_cache_file_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "_in_memory", {})
    pieces_of(shapes.box(EXTENTS))
    (file,) = (cache_folder() / "pieces").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    monkeypatch.setattr(module, "_in_memory", {})
    assert pieces_of(shapes.box(EXTENTS)).method == "hull"


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(module, "_in_memory", {})
    assert pieces_of(shapes.box(EXTENTS)).method == "hull"


@pytest.mark.slow
def test_a_ring_keeps_its_hole():
    ring = shapes.torus(0.05, 0.015)
    found = decompose(ring)
    assert found.method == "coacd"
    assert len(found.vertices) > 3
    assert found.volume == pytest.approx(ring.volume, rel=0.02)
    assert abs(found.volume_error) < 0.25
    assert found.surface_error_mm[0] < 2.5
