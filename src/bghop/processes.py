"""Work for several cores: spawned processes of one thread each, which end with their parent.

One thread a process, so that numbers do not depend on how many run.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from bghop.errors import ResultError
from bghop.threads import one_thread

MOST_WORKERS = 256


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    return min(found, MOST_WORKERS)


def run_all(
    task: Callable[..., Any], arguments: list[tuple[Any, ...]], workers: int
) -> Iterator[Any]:
    """Results of a task as they are finished, in any order; with one worker they run here.

    Args:
        task: A function at the top of a module (it is pickled).
        arguments: Of each call; picklable.
        workers: Processes.

    Raises:
        ResultError: A worker process died.
    """
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
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
