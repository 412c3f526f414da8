"""Refinement in few steps of few samples, for tests of what is around it."""

from dataclasses import replace
from typing import Any

import pytest

from bghop.synthesis import refine
from bghop.synthesis.optimize import Optimized, OptimizeOptions

STEPS = 8


def quick_refinement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the end of the test; the order of the results and what may not move are as ever."""
    whole = refine.optimize

    def quick(*args: Any, options: OptimizeOptions, **others: Any) -> Optimized:
        return whole(*args, options=replace(options, steps=STEPS), **others)

    monkeypatch.setattr(refine, "optimize", quick)
    for module in ("synthesis.prior_grasps", "evaluation.methods"):
        monkeypatch.setattr(f"bghop.{module}.samples_for", lambda num: 2 * num)
