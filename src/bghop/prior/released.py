"""The released models of G-HOP (one hand) and BG-HOP (two hands), from their Lightning files.

What a file holds and what becomes of it:

- `glide_model.*` without `text_cond_model`: the denoiser, used;
- `ae.model.{encoder,decoder,quantize,quant_conv,post_quant_conv}.*`: the first stage, used;
- `glide_model.text_cond_model.*`: CLIP's text tower, left (it is loaded from its own files);
- everything with `hand_wrapper` in its name: copies of MANO's arrays, left and never written: their
  licence does not allow it;
- `std`, `ae.model.mean`, `ae.model.std`: constants of the released code, left.

The channels of these models are in the released order: object (3), right hand (20), left hand (20).
`prior/layout.py` is the one place where that order becomes ours.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bghop.errors import CheckpointError
from bghop.prior.pickled_tensors import TensorFile, open_tensor_file
from bghop.prior.unet import UNet3D, UNet3DConfig
from bghop.prior.vqvae import VQVAE, VQVAEConfig

ONE_HAND, TWO_HANDS = 23, 43
"""Channels: 3 of the object latent and 20 per hand."""
DENOISER, FIRST_STAGE = UNet3DConfig(), VQVAEConfig()
"""The sizes of the released networks, but for the channels of the denoiser."""
_DENOISER, _FIRST_STAGE = "glide_model.", "ae.model."
_TEXT = f"{_DENOISER}text_cond_model."
_INPUT = f"{_DENOISER}input_blocks.0.0.weight"
_CONSTANTS = ("std", "ae.model.mean", "ae.model.std")

Progress = Callable[[int, int], None]
"""Called with the number of tensors that are read and their total."""


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What of a file was used and what was left, in numbers of tensors."""

    file: str
    sha256: str
    used: dict[str, int]
    left: dict[str, int]
    unknown: tuple[str, ...]
    """Names of tensors that belong to no known part of a released file."""
    not_run: tuple[str, ...]
    """Names of code in the file; none of it was imported or called."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class ReleasedModels:
    """The networks of a released file, in evaluation mode on the CPU."""

    unet: UNet3D
    vqvae: VQVAE
    hands: Literal[1, 2]
    report: ImportReport


def import_released(
    path: Path, *, legacy_unet: bool = False, progress: Progress | None = None
) -> ReleasedModels:
    """Reads a Lightning checkpoint of G-HOP or BG-HOP without running anything in it.

    Args:
        path: The .ckpt file, or a .safetensors file with the same names.
        legacy_unet: Build the denoiser with `UNet3DConfig.legacy_strides`. Both released
            configurations say `legacy_unet: False`; the tensors are the same either way, so a
            checkpoint of your own from an older configuration has to be told.
        progress: Called while tensors are read.

    Raises:
        CheckpointError: The file cannot be read, lacks tensors, or has wrong ones.
    """
    file = open_tensor_file(path)
    _check_parts(file)
    channels = _channels(file)
    config = replace(DENOISER, in_channels=channels, legacy_strides=legacy_unet)
    with torch.device("meta"):
        models: list[tuple[str, nn.Module]] = [
            (_DENOISER, UNet3D(config)),
            (_FIRST_STAGE, VQVAE(FIRST_STAGE)),
        ]
    _check_shapes(file, models)
    total, done = sum(len(model.state_dict()) for _, model in models), 0
    for prefix, model in models:
        state = {}
        for name in model.state_dict():
            state[name] = _numbers(file, prefix + name)
            done += 1
            if progress is not None:
                progress(done, total)
        model.load_state_dict(state, strict=True, assign=True)
        model.eval()
    unet, vqvae = (model for _, model in models)
    assert isinstance(unet, UNet3D)
    assert isinstance(vqvae, VQVAE)
    used, left, unknown = _sorted_out(file, models)
    report = ImportReport(
        file=path.name,
        sha256=_digest(path),
        used=used,
        left=left,
        unknown=unknown,
        not_run=file.not_run,
    )
    hands = 1 if channels == ONE_HAND else 2
    return ReleasedModels(unet=unet, vqvae=vqvae, hands=hands, report=report)


@torch.no_grad()
def expand_to_two_hands(one_hand: UNet3D) -> UNet3D:
    """A two-hand denoiser that starts as a one-hand denoiser, to be trained further.

    All learned tensors are kept, also the first and the last layer, which the released code throws
    away when it adapts (all channels of both start anew there). The 20 new channels, the left hand
    behind object and right hand, start at zero in both layers:

    - input weights zero: whatever the left hand's channels hold, object and right hand are
      predicted exactly as before, so nothing is forgotten at the first step;
    - output weights zero: the left hand's noise is predicted as 0, the best constant. The right
      hand's weights would predict the right hand's noise there, twice as wrong.

    Neither zero blocks learning: the input layer's gradient depends on what follows it, the output
    layer's on what it sees. Every other layer has a gradient at once through the kept channels.

    Returns:
        A new network; the given one is not changed.

    Raises:
        CheckpointError: The network does not take and give 23 channels.
    """
    config = one_hand.config
    if config.in_channels != ONE_HAND or config.out_channels not in {None, ONE_HAND}:
        msg = f"{config.in_channels} channels are no one-hand denoiser: give one with {ONE_HAND}"
        raise CheckpointError(msg)
    two_hands = UNet3D(replace(config, in_channels=TWO_HANDS, out_channels=None))
    two_hands.to(next(one_hand.parameters()))
    state = {name: tensor.clone() for name, tensor in one_hand.state_dict().items()}
    for name, full in two_hands.state_dict().items():
        kept = state[name]
        if kept.shape != full.shape:
            state[name] = torch.zeros_like(full)
            state[name][tuple(slice(0, size) for size in kept.shape)] = kept
    two_hands.load_state_dict(state)
    return two_hands.train(one_hand.training)


def _sorted_out(
    file: TensorFile, models: list[tuple[str, nn.Module]]
) -> tuple[dict[str, int], dict[str, int], tuple[str, ...]]:
    """Numbers of tensors by part of the file: used, left; and the names of no known part."""
    parts = {_DENOISER: "denoiser", _FIRST_STAGE: "first stage"}
    expected = {
        prefix + name: parts[prefix] for prefix, model in models for name in model.state_dict()
    }
    used, left, unknown = Counter[str](), Counter[str](), []
    for name in file.shapes:
        if name in expected:
            used[expected[name]] += 1
        elif "hand_wrapper" in name:
            left["hand models (MANO data)"] += 1
        elif name.startswith(_TEXT):
            left["text encoder (CLIP)"] += 1
        elif name in _CONSTANTS:
            left["constants"] += 1
        else:
            left["unknown"] += 1
            unknown.append(name)
    return dict(used), dict(left), tuple(unknown)


def _check_parts(file: TensorFile) -> None:
    """Both networks must be there at all, before anything is said about single tensors."""
    ours = [name for name in file.shapes if not name.startswith(_TEXT)]
    for prefix, part in ((_DENOISER, "denoiser"), (f"{_FIRST_STAGE}decoder.", "first stage")):
        if not any(name.startswith(prefix) for name in ours):
            some = ", ".join(list(file.shapes)[:3])
            msg = (
                f"{file.path} holds no released {part} (it has {some}, ...): "
                "give the Lightning .ckpt file of G-HOP or BG-HOP"
            )
            raise CheckpointError(msg)


def _channels(file: TensorFile) -> int:
    shape = file.shapes.get(_INPUT, ())
    channels = shape[1] if len(shape) == 5 else 0
    if channels not in {ONE_HAND, TWO_HANDS}:
        msg = (
            f"{file.path} has {_INPUT} of shape {shape}: a released denoiser takes {ONE_HAND} "
            f"(one hand) or {TWO_HANDS} (two hands) channels; give a file of G-HOP or BG-HOP"
        )
        raise CheckpointError(msg)
    return channels


def _check_shapes(file: TensorFile, models: list[tuple[str, nn.Module]]) -> None:
    expected = {
        prefix + name: tuple(tensor.shape)
        for prefix, model in models
        for name, tensor in model.state_dict().items()
    }
    missing = [name for name in expected if name not in file.shapes]
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        msg = (
            f"{file.path} lacks {len(missing)} of {len(expected)} tensors ({some}): "
            "it is not complete or of another model; download it again"
        )
        raise CheckpointError(msg)
    wrong = [name for name, shape in expected.items() if file.shapes[name] != shape]
    if wrong:
        name = wrong[0]
        msg = (
            f"{file.path} has {len(wrong)} tensors of wrong shape ({name}: {file.shapes[name]} "
            f"instead of {expected[name]}): give an unchanged file of G-HOP or BG-HOP"
        )
        raise CheckpointError(msg)


def _numbers(file: TensorFile, name: str) -> Tensor:
    tensor = file.read(name)
    if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
        fault = "NaN or infinite numbers" if tensor.is_floating_point() else f"{tensor.dtype}"
        msg = f"{file.path} has {fault} in {name}: it is damaged; download it again"
        raise CheckpointError(msg)
    return tensor.float()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
