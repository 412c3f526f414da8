"""What moves the weights: AdamW, or Muon for the matrices inside a network's blocks."""

from collections.abc import Iterable

import torch
from torch import nn

from bghop.training.config import LoopConfig
from bghop.training.muon import Muon


def make_optimizers(network: nn.Module, config: LoopConfig) -> list[torch.optim.Optimizer]:
    """One optimiser, or two that share the trainable weights.

    Muon (Jordan et al. 2024) makes every step of a matrix orthogonal, scaled to the size of a step
    of AdamW, so that one learning rate serves both. Vectors, the matrices that meet data (first and
    last layers) and those that turn noise level and text into shifts and gates (`modulation`: their
    inputs span few directions, an orthogonal step is mostly noise) stay with AdamW.
    """
    trainable = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    inner = [
        p
        for name, p in trainable
        if p.ndim == 2 and ".blocks." in f".{name}" and ".modulation." not in name
    ]
    if config.optimizer != "muon" or not inner:
        return [_adamw((p for _, p in trainable), config)]
    taken = {id(p) for p in inner}
    muon = Muon(inner, lr=config.learning_rate, weight_decay=config.weight_decay)
    return [muon, _adamw((p for _, p in trainable if id(p) not in taken), config)]


def _adamw(parameters: Iterable[nn.Parameter], config: LoopConfig) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        list(parameters),
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
        fused=True,
    )
