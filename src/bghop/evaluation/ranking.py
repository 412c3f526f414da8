"""What a good grasp must satisfy, and the order of results."""

from dataclasses import dataclass

from bghop.evaluation.metrics import GraspMetrics
from bghop.evaluation.validity import ObjectValidity
from bghop.hands.joints import SIDES

ENERGY_WEIGHT = 0.001
"""Of the optimiser's energy in `score`; energies of one object differ by one or two."""


@dataclass(frozen=True, kw_only=True)
class Demands:
    """Bounds that a good grasp keeps, for each hand; metrics of `GraspMetrics`."""

    penetration_depth_mm: float = 3.0
    intersection_volume_cm3: float = 1.0
    fingers_in_contact: int = 3
    limit_violation_deg: float = 0.5
    hand_hand_depth_mm: float = 1.0


def faults(metrics: GraspMetrics, demands: Demands | None = None) -> tuple[str, ...]:
    """The demands that a grasp breaks, in words (`left hand 4.1 mm deep`); empty for a good one."""
    demands = demands or Demands()
    found = []
    for side, name in enumerate(SIDES):
        depth, volume = metrics.penetration_depth_mm[side], metrics.intersection_volume_cm3[side]
        fingers, excess = metrics.fingers_in_contact[side], metrics.limit_violation_deg[side]
        if depth is not None and depth >= demands.penetration_depth_mm:
            found.append(f"{name} hand {depth:.1f} mm deep")
        if volume is not None and volume >= demands.intersection_volume_cm3:
            found.append(f"{name} hand {volume:.1f} cm3 inside")
        if fingers is not None and fingers < demands.fingers_in_contact:
            found.append(f"{name} hand {fingers} finger{'' if fingers == 1 else 's'} in contact")
        if excess is not None and excess > demands.limit_violation_deg:
            found.append(f"{name} hand {excess:.0f} deg over a limit")
    if metrics.hand_hand_depth_mm > demands.hand_hand_depth_mm:
        found.append(f"hands {metrics.hand_hand_depth_mm:.1f} mm inside each other")
    return tuple(found)


def object_faults(validity: ObjectValidity) -> tuple[str, ...]:
    """What is wrong with a sampled object, in words; empty if nothing."""
    if validity.plausible:
        return ()
    found = [] if validity.closed else ["object not closed"]
    if validity.num_components != 1:
        found.append(f"object in {validity.num_components} pieces")
    return tuple(found) or (f"object of {validity.volume_cm3:.1f} cm3",)


def score(instability: float, energy: float | None) -> float:
    """What orders grasps without faults; lower is better.

    Args:
        instability: Of `bghop.physics.static_check`.
        energy: Of the optimiser, None if the method has none. Its terms of contact and posture
            decide between grasps that are equally stable.
    """
    return instability + ENERGY_WEIGHT * (energy or 0.0)


def rank(
    metrics: list[GraspMetrics],
    scores: list[float],
    demands: Demands | None = None,
    *,
    more_faults: list[int] | None = None,
) -> list[int]:
    """Indices, best first: fewer broken demands, then lower score, then the given order.

    Args:
        metrics: of each grasp.
        scores: of each grasp; lower is better.
        demands: what counts as a fault of the hands.
        more_faults: numbers of faults besides those, such as the object's.
    """
    more = more_faults or [0] * len(metrics)
    num_faults = [len(faults(each, demands)) + n for each, n in zip(metrics, more, strict=True)]
    return sorted(range(len(metrics)), key=lambda k: (num_faults[k], scores[k], k))
