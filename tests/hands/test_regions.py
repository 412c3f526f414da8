import numpy as np
import pytest
import torch

from bghop.errors import HandModelError
from bghop.hands import regions
from bghop.hands.joints import TIP_BONES
from bghop.hands.open_hand import load_open_hand

TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


@pytest.fixture(scope="module")
def model():
    return load_open_hand()


def test_pads_are_palmar_skin_of_the_last_segments(model):
    for finger, pad in enumerate(model.regions.pads):
        assert 10 <= len(pad) <= 80
        assert (model.skinning_weights[1, pad, TIP_BONES[finger]] > 0.5).all()
        bend, _, twist = model.anatomy.axes[1, 3 * finger + 2]
        palmar = torch.linalg.cross(bend, twist)
        tip_bone = model.bone_joints[1, TIP_BONES[finger]]
        beside = (model.vertices_rest[1, pad] - tip_bone) @ palmar
        assert beside.mean() > 0.002
        segment = model.skinning_weights[1, :, TIP_BONES[finger]] > 0.6
        across = (model.vertices_rest[1, segment] - tip_bone) @ palmar
        assert beside.mean() > across.mean()


def test_regions_are_disjoint_and_leave_the_back_alone(model):
    everything = torch.cat([*model.regions.pads, model.regions.palm])
    assert len(everything.unique()) == len(everything)
    palm = model.vertices_rest[1, model.regions.palm]
    assert len(palm) > 50
    assert (palm[:, 1] < 0).all()
    assert (palm[:, 0] < -0.01).all()


def test_open_boundary_is_found_in_order():
    loop = regions.wrist_loop(TETRAHEDRON[1:])
    assert sorted(loop) == [0, 1, 2]
    closed = regions.sealed(TETRAHEDRON[1:])
    assert {frozenset(map(int, f)) for f in closed} == {frozenset(map(int, f)) for f in TETRAHEDRON}
    # Every edge is used once in each direction: outward and closed.
    edges = [(int(f[i]), int(f[(i + 1) % 3])) for f in closed for i in range(3)]
    assert sorted(edges) == sorted((b, a) for a, b in edges)
    assert len(set(edges)) == len(edges)


def test_meshes_without_one_boundary_are_refused():
    with pytest.raises(HandModelError, match="closed already"):
        regions.wrist_loop(TETRAHEDRON)
    two = np.concatenate([TETRAHEDRON[1:], TETRAHEDRON[1:] + 4])
    with pytest.raises(HandModelError, match="several holes"):
        regions.wrist_loop(two)
