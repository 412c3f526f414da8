"""What each method promises about its candidates."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from bghop.errors import OptionError
from bghop.evaluation import methods, prior_methods
from bghop.evaluation.methods import (
    Candidates,
    as_recovered,
    find_method,
    optimized,
    random_touch,
    slide_until_touch,
)
from bghop.evaluation.prior_methods import FromPrior
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.shapes import box, sphere, torus
from bghop.geometry.transforms import rigid
from bghop.hands.open_hand import load_open_hand
from bghop.jobs import evaluate_options
from bghop.prior.sampling import SampleOptions
from bghop.synthesis.prior_grasps import samples_for
from bghop.synthesis.synthesize import Synthesis
from quick_refinement import quick_refinement
from small_prior import write_small_prior

MODEL = load_open_hand()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("mesh", [box((0.2, 0.1, 0.16)), torus(0.1, 0.015)], ids=["box", "ring"])
def test_random_hands_just_touch_and_keep_their_limits(mesh):
    found = random_touch(mesh, MODEL, num=6, seed=0, up=None)
    assert found.energy is None
    assert found.hands.present.all()
    assert float(MODEL.limit_violation(found.hands.pose).max()) < 1e-5
    skin = MODEL.pose_hands(found.hands).vertices_object.double().numpy()
    nearest = MeshQuery(mesh).signed_distances(skin.reshape(-1, 3)).reshape(12, -1).min(1)
    # The tolerance of a touch and the rounding of float32 transforms.
    assert (nearest > -2e-6).all()
    assert (nearest < 1.1e-4).all()


def test_random_hands_follow_the_seed_and_come_from_all_sides():
    mesh = sphere(0.08, segments=12)
    first, again = (random_touch(mesh, MODEL, num=20, seed=3, up=None) for _ in range(2))
    assert torch.equal(first.hands.T_object_hand, again.hands.T_object_hand)
    assert torch.equal(first.hands.pose, again.hands.pose)
    other = random_touch(mesh, MODEL, num=20, seed=4, up=None)
    assert not torch.equal(first.hands.T_object_hand, other.hands.T_object_hand)
    wrists = first.hands.T_object_hand[..., :3, 3].reshape(-1, 3)
    octants = {tuple(row) for row in (wrists > 0).tolist()}
    assert len(octants) == 8


def test_sliding_stops_where_a_ball_meets_a_plane_in_closed_form():
    query = MeshQuery(box((1.0, 1.0, 0.2)))
    angle = 0.9
    direction = np.array([np.sin(angle), 0.0, -np.cos(angle)])
    points = np.array([[0.0, 0.0, 0.4], [0.02, 0.0, 0.37], [0.0, 0.1, 0.9]])
    gone = slide_until_touch(query, points, direction, 2.0)
    assert gone == pytest.approx((0.37 - 0.1) / np.cos(angle), abs=2e-4)
    assert gone <= (0.37 - 0.1) / np.cos(angle)


def test_sliding_past_an_object_ends_at_the_longest_way():
    query = MeshQuery(box((0.1, 0.1, 0.1)))
    points = np.array([[0.3, 0.0, 0.3]])
    assert slide_until_touch(query, points, np.array([0.0, 0.0, -1.0]), 0.7) == 0.7


def some_grasps(mesh: Mesh, hand_model, *, num, seed, up, text="", steps=None) -> Candidates:
    """Hands on both sides of the object instead of the optimiser's; turned with the seed."""
    del mesh, up, text, steps
    turn = matrix_from_rotvec(torch.tensor([[0.1 * seed, 0.2, 0.3], [0.0, -0.2, 0.1]]))
    t = torch.tensor([[-0.12, 0.05, 0.0], [0.12, 0.02, 0.03]])
    rest = hand_model.rest_parameters(num)
    T = rigid(turn, t).expand(num, 2, 4, 4)
    pose = hand_model.clamp(0.3 * hand_model.random_poses(num, generator=torch.Generator()))
    return Candidates(
        hands=replace(rest, T_object_hand=T, pose=pose), energy=torch.arange(num).float()
    )


def test_our_recovery_gives_the_optimisers_hands_back(monkeypatch):
    monkeypatch.setattr(methods, "optimized", some_grasps)
    before = some_grasps(box((0.1, 0.1, 0.1)), MODEL, num=2, seed=1, up=None).hands
    after = as_recovered(box((0.1, 0.1, 0.1)), MODEL, num=2, seed=1, up=None)
    assert after.energy is None
    gap = (MODEL.joints(after.hands) - MODEL.joints(before)).norm(dim=-1)
    assert float(gap.max()) < 5e-4


def test_the_released_recovery_keeps_the_right_wrist_and_moves_the_left_one(monkeypatch):
    monkeypatch.setattr(methods, "optimized", some_grasps)
    before = some_grasps(box((0.1, 0.1, 0.1)), MODEL, num=1, seed=1, up=None).hands
    after = find_method("reference")(box((0.1, 0.1, 0.1)), MODEL, num=1, seed=1, up=None).hands
    gap = (after.T_object_hand - before.T_object_hand)[0, :, :3, 3].norm(dim=-1)
    assert float(gap[1]) < 1e-6
    assert 0.001 < float(gap[0]) < 0.06
    joints = (MODEL.joints(after) - MODEL.joints(before)).norm(dim=-1).mean(-1)[0]
    assert float(joints[0]) > 0.001
    assert float(joints.max()) < 0.03


def test_names_are_those_of_the_command_line():
    assert tuple(methods.METHODS) == evaluate_options.METHODS
    assert find_method("optimize") is optimized
    with pytest.raises(
        OptionError, match=r"optimize, random, random-refined, reference, recovered"
    ):
        find_method("guess")


def test_steps_in_the_name_reach_the_optimiser(monkeypatch):
    seen = []

    def record(mesh, *, hand_model, num, seed, options):
        seen.append((num, seed, options.optimize.steps, options.up))
        found = some_grasps(mesh, hand_model, num=num, seed=seed, up=None)
        return Synthesis(hands=found.hands, energy=found.energy, terms={})

    monkeypatch.setattr(methods, "synthesize", record)
    find_method("optimize@7")(
        box((0.1, 0.1, 0.1)), MODEL, num=2, seed=5, up=(0.0, 0.0, 1.0), text=""
    )
    assert seen == [(2, 5, 7, (0.0, 0.0, 1.0))]


def test_random_hands_are_refined_into_contact_as_many_as_wanted(monkeypatch):
    quick_refinement(monkeypatch)
    mesh = box((0.12, 0.1, 0.09))
    raw = find_method("random")(mesh, MODEL, num=2, seed=3, up=None, text="")
    found = find_method("random-refined")(mesh, MODEL, num=2, seed=3, up=None, text="")
    assert found.hands.present.shape == (2, 2)
    assert (found.energy[1:] >= found.energy[:-1]).all()
    assert (found.hands.T_object_hand - raw.hands.T_object_hand).abs().max() > 0.001


def test_times_in_the_name_are_so_many_times_the_hands(monkeypatch):
    seen = []

    def record(mesh, hands, hand_model, *, num, options):
        seen.append((len(hands.present), num))
        return Synthesis(hands=hands.rows(slice(0, num)), energy=torch.zeros(num), terms={})

    monkeypatch.setattr(methods, "best_hands", record)
    for name in ("random-refined", "random-refined@2"):
        find_method(name)(box((0.1, 0.1, 0.1)), MODEL, num=1, seed=5, up=None, text="")
    assert seen == [(samples_for(1), 1), (2 * samples_for(1), 1)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prior")
    write_small_prior(folder)
    return folder


def test_distilled_hands_go_through_the_released_grid(checkpoint, monkeypatch):
    hands = some_grasps(box((0.1, 0.1, 0.1)), MODEL, num=2, seed=1, up=None).hands
    monkeypatch.setattr(prior_methods, "_distilled", lambda *_: hands)
    method = FromPrior(kind="sds-released", checkpoint=checkpoint)
    found = method(box((0.1, 0.1, 0.1)), MODEL, num=2, seed=0, up=None, text="box")
    assert found.energy is None
    # The right wrist's frame is known; fingers and the left hand are read from cells of 1 cm.
    assert torch.equal(found.hands.T_object_hand[:, 1], hands.T_object_hand[:, 1])
    off = (MODEL.joints(found.hands) - MODEL.joints(hands)).norm(dim=-1).mean(-1)
    assert 0.001 < float(off.max()) < 0.03


@pytest.mark.parametrize("kind", ["mixed", "prior", "prior-raw", "prior-no-text"])
def test_hands_of_a_prior(kind, checkpoint, monkeypatch):
    quick_refinement(monkeypatch)
    monkeypatch.setattr(
        "bghop.synthesis.from_prior.sample_options",
        lambda *_, **__: SampleOptions(steps=2, guidance=1.0),
    )
    mesh = box((0.12, 0.1, 0.09))
    method = pickle.loads(pickle.dumps(FromPrior(kind=kind, checkpoint=checkpoint)))  # noqa: S301
    found = method(mesh, MODEL, num=2, seed=0, up=(0.0, 0.0, 1.0), text="box")
    again = method(mesh, MODEL, num=2, seed=0, up=(0.0, 0.0, 1.0), text="box")
    assert found.hands.present.shape == (2, 2)
    assert torch.equal(found.hands.T_object_hand, again.hands.T_object_hand)
    assert (found.energy[1:] >= found.energy[:-1]).all()
