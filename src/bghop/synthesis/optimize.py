"""The optimiser: all candidates in one batch, Adam on wrist poses and anatomical angles.

Angles stay inside the limits by clamping after every step, so no result ever violates them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.sdf import SdfGrid
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandParameters
from bghop.synthesis import energy
from bghop.synthesis.adam import Adam
from bghop.synthesis.energy import Load, Weights
from bghop.synthesis.probe import HandState, Probe, observe
from bghop.synthesis.starts import Starts

_BETAS = (0.8, 0.95)
"""Shorter memories than usual: a hundred steps are all there is."""


@dataclass(frozen=True, kw_only=True)
class OptimizeOptions:
    """How long and how boldly to optimise; defaults fit two CPU cores."""

    steps: int = 110
    """Adam steps in all."""
    prune_at: tuple[float, ...] = (0.35,)
    """Shares of the steps after which the worse candidates are dropped."""
    prune_keep: float = 0.5
    """Share that survives each pruning."""
    step_translation: float = 0.003
    """Metres per step at the start."""
    step_rotation: float = 0.03
    """Radians per step at the start."""
    step_angle: float = 0.05
    """Radians per step of finger angles at the start."""
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimized:
    """Candidates that survived, in no order."""

    rows: Int[Tensor, "n"]
    """Which of the starts they were."""
    hands: HandParameters
    terms: dict[str, Float[Tensor, "n"]]
    total: Float[Tensor, "n"]


@dataclass(kw_only=True, eq=False)
class _Unknowns:
    """The variables of the candidates still alive (leaf tensors) and what they start from."""

    R_start: Tensor
    translation: Tensor
    turn: Tensor
    angles: Tensor
    rows: Tensor
    hands: HandParameters
    palm_wish: Tensor
    wanted: Tensor | None = None
    free: Tensor | None = None
    forces: Tensor | None = None

    @property
    def leaves(self) -> tuple[Tensor, Tensor, Tensor]:
        """What is optimised, in the order of `_rates`."""
        return self.translation, self.turn, self.angles

    def parameters(self, probe: Probe) -> HandParameters:
        R = matrix_from_rotvec(self.turn) @ self.R_start
        return HandParameters(
            present=self.hands.present,
            T_object_hand=rigid(R, self.translation),
            pose=probe.model.pose_from_angles(self.angles),
            shape=self.hands.shape,
        )

    def hold_still(self) -> None:
        """Takes the gradients of hands that may not move: Adam then leaves them where they are."""
        if self.free is None:
            return
        for leaf in self.leaves:
            if leaf.grad is not None:
                leaf.grad *= self.free.reshape(*self.free.shape, *[1] * (leaf.ndim - 2))

    def keep(self, rows: Tensor) -> "_Unknowns":
        translation, turn, angles = (x.detach()[rows].requires_grad_() for x in self.leaves)
        return _Unknowns(
            R_start=self.R_start[rows],
            translation=translation,
            turn=turn,
            angles=angles,
            rows=self.rows[rows],
            hands=self.hands.rows(rows),
            palm_wish=self.palm_wish[rows],
            wanted=None if self.wanted is None else self.wanted[rows],
            free=None if self.free is None else self.free[rows],
            forces=None if self.forces is None else self.forces[rows],
        )


def evaluate_terms(
    state: HandState,
    probe: Probe,
    load: Load,
    palm_wish: Float[Tensor, "n hand=2"],
    *,
    forces: Tensor | None = None,
    iterations: int = 60,
) -> tuple[dict[str, Tensor], Tensor]:
    """Every energy term of a state, by name, and the holding forces to continue from."""
    closure, forces = energy.force_closure(state, load, forces, iterations)
    terms = {
        "pad_contact": energy.pad_contact(state),
        "pad_facing": energy.pad_facing(state),
        "palm_contact": energy.palm_contact(state, palm_wish),
        "penetration": energy.penetration(state),
        "bone_penetration": energy.bone_penetration(state, probe.spheres),
        "hand_collision": energy.hand_collision(state, probe.spheres),
        "self_collision": energy.self_collision(state, probe.spheres),
        "force_closure": closure,
        "posture": energy.posture(state, probe.model.anatomy.limits),
        "wrist_clearance": energy.wrist_clearance(state),
    }
    return terms, forces


def optimize(
    probe: Probe,
    sdf: SdfGrid,
    load: Load,
    starts: Starts,
    *,
    options: OptimizeOptions,
    wanted: Float[Tensor, "n hand=2 joint=21 3"] | None = None,
    free: Bool[Tensor, "n hand=2"] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Optimized:
    """Improve every start; drop the worse ones on the way.

    Args:
        probe: points of the hand model that the energy sees.
        sdf: the object.
        load: what the hands must bear.
        starts: where to begin.
        options: step counts and sizes, weights.
        wanted: joints that the term `closeness` holds on to; without them there is no such term.
        free: hands that move; all if None.
        progress: called with (steps done, steps in all).
    """
    unknowns = _unknowns(probe, starts, wanted, free)
    limits = probe.model.anatomy.limits
    prune_steps = {round(share * options.steps) for share in options.prune_at}
    adam = Adam(unknowns.leaves, betas=_BETAS)
    terms: dict[str, Tensor] = {}
    for step in range(options.steps):
        if step in prune_steps:
            total = energy.weighted_sum(terms, options.weights).detach()
            survivors = total.topk(max(1, round(len(total) * options.prune_keep)), largest=False)
            unknowns = unknowns.keep(survivors.indices)
            adam = Adam(unknowns.leaves, betas=_BETAS)
        # Half a cosine from 1 to 0.05: large moves first, millimetres last.
        share = step / max(1, options.steps - 1)
        rate = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share))
        adam.forget_gradients()
        hands = unknowns.parameters(probe)
        state = observe(probe, sdf, hands, unknowns.angles)
        terms, unknowns.forces = evaluate_terms(
            state, probe, load, unknowns.palm_wish,
            forces=unknowns.forces, iterations=30 if unknowns.forces is None else 6,
        )  # fmt: skip
        terms |= _closeness(probe, state, hands, unknowns.wanted)
        energy.weighted_sum(terms, options.weights).sum().backward()
        unknowns.hold_still()
        adam.step([rate * base for base in _rates(options)])
        with torch.no_grad():
            unknowns.angles.clamp_(limits[..., 0], limits[..., 1])
        if progress is not None:
            progress(step + 1, options.steps)

    with torch.no_grad():
        hands = unknowns.parameters(probe)
        state = observe(probe, sdf, hands, unknowns.angles)
        terms, _ = evaluate_terms(state, probe, load, unknowns.palm_wish)
        terms |= _closeness(probe, state, hands, unknowns.wanted)
    return Optimized(
        rows=unknowns.rows,
        hands=hands,
        terms=terms,
        total=energy.weighted_sum(terms, options.weights),
    )


def _closeness(
    probe: Probe, state: HandState, hands: HandParameters, wanted: Tensor | None
) -> dict[str, Tensor]:
    if wanted is None:
        return {}
    return {"closeness": energy.closeness(state, probe.model.joints(hands), wanted)}


def _unknowns(
    probe: Probe, starts: Starts, wanted: Tensor | None, free: Tensor | None
) -> _Unknowns:
    T = starts.hands.T_object_hand
    limits = probe.model.anatomy.limits
    angles = probe.model.angles_from_pose(starts.hands.pose).clamp(limits[..., 0], limits[..., 1])
    return _Unknowns(
        R_start=T[..., :3, :3].clone(),
        translation=T[..., :3, 3].clone().requires_grad_(),
        turn=torch.zeros_like(T[..., :3, 3]).requires_grad_(),
        angles=angles.detach().clone().requires_grad_(),
        rows=torch.arange(len(T), device=T.device),
        hands=starts.hands,
        palm_wish=starts.palm_wish,
        wanted=wanted,
        free=free,
    )


def _rates(options: OptimizeOptions) -> tuple[float, float, float]:
    return options.step_translation, options.step_rotation, options.step_angle
