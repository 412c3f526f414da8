"""What `grasps.json` records of the hold test of one grasp."""

from dataclasses import dataclass
from typing import Any

from bghop.hands.joints import SIDES
from bghop.physics.hold import DIRECTION_NAMES, HoldResult


@dataclass(frozen=True, kw_only=True)
class HoldRecord:
    """The hold test of one grasp; six values are per direction of gravity (`DIRECTION_NAMES`)."""

    held: tuple[bool, ...]
    moved_cm: tuple[float, ...]
    """Largest displacement of the centre of mass from the closed state (about 10 when lost)."""
    turned_deg: tuple[float, ...]
    """Largest rotation from the closed state."""
    largest_force_n: float
    """Largest normal force at one contact point under gravity."""
    closing_moved_cm: float
    """How far closing pushed the object."""
    closing_turned_deg: float
    squeeze_force_n: tuple[float | None, float | None]
    """Sum of the normal forces of (left, right) in the closed state; None for an absent hand."""
    mass_kg: float
    rank_by_score: int
    """Place before the hold test was asked; 1 is the best."""

    @property
    def success(self) -> bool:
        """Held in all six directions."""
        return all(self.held)

    @property
    def directions(self) -> int:
        """In how many of the six it is held."""
        return sum(self.held)

    @property
    def mark(self) -> str:
        """For captions and tables."""
        return f"{self.directions}/{len(self.held)}"

    @property
    def hardest(self) -> int:
        """The direction in which the object moved most; those where it was dropped come first."""
        return max(range(len(self.held)), key=lambda k: (not self.held[k], self.moved_cm[k]))

    @staticmethod
    def of(result: HoldResult, present: tuple[bool, bool], rank_by_score: int) -> "HoldRecord":
        """From a result of the test of a grasp with these hands (left, right)."""
        left, right = (
            force if here else None
            for force, here in zip(result.squeeze_force, present, strict=True)
        )
        return HoldRecord(
            held=result.held,
            moved_cm=result.moved_cm,
            turned_deg=result.turned_deg,
            largest_force_n=result.largest_force,
            closing_moved_cm=result.closing_moved_cm,
            closing_turned_deg=result.closing_turned_deg,
            squeeze_force_n=(left, right),
            mass_kg=result.mass,
            rank_by_score=rank_by_score,
        )

    def to_json(self) -> dict[str, Any]:
        """The value of the field `hold`; docs/results.md describes it."""
        return {
            "success": self.success,
            **{
                name: dict(zip(DIRECTION_NAMES, getattr(self, name), strict=True))
                for name in ("held", "moved_cm", "turned_deg")
            },
            "largest_force_n": self.largest_force_n,
            "closing_moved_cm": self.closing_moved_cm,
            "closing_turned_deg": self.closing_turned_deg,
            "squeeze_force_n": dict(zip(SIDES, self.squeeze_force_n, strict=True)),
            "mass_kg": self.mass_kg,
            "rank_by_score": self.rank_by_score,
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "HoldRecord":
        """What `to_json` gave; raises KeyError, TypeError or ValueError if it is damaged."""
        left, right = (value["squeeze_force_n"][side] for side in SIDES)

        def six(name: str) -> tuple[Any, ...]:
            return tuple(value[name][direction] for direction in DIRECTION_NAMES)

        return HoldRecord(
            held=tuple(bool(each) for each in six("held")),
            moved_cm=tuple(float(each) for each in six("moved_cm")),
            turned_deg=tuple(float(each) for each in six("turned_deg")),
            largest_force_n=float(value["largest_force_n"]),
            closing_moved_cm=float(value["closing_moved_cm"]),
            closing_turned_deg=float(value["closing_turned_deg"]),
            squeeze_force_n=(
                None if left is None else float(left),
                None if right is None else float(right),
            ),
            mass_kg=float(value["mass_kg"]),
            rank_by_score=int(value["rank_by_score"]),
        )
