"""The text encoder of our priors: the name of the object in a prompt, as MiniLM embeds it.

Known names come from the shipped table, always, so results do not depend on what is installed. Any
other name needs MiniLM itself; the table then only helps to find where the name ends.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import OptionError, PromptError
from bghop.prior.text.minilm import DIM, REMEDY, MiniLm, find_minilm
from bghop.prior.text.nouns import NounTable, load_noun_table
from bghop.prior.text.phrases import Phrase, find_phrase
from bghop.prior.text.tokens import TextTokens, checked_prompts

CACHED = 4096
"""Unknown names whose vectors are kept."""
_PROBES = ("mug", "scissors", "teddy bear")
_SAME_MODEL = 0.999
"""Least cosine between the table and the same model; another model's is near 0."""


class ObjectText:
    """Prompts to one token: the vector of the object's name (384 numbers, unit length)."""

    name = "minilm"
    dim = DIM

    def __init__(
        self, table: NounTable, sentence_encoder: Callable[[], MiniLm | None] | None = None
    ) -> None:
        """From a table and a source of MiniLM, asked once, when an unknown name comes up."""
        self.table = table
        self._sentence_encoder = lru_cache(1)(sentence_encoder or (lambda: None))
        self._embed_unknown = lru_cache(CACHED)(self._embed)

    @classmethod
    def load(cls, folder: Path | None = None) -> "ObjectText":
        """With the shipped table, and MiniLM from a folder or, if needed, the installed package.

        Raises:
            OptionError: the folder holds no MiniLM, or another model.
        """
        table = load_noun_table()
        if folder is None:
            return cls(table, _installed)
        model = MiniLm.load(folder)
        known = torch.stack([table.vector(name) for name in _PROBES])
        embedded = model.embed(_PROBES)
        if embedded.shape != known.shape or (embedded * known).sum(-1).min() < _SAME_MODEL:
            raise OptionError(
                f"the model in {folder} is not all-MiniLM-L6-v2, for which priors are trained: "
                f"{REMEDY}"
            )
        return cls(table, lambda: model)

    def read(self, prompt: str) -> Phrase | None:
        """The object that a prompt names, as it will be embedded; None for an empty prompt.

        Raises:
            PromptError: there are words but none that can be an object.
        """
        if not prompt.strip():
            return None
        phrase = find_phrase(prompt, self.table.names)
        if phrase is None:
            raise PromptError(
                f"the prompt '{prompt}' names no object: write its name, such as 'mug', or leave "
                "the prompt empty"
            )
        return phrase

    def encode(self, prompts: Sequence[str]) -> TextTokens:
        """One token a prompt; zeros and `given` False for empty ones.

        Raises:
            PromptError: no object is named, or its name is unknown and MiniLM is not there.
        """
        phrases = [self.read(prompt) for prompt in checked_prompts(prompts)]
        vectors = [
            torch.zeros(DIM) if phrase is None else self._vector(phrase) for phrase in phrases
        ]
        return TextTokens(
            tokens=torch.stack(vectors)[:, None] if vectors else torch.zeros(0, 1, DIM),
            given=torch.tensor([phrase is not None for phrase in phrases], dtype=torch.bool),
        )

    def _vector(self, phrase: Phrase) -> Float[Tensor, "384"]:
        return self.table.vector(phrase.text) if phrase.known else self._embed_unknown(phrase.text)

    def _embed(self, name: str) -> Float[Tensor, "384"]:
        # One at a time: the padding of other names would change the last bits.
        model = self._sentence_encoder()
        if model is None:
            near = self.table.nearest(name)
            hint = f" (near: {', '.join(near)})" if near else ""
            raise PromptError(
                f"'{name}' is not among the {len(self.table.rows):,} object names shipped with "
                f"bghop{hint}: use one of those, or for any name {REMEDY}"
            )
        return model.embed([name])[0]


def _installed() -> MiniLm | None:
    folder = find_minilm()
    return None if folder is None else MiniLm.load(folder)
