"""Words that no training text has, led by those that they are nearest to.

A network of few training words answers an embedding far from all of them with some average lump.
So a new word is drawn after one of the known words at random, the likelier the nearer: an
encyclopedia after a book or a novel. Known words, and others as near, stay as they are.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

KNOWN = 0.9
"""Cosine to a known word from which a word counts as known: "mugs" and "a mug" are at 0.9."""
SOFTNESS = 0.015
"""Difference of cosine that makes a known word e times less likely (benchmarks/new_words.py)."""


def likely_words(
    text: Float[Tensor, "b dim"], known: Float[Tensor, "word dim"]
) -> Float[Tensor, "b word"]:
    """How likely each text is drawn after each known word; all zero for texts that are known.

    Args:
        text: embeddings.
        known: embeddings of the known words.
    """
    cosine = functional.normalize(text, dim=-1) @ functional.normalize(known, dim=-1).T
    likely = (cosine / SOFTNESS).softmax(-1)
    return torch.where(cosine.amax(-1, keepdim=True) >= KNOWN, torch.zeros_like(likely), likely)


def led_by_known(
    text: Float[Tensor, "b dim"], known: Float[Tensor, "word dim"], draw: Float[Tensor, "b"]
) -> Float[Tensor, "b dim"]:
    """Embeddings of a known word each, where the text is not known itself.

    Args:
        text: embeddings.
        known: embeddings of the known words.
        draw: uniform in 0 to 1, decides which word a row is drawn after.
    """
    likely = likely_words(text, known)
    chosen = (likely.cumsum(-1) < draw[:, None]).sum(-1).clamp_max(len(known) - 1)
    return torch.where(likely.sum(-1, keepdim=True) > 0, known[chosen], text)


def nearest_known(
    text: Float[Tensor, "b dim"], known: Float[Tensor, "word dim"]
) -> Int[Tensor, "b"]:
    """Number of the known word that each text is nearest to."""
    return (functional.normalize(text, dim=-1) @ functional.normalize(known, dim=-1).T).argmax(-1)
