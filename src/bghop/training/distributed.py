"""One process or many: torch's DistributedDataParallel under torchrun, gloo on CPUs, nccl on GPUs.

    torchrun --nproc-per-node 8 -m bghop.training prior --config run.json

Each process takes every `world`-th micro-batch of a step. As a micro-batch's randomness is a
function of its number, the curve does not depend on how many processes there are.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, distributed, nn

from bghop.devices import choose_device
from bghop.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class World:
    """This process among all."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0


@contextmanager
def joined_world(device: str = "auto") -> Iterator[World]:
    """Join the processes that torchrun started, if it did; leave them at the end.

    Args:
        device: `auto` (CUDA if there is one), `cpu`, `cuda` or `cuda:1`; with torchrun each process
            takes the GPU of its local rank, whatever the number.

    Raises:
        OptionError: There is no such device.
    """
    size, chosen = int(os.environ.get("WORLD_SIZE", "1")), choose_device(device)
    if size == 1:
        yield World(device=chosen)
        return
    local = chosen
    if chosen.type == "cuda":
        local = choose_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if local.type == "cuda" else "gloo")
    try:
        yield World(rank=distributed.get_rank(), size=size, device=local)
    finally:
        distributed.destroy_process_group()


def shares(num_micro: int, world: World) -> range:
    """Numbers of this process's micro-batches in a step.

    Raises:
        TrainingError: They cannot be shared out evenly.
    """
    if num_micro % world.size:
        raise TrainingError(
            f"{num_micro} micro-batches a step cannot be shared by {world.size} processes: choose "
            "batch and micro such that batch / micro is a multiple of the processes"
        )
    return range(world.rank, num_micro, world.size)


class LossModule(nn.Module):
    """A network with its loss, so that gradients are averaged whatever the network's call is."""

    def __init__(self, network: nn.Module, losses: Callable[..., Tensor]) -> None:
        """`losses(network, inputs, generator)` gives one number per sample."""
        super().__init__()
        self.network = network
        self._losses = losses

    def forward(self, inputs: Any, generator: torch.Generator) -> Tensor:
        """One loss per sample."""
        return self._losses(self.network, inputs, generator)


def spread(module: LossModule, world: World) -> nn.Module:
    """The module itself, or wrapped such that gradients are the average over processes."""
    if world.size == 1:
        return module
    return nn.parallel.DistributedDataParallel(module, gradient_as_bucket_view=True)


def without_averaging(module: nn.Module, *, last: bool) -> AbstractContextManager[Any]:
    """Context of a micro-batch: gradients are averaged in the last one of a step only."""
    if last or not isinstance(module, nn.parallel.DistributedDataParallel):
        return nullcontext()
    return module.no_sync()


def summed(values: Tensor, world: World) -> Tensor:
    """Sum over processes."""
    if world.size > 1:
        distributed.all_reduce(values)
    return values


def agreed(flag: bool, world: World) -> bool:
    """What the first process says."""
    if world.size == 1:
        return flag
    word = torch.tensor([int(flag)], device=world.device)
    distributed.broadcast(word, src=0)
    return bool(word.item())
