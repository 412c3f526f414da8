"""Running trials on one core or several; nothing here touches files but the cache of pieces.

Tasks go to processes of one thread each, so that a trial's numbers do not depend on how many run.
Results come as they are finished; whoever writes tables puts them in the order of their index.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from bghop.errors import BghopError
from bghop.evaluation.methods import Method, find_method
from bghop.evaluation.trial import Trial, TrialResult, run_trial
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.physics.pieces import pieces_of
from bghop.processes import run_all

_QUICK_METHOD = "random"


def make_trials(
    object_set: str,
    items: list[Any],
    *,
    methods: tuple[str, ...],
    seeds: tuple[int, ...],
    num: int,
    hold: bool,
) -> list[Trial]:
    """All trials in the order of the tables: objects, then methods, then seeds."""
    combined = [(item, name, seed) for item in items for name in methods for seed in seeds]
    return [
        Trial(
            index=index, object_set=object_set, item=item, method=name, seed=seed, num=num,
            hold=hold,
        )
        for index, (item, name, seed) in enumerate(combined)
    ]  # fmt: skip


def run_trials(
    trials: list[Trial], *, workers: int, methods: dict[str, Method] | None = None
) -> Iterator[TrialResult]:
    """Results as they are finished. With one worker everything runs here, one after the other.

    Raises:
        ResultError: A worker process died.
    """
    # The floor is quick: it goes last, so that no core waits for a long trial at the end.
    ordered = sorted(trials, key=lambda trial: trial.method == _QUICK_METHOD)
    tasks = [(trial, find_method(trial.method, methods) if methods else None) for trial in ordered]
    yield from run_all(_trial_task, tasks, workers)


def prepare_pieces(items: list[Any], *, workers: int) -> Iterator[str]:
    """Makes and caches the convex pieces of each object once, before several trials need them.

    Yields:
        The problem of each finished object in words; empty if there was none.

    Raises:
        ResultError: A worker process died.
    """
    yield from run_all(_pieces_task, [(item,) for item in items], workers)


def _trial_task(trial: Trial, method: Method | None) -> TrialResult:
    return run_trial(trial, method or find_method(trial.method), _hand_model())


def _pieces_task(item: Any) -> str:
    try:
        pieces_of(item.mesh)
    except BghopError as error:
        return str(error)
    return ""


@cache
def _hand_model() -> HandModel:
    return load_open_hand()
