"""Text encoders by the name that a checkpoint records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch

from bghop.errors import OptionError, PromptError
from bghop.prior.text.clip import ClipText
from bghop.prior.text.object_text import ObjectText
from bghop.prior.text.tokens import TextEncoder, TextTokens, checked_prompts


@dataclass(frozen=True, kw_only=True)
class NoText:
    """For priors that were trained without text: only empty prompts."""

    name: str = "none"
    dim: int = 0

    def encode(self, prompts: Sequence[str]) -> TextTokens:
        """No tokens.

        Raises:
            PromptError: a prompt is not empty.
        """
        prompts = checked_prompts(prompts)
        for prompt in prompts:
            if prompt.strip():
                raise PromptError(
                    f"this prior was trained without text and cannot use '{prompt}': leave the "
                    "prompt empty, or use a checkpoint that has a text encoder"
                )
        return TextTokens(
            tokens=torch.zeros(len(prompts), 0, 0),
            given=torch.zeros(len(prompts), dtype=torch.bool),
        )


def _no_text(folder: Path | None) -> NoText:
    if folder is not None:
        raise OptionError(f"this prior has no text encoder: leave out the text model {folder}")
    return NoText()


_LOADERS: Mapping[str, Callable[[Path | None], TextEncoder]] = MappingProxyType(
    {"minilm": ObjectText.load, "clip": ClipText.load, "none": _no_text}
)
ENCODERS = tuple(_LOADERS)
"""Names that `load_text_encoder` knows."""


def load_text_encoder(name: str, folder: Path | None = None) -> TextEncoder:
    """The encoder of a checkpoint.

    Args:
        name: "minilm" (names of objects, by the shipped table or MiniLM), "clip" (released
            weights) or "none".
        folder: the text model's files. Needed for "clip"; for "minilm" it allows any object name.

    Raises:
        OptionError: unknown name, or a folder or package that is missing or does not fit.
    """
    if name not in _LOADERS:
        raise OptionError(f"unknown text encoder '{name}': known are {', '.join(ENCODERS)}")
    return _LOADERS[name](folder)
