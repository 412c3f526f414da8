"""The tables that commands print when they are done."""

from typing import Any

from bghop.evaluation.ranking import faults
from bghop.jobs.grasp import ObjectResult

_MOST_ROWS = 5


def grasp_table(result: ObjectResult) -> str:
    """The best grasps of one object and where their files are."""
    good = sum(not faults(metrics) for metrics in result.metrics)
    lines = [
        f"{result.name}: {len(result.metrics)} grasps, {good} without a fault, in {result.folder}",
        "  #   depth mm L/R   volume cm3 L/R   fingers L/R   faults",
    ]
    for index, metrics in enumerate(result.metrics[:_MOST_ROWS]):
        lines.append(
            f"{index + 1:>3}   {_both(metrics.penetration_depth_mm, '.1f'):>12}"
            f"   {_both(metrics.intersection_volume_cm3, '.2f'):>14}"
            f"   {_both(metrics.fingers_in_contact, 'd'):>11}   {', '.join(faults(metrics)) or '-'}"
        )
    return "\n".join(lines)


def grasp_json(results: list[ObjectResult]) -> dict[str, Any]:
    """The same for machines, with all grasps."""
    return {
        "objects": [
            {
                "name": result.name,
                "folder": str(result.folder),
                "state": result.state,
                "seconds": round(result.seconds, 3),
                "warnings": list(result.warnings),
                "problem": result.problem,
                "grasps": [
                    {**metrics.to_json(), "faults": list(faults(metrics))}
                    for metrics in result.metrics
                ],
            }
            for result in results
        ]
    }


def _both(pair: tuple[Any, Any], form: str) -> str:
    return " / ".join("-" if value is None else format(value, form) for value in pair)
