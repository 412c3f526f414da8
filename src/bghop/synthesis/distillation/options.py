"""Settings of score distillation."""

from dataclasses import dataclass
from typing import Literal

from bghop.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class DistillOptions:
    """How long, how boldly and at which noise to distil; the defaults suit our own priors."""

    steps: int = 150
    """Iterations of a candidate that never comes to rest."""
    guidance: float = 2.0
    """1: none; above, every part's answer is led away from the unconditional one."""
    levels: tuple[float, float] = (0.8, 0.05)
    """Highest and lowest noise level, as shares of the schedule (0 clean, 1 noise)."""
    order: Literal["falling", "random"] = "falling"
    """`falling`: from the highest level to the lowest, places first and millimetres last. `random`:
    uniform between the lowest and a highest one that falls to the lowest while the object is
    hardly in the grid (the released rule)."""
    weight: Literal["flat", "bell"] = "flat"
    """Of a level: 1, or `alpha sigma` as in the released code."""
    gain: float = 0.3
    """Priors over joints: share of the way to the prior's answer that an iteration goes; noise is
    averaged over about `1 / gain` of them."""
    step_translation: float = 0.03
    """Metres per iteration at the start: at most for priors over joints (Gauss-Newton), about this
    for priors over fields (Adam)."""
    step_rotation: float = 0.3
    """Radians per iteration at the start, about the middle of the palm."""
    step_angle: float = 0.3
    """Radians per iteration of finger angles at the start."""
    last_rate: float = 0.1
    """Share of these steps that is left at the end (half a cosine)."""
    hand_weight: float = 10.0
    """Field priors: of half the mean squared error of a hand's channels."""
    object_weight: float = 1.0
    """Field priors: of the decoded object's error; 0 never runs the decoder (and nothing pulls the
    object to the right hand then)."""
    decode_every: int = 1
    """Field priors: iterations that share one decoded object; the decoder is half of the time."""
    physics: float = 0.02
    """Weight of contact, penetration and collision of the optimiser's energy in the last part; 0 is
    the method of the paper."""
    physics_from: float = 2 / 3
    """Share of the iterations after which these terms count."""
    patience: int = 10
    """Iterations over which a candidate's rest is judged."""
    still: float = 0.0005
    """Metres; a candidate whose joints move less in that time leaps ahead by three times that
    time, so that what has converged ends early but still sees every range of levels."""
    watch: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5)
    """Shares of the iterations at which `watch` is called; it always is at the end."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            OptionError: Naming the option and what it may be.
        """
        if self.steps < 1:
            raise OptionError(f"{self.steps} distillation steps: use 1 or more")
        high, low = self.levels
        if not 0 < low <= high <= 1:
            raise OptionError(
                f"noise levels from {high} to {low}: use shares above 0 up to 1, highest first"
            )
        if self.patience < 1 or self.decode_every < 1:
            raise OptionError(
                f"patience {self.patience}, decode_every {self.decode_every}: use 1 or more"
            )
        if min(self.physics, self.object_weight, self.hand_weight, self.still) < 0:
            raise OptionError("a weight or length below zero: use 0 or more")

    @classmethod
    def released(cls) -> "DistillOptions":
        """As the released code has it, for imported weights: 1000 iterations, pure distillation."""
        return cls(
            steps=1000,
            guidance=4.0,
            levels=(0.75, 0.25),
            order="random",
            weight="bell",
            step_translation=0.009,
            step_rotation=0.03,
            step_angle=0.03,
            last_rate=0.01,
            physics=0.0,
            patience=30,
        )
