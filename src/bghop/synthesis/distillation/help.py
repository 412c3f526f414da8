"""Help from physics, on request: the optimiser's terms that a score knows little about.

A learned prior is a centimetre or so off; pads that miss the surface and fingers inside it are then
as likely as each other. Only what holds for any good grasp is added, lightly and late, so that the
prior decides where the hands are.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.geometry.sdf import SdfGrid
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis import energy
from bghop.synthesis.energy import Weights
from bghop.synthesis.probe import make_probe, observe


class PhysicsHelp:
    """Contact of pads, penetration, collisions; both hands must be present."""

    def __init__(self, model: HandModel, sdf: SdfGrid) -> None:
        self._probe, self._sdf, self._weights = make_probe(model), sdf, Weights()

    def loss(
        self, hands: HandParameters, angles: Float[Tensor, "b hand=2 15 3"]
    ) -> Float[Tensor, "b"]:
        """Weighted sum of the terms; 0 for candidates that lack a hand."""
        state = observe(self._probe, self._sdf, hands, angles)
        weights, spheres = self._weights, self._probe.spheres
        total = (
            weights.pad_contact * energy.pad_contact(state)
            + weights.penetration * energy.penetration(state)
            + weights.bone_penetration * energy.bone_penetration(state, spheres)
            + weights.hand_collision * energy.hand_collision(state, spheres)
            + weights.self_collision * energy.self_collision(state, spheres)
        )
        return torch.where(hands.present.all(-1), total, torch.zeros_like(total))
