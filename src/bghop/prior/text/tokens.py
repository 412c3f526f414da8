"""What a text encoder returns, and the interface of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class TextTokens:
    """Prompts as the denoiser takes them."""

    tokens: Float[Tensor, "b token dim"]
    given: Bool[Tensor, "b"]
    """False for an empty prompt: sample without text (the denoiser has its own vector for that)."""

    def to(
        self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "TextTokens":
        """The same tokens on another device or in another precision."""
        return TextTokens(
            tokens=self.tokens.to(device=device, dtype=dtype), given=self.given.to(device=device)
        )


@runtime_checkable
class TextEncoder(Protocol):
    """Prompts to tokens; rows do not depend on the other prompts of the call."""

    @property
    def name(self) -> str:
        """What a checkpoint records, so that the same encoder is found again."""
        ...

    @property
    def dim(self) -> int:
        """Numbers a token."""
        ...

    def encode(self, prompts: Sequence[str]) -> TextTokens:
        """Tokens of each prompt, float32 on the CPU.

        Raises:
            OptionError: a prompt that this encoder cannot read; the message says the remedy.
        """
        ...


def checked_prompts(prompts: Sequence[str]) -> list[str]:
    """The prompts as a list.

    A lone string would be read letter by letter, and a list inside a list would be printed with its
    brackets: the released code did both, so its prior saw the prompt "g".

    Raises:
        OptionError: a lone string, or an entry that is not a string.
    """
    if isinstance(prompts, str):
        raise OptionError(f"prompts is the single string '{prompts}': give a list of prompts")
    for prompt in prompts:
        if not isinstance(prompt, str):
            raise OptionError(f"the prompt {prompt!r} is no string: give one string a sample")
    return list(prompts)
