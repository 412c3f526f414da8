"""Weights of a block codec in one safetensors file: arrays in half precision, config as JSON."""

import json
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bghop.errors import ResultError
from bghop.prior.first_stage import BlockCodec, BlockCodecConfig

_CONFIG = "block_codec"
"""Key of the config in the file's metadata."""
_EXACT = ("analysis", "synthesis", "signs", "shift")
"""Arrays that stay in single precision: the encoder and its exact mirror symmetry."""


def save_block_codec(codec: BlockCodec, path: Path) -> None:
    """Write weights and config."""
    arrays = {
        name: (value.float() if name in _EXACT else value.half()).cpu().contiguous()
        for name, value in codec.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, path, metadata={_CONFIG: json.dumps(asdict(codec.config))})


def load_block_codec(
    path: Path | None = None, *, device: torch.device | str | None = None
) -> BlockCodec:
    """Read a codec, ready to use: evaluation mode, frozen, single precision.

    Args:
        path: a file of `save_block_codec`; None for the shipped weights.
        device: where it goes; the CPU if None.

    Raises:
        ResultError: the file is missing or is none of a block codec.
    """
    if path is None:
        with as_file(files("bghop.prior") / "assets" / "first_stage.safetensors") as shipped:
            return load_block_codec(shipped, device=device)
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_CONFIG)
            names = list(file.keys())
            arrays = {name: file.get_tensor(name).float() for name in names}
        if text is None:
            raise ResultError(
                f"{path} holds no block codec: name a file that scripts/fit_first_stage.py wrote"
            )
        codec = BlockCodec(BlockCodecConfig(**json.loads(text)))
        codec.load_state_dict(arrays)
    except (OSError, SafetensorError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ResultError(
            f"{path} cannot be read as a block codec ({reason}): name a file that "
            "scripts/fit_first_stage.py wrote"
        ) from error
    return codec.to(device).eval().requires_grad_(False)
