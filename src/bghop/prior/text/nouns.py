"""The shipped table of object names with their MiniLM embeddings: text without any other package.

`scripts/make_noun_table.py` made the file from `scripts/object_nouns.txt`; assets/NOTICE says whose
weights the numbers come from. Vectors are stored as 8-bit integers with one scale a row, which
changes their direction by under half a degree.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch
from jaxtyping import Float, Float32, Int8
from torch import Tensor
from torch.nn import functional

from bghop.errors import OptionError
from bghop.prior.text.phrases import Names, split_words

ASSET = "nouns.npz"


@dataclass(frozen=True, kw_only=True)
class NounTable:
    """Names of objects and one unit vector for each."""

    names: Names
    rows: dict[str, int]
    """Row of each name in `vectors`."""
    vectors: Float[Tensor, "name 384"]

    def vector(self, name: str) -> Float[Tensor, "384"]:
        """The vector of a name as `rows` writes it."""
        return self.vectors[self.rows[name]]

    def nearest(self, text: str, num_names: int = 3) -> tuple[str, ...]:
        """Names that are spelt most like a text, the nearest first; empty if none is near."""
        by_key = self.names.by_key
        words = split_words(text)
        found: list[str] = []
        for key in ("".join(words), *words[::-1]):
            found += [by_key[near] for near in get_close_matches(key, by_key, num_names, 0.75)]
        return tuple(dict.fromkeys(found))[:num_names]


def quantise(
    vectors: Float[np.ndarray, "name 384"],
) -> tuple[Int8[np.ndarray, "name 384"], Float32[np.ndarray, "name"]]:
    """8-bit integers and one scale a row; the inverse is their product."""
    scales = (np.abs(vectors).max(axis=1) / 127).astype(np.float32)
    return np.rint(vectors / scales[:, None]).astype(np.int8), scales


@lru_cache(maxsize=1)
def load_noun_table() -> NounTable:
    """The shipped table, read once per process.

    Raises:
        OptionError: the file is missing or damaged.
    """
    path = files("bghop.prior.text") / "assets" / ASSET
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            names = [str(name) for name in data["names"]]
            vectors = data["codes"].astype(np.float32) * data["scales"][:, None]
    except (OSError, ValueError, KeyError) as error:
        raise OptionError(
            f"the table of object names is missing or damaged ({error}): reinstall bghop"
        ) from error
    return NounTable(
        names=Names(names),
        rows={name: row for row, name in enumerate(names)},
        vectors=functional.normalize(torch.from_numpy(vectors), dim=-1),
    )
