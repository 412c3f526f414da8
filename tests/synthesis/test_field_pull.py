"""Distillation with priors over fields: metres, the right wrist's frame, every channel guided."""

from dataclasses import replace

import pytest
import torch
from known_fields import SPEC, known_prior

from bghop.geometry import shapes
from bghop.geometry.rotations import matrix_from_rotvec, rotation_angle
from bghop.geometry.sdf import SdfGrid, lattice
from bghop.geometry.transforms import rigid
from bghop.prior.denoiser import Condition
from bghop.prior.layout import LatentParts
from bghop.synthesis.distillation.field_pull import (
    FieldPull,
    field_step,
    highest_step,
    pyramid_error,
)
from bghop.synthesis.distillation.options import DistillOptions
from bghop.synthesis.distillation.place import place_object
from bghop.synthesis.distillation.pull import Moment
from bghop.synthesis.score_distillation import distill

OPTIONS = DistillOptions.released()


def told(num=1):
    return Condition(
        tokens=torch.zeros(num, 1, 4),
        text_given=torch.ones(num) > 0,
        present=torch.ones(num, 2) > 0,
    )


@pytest.fixture(scope="module")
def holding(hand_model):
    """Two hands at the ends of something 12 cm long."""
    hands = hand_model.rest_parameters(1)
    turns = torch.tensor([[0.2, 0.1, 1.5], [-0.1, 0.3, -1.5]])
    t = torch.tensor([[-0.06, -0.02, 0.05], [0.07, 0.01, 0.06]])
    return replace(hands, T_object_hand=rigid(matrix_from_rotvec(turns), t)[None])


def pull_of(hand_model, prior, sdf, options=OPTIONS, num=1):
    return FieldPull(
        prior=prior, codec=prior.codec, condition=told(num), sdf=sdf, model=hand_model,
        options=options, seed=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ball():
    """Exact distances of a ball of 5 cm, off the origin."""
    origin = torch.tensor([-0.15, -0.15, -0.15])
    points = lattice(origin, 0.005, (61, 61, 61))
    return SdfGrid(
        values=(points - torch.tensor([0.02, 0.0, -0.01])).norm(dim=-1) - 0.05,
        origin=origin,
        spacing=0.005,
    )


def test_the_object_lies_about_the_right_hand_in_metres(hand_model, holding, ball):
    prior = known_prior(torch.zeros(1, 104, 8, 8, 8))
    pull = pull_of(hand_model, prior, ball)
    scene = pull.scene(holding, hand_model.joints(holding))
    # By hand: the ball's middle relative to 8 cm on the palm side of the right index's base.
    R, t = holding.T_object_hand[0, 1, :3, :3], holding.T_object_hand[0, 1, :3, 3]
    middle_right = R.T @ (torch.tensor([0.02, 0.0, -0.01]) - t)
    centre = hand_model.joints_rest[1, 5] - torch.tensor([0.0, 0.08, 0.0])
    axis = torch.linspace(-0.3, 0.3, 32)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    distance = (points - (middle_right - centre)).norm(dim=-1) - 0.05
    wanted = (distance / 0.04).clamp(-1, 1)
    torch.testing.assert_close(scene.image[0, 0], wanted, atol=0.02, rtol=0)


def test_a_centimetre_of_the_hand_is_a_centimetre_of_the_object(hand_model, holding, ball):
    pull = pull_of(hand_model, known_prior(torch.zeros(1, 104, 8, 8, 8)), ball)
    spacing = float(SPEC.spacing / SPEC.reduction)
    T = holding.T_object_hand.clone()
    T[:, 1, :3, 3] += spacing * T[:, 1, :3, 0]
    moved = replace(holding, T_object_hand=T)
    before, after = (
        pull.scene(hands, hand_model.joints(hands)).image[0, 0] for hands in (holding, moved)
    )
    # One sample along the hand's x: the object moves back by one sample.
    torch.testing.assert_close(after[:-1], before[1:], atol=0.02, rtol=0)


def test_the_pull_on_the_object_is_that_of_finite_differences(hand_model, holding, ball):
    pull = pull_of(hand_model, known_prior(torch.zeros(1, 104, 8, 8, 8)), ball)
    target = pull.scene(holding, hand_model.joints(holding)).image.detach()

    def error(shift):
        T = holding.T_object_hand.clone()
        T[:, 1, :3, 3] = T[:, 1, :3, 3] + shift
        moved = replace(holding, T_object_hand=T)
        return pyramid_error(pull.scene(moved, hand_model.joints(moved)).image, target).sum()

    shift = torch.tensor([0.012, -0.008, 0.005], requires_grad=True)
    (gradient,) = torch.autograd.grad(error(shift), shift)
    steps = 0.002 * torch.eye(3)
    numbers = torch.stack(
        [(error(shift + step) - error(shift - step)) / 0.004 for step in steps]
    ).detach()
    torch.testing.assert_close(gradient, numbers, rtol=0.06, atol=0.1)


def test_the_pyramid_sums_the_errors_of_every_scale():
    generator = torch.Generator().manual_seed(0)
    one, two = torch.randn(2, 3, 1, 16, 16, 16, generator=generator)
    wanted = torch.zeros(3)
    for size in (16, 8, 4, 2, 1):
        means = [torch.nn.functional.adaptive_avg_pool3d(x, size) for x in (one, two)]
        wanted += (means[0] - means[1]).square().flatten(1).mean(1)
    torch.testing.assert_close(pyramid_error(one, two), wanted)


def test_guidance_covers_every_channel_of_both_hands_and_the_object(hand_model, holding, ball):
    clean, plain = torch.zeros(1, 104, 8, 8, 8), torch.ones(1, 104, 8, 8, 8)
    prior = known_prior(clean, plain)
    pull = pull_of(hand_model, prior, ball)
    scene = pull.scene(holding, hand_model.joints(holding))
    noise = torch.randn(1, 104, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    step = field_step(prior, prior.codec, scene, told(), torch.tensor([50]), noise, options=OPTIONS)
    # Unconditional 1, conditional 0, guidance 4: 1 + 4 (0 - 1) everywhere.
    torch.testing.assert_close(step.clean, torch.full_like(clean, -3.0), atol=1e-3, rtol=0)
    # Level 50 of 100 is step 505 of the schedule of the training.
    assert prior.denoiser.levels[0].tolist() == [[505.0] * 3] * 2
    squared = prior.schedule.alphas_cumprod()[505]
    weight = (squared * (1 - squared)).sqrt().float()
    left = prior.codec.layout.unpack(step.clean).hands[0, 0] - scene.fields[0, 0]
    torch.testing.assert_close(step.hands[0, 0], 5 * weight * left.square().mean())


def test_no_gradient_runs_through_encoder_network_or_decoder(hand_model, holding, ball):
    prior = known_prior(torch.zeros(1, 104, 8, 8, 8))
    pull = pull_of(hand_model, prior, ball)
    T = holding.T_object_hand.clone().requires_grad_()
    moving = replace(holding, T_object_hand=T)
    moment = Moment(
        rows=torch.zeros(1, dtype=torch.int64), hands=moving, joints=hand_model.joints(moving),
        share=torch.zeros(1), iteration=0,
    )  # fmt: skip
    (gradient,) = torch.autograd.grad(pull(moment).loss.sum(), T)
    assert gradient.abs().amax((-1, -2)).min() > 0
    assert len(prior.codec.first_stage.encoded) == 1  # it asserts that gradients are off
    assert prior.denoiser.anchor.grad is None


@pytest.mark.parametrize(
    ("options", "calls"),
    [({}, 4), ({"object_weight": 0.0}, 0), ({"decode_every": 2}, 2)],
)
def test_the_decoder_runs_only_where_its_loss_is_used(hand_model, holding, options, calls):
    prior = known_prior(torch.zeros(1, 104, 8, 8, 8))
    distill(
        shapes.box((0.12, 0.07, 0.05)), prior, hand_model=hand_model, prompts=[""], num=1, seed=0,
        starts=holding, options=replace(OPTIONS, steps=4, guidance=1.0, **options),
    )  # fmt: skip
    assert prior.codec.first_stage.decoded == calls


@pytest.mark.parametrize(("deepest", "step"), [(-1.0, 75), (-0.5, 43), (-0.2, 25), (0.3, 25)])
def test_noise_stays_low_while_the_object_is_hardly_in_the_grid(deepest, step):
    image = torch.ones(1, 1, 4, 4, 4)
    image[0, 0, 1, 2, 3] = deepest
    assert highest_step(image, OPTIONS.levels).tolist() == [step]


@pytest.mark.slow
def test_hands_and_object_find_the_interaction_that_the_prior_knows(hand_model, holding):
    mesh = shapes.box((0.12, 0.07, 0.05))
    placed = place_object(mesh, SPEC)
    prior = known_prior(torch.zeros(1, 104, 8, 8, 8))
    scene = pull_of(hand_model, prior, placed.sdf).scene(holding, hand_model.joints(holding))
    latent = prior.codec.first_stage
    with torch.no_grad():
        clean = prior.codec.layout.pack(LatentParts(latent.encode(scene.image), scene.fields))
    prior.denoiser.clean = prior.denoiser.unconditional = clean
    generator = torch.Generator().manual_seed(1)
    T = holding.T_object_hand
    away = rigid(
        matrix_from_rotvec(0.15 * torch.randn(1, 2, 3, generator=generator)),
        0.015 * torch.randn(1, 2, 3, generator=generator),
    )
    starts = replace(hand_model.rest_parameters(1), T_object_hand=T @ away)
    options = replace(
        OPTIONS, steps=150, guidance=1.0, step_translation=0.003, step_rotation=0.03,
        object_weight=0.1, hand_weight=100.0,
    )  # fmt: skip
    result = distill(
        mesh, prior, hand_model=hand_model, prompts=[""], num=1, seed=0, starts=starts,
        options=options,
    )  # fmt: skip
    before = (starts.T_object_hand - T)[..., :3, 3].norm(dim=-1)
    after = (result.hands.T_object_hand - T)[..., :3, 3].norm(dim=-1)
    assert before.max() > 0.02
    assert after.max() < 0.005
    turned = T[..., :3, :3].mT @ result.hands.T_object_hand[..., :3, :3]
    assert rotation_angle(turned).max() < 0.06
    assert result.objective.max() < 0.05
