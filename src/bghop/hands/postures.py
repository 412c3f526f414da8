"""How hands are bent: a normal distribution of the angles of each finger."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_LEAST_SPREAD = 0.02
"""Radians; spread of an angle whose limits coincide."""
_SOFT = 0.05
"""Radians added to every spread: few hands, or those of few preshapes, know less than they say."""
POSTURE_SHAPES = {"mean": (15, 3), "precision": (5, 9, 9)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Postures:
    """Mean and precision (inverse covariance) of anatomical angles, radians, for either hand.

    Fingers are independent of each other, so that fits stay an arrow (`fields/articulation.py`).
    """

    mean: Float[Tensor, "bone=15 3"]
    precision: Float[Tensor, "finger=5 9 9"]

    @staticmethod
    def within(limits: Float[Tensor, "bone=15 3 2"]) -> "Postures":
        """What joint limits alone say: uniform between them, as a normal of the same spread."""
        spread = ((limits[..., 1] - limits[..., 0]) / 12**0.5).clamp_min(_LEAST_SPREAD)
        return Postures(
            mean=limits.mean(-1), precision=torch.diag_embed(spread.reshape(5, 9) ** -2)
        )

    @staticmethod
    def of(angles: Float[Tensor, "hand bone=15 3"]) -> "Postures":
        """What some hands say.

        Args:
            angles: of `HandModel.angles_from_pose`, left and right hands alike.
        """
        mean = angles.double().mean(0)
        away = (angles.double() - mean).reshape(-1, 5, 9)
        covariance = torch.einsum("nfi,nfj->fij", away, away) / max(len(away) - 1, 1)
        eye = torch.eye(9, dtype=torch.float64, device=angles.device)
        return Postures(mean=mean, precision=torch.linalg.inv(covariance + _SOFT**2 * eye))

    def to(self, device: torch.device | str) -> "Postures":
        """The same law on a device."""
        return Postures(mean=self.mean.to(device), precision=self.precision.to(device))

    @property
    def spread(self) -> Float[Tensor, "bone=15 3"]:
        """Standard deviation of each angle."""
        variance = torch.linalg.inv(self.precision).diagonal(dim1=-2, dim2=-1)
        return variance.sqrt().reshape(15, 3)
