"""Running trials on one core or several; nothing here touches files but the cache of pieces.

Tasks go to processes of one thread each, so that a trial's numbers do not depend on how many run.
Results come as they are finished; whoever writes tables puts them in the order of their index.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import Any

import torch

from bghop.errors import BghopError, ResultError
from bghop.evaluation.methods import Method, find_method
from bghop.evaluation.trial import Trial, TrialResult, run_trial
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.physics.pieces import pieces_of
from bghop.threads import one_thread

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
    yield from _run_all(_trial_task, tasks, workers)


def prepare_pieces(items: list[Any], *, workers: int) -> Iterator[str]:
    """Makes and caches the convex pieces of each object once, before several trials need them.

    Yields:
        The problem of each finished object in words; empty if there was none.

    Raises:
        ResultError: A worker process died.
    """
    yield from _run_all(_pieces_task, [(item,) for item in items], workers)


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


def _run_all(
    task: Callable[..., Any], arguments: list[tuple[Any, ...]], workers: int
) -> Iterator[Any]:
    if workers == 1 or len(arguments) <= 1:
        for each in arguments:
            with one_thread():
                result = task(*each)
            yield result
        return
    before = set(multiprocessing.active_children())
    # Spawned, not forked: a forked copy of a process with threads may hang.
    pool = ProcessPoolExecutor(
        min(workers, len(arguments)), multiprocessing.get_context("spawn"), _start_worker
    )
    finished = False
    try:
        pending: set[Future] = {pool.submit(task, *each) for each in arguments}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
        finished = True
    except BrokenProcessPool:
        msg = "a worker process died (out of memory?): use fewer --workers or a smaller --num"
        raise ResultError(f"{msg}; the same command continues") from None
    finally:
        if not finished:  # Ctrl-C, or a bug in a task: nobody waits for the others
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    # Ctrl-C reaches every process of a terminal; the main one decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
