"""A person's model is the hand model with the person's shape built in."""

import pytest
import torch

from bghop.hands.model import HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.hands.person import draw_shape, person_model
from bghop.synthesis.probe import make_probe


@pytest.fixture(scope="module")
def hand_model():
    return load_open_hand()


def hands_with(model, shape, generator):
    rest = model.rest_parameters(3)
    T = rest.T_object_hand.clone()
    T[..., :3, 3] = 0.1 * torch.randn(3, 2, 3, generator=generator)
    pose = model.random_poses(3, generator=generator)
    return HandParameters(
        present=rest.present, T_object_hand=T, pose=pose, shape=shape.expand(3, 2, -1)
    )


def test_shapes_add_up(hand_model):
    generator = torch.Generator().manual_seed(0)
    first, second = (draw_shape(hand_model, generator) for _ in range(2))
    person = person_model(hand_model, first)
    state = generator.get_state()
    ours = person.pose_hands(hands_with(person, second, generator))
    generator.set_state(state)
    whole = hand_model.pose_hands(hands_with(hand_model, first + second, generator))
    assert (ours.vertices_object - whole.vertices_object).abs().max() < 1e-6
    assert (ours.joints_object - whole.joints_object).abs().max() < 1e-6


def test_the_average_person_is_the_model(hand_model):
    person = person_model(hand_model, torch.zeros(hand_model.num_shape))
    assert torch.equal(person.vertices_rest, hand_model.vertices_rest)
    assert torch.equal(person.capsules.radius, hand_model.capsules.radius)


def test_what_is_measured_belongs_to_the_person(hand_model):
    large = torch.zeros(hand_model.num_shape)
    large[hand_model.shape_names.index("hand_scale")] = 2.0
    ratio = (
        make_probe(person_model(hand_model, large)).spheres.radius
        / make_probe(hand_model).spheres.radius
    )
    length = person_model(hand_model, large).joints_rest[1, 12].norm()
    assert abs(ratio.mean() - length / hand_model.joints_rest[1, 12].norm()) < 0.03
    assert ratio.min() > 1.02


def test_drawn_shapes_stay_inside_the_limits(hand_model):
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([draw_shape(hand_model, generator) for _ in range(400)])
    low, high = hand_model.shape_limits.unbind(-1)
    assert (drawn >= low).all()
    assert (drawn <= high).all()
    assert (drawn.std(0) > 0.3 * high).all()
