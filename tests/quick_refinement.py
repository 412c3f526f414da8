"""Little work on drawn hands, for tests of what is around it: few samples and steps, no volumes."""

from dataclasses import replace
from typing import Any

import pytest

from bghop.fields import articulation
from bghop.synthesis import refine, synthesize
from bghop.synthesis.optimize import Optimized, OptimizeOptions

STEPS = 8


def quick_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hands are fitted to joints in few steps, centimetres off."""
    monkeypatch.setattr(articulation, "_STAGE_STEPS", (2, 1, 1, 1))
    monkeypatch.setattr(articulation, "_LATE_STEPS", 0)


def quick_refinement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the end of the test; the order of the results and what may not move are as ever."""
    whole = refine.optimize

    def quick(*args: Any, options: OptimizeOptions, **others: Any) -> Optimized:
        return whole(*args, options=replace(options, steps=STEPS), **others)

    for module in (refine, synthesize):
        monkeypatch.setattr(module, "optimize", quick)
    quick_fits(monkeypatch)
    # Of hands as bad as these, most of the time goes to how much of one is in another.
    monkeypatch.setattr("bghop.evaluation.measure.overlap_cm3", lambda _first, _second: 0.0)
    for module in ("synthesis.prior_grasps", "evaluation.methods"):
        monkeypatch.setattr(f"bghop.{module}.samples_for", lambda num: 2 * num)
