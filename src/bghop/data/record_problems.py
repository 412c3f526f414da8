"""Rows of records that no interaction can be, with what is wrong and how to mend it."""

from dataclasses import dataclass

import torch

from bghop.data.record import WEIGHT, Records


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A row that no interaction can be."""

    row: int
    id: str
    words: str
    """What is wrong."""
    remedy: str

    def __str__(self) -> str:
        """For people."""
        return f"row {self.row}, {self.id}: {self.words}: {self.remedy}"


def problems_of(records: Records) -> list[Problem]:
    """All rows that must not be written or trained on, one problem each, in order."""
    found: dict[int, Problem] = {}

    def add(row: int, words: str, remedy: str) -> None:
        found.setdefault(
            row, Problem(row=row, id=records.id[row], words=words, remedy=remedy)
        )  # fmt: skip

    seen: set[str] = set()
    for row, key in enumerate(records.id):
        if key in seen:
            add(row, "an id that is there twice", "give every row an id of its own")
        seen.add(key)
    columns = {
        "joint_value": records.joint_value[:, None],
        "T_object_hand": records.hands.T_object_hand.flatten(1),
        "pose": records.hands.pose.flatten(1),
        "shape": records.hands.shape.flatten(1),
        **({} if records.weight is None else {WEIGHT: records.weight[:, None]}),
    }
    for name, values in columns.items():
        for row in (~torch.isfinite(values)).any(-1).nonzero().flatten().tolist():
            add(row, f"a '{name}' that is not a finite number", "leave such rows out")
    R = records.hands.T_object_hand[..., :3, :3].float()
    off = (R @ R.transpose(-1, -2) - torch.eye(3, device=R.device)).abs().amax((-1, -2, -3))
    for row in (off > 1e-3).nonzero().flatten().tolist():
        add(
            row, f"a T_object_hand that is not rigid (off by {float(off[row]):.3g})",
            "normalise its rotation, put scale into `shape`",
        )  # fmt: skip
    return [found[row] for row in sorted(found)]
