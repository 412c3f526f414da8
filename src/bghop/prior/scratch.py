"""Memory that is written and used up again within one step of a computation.

Fresh memory costs more than the sums that are written to it: the system has to find and clear its
pages. So every thread keeps one buffer per purpose.
"""

import threading

import torch
from torch import Tensor

_CACHE = 2**18
"""Numbers of one kind that a thread works on at a time (1 MiB), so that they stay in its cache."""
_buffers = threading.local()


def scratch(name: str, *shape: int) -> Tensor:
    """Numbers (float32, CPU) that nobody needs any more when the name is asked for again."""
    num = 1
    for size in shape:
        num *= size
    buffer = getattr(_buffers, name, None)
    if buffer is None or len(buffer) < num:
        with torch.inference_mode(mode=False):
            buffer = torch.empty(num)
        setattr(_buffers, name, buffer)
    return buffer[:num].view(shape)


def cache_size() -> int:
    """Numbers to work on at a time, with all of torch's threads."""
    return _CACHE * min(torch.get_num_threads(), 8)
