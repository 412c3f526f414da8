"""The tables that commands print when they are done."""

from typing import Any

from bghop.jobs.grasp import ObjectResult
from bghop.jobs.grasp_hold import HoldRecord

_MOST_ROWS = 5


def grasp_table(result: ObjectResult) -> str:
    """The best grasps of one object and where their files are."""
    num = len(result.metrics)
    good = sum(not result.faults(index) for index in range(num))
    lines = [
        f"{result.name}: {num} {result.kind.nouns}, {good} without a fault, in {result.folder}",
        *([] if result.hold is None else [_hold_line(result.hold)]),
        f"  #   depth mm L/R   volume cm3 L/R   fingers L/R   {_hold_head(result)}faults",
    ]
    for index, metrics in enumerate(result.metrics[:_MOST_ROWS]):
        hold = "" if result.hold is None else _hold_cells(result.hold[index])
        lines.append(
            f"{index + 1:>3}   {_both(metrics.penetration_depth_mm, '.1f'):>12}"
            f"   {_both(metrics.intersection_volume_cm3, '.2f'):>14}"
            f"   {_both(metrics.fingers_in_contact, 'd'):>11}   {hold}"
            f"{', '.join(result.faults(index)) or '-'}"
        )
    return "\n".join(lines)


def _hold_line(hold: tuple[HoldRecord, ...]) -> str:
    """How many hold in all six directions, and whether the scores alone had put one first."""
    place, best = next(
        (place, record) for place, record in enumerate(hold, 1) if record.rank_by_score == 1
    )
    verdict = "holds too" if best.success else f"does not ({best.mark}, now #{place})"
    num = sum(record.success for record in hold)
    return f"hold test: {num} of {len(hold)} hold in all directions; the best by score {verdict}"


def _hold_head(result: ObjectResult) -> str:
    return "" if result.hold is None else "holds   # by score   "


def _hold_cells(record: HoldRecord) -> str:
    return f"{record.mark:>5}   {record.rank_by_score:>10}   "


def grasp_json(results: list[ObjectResult]) -> dict[str, Any]:
    """The same for machines, with all grasps."""
    return {"objects": [result_json(result) for result in results]}


def result_json(result: ObjectResult) -> dict[str, Any]:
    """One object or one prompt, with all its results."""
    objects, hold = result.objects, result.hold
    return {
        "name": result.name,
        "folder": str(result.folder),
        "state": result.state,
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
        "problem": result.problem,
        result.kind.nouns: [
            {
                **metrics.to_json(),
                **({} if objects is None else {"object": objects[index].to_json()}),
                "faults": list(result.faults(index)),
                **({} if hold is None else {"hold": hold[index].to_json()}),
            }
            for index, metrics in enumerate(result.metrics)
        ],
    }


def _both(pair: tuple[Any, Any], form: str) -> str:
    return " / ".join("-" if value is None else format(value, form) for value in pair)
