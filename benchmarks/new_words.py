"""How soft should the choice of a known word for a new one be? By words alone, no object is drawn.

Every training word is taken out once and drawn after the others: how likely is one of its own
family (words of a family that has no other word are left out)? And how many families are drawn,
as e to the entropy? The same for the novel words of `words.py`, which decide nothing.

One JSON line per softness.

    python benchmarks/new_words.py [--softness 0.005 0.01 0.015 0.02 0.03 0.04 0.06]
"""

import argparse
import json

import torch
from torch import Tensor
from torch.nn import functional

from bghop.objects.splits import training_families
from bghop.prior.checkpoint import load_prior
from bghop.prior.known_words import SOFTNESS
from bghop.threads import one_thread
from words import NOVEL

CHOICES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--softness", type=float, nargs="+", default=CHOICES)
    options = parser.parse_args()
    with one_thread():
        prior = load_prior()
        assert prior.objects is not None
        words = prior.objects.config.words
        families = training_families()
        of_family = torch.tensor(
            [[word in family.texts for word in words] for family in families.values()]
        ).float()
        of_family = of_family / of_family.sum(0).clamp_min(1)
        known, new = (
            functional.normalize(prior.condition(list(each)).tokens.mean(1), dim=-1)
            for each in (words, NOVEL)
        )
        left_out = (known @ known.T).fill_diagonal_(-torch.inf)
        own = (of_family.T @ of_family > 0).fill_diagonal_(False)
        names = list(families)
        meant = torch.tensor([[name in kinds for name in names] for kinds in NOVEL.values()])
        for softness in options.softness:
            row = {"softness": softness, "shipped": softness == SOFTNESS}
            for group, cosine, right in (
                ("training", left_out, own),
                ("novel", new @ known.T, (meant.float() @ of_family) > 0),
            ):
                row |= found(group, cosine, right, of_family, softness)
            print(json.dumps(row), flush=True)


def found(
    group: str, cosine: Tensor, right: Tensor, of_family: Tensor, softness: float
) -> dict[str, float]:
    """Means over the words that can be right.

    Args:
        group: goes into the names of the numbers.
        cosine: of each word (row) to each known word.
        right: known words of the family that a word means.
        of_family: share of each known word (column) that belongs to each family.
        softness: as `known_words.SOFTNESS`.
    """
    can = right.any(-1)
    likely = (cosine[can] / softness).softmax(-1)
    by_family = likely @ of_family.T
    entropy = torch.special.entr(by_family).sum(-1)
    return {
        f"{group}_words": int(can.sum()),
        f"{group}_right": round(float((likely * right[can]).sum(-1).mean()), 3),
        f"{group}_families": round(float(entropy.exp().mean()), 2),
    }


if __name__ == "__main__":
    main()
