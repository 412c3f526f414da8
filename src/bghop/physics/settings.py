"""The numbers of the hold test and of its static companion; the defaults are the definition."""

from dataclasses import dataclass, field

import numpy as np

DENSITY = 500.0
"""Kilograms per cubic metre of an object of unknown material."""
MASS_RANGE = (0.1, 2.0)
"""Kilograms; what the mass from the volume is clamped to."""
WRIST_ARM = 0.18
"""Metres from the wrist to the fingertips; makes its turning as stiff as its shifting there."""


def mass_from_volume(volume: float) -> float:
    """Kilograms of an object of so many cubic metres."""
    return float(np.clip(DENSITY * volume, *MASS_RANGE))


@dataclass(frozen=True, kw_only=True)
class HandForces:
    """What the hands are strong enough for, and how far they press."""

    squeeze: float = 0.005
    """Metres that targets are pushed into the surface along the contact normals."""
    finger_force: float = 15.0
    """Newtons at a finger's pad."""
    wrist_force: float = 40.0
    """Newtons of a whole hand."""
    wrist_torque: float = 7.2
    """Newton metres about the wrist: its force at `WRIST_ARM`."""


@dataclass(frozen=True, kw_only=True)
class HoldSettings:
    """Numbers of the hold test; the defaults are the definition."""

    forces: HandForces = field(default_factory=HandForces)
    friction: float = 0.8
    """Coulomb coefficient between skin and object."""
    close_s: float = 0.3
    """Closing without gravity."""
    hold_s: float = 2.0
    """Gravity in each direction."""
    max_moved: float = 0.02
    """Metres that the centre of mass may move from the closed state."""
    max_turned: float = float(np.radians(15))
    """Radians that the object may turn from the closed state."""
    lost: float = 0.10
    """Metres at which a direction ends early: the object has been dropped."""
    timestep: float = 0.004
    """Seconds; half of it gives the same verdicts at twice the cost (docs/hold_test.md)."""
    hands_collide: bool = True
    """Whether the hands push each other; fingers of one hand never do."""
