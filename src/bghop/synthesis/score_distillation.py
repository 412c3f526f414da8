"""Two hands for a given mesh by score distillation: the paper's way to use a prior (section 3.3).

Articulations of both hands, the object's place in the right hand and the left hand's place in the
right one are moved until the prior finds the interaction likely. All candidates are one batch.
Compared with the released code (docs/score_distillation.md): the schedule that the network was
trained with, guidance of every channel, metres throughout, one prompt a candidate, both hands in
the result, no gradient through frozen networks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bghop.errors import OptionError
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid
from bghop.hands.model import HandModel, HandParameters
from bghop.prior.codec import JointCodec
from bghop.prior.denoiser import Condition
from bghop.prior.prior import Prior
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.text.tokens import checked_prompts
from bghop.synthesis.distillation.clock import Clock
from bghop.synthesis.distillation.field_pull import FieldPull
from bghop.synthesis.distillation.help import PhysicsHelp
from bghop.synthesis.distillation.joint_pull import JointPull
from bghop.synthesis.distillation.options import DistillOptions
from bghop.synthesis.distillation.place import PlacedObject, place_object
from bghop.synthesis.distillation.pull import Moment, Pull
from bghop.synthesis.distillation.starts import random_starts
from bghop.synthesis.distillation.variables import HandVariables
from bghop.synthesis.surface import sample_surface

_SURFACE_POINTS = 2000
_STIFF, _LOOSE = 0.1, 0.5
"""Fingers start stiff (metres per radian) and are loose after this share of the iterations."""

Watch = Callable[[int, HandParameters], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Distilled:
    """Candidates in the order of their numbers."""

    hands: HandParameters
    """Both hands, relative to the mesh's own frame."""
    objective: Float[Tensor, "n"]
    """How much the prior would still change, at the same levels and noise for all candidates: less
    is likelier. Priors over joints: metres, root mean square over joints; over fields: in units of
    the latent."""
    iterations: Int[Tensor, "n"]
    """Iterations until each candidate ended."""
    history: Float[Tensor, "iteration n"]
    """The same correction at each iteration's level and noise; NaN after a candidate's end."""


def default_options(prior: Prior) -> DistillOptions:
    """What `distill` uses unless it is told otherwise."""
    released = isinstance(prior.denoiser, ReleasedDenoiser)
    return DistillOptions.released() if released else DistillOptions()


def distill(
    mesh: Mesh,
    prior: Prior,
    *,
    hand_model: HandModel,
    prompts: Sequence[str],
    num: int,
    seed: int,
    starts: HandParameters | None = None,
    options: DistillOptions | None = None,
    R_prior_object: Float[Tensor, "3 3"] | None = None,
    progress: Callable[[int, int], None] | None = None,
    watch: Watch | None = None,
) -> Distilled:
    """Put two hands on a mesh where a prior finds them likely, `num` times.

    Args:
        mesh: a validated object in metres, in any frame.
        prior: ours or imported; runs where its networks are.
        hand_model: the hands.
        prompts: what the object is; one for all candidates or one each.
        num: candidates, all optimised in one batch.
        seed: of starts and noise; candidate `i` depends on `(seed, i)` only.
        starts: `num` hands in the mesh's frame to start from; near the surface at random if None.
        options: see `DistillOptions`; by the kind of prior if None.
        R_prior_object: `p_prior = R_prior_object @ p_object`: turns the mesh's up axis to +z, which
            is up where our priors were trained; the identity if None.
        progress: called with (time of the slowest candidate, steps).
        watch: called with (iteration, all hands in the mesh's frame) at the shares of
            `DistillOptions.watch` and at the end.

    Returns:
        `num` pairs of hands in the mesh's frame, whether they are good or not.

    Raises:
        OptionError: Prompts or starts of another number, an object that is larger than the prior's
            grid, or a prior that cannot distil.
    """
    options = options or default_options(prior)
    device = prior.device
    model = hand_model.to(device)
    prompts = _one_each(prompts, num)
    placed = place_object(mesh, prior.codec.spec, R_prior_object, device)
    hands = _start(placed, model, prior, num, seed, starts)
    with torch.no_grad():
        condition = prior.condition(prompts, hands.present.cpu())
    run = _Run(
        pull=_pull(prior, placed, condition, model, options, seed),
        help=PhysicsHelp(model, placed.sdf) if options.physics > 0 else None,
        variables=HandVariables(model, hands),
        clock=Clock(num, options, device),
        options=options,
    )

    def watched(iteration: int) -> None:
        if watch is not None:
            watch(iteration, placed.in_mesh_frame(run.variables.hands(run.everyone), hand_model))

    pictures = {round(share * options.steps) for share in options.watch}
    history: list[Tensor] = []
    while len(rows := run.clock.running):
        if len(history) in pictures:
            watched(len(history))
        history.append(run.step(rows, len(history)))
        if progress is not None:
            progress(run.clock.slowest, options.steps)
    watched(len(history))
    return Distilled(
        hands=placed.in_mesh_frame(run.variables.hands(run.everyone), hand_model),
        objective=run.pull.objective(run.moment()),
        iterations=run.clock.iterations,
        history=torch.stack(history),
    )


@dataclass(kw_only=True, eq=False)
class _Run:
    """All candidates on their way."""

    pull: Pull
    help: PhysicsHelp | None
    variables: HandVariables
    clock: Clock
    options: DistillOptions

    @property
    def everyone(self) -> Int[Tensor, "n"]:
        present = self.variables.present
        return torch.arange(len(present), device=present.device)

    def step(self, rows: Int[Tensor, "b"], iteration: int) -> Float[Tensor, "n"]:
        """One iteration of the running candidates; what the prior asked of each, NaN of others."""
        variables, model = self.variables, self.variables.model
        leaves = variables.leaves(rows)
        hands = variables.hands(rows, leaves)
        joints = model.joints(hands)
        share = self.clock.share(rows)
        pulled = self.pull(
            Moment(rows=rows, hands=hands, joints=joints, share=share, iteration=iteration)
        )
        loss = pulled.loss
        late = share >= self.options.physics_from
        if self.help is not None and bool(late.any()):
            extra = self.help.loss(hands, leaves[2])
            loss = loss + self.options.physics * torch.where(late, extra, torch.zeros_like(extra))
        first, second, third = torch.autograd.grad(loss.sum(), leaves, materialize_grads=True)
        gradients, rates = (first, second, third), self._rates(share)
        if pulled.curvature is None:
            variables.adam_step(rows, gradients, rates)
        else:
            stiffness = _STIFF * (1 - share / _LOOSE).clamp_min(0)
            variables.newton_step(
                rows, gradients, pulled.curvature, rates,
                gain=self.options.gain, stiffness=stiffness,
            )  # fmt: skip
        self.clock.advance(rows, joints.detach(), hands.present)
        asked = loss.new_full((len(variables.present),), torch.nan)
        asked[rows] = pulled.correction.to(asked)
        return asked

    @torch.no_grad()
    def moment(self) -> Moment:
        """All candidates, at the end."""
        hands = self.variables.hands(self.everyone)
        return Moment(
            rows=self.everyone,
            hands=hands,
            joints=self.variables.model.joints(hands),
            share=self.clock.share(self.everyone),
            iteration=-1,
        )

    def _rates(self, share: Float[Tensor, "b"]) -> Float[Tensor, "kind=3 b"]:
        options = self.options
        base = share.new_tensor(
            [options.step_translation, options.step_rotation, options.step_angle]
        )
        falling = 0.5 * (1 + torch.cos(torch.pi * share))
        return base[:, None] * (options.last_rate + (1 - options.last_rate) * falling)


def _one_each(prompts: Sequence[str], num: int) -> list[str]:
    words = checked_prompts(prompts)
    if len(words) == 1:
        return words * num
    if len(words) != num:
        raise OptionError(f"{len(words)} prompts for {num} candidates: give one, or one for each")
    return words


def _start(
    placed: PlacedObject,
    model: HandModel,
    prior: Prior,
    num: int,
    seed: int,
    starts: HandParameters | None,
) -> HandParameters:
    """Hands in the prior's frame of the object."""
    if num < 1:
        raise OptionError(f"{num} candidates: ask for 1 or more")
    denoiser = prior.denoiser
    one_hand = isinstance(denoiser, ReleasedDenoiser) and denoiser.hands == 1
    if starts is None:
        present = torch.ones(num, 2, dtype=torch.bool)
        present[:, 0] = not one_hand
        samples = sample_surface(
            placed.mesh, placed.sdf, _SURFACE_POINTS, np.random.default_rng(seed)
        )
        return random_starts(model, samples, present, seed=seed)
    if len(starts.present) != num:
        raise OptionError(f"{len(starts.present)} starts for {num} candidates: give one for each")
    hands = placed.in_prior_frame(starts)
    if one_hand:
        present = hands.present & torch.tensor([False, True], device=hands.present.device)
        hands = replace(hands, present=present)
    if prior.codec.spec.frame == "right" and not bool(hands.present[:, 1].all()):
        raise OptionError("this prior works in the right hand's frame: give starts that have one")
    return hands


def _pull(
    prior: Prior,
    placed: PlacedObject,
    condition: Condition,
    model: HandModel,
    options: DistillOptions,
    seed: int,
) -> Pull:
    codec = prior.codec
    if isinstance(codec, JointCodec):
        if not prior.denoiser.level_per_part:
            raise OptionError("a prior over joints that cannot take a clean object: use another")
        return JointPull.of(prior, codec, placed.lattice, condition, options, seed)
    sdf: SdfGrid = placed.sdf
    return FieldPull(
        prior=prior, codec=codec, condition=condition, sdf=sdf, model=model,
        options=options, seed=seed,
    )  # fmt: skip
