"""Muon (Jordan et al. 2024) in the weights' own precision.

torch has one, but it orthogonalises in bfloat16: on CPUs without such arithmetic that takes ten
times as long as all the rest of a training step (docs/decisions.md). Here it is done in the
precision of the weights, all matrices of one shape at once, and in the smaller of their two Gram
matrices: every iterate is a polynomial of the first one times the first, and polynomials of a
matrix commute.
"""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

STEPS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315
"""Of the quintic `a s + b s^3 + c s^5`, which lifts small singular values fastest."""


class Muon(torch.optim.Optimizer):
    """Steps of matrices made orthogonal, each as long as one of AdamW.

    As `torch.optim.Muon(..., nesterov=True, adjust_lr_fn="match_rms_adamw")`.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        """Begin with no momentum.

        Args:
            matrices: to be moved; 2-D.
            lr: learning rate, as for AdamW.
            weight_decay: share of a matrix that is taken off per unit of the learning rate.
            momentum: share of the mean gradient that is kept from step to step.
        """
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of every matrix that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for matrices in _by_shape(group["params"]):
                self._step(matrices, group)

    def _step(self, matrices: list[nn.Parameter], group: dict[str, Any]) -> None:
        momentum, rate = group["momentum"], group["lr"]
        wishes = []
        for matrix in matrices:
            gradient, state = matrix.grad, self.state[matrix]
            assert gradient is not None
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(gradient)
            mean = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
            wishes.append(gradient.lerp(mean, momentum))
        # Each entry then moves by a fifth of the rate in the mean (root of squares), as AdamW's do.
        length = 0.2 * max(matrices[0].shape) ** 0.5
        for matrix, way in zip(matrices, orthogonalised(torch.stack(wishes)), strict=True):
            matrix.mul_(1 - rate * group["weight_decay"]).add_(way, alpha=-rate * length)


def orthogonalised(matrices: Float[Tensor, "n row column"]) -> Float[Tensor, "n row column"]:
    """Matrices with their singular values moved to 0.7 to 1.2 by Newton-Schulz iterations.

    Those below a few thousandths of the matrix's norm stay smaller. The sum over `k` of
    `p_k(X X^T) X` with `p` from `X <- a X + b X X^T X + c (X X^T)^2 X`, `STEPS` times.
    """
    wide = matrices if matrices.shape[-2] <= matrices.shape[-1] else matrices.mT
    wide = wide / wide.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    gram = wide @ wide.mT
    factor = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    for step in range(STEPS):
        lift = torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C)
        lift.diagonal(dim1=-2, dim2=-1).add_(_A)
        factor = lift if step == 0 else lift @ factor
        if step < STEPS - 1:
            gram = lift @ gram @ lift
    way = factor @ wide
    return way if matrices.shape[-2] <= matrices.shape[-1] else way.mT


def _by_shape(matrices: Iterable[nn.Parameter]) -> list[list[nn.Parameter]]:
    groups: dict[torch.Size, list[nn.Parameter]] = {}
    for matrix in matrices:
        if matrix.grad is not None:
            groups.setdefault(matrix.shape, []).append(matrix)
    return list(groups.values())
