"""How many threads tensors get while hands are searched, measured and tested."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext


@contextmanager
def one_thread() -> Iterator[None]:
    """Tensors of some thousand rows gain nothing from a second thread.

    On a busy machine its waiting costs a lot: 73 s instead of 7 s were seen (docs/decisions.md).
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def network_threads() -> AbstractContextManager[None]:
    """For a network's forward passes: torch's own number, but one thread where there are two cores.

    There a second thread gains at most a factor of two and loses more if anything else runs: 0.8 s
    with one and 3.4 s with two threads were seen for a sample on two busy cores.
    """
    return one_thread() if (os.cpu_count() or 1) <= 2 else nullcontext()
