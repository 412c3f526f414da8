"""How many threads tensors get while hands are searched, measured and tested."""

from collections.abc import Iterator
from contextlib import contextmanager


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
