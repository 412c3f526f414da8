"""Capsules follow the shape of the hand."""

import numpy as np
import pytest
import torch

from bghop.hands.capsules import Bar, distance
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.hands.shaped_capsules import shaped_capsules
from bghop.hands.skinning import shaped


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_open_hand()


def shape_of(model, **values):
    shape = torch.zeros(2, model.num_shape)
    for name, value in values.items():
        shape[:, model.shape_names.index(name)] = value
    return shape


def skin_error(model, shape, capsules):
    """Mean distance (mm) of the right hand's skin to its capsules, at rest."""
    vertices = shaped(model.vertices_rest, model.surface.shape_directions, shape)[1]
    joints = shaped(model.bone_joints, model.bone_joint_directions, shape)[1]
    gaps = [
        distance(
            Bar(
                start=(joints[bone] + capsules.start[1, k]).double().numpy(),
                end=(joints[bone] + capsules.end[1, k]).double().numpy(),
                radius=float(capsules.radius[1, k]),
            ),
            vertices.double().numpy(),
        )
        for k, bone in enumerate(capsules.bone.tolist())
    ]
    return 1e3 * float(np.abs(np.min(gaps, axis=0)).mean())


def test_the_average_hand_keeps_the_models_capsules(model):
    assert shaped_capsules(model, shape_of(model)) is model.capsules


def test_other_hands_are_fitted_as_well_as_the_average_one(model):
    average = skin_error(model, shape_of(model), model.capsules)
    for values in ({"hand_scale": 2.0}, {"finger_thickness": 1.0}, {"finger_length": -1.5}):
        shape = shape_of(model, **values)
        fitted = skin_error(model, shape, shaped_capsules(model, shape))
        assert fitted < 1.3 * average
        assert fitted < skin_error(model, shape, model.capsules)


def test_left_is_the_mirror_image_of_right(model):
    capsules = shaped_capsules(model, shape_of(model, hand_scale=-1.5, weight=0.5))
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(capsules.start[0] * mirror, capsules.start[1], atol=2e-5, rtol=0)
    torch.testing.assert_close(capsules.radius[0], capsules.radius[1], atol=2e-5, rtol=0)
