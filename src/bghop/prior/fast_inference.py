"""When a network uses its fast forward pass, and when that has to be prepared anew."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from bghop.prior import fast_conv

Fast = TypeVar("Fast")


class FastInference(Generic[Fast]):
    """Holds the prepared form of a network; the network's own tensors stay as they are.

    The prepared form is used without gradients, in evaluation mode, for float32 grids on a CPU; it
    is made at the first such call and again when a weight has changed (by anything that torch
    counts as a change; changes through `.data` are seen only after `train()` or `eval()`). Hooks on
    inner layers are not called by it.
    """

    def __init__(self, prepare: Callable[[Any], Fast]) -> None:
        self._prepare = prepare
        self._ready: Fast | None = None
        self._weights: list[tuple[int, int]] = []

    def of(self, network: nn.Module, *inputs: Tensor) -> Fast | None:
        """The prepared form, or None if the plain way is to be taken."""
        if (
            network.training
            or torch.is_grad_enabled()
            or torch.compiler.is_compiling()
            or torch.is_autocast_enabled("cpu")
            or not fast_conv.available()
            or any(x.device.type != "cpu" or x.dtype != torch.float32 for x in inputs)
        ):
            return None
        weights = [_version(parameter) for parameter in network.parameters()]
        if self._ready is None or weights != self._weights:
            first = next(network.parameters())
            if first.device.type != "cpu" or first.dtype != torch.float32:
                return None
            self._ready, self._weights = self._prepare(network), weights
        return self._ready

    def forget(self) -> None:
        """Makes the next call prepare the network anew."""
        self._ready = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "FastInference[Fast]":
        return FastInference(self._prepare)

    def __getstate__(self) -> dict[str, Any]:
        return {"_prepare": self._prepare, "_ready": None, "_weights": []}


def _version(parameter: Tensor) -> tuple[int, int]:
    counted = 0 if parameter.is_inference() else parameter._version
    return parameter.data_ptr(), counted
