"""Scenes of the physics tests: a box between two hands that lie flat against its sides."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull

from bghop.geometry.transforms import mirror_rigid
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.open_hand import load_open_hand


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors: a second thread only waits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Pieces of the tests stay out of the user's cache."""
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def hand_model() -> HandModel:
    return load_open_hand()


def palms(model: HandModel, width: float, gap: float = 0.0) -> HandParameters:
    """Hands at rest whose palmar sides lie on the planes x = +-(width / 2 + gap), fingers up.

    A hand lies on a table with the face of its convex hull that is below its middle; the middle of
    that face is put on the x axis.
    """
    skin = model.vertices_rest[1].double().numpy()
    hull = ConvexHull(skin)
    facing = hull.equations[:, :3] @ [0.0, -1.0, 0.0]
    size = np.linalg.norm(
        np.cross(
            skin[hull.simplices[:, 1]] - skin[hull.simplices[:, 0]],
            skin[hull.simplices[:, 2]] - skin[hull.simplices[:, 0]],
        ),
        axis=1,
    )
    face = int((size * (facing > 0.8)).argmax())
    out, offset = hull.equations[face, :3], hull.equations[face, 3]
    # The hull's face looks towards -x of the object, the fingers (-x of the hand) towards +z.
    x_axis = -out
    z_axis = np.array([-1.0, 0, 0]) + out * out[0] * 1.0
    z_axis -= x_axis * (z_axis @ x_axis)
    z_axis /= np.linalg.norm(z_axis)
    R_object_hand = np.stack([x_axis, np.cross(z_axis, x_axis), z_axis])
    middle = R_object_hand @ skin[hull.simplices[face]].mean(0)
    T = torch.eye(4)
    T[:3, :3] = torch.tensor(R_object_hand)
    T[:3, 3] = torch.tensor([width / 2 + gap - offset, -middle[1], -middle[2]])
    rest = model.rest_parameters()
    return replace(rest, T_object_hand=torch.stack([mirror_rigid(T), T]))


@pytest.fixture(scope="session")
def palms_on_box(hand_model: HandModel) -> Callable[..., HandParameters]:
    """`palms_on_box(width, gap=0.0)`: one grasp."""
    return lambda width, gap=0.0: palms(hand_model, width, gap)
