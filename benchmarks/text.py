"""How well prompts for one thing stay together and apart from prompts for others: one JSON line.

    python benchmarks/text.py [--model DIR]

Needs MiniLM (package or folder). Thirty things, each with eight prompts: name, plural, article,
templates of the data sets, attributes, and (`synonyms`) what else people call it. Compared are the
embedding of the whole sentence, of the noun phrase with its attributes, and of the object's name as
bghop reads it. AUC: how often a pair of the same thing is nearer than a pair of two things.
"""

import argparse
import json
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch

from bghop.prior.text.minilm import MiniLm, find_minilm
from bghop.prior.text.nouns import load_noun_table
from bghop.prior.text.object_text import ObjectText
from bghop.prior.text.phrases import find_phrase, split_words
from bghop.prior.text.words import AGENTS, BREAKS, DETERMINERS, VERBS

PROMPTS = Path(__file__).parent / "text_prompts.txt"
TEMPLATES = (
    "{}",
    "a {}",
    "{}s",
    "grasp {} with both hands",
    "an image of a hand grasping a {}",
    "a person holding a large red {} with two hands",
    "someone lifts the old {} off the table",
)
SYNONYMS = {
    "mug": "coffee cup", "pan": "skillet", "pot": "casserole", "laptop": "notebook computer",
    "teapot": "tea kettle", "bucket": "pail", "book": "textbook", "cushion": "pillow",
    "game controller": "gamepad", "camera": "photo camera", "dumbbell": "hand weight",
    "goblet": "chalice", "microwave": "microwave oven", "hammer": "mallet", "ball": "sphere",
    "tray": "serving tray", "plate": "dinner plate", "vase": "flower vase", "jar": "jam jar",
    "bottle": "water bottle", "basket": "hamper", "stool": "foot stool", "box": "carton",
    "flashlight": "torch", "phone": "smartphone", "knife": "dagger", "guitar": "ukulele",
    "chair": "armchair", "umbrella": "parasol", "helmet": "hard hat",
}  # fmt: skip
Embedder = Callable[[list[str]], torch.Tensor]


def auc(vectors: torch.Tensor, things: np.ndarray) -> tuple[float, float, float]:
    """AUC over pairs, and the mean cosine of pairs of the same and of different things."""
    cosines = (vectors @ vectors.T).numpy()
    upper = np.triu(np.ones_like(cosines, dtype=bool), 1)
    same = things[:, None] == things[None]
    inside, outside = cosines[upper & same], np.sort(cosines[upper & ~same])
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    return float(below.mean() / 2 / len(outside)), float(inside.mean()), float(outside.mean())


def with_attributes(prompt: str) -> str:
    """The object's noun phrase with its adjectives, for comparison."""
    dropped = DETERMINERS | BREAKS | AGENTS | VERBS | {"image", "table"}
    return " ".join(word for word in split_words(prompt) if word not in dropped)


def count_right(shipped: ObjectText) -> str:
    """How many prompts of text_prompts.txt are read as a person would."""
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()
    rows = [line.split("|") for line in lines if line and not line.startswith("#")]
    phrases = [find_phrase(prompt, shipped.table.names) for prompt, *_ in rows]
    texts = ["" if p is None else p.text if p.known else f"?{p.text}" for p in phrases]
    right = sum(text in row[1:] for text, row in zip(texts, rows, strict=True))
    return f"{right} of {len(rows)}"


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=find_minilm())
    model = MiniLm.load(parser.parse_args().model)
    shipped = ObjectText(load_noun_table())
    ways: dict[str, Embedder] = {
        "sentence": model.embed,
        "with_attributes": lambda prompts: model.embed([with_attributes(p) for p in prompts]),
        "name_minilm": lambda prompts: model.embed([_name(shipped, p) for p in prompts]),
        "name_table": lambda prompts: shipped.encode(prompts).tokens[:, 0],
    }
    templated = {thing: [template.format(thing) for template in TEMPLATES] for thing in SYNONYMS}
    named = {thing: [thing, other] for thing, other in SYNONYMS.items()}
    mixed = {
        thing: [t.format(name) for name, t in product(names, TEMPLATES)]
        for thing, names in named.items()
    }
    report: dict[str, object] = {"benchmark": "text", "read_right": count_right(shipped)}
    sets = {"templates": templated, "synonyms": named, "both": mixed}
    for (way, embed), (kind, groups) in product(ways.items(), sets.items()):
        prompts = [prompt for group in groups.values() for prompt in group]
        things = np.repeat(np.arange(len(groups)), [len(group) for group in groups.values()])
        area, inside, outside = auc(embed(prompts), things)
        report[f"{way}/{kind}"] = [round(area, 4), round(inside, 3), round(outside, 3)]
    prompts = [prompt for group in mixed.values() for prompt in group]
    begin = time.perf_counter()
    shipped.encode(prompts)
    report["table_ms_a_prompt"] = round(1e3 * (time.perf_counter() - begin) / len(prompts), 3)
    begin = time.perf_counter()
    for prompt in prompts[:50]:
        model.embed([prompt])
    report["minilm_ms_a_prompt"] = round(1e3 * (time.perf_counter() - begin) / 50, 2)
    print(json.dumps(report))


def _name(shipped: ObjectText, prompt: str) -> str:
    phrase = shipped.read(prompt)
    return "" if phrase is None else phrase.text


if __name__ == "__main__":
    main()
