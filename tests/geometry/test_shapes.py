"""Built-in shapes: closed, outward, of known volume, and fit for the pipeline."""

import numpy as np
import pytest

from bghop.geometry import shapes
from bghop.geometry.loading import clean_mesh, validate_mesh

LINE = np.linspace([0.0, 0.0, 0.0], [0.1, 0.0, 0.1], 5)

SHAPES = {
    "box": (shapes.box((0.1, 0.2, 0.3)), 0.006),
    "sphere": (shapes.sphere(0.1, segments=128), 4 / 3 * np.pi * 1e-3),
    "cylinder": (shapes.cylinder(0.05, 0.2, segments=128), np.pi * 0.0025 * 0.2),
    "torus": (shapes.torus(0.1, 0.02, segments=128), 2 * np.pi**2 * 0.1 * 0.0004),
    "tube": (shapes.tube(LINE, 0.01, segments=96), np.pi * 1e-4 * np.sqrt(0.02)),
}


@pytest.mark.parametrize(("mesh", "volume"), SHAPES.values(), ids=SHAPES.keys())
def test_shapes_are_closed_solids_of_known_volume(mesh, volume):
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(volume, rel=3e-3)
    assert validate_mesh(mesh) == []
    assert clean_mesh(mesh).warnings == ()
    assert np.unique(mesh.faces).size == len(mesh.vertices)


def test_casserole_is_thirty_centimetres_wide_and_stands_on_the_ground():
    pot = shapes.casserole()
    np.testing.assert_allclose(pot.extents, [0.30, 0.21, 0.11], atol=1e-3)
    assert pot.bounds[0, 2] == pytest.approx(0, abs=1e-9)
    assert pot.is_watertight
    assert [warning.kind for warning in validate_mesh(pot)] == ["pieces"]
    # Half a litre of metal around 3 litres of room, not a filled block.
    assert 3e-4 < pot.volume < 8e-4


@pytest.mark.parametrize("make", [shapes.casserole, shapes.mug])
def test_handles_stay_out_of_the_room_inside(make):
    vessel = make()
    x, y, z = vessel.vertices.T
    body_radius = 0.105 if make is shapes.casserole else 0.042
    wall = 0.006 if make is shapes.casserole else 0.004
    handle = vessel.vertices[-200:]
    assert np.hypot(handle[:, 0], handle[:, 1]).min() > body_radius - wall
    assert x.max() > body_radius + 0.02
    assert (np.diff([z.min(), z.max()]) > 0.05).all()
    assert y.max() == pytest.approx(body_radius, abs=1e-4)
