"""All that a run needs to go on exactly (weights, averages, moments, step) in one whole file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bghop.errors import TrainingError
from bghop.files import write_whole

STATE_FILE = "state.safetensors"
_FORMAT = "bghop-training-state"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")


@dataclass(frozen=True, kw_only=True, eq=False)
class Averages:
    """Exponentially averaged copies of a network's trainable parameters."""

    values: dict[str, Tensor]

    @classmethod
    def of(cls, network: nn.Module) -> "Averages":
        """Starts at the present weights."""
        named = {n: p.detach().clone() for n, p in network.named_parameters() if p.requires_grad}
        return cls(values=named)

    @torch.no_grad()
    def update(self, network: nn.Module, decay: float, step: int) -> None:
        """`average = d average + (1 - d) weight`, with a smaller d in the first steps."""
        decay = min(decay, (1 + step) / (10 + step))
        parameters = dict(network.named_parameters())
        averages = list(self.values.values())
        weights: list[Tensor] = [parameters[name] for name in self.values]
        torch._foreach_lerp_(averages, weights, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def swap(self, network: nn.Module) -> None:
        """Exchange the network's weights with the averages; a second time takes it back."""
        parameters = dict(network.named_parameters())
        for name, average in self.values.items():
            weight = parameters[name].data
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)


def save_state(
    folder: Path,
    network: nn.Module,
    averages: Averages,
    optimizers: Sequence[torch.optim.Optimizer],
    facts: Mapping[str, Any],
) -> None:
    """Write the state; a kill at any moment leaves the old file or the new one.

    Raises:
        ResultError: The file cannot be written.
    """
    from safetensors.torch import save

    tensors = {f"network.{n}": t for n, t in network.state_dict().items()}
    tensors |= {f"average.{n}": t for n, t in averages.values.items()}
    names = {id(p): n for n, p in network.named_parameters()}
    for optimizer in optimizers:
        for parameter, moments in optimizer.state.items():
            name = names[id(parameter)]
            tensors |= {f"{m}.{name}": moments[m] for m in _MOMENTS if m in moments}
    # A clone of each: safetensors refuses memory that two tensors share.
    whole = {n: t.detach().to("cpu", copy=True).contiguous() for n, t in tensors.items()}
    metadata = {"format": _FORMAT, "facts": json.dumps(dict(facts))}
    write_whole(folder / STATE_FILE, save(whole, metadata))


def load_network(folder: Path, network: nn.Module) -> None:
    """Put the network of a saved state back, for data that are made by it; nothing without one.

    Raises:
        TrainingError: The file is damaged or of another network.
    """
    path = folder / STATE_FILE
    if path.exists():
        _put_back(path, network, _read(path)[0])


def load_state(
    folder: Path,
    network: nn.Module,
    averages: Averages,
    optimizers: Sequence[torch.optim.Optimizer],
) -> dict[str, Any] | None:
    """Put a saved state back; the facts that were saved with it, or None if there is none.

    Raises:
        TrainingError: The file is damaged or of another network.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    tensors, facts = _read(path)
    parameters = dict(network.named_parameters())
    _put_back(path, network, tensors)
    try:
        with torch.no_grad():
            for name, value in _below(tensors, "average.").items():
                averages.values[name].copy_(value)
            owner = {
                id(p): optimizer
                for optimizer in optimizers
                for group in optimizer.param_groups
                for p in group["params"]
            }
            for moment in _MOMENTS:
                for name, value in _below(tensors, f"{moment}.").items():
                    parameter = parameters[name]
                    state = owner[id(parameter)].state[parameter]
                    state[moment] = value.to(parameter.device)
    except (KeyError, RuntimeError) as error:
        raise _of_another(path, error) from error
    return facts


def _put_back(path: Path, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    try:
        network.load_state_dict(_below(tensors, "network."))
    except (KeyError, RuntimeError) as error:
        raise _of_another(path, error) from error


def _of_another(path: Path, error: Exception) -> TrainingError:
    words = str(error).splitlines()[0]
    return TrainingError(
        f"{path} is of another network ({words}): use another --out, or delete that folder"
    )


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != _FORMAT:
            raise TrainingError(f"{path} is not the state of a training run: use another --out")
        return tensors, json.loads(metadata["facts"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"{path} is damaged ({type(error).__name__}): delete it to start again, or use "
            "another --out"
        ) from error


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
