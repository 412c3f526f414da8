"""Distillation finds what a prior knows: exactly, for every candidate by itself, in any frame."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from exact_hands import ExactHands, exact_prior

from bghop.errors import OptionError
from bghop.geometry import shapes
from bghop.geometry.sdf import sdf_from_mesh
from bghop.geometry.transforms import rigid
from bghop.prior.layout import LatentParts
from bghop.synthesis.distillation.starts import random_starts
from bghop.synthesis.score_distillation import DistillOptions, distill
from bghop.synthesis.surface import sample_surface

PURE = DistillOptions(steps=90, physics=0.0)


@pytest.fixture(scope="module")
def box_mesh():
    """A small one: its distance grid is made for every call."""
    return shapes.box((0.09, 0.05, 0.07))


@pytest.fixture(scope="module")
def box_sdf(box_mesh):
    return sdf_from_mesh(box_mesh, resolution=40)


@pytest.fixture(scope="module")
def known(hand_model, box_mesh, box_sdf):
    """Three pairs of hands about the box."""
    samples = sample_surface(box_mesh, box_sdf, 300, np.random.default_rng(3))
    hands = random_starts(hand_model, samples, torch.ones(3, 2) > 0, seed=99)
    shift = 0.2 * torch.randn(3, 2, 15, 3, generator=torch.Generator().manual_seed(0))
    return replace(hands, pose=hand_model.clamp(hands.pose + shift))


def errors(hand_model, hands, members):
    """Mean distance of the joints to those of the nearest member, metres, and which it is."""
    gap = (hand_model.joints(hands)[:, None] - members).norm(dim=-1).mean((-1, -2))
    return gap.min(1)


@pytest.fixture(scope="module")
def found(hand_model, known, box_mesh):
    members = hand_model.joints(known)
    prior = exact_prior(members)
    seen = []
    result = distill(
        box_mesh, prior, hand_model=hand_model, prompts=[""], num=6, seed=1, options=PURE,
        watch=lambda iteration, hands: seen.append((iteration, hands)),
    )  # fmt: skip
    return prior, members, result, seen


def test_random_starts_end_at_hands_that_the_prior_knows(hand_model, found):
    _, members, result, seen = found
    start, _ = errors(hand_model, seen[0][1], members)
    end, member = errors(hand_model, result.hands, members)
    assert start.min() > 0.05
    assert end.max() < 0.001
    assert len(member.unique()) > 1
    assert result.objective.max() < 0.002


def test_both_hands_come_back_inside_the_joint_limits(hand_model, found):
    result = found[2]
    assert result.hands.present.all()
    assert result.hands.T_object_hand.shape == (6, 2, 4, 4)
    assert hand_model.limit_violation(result.hands.pose).max() < 1e-5
    left, right = result.hands.T_object_hand[:, :, :3, 3].unbind(1)
    assert (left - right).norm(dim=-1).min() > 0.03


def test_a_candidate_does_not_depend_on_the_others(hand_model, found, box_mesh):
    prior, _, result, _ = found
    alone = distill(
        box_mesh, prior, hand_model=hand_model, prompts=[""], num=2, seed=1, options=PURE
    )
    torch.testing.assert_close(
        hand_model.joints(alone.hands), hand_model.joints(result.hands)[:2], atol=5e-4, rtol=0
    )
    # Rounding may tip a judgement of rest, by one patience at most.
    assert (alone.iterations - result.iterations[:2]).abs().max() <= 2 * PURE.patience


def test_another_seed_is_another_start(hand_model, found, box_mesh):
    prior, *_, seen = found
    other = []
    distill(
        box_mesh, prior, hand_model=hand_model, prompts=[""], num=2, seed=2,
        options=DistillOptions(steps=1), watch=lambda _, hands: other.append(hands),
    )  # fmt: skip
    first = seen[0][1].T_object_hand[:2, :, :3, 3]
    assert (other[0].T_object_hand[..., :3, 3] - first).norm(dim=-1).min() > 0.01


def test_the_result_moves_with_the_mesh(hand_model, found, box_mesh):
    prior, _, result, _ = found
    t = torch.tensor([0.4, -1.0, 0.25])
    moved = replace(box_mesh, vertices=box_mesh.vertices + t.double().numpy())
    again = distill(moved, prior, hand_model=hand_model, prompts=[""], num=2, seed=1, options=PURE)
    wanted = rigid(torch.eye(3), t) @ result.hands.T_object_hand[:2]
    torch.testing.assert_close(again.hands.T_object_hand, wanted, atol=2e-3, rtol=0)


def test_a_mesh_with_another_up_is_turned_for_the_prior_and_the_hands_back(
    hand_model, found, box_mesh
):
    prior, members, _, _ = found
    # A y-up file of the same box: its y is the prior's z.
    R_prior_object = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    lying = replace(box_mesh, vertices=box_mesh.vertices @ R_prior_object.double().numpy())
    result = distill(
        lying, prior, hand_model=hand_model, prompts=[""], num=2, seed=1, options=PURE,
        R_prior_object=R_prior_object,
    )  # fmt: skip
    back = rigid(R_prior_object, torch.zeros(3)) @ result.hands.T_object_hand
    end, _ = errors(hand_model, replace(result.hands, T_object_hand=back), members)
    assert end.max() < 0.001


def test_what_has_converged_ends_early_and_says_when(found):
    result = found[2]
    assert (result.iterations < PURE.steps).sum() >= 3
    assert len(result.history) == result.iterations.max()
    for row, count in enumerate(result.iterations.tolist()):
        assert result.history[:count, row].isfinite().all()
        assert result.history[count:, row].isnan().all()


def test_candidates_that_never_rest_use_all_steps(hand_model, found, box_mesh):
    result = distill(
        box_mesh, found[0], hand_model=hand_model, prompts=[""], num=2, seed=0,
        options=DistillOptions(steps=12, patience=3, still=0.0),
    )  # fmt: skip
    assert result.iterations.tolist() == [12, 12]


def test_pictures_are_asked_for_at_the_start_on_the_way_and_at_the_end(hand_model, found):
    _, _, result, seen = found
    wanted = [round(share * PURE.steps) for share in PURE.watch]
    reached = [each for each in wanted if each < len(result.history)]
    assert [iteration for iteration, _ in seen] == [*reached, len(result.history)]
    torch.testing.assert_close(seen[-1][1].T_object_hand, result.hands.T_object_hand)


def test_given_starts_are_where_it_starts(hand_model, found, known, box_mesh):
    prior, members, _, _ = found
    near = replace(known, T_object_hand=known.T_object_hand.clone())
    near.T_object_hand[..., 0, 3] += 0.01
    options = replace(PURE, levels=(0.2, 0.05), steps=40)
    result = distill(
        box_mesh, prior, hand_model=hand_model, prompts=[""], num=3, seed=0, starts=near,
        options=options,
    )  # fmt: skip
    end, member = errors(hand_model, result.hands, members)
    assert member.tolist() == [0, 1, 2]
    assert end.max() < 0.001


def test_the_network_sees_a_clean_object_and_equally_noisy_hands(found):
    _, levels, condition = found[0].denoiser.calls[0]
    assert (levels[:, 0] == 0).all()
    assert (levels[:, 1] == PURE.levels[0]).all()
    assert (levels[:, 1] == levels[:, 2]).all()
    assert condition.present.all()


class Guided(ExactHands):
    """With text every hand joint is 1 (in state units) along x beyond the answer without it."""

    def forward(self, x, levels, condition):
        parts = self.layout.unpack(super().forward(x, levels, condition))
        shift = torch.zeros_like(parts.hands)
        shift[..., 0] = condition.text_given[:, None, None]
        return self.layout.pack(LatentParts(parts.object, parts.hands + shift))


def test_guidance_moves_every_joint_of_both_hands(hand_model, known, box_mesh):
    prior = exact_prior(hand_model.joints(known)[:1], Guided)
    options = DistillOptions(steps=100, physics=0.0, guidance=0.5)
    result = distill(
        box_mesh, prior, hand_model=hand_model, prompts=["mug"], num=2, seed=0, options=options
    )
    gap = hand_model.joints(result.hands) - hand_model.joints(known)[0]
    # Guidance 0.5 of a shift by 1: half of the state's unit of 12 cm, for all 42 joints.
    wanted = torch.tensor([0.06, 0.0, 0.0]).expand_as(gap)
    torch.testing.assert_close(gap, wanted, atol=1.5e-3, rtol=0)


def test_every_candidate_hears_its_own_prompt(hand_model, known, box_mesh):
    prior = exact_prior(hand_model.joints(known))
    options = DistillOptions(steps=1, physics=0.0, guidance=1.0)
    distill(
        box_mesh, prior, hand_model=hand_model, prompts=["mug", "", "bowl"], num=3, seed=0,
        options=options,
    )  # fmt: skip
    condition = prior.denoiser.calls[0][2]
    assert condition.text_given.tolist() == [True, False, True]
    assert not torch.equal(condition.tokens[0], condition.tokens[2])


@pytest.mark.slow
def test_physics_keeps_hands_out_of_the_object(hand_model, known, box_mesh, box_sdf):
    inside = replace(known, T_object_hand=known.T_object_hand.clone())
    middle = inside.T_object_hand[..., :3, 3]
    inside.T_object_hand[..., :3, 3] = 0.6 * middle
    prior = exact_prior(hand_model.joints(inside))
    depths = []
    for physics in (0.0, 0.02):
        result = distill(
            box_mesh, prior, hand_model=hand_model, prompts=[""], num=3, seed=0,
            options=DistillOptions(steps=90, physics=physics),
        )  # fmt: skip
        skin = hand_model.pose_hands(result.hands).vertices_object
        depths.append((-box_sdf.distance(skin)).clamp_min(0).mean())
    assert depths[0] > 1e-4
    assert depths[1] < 0.6 * depths[0]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"prompts": ["mug", "bowl"]}, "2 prompts for 3 candidates: give one"),
        ({"prompts": "mug"}, "single string 'mug': give a list"),
        ({"num": 0}, "0 candidates: ask for 1 or more"),
        ({"num": 4, "starts": True}, "3 starts for 4 candidates: give one for each"),
        ({"mesh": shapes.box((0.7, 0.1, 0.1))}, r"0.70 m long, .* up to 0.60 m: check its unit"),
    ],
)
def test_what_cannot_be_meant_is_refused(hand_model, known, box_mesh, changed, words):
    arguments = {"mesh": box_mesh, "prompts": [""], "num": 3, **changed}
    if "starts" in changed:
        arguments["starts"] = known
    mesh = arguments.pop("mesh")
    prior = exact_prior(hand_model.joints(known))
    with pytest.raises(OptionError, match=words):
        distill(mesh, prior, hand_model=hand_model, seed=0, **arguments)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"levels": (0.1, 0.5)}, {"physics": -1.0}, {"patience": 0}]
)
def test_options_refuse_what_cannot_be_done(wrong):
    with pytest.raises(OptionError, match="use"):
        DistillOptions(**wrong)
