"""First stages in one safetensors file each: config as JSON in its header.

Arrays of a block codec are in half precision, those of a VQ-VAE as they were trained.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bghop.errors import ResultError
from bghop.files import write_whole
from bghop.prior.first_stage import BlockCodec, BlockCodecConfig, FirstStage
from bghop.prior.vqvae import VQVAE, VQVAEConfig

_BLOCK, _VQ = "block_codec", "vqvae"
"""Keys of the config in a file's metadata."""
_EXACT = ("analysis", "synthesis", "signs", "shift")
"""Arrays that stay in single precision: the encoder and its exact mirror symmetry."""


def save_block_codec(codec: BlockCodec, path: Path) -> None:
    """Write weights and config.

    Raises:
        ResultError: The file cannot be written.
    """
    arrays = {
        name: value.float() if name in _EXACT else value.half()
        for name, value in codec.state_dict().items()
    }
    _save(path, arrays, {_BLOCK: json.dumps(asdict(codec.config))})


def save_vqvae(stage: VQVAE, path: Path) -> None:
    """Write weights and config.

    Raises:
        ResultError: The file cannot be written.
    """
    _save(path, stage.state_dict(), {_VQ: json.dumps(asdict(stage.config))})


def load_block_codec(*, device: torch.device | str | None = None) -> BlockCodec:
    """The shipped first stage, as `load_first_stage` gives it."""
    with as_file(files("bghop.prior") / "assets" / "first_stage.safetensors") as shipped:
        stage = load_first_stage(shipped, device=device)
    assert isinstance(stage, BlockCodec)
    return stage


def load_first_stage(path: Path, *, device: torch.device | str | None = None) -> FirstStage:
    """Read a first stage, ready to use: evaluation mode, frozen, single precision.

    Args:
        path: a file of `save_block_codec` or `save_vqvae`.
        device: where it goes; the CPU if None.

    Raises:
        ResultError: the file is missing or is none of a first stage.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name).float() for name in list(file.keys())}
        stage = _stage(metadata)
        if stage is None:
            raise ResultError(
                f"{path} holds no first stage: name a file that `bghop train autoencoder` wrote"
            )
        stage.load_state_dict(arrays)
    except (OSError, SafetensorError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ResultError(
            f"{path} cannot be read as a first stage ({reason}): name a file that "
            "`bghop train autoencoder` wrote"
        ) from error
    return stage.to(device).eval().requires_grad_(False)


def _stage(metadata: Mapping[str, str]) -> BlockCodec | VQVAE | None:
    if _BLOCK in metadata:
        return BlockCodec(BlockCodecConfig(**json.loads(metadata[_BLOCK])))
    if _VQ in metadata:
        numbers = json.loads(metadata[_VQ])
        mult = tuple(numbers.pop("channel_mult", VQVAEConfig.channel_mult))
        return VQVAE(VQVAEConfig(**numbers, channel_mult=mult))
    return None


def _save(path: Path, arrays: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {name: value.detach().cpu().contiguous() for name, value in arrays.items()}
    write_whole(path, save(whole, metadata))
