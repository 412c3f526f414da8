"""What anatomy, regions, capsules and synthesis make of a hand in MANO's mesh and file format.

The official files cannot be shipped; this hand has their format and size and the open hand's shape.
"""

import pytest
import torch
from mano_like_hand import mano_like_arrays

from bghop.evaluation.measure import measure_grasp, solid_of_mesh
from bghop.evaluation.ranking import faults
from bghop.geometry.shapes import box
from bghop.hands.joints import TIP_JOINTS
from bghop.hands.mano import load_mano
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.synthesis.synthesize import synthesize
from fabricated_mano import write_mano


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mano")
    for side in ("left", "right"):
        write_mano(folder / f"MANO_{side.upper()}.pkl", mano_like_arrays(side))
    return folder


@pytest.fixture(scope="module")
def model(folder) -> HandModel:
    return load_mano(folder, flat_hand_mean=True, fix_left_shapedirs=True)


def test_joints_are_those_of_the_open_hand(model):
    torch.testing.assert_close(model.joints_rest, load_open_hand().joints_rest, atol=2.5e-3, rtol=0)


def test_shape_directions_of_the_left_hand_mirror_the_right(model):
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    left, right = model.surface.shape_directions
    torch.testing.assert_close(left, right * mirror, atol=1e-5, rtol=0)


def test_a_file_mended_already_is_left_alone_if_needed(folder, model, tmp_path):
    arrays = {side: mano_like_arrays(side) for side in ("left", "right")}
    arrays["left"]["shapedirs"] = arrays["left"]["shapedirs"] * [[-1.0], [1.0], [1.0]]
    for side, content in arrays.items():
        write_mano(tmp_path / f"MANO_{side.upper()}.pkl", content)
    for source in (folder, tmp_path):
        loaded = load_mano(source, flat_hand_mean=True, fix_left_shapedirs="if needed")
        torch.testing.assert_close(loaded.surface.shape_directions, model.surface.shape_directions)


def test_anatomy_of_a_coarser_mesh_is_nearly_the_same(model):
    ours, theirs = model.anatomy.axes, load_open_hand().anatomy.axes
    degrees = torch.rad2deg(torch.acos((ours * theirs).sum(-1).clamp(-1, 1)))
    assert degrees.max() < 15
    limits = torch.rad2deg((model.anatomy.limits - load_open_hand().anatomy.limits).abs())
    assert limits.max() < 10


def test_pads_lie_at_the_fingertips_and_the_palm_on_the_palm_side(model):
    for tip, pad in zip(TIP_JOINTS, model.regions.pads, strict=True):
        assert len(pad) >= 4
        away = (model.vertices_rest[1, pad] - model.joints_rest[1, tip]).norm(dim=-1)
        assert away.max() < 0.035
    palm = model.vertices_rest[1, model.regions.palm]
    assert (palm[:, 1] < 0).float().mean() > 0.95


def test_capsules_fit_as_those_of_the_open_hand(model):
    radii = model.capsules.radius / load_open_hand().capsules.radius
    assert radii.min() > 0.7
    assert radii.max() < 1.3


@pytest.mark.slow
def test_two_such_hands_hold_a_box(model):
    mesh = box((0.2, 0.1, 0.16))
    found = synthesize(mesh, hand_model=model, num=8, seed=0)
    solid = solid_of_mesh(mesh)
    grasps = [measure_grasp(solid, model, found.hands.rows(i), time_s=0.0) for i in range(8)]
    assert sum(not faults(each) for each in grasps) >= 6
