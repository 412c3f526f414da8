"""CLIP for the released weights, and the prompts they were trained with.

The released denoisers take the POOLED vector of CLIP ViT-L/14's text tower (768 numbers, as one
token) and, for sampling without text, the vector of the empty prompt. The weights and the
vocabulary come from a folder that the user gives; needs the extra `bghop[clip]` (transformers).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import OptionError
from bghop.prior.text.nouns import load_noun_table
from bghop.prior.text.phrases import find_phrase
from bghop.prior.text.tokens import TextTokens, checked_prompts

MAX_TOKENS = 77
TWO_HANDS = "grasp {} with both hands"
ONE_HAND = "an image of a hand grasping a {}"

REMEDY = (
    "give the folder of openai/clip-vit-large-patch14 with config.json, model.safetensors, "
    "vocab.json, merges.txt and tokenizer_config.json (--text-model DIR)"
)


def two_hand_prompt(prompt: str) -> str:
    """A prompt as the released two-hand model (BG-HOP) was trained: "grasp mug with both hands".

    The object's name is found as for our own priors ("003_mug", "a person holding a red mug") and
    put into the sentence. A sentence that is like that already, an empty prompt (no text) and a
    prompt that names no object stay as they are.

    Raises:
        OptionError: not one string. The released code put a list in here, "grasp ['mug'] with both
            hands", then took the first letter of that: the prior saw the prompt "g".
    """
    return _filled(TWO_HANDS, prompt)


def one_hand_prompt(prompt: str) -> str:
    """The same for the released one-hand model (G-HOP): "an image of a hand grasping a mug"."""
    return _filled(ONE_HAND, prompt)


class ClipText:
    """Prompts to one token: CLIP's pooled vector. The empty prompt is a text like any other."""

    name = "clip"

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self.dim = int(model.config.hidden_size)

    @classmethod
    def load(cls, folder: Path | None = None) -> "ClipText":
        """Read the text tower of a folder; nothing is fetched, no code of the folder is run.

        Raises:
            OptionError: no folder, transformers is missing, or the files are not CLIP's.
        """
        if folder is None:
            raise OptionError(f"released weights need CLIP's text model: {REMEDY}")
        if not (folder / "config.json").is_file():
            raise OptionError(f"no CLIP text model in {folder} (config.json is missing): {REMEDY}")
        try:
            from transformers import (  # pyright: ignore[reportMissingImports]
                CLIPTextModel,
                CLIPTokenizer,
            )
        except ImportError as error:
            raise OptionError(
                f"CLIP needs the package {error.name}: pip install 'bghop[clip]'"
            ) from error
        try:
            with _quiet():
                model, found = CLIPTextModel.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, output_loading_info=True
                )
                tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        # transformers raises bare Exceptions of other packages on damaged files.
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
            raise OptionError(f"CLIP in {folder} cannot be read ({reason}): {REMEDY}") from error
        # transformers fills missing tensors with random numbers.
        if missing := sorted(name for name in found["missing_keys"] if "position_ids" not in name):
            raise OptionError(f"CLIP in {folder} has no tensor {missing[0]}: {REMEDY}")
        if len(tokenizer) > model.config.vocab_size:
            raise OptionError(
                f"the vocabulary in {folder} has {len(tokenizer)} entries, the model only "
                f"{model.config.vocab_size}: {REMEDY}"
            )
        return cls(model.float().eval().requires_grad_(False), tokenizer)

    def encode(self, prompts: Sequence[str]) -> TextTokens:
        """One token a prompt, as written; see `two_hand_prompt` for what to write."""
        prompts = checked_prompts(prompts)
        vectors = [self._pooled(prompt) for prompt in prompts]
        return TextTokens(
            tokens=torch.stack(vectors)[:, None] if vectors else torch.zeros(0, 1, self.dim),
            given=torch.ones(len(prompts), dtype=torch.bool),
        )

    def _pooled(self, prompt: str) -> Float[Tensor, "dim"]:
        # One at a time, so that padding cannot change the last bits.
        encoded = self._tokenizer(
            [prompt], truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            pooled = self._model(input_ids=encoded["input_ids"]).pooler_output
        return pooled[0].clone()


def _filled(template: str, prompt: str) -> str:
    [prompt] = checked_prompts([prompt])
    start, end = template.split("{}")
    stripped = " ".join(prompt.split())
    lowered = stripped.lower()
    if lowered.startswith(start) and lowered.endswith(end):
        return stripped
    phrase = find_phrase(stripped, load_noun_table().names)
    return stripped if phrase is None else template.format(phrase.text)


@contextmanager
def _quiet() -> Iterator[None]:
    """No report about the image tower's tensors, which are not wanted here."""
    from transformers.utils import logging  # pyright: ignore[reportMissingImports]

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
