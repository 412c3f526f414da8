"""torch's Adam without `torch.optim.Adam`, whose first use loads the compiler (`torch._dynamo`).

That are 800 modules and 2 s, of a command that takes a dozen (`benchmarks/adam_start.py`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Leaf tensors with a step size each; the numbers are those of `torch.optim.Adam`."""

    def __init__(self, leaves: Sequence[Tensor], *, betas: tuple[float, float]) -> None:
        """Start with no memory.

        Args:
            leaves: tensors with gradients.
            betas: of the running means of gradient and squared gradient.
        """
        self._leaves = list(leaves)
        self._betas = betas
        self._means = [torch.zeros_like(leaf) for leaf in self._leaves]
        self._squares = [torch.zeros_like(leaf) for leaf in self._leaves]
        self._counts = [torch.zeros(()) for _ in self._leaves]

    def forget_gradients(self) -> None:
        """Before a backward pass."""
        for leaf in self._leaves:
            leaf.grad = None

    @torch.no_grad()
    def step(self, rates: Sequence[float]) -> None:
        """Move every leaf that has a gradient, by its own rate."""
        for k, rate in enumerate(rates):
            leaf = self._leaves[k]
            if leaf.grad is None:
                continue
            adam(
                [leaf], [leaf.grad], [self._means[k]], [self._squares[k]], [], [self._counts[k]],
                foreach=False, capturable=False, differentiable=False, fused=False, amsgrad=False,
                beta1=self._betas[0], beta2=self._betas[1], lr=rate, weight_decay=0.0, eps=1e-8,
                maximize=False,
            )  # fmt: skip
