"""From rows of a benchmark to the numbers that are averaged: one array for each metric."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bghop.evaluation.ranking import score
from bghop.hands.joints import SIDES

Row = Mapping[str, Any]
"""One grasp, or one run, as plain values; None where something was not measured."""

NUM_DIRECTIONS = 6

_PER_HAND = {
    "depth": "depth_{}_mm", "volume": "volume_{}_cm3", "contact_ratio": "contact_ratio_{}",
    "fingers": "fingers_{}", "limit": "limit_{}_deg", "squeeze": "squeeze_{}_n",
}  # fmt: skip
_LARGER = ("depth", "limit")
_PUBLISHED = {
    "grasptta_volume": "grasptta_volume_{}_cm3", "grasptta_depth": "grasptta_depth_{}_cm",
    "grasptta_contact": "grasptta_contact_{}", "halo_volume": "halo_volume_{}_cm3",
    "halo_distance": "halo_distance_{}_cm",
}  # fmt: skip
_MEAN = ("contact_ratio", *_PUBLISHED, "halo_contact")
"""What both hands are: the larger value, the mean, or else the sum."""
_AS_THEY_ARE = {
    "hand_hand_depth": "hand_hand_depth_mm", "hand_hand_volume": "hand_hand_volume_cm3",
    "both_in_contact": "both_in_contact", "good": "good", "hold": "hold", "static": "static",
    "instability": "instability", "without_left": "hold_without_left",
    "without_right": "hold_without_right", "moved": "hold_moved_cm", "turned": "hold_turned_deg",
    "force": "hold_force_n", "closing": "hold_closing_cm",
}  # fmt: skip
_SHARES_OF_SIX = {
    "directions": "hold_directions", "static_directions": "static_directions",
    "without_left_directions": "hold_without_left_directions",
    "without_right_directions": "hold_without_right_directions",
}  # fmt: skip
IDENTITY = ("object_set", "object", "family", "articulated", "size_cm", "mass_kg", "method",
            "seed", "rank")  # fmt: skip
PER_HAND = (*_PER_HAND, "alone")
"""Metrics that exist for each hand, as `NAME_left` and `NAME_right`; `alone`: the other removed."""
PUBLISHED = (*_PUBLISHED, "halo_contact")
"""By the definitions of GraspTTA and HALO, for each hand in the same way."""
REQUIRED_COLUMNS = (
    *IDENTITY, "energy", *_AS_THEY_ARE.values(), *_SHARES_OF_SIX.values(), "faults",
    *(form.format(side) for form in (_PER_HAND | _PUBLISHED).values() for side in SIDES),
)  # fmt: skip


def metric_columns(rows: Sequence[Row]) -> dict[str, Float[np.ndarray, "row"]]:
    """What is averaged, by name, NaN where missing.

    `both` of a pair: the deeper hand, the sum of volumes, fingers and squeeze, the mean contact
    ratio, the larger excess; of a single hand its own. Of `PUBLISHED` metrics the mean of the two
    hands, because papers count every hand as a sample. `one_hand`: at least one hand holds alone.
    `drop_*_points`: what removing a hand costs.
    """

    def column(name: str) -> Float[np.ndarray, "row"]:
        return np.array([np.nan if row[name] is None else float(row[name]) for row in rows])

    found = {name: column(source) for name, source in _AS_THEY_ARE.items()}
    found |= {name: column(source) / NUM_DIRECTIONS for name, source in _SHARES_OF_SIX.items()}
    pairs = {
        name: tuple(column(form.format(side)) for side in SIDES)
        for name, form in (_PER_HAND | _PUBLISHED).items()
    }
    pairs["halo_contact"] = tuple(
        np.where(np.isnan(distance), np.nan, distance < 0) for distance in pairs["halo_distance"]
    )
    for name, (left, right) in pairs.items():
        found |= {f"{name}_left": left, f"{name}_right": right, name: _both(name, left, right)}
    found["alone_left"], found["alone_right"] = found["without_right"], found["without_left"]
    found["one_hand"] = np.maximum(found["without_left"], found["without_right"])
    for side in SIDES:
        found[f"drop_{side}_points"] = 100 * (found["hold"] - found[f"without_{side}"])
    found["drop_one_hand_points"] = 100 * (found["hold"] - found["one_hand"])
    return found


def order_columns(rows: Sequence[Row]) -> dict[str, Float[np.ndarray, "row"]]:
    """What could order grasps, by name, lower first: the score, its parts, and the rank itself.

    `energy` is NaN for methods that have none; the score then leaves it out, as ranking does.
    """
    instability, energy = (
        np.array([np.nan if row[name] is None else float(row[name]) for row in rows])
        for name in ("instability", "energy")
    )
    scores = [
        score(one, None if np.isnan(other) else other)
        for one, other in zip(instability.tolist(), energy.tolist(), strict=True)
    ]
    return {
        "rank": np.array([float(row["rank"]) for row in rows]),
        "score": np.array(scores),
        "instability": instability,
        "energy": energy,
    }


def codes(keys: Sequence[tuple[Any, ...]]) -> Int[np.ndarray, "row"]:
    """A number for each different key, in the order of first appearance."""
    number = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys], dtype=np.int64)


def _both(
    name: str, left: Float[np.ndarray, "row"], right: Float[np.ndarray, "row"]
) -> Float[np.ndarray, "row"]:
    """Both hands together; a missing one is left out."""
    if name in _LARGER:
        return np.fmax(left, right)
    num = 2.0 - np.isnan(left) - np.isnan(right)
    total = np.where(num > 0, np.nan_to_num(left) + np.nan_to_num(right), np.nan)
    return total / np.maximum(num, 1) if name in _MEAN else total
