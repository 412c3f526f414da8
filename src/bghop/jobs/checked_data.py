"""`CheckedData`: what `bghop data check` found, and its numbers as plain values."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bghop.data.quality import FLAGS
from bghop.data.readings import Comparison
from bghop.data.record import Records
from bghop.evaluation.record_measures import Measures
from bghop.evaluation.spread import Spread
from bghop.evaluation.suspicions import Finding
from bghop.hands.model import HandModel


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A sample of the records whose hands were posed."""

    records: Records
    measures: Measures
    model: HandModel
    spread: Spread
    readings: tuple[Comparison, ...]
    """Other readings against the records as they are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckedData:
    """What was found."""

    folder: Path
    records: Records
    """Those that can be used."""
    objects: int
    """In the store."""
    findings: tuple[Finding, ...]
    """Worst first."""
    convention: tuple[Comparison, ...]
    """What the import noted of the data set's conventions."""
    measured: Measured | None
    """None: the hand model was not at hand."""
    seconds: float

    @property
    def fine(self) -> bool:
        """Nothing is wrong or suspicious."""
        return all(each.level == "note" for each in self.findings)


def numbers_of_check(found: CheckedData) -> dict[str, Any]:
    """Everything as plain values for JSON."""
    records = found.records
    content: dict[str, Any] = {
        "folder": str(found.folder), "fine": found.fine, "records": len(records),
        "objects": found.objects, "hand_model": records.hand_model,
        "findings": [vars(each) for each in found.findings],
        "splits": splits_of(records),
        "hands": {
            "left": int(records.hands.present[:, 0].sum()),
            "right": int(records.hands.present[:, 1].sum()),
            "both": int(records.hands.present.all(-1).sum()),
        },
        "text_share": sum(map(bool, records.text)) / len(records),
        "texts": len(set(records.text) - {""}),
        "flags": flags_of(records),
        "convention": [vars(each) for each in found.convention],
        "seconds": round(found.seconds, 2),
    }  # fmt: skip
    if found.measured is not None:
        content["measured"] = len(found.measured.records)
        content["readings"] = [vars(each) for each in found.measured.readings]
        content["sides"] = {
            side: {name: _quantiles(getattr(found.measured.measures, name)[:, k])
                   for name in ("clearance", "contact", "fingers", "limit_excess")}
            for k, side in enumerate(("left", "right"))
        }  # fmt: skip
    return content


def splits_of(records: Records) -> dict[str, dict[str, int]]:
    """Records, objects and sequences of each split, largest first."""
    found: dict[str, dict[str, int]] = {}
    for split, count in Counter(records.split).most_common():
        rows = [i for i, own in enumerate(records.split) if own == split]
        found[split] = {"records": count, "objects": len({records.object[i] for i in rows})}
        if records.origin is not None:
            own = {(records.source[i], records.origin.sequence[i]) for i in rows}
            found[split]["sequences"] = len(own)
    return found


def flags_of(records: Records) -> dict[str, int] | None:
    """Records that have each quality flag; None if they were not measured."""
    if records.quality is None:
        return None
    every = Counter(flag for flags in records.quality.flags for flag in flags)
    return {flag: every[flag] for flag in FLAGS}


def _quantiles(values: torch.Tensor) -> dict[str, float] | None:
    known = values[~values.isnan()].double()
    if not len(known):
        return None
    points = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
    low, middle, high = known.quantile(points).tolist()
    return {"mean": float(known.mean()), "p05": low, "median": middle, "p95": high}
