"""What the tests of this layer share: the open hand, a box and its grid."""

import pytest
import torch

from bghop.geometry import shapes
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.synthesis.probe import Probe, make_probe


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors: a second thread only waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def hand_model() -> HandModel:
    return load_open_hand()


@pytest.fixture(scope="session")
def probe(hand_model: HandModel) -> Probe:
    return make_probe(hand_model)


@pytest.fixture(scope="session")
def box_mesh() -> Mesh:
    return shapes.box((0.20, 0.10, 0.16))


@pytest.fixture(scope="session")
def box_sdf(box_mesh: Mesh) -> SdfGrid:
    return sdf_from_mesh(box_mesh, resolution=64)
