"""From a prompt to the name of the object in it.

A whole sentence's embedding is dominated by its template ("a person holding a ... with both
hands"), so only the object's name is embedded. `find_phrase` cuts a prompt into noun phrases at
function words, verbs and hands, takes the first that can be the object, and looks for the longest
known name at its END, where English has the head noun: "large red coffee mug" is "coffee mug",
"golf cart steering wheel" is "steering wheel". Spelling variants meet because names are compared
without spaces and in the singular: "waterbottle", "water-bottle", "water_bottles", "Water Bottle".
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bghop.prior.text.words import (
    AGENTS,
    ATTRIBUTES,
    BREAKS,
    DETERMINERS,
    MANNERS,
    OF_WORDS,
    PICTURES,
    VERBS,
)

MAX_WORDS = 6
"""Words of the longest name that is looked for."""

_SIZES = ("small", "medium", "large")
_IRREGULAR_PLURALS = MappingProxyType(
    {"mice": "mouse", "geese": "goose", "teeth": "tooth", "feet": "foot", "knives": "knife",
     "loaves": "loaf", "leaves": "leaf", "shelves": "shelf", "scarves": "scarf", "halves": "half",
     "wolves": "wolf", "dominoes": "domino", "potatoes": "potato", "tomatoes": "tomato",
     "dice": "die", "skis": "ski"}
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """The object that a prompt names."""

    text: str
    """A known name as the table writes it, or else the words found, in the singular."""
    known: bool
    """Whether it is one of the known names."""


class Names:
    """Known names, found in any spelling."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_key: dict[str, str] = {}
        for name in names:
            self._by_key.setdefault("".join(split_words(name)), name)

    @property
    def by_key(self) -> Mapping[str, str]:
        """Names by their letters without spaces."""
        return MappingProxyType(self._by_key)

    def find(self, words: tuple[str, ...]) -> str | None:
        """The name that these words spell, in the singular or plural, or None."""
        if not words:
            return None
        start = "".join(words[:-1])
        for last in (words[-1], *singulars(words[-1])):
            if (name := self._by_key.get(start + last)) is not None:
                return name
        return self._without_size(start + words[-1])

    def _without_size(self, key: str) -> str | None:
        """Data sets write "cylinderlarge", "cubesmall"."""
        for size in _SIZES:
            if key.endswith(size) and (name := self._by_key.get(key.removesuffix(size))):
                return name
        return None


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Neighbouring words between two breaks."""

    words: tuple[str, ...]
    after_determiner: bool
    before_determiner: bool
    before_of: bool


def find_phrase(prompt: str, names: Names) -> Phrase | None:
    """The object that a prompt names; None if it names none (or is empty).

    Of several objects the first one counts, except that a leading bare word before an article is
    a verb ("iron a shirt") and that "pair", "lid", "picture" and such lead on with "of".
    """
    words = split_words(prompt)
    if whole := names.find(words):
        return Phrase(text=whole, known=True)
    chunks = [chunk for chunk in _chunks(words, names) if not _is_idle(chunk, names)]
    # What is clearly an object first, then what may be one, then hands and people.
    for acceptable in (_is_object, _is_named):
        for chunk in chunks:
            if acceptable(chunk, names):
                return _phrase_of(chunk.words, names)
    if chunks:
        return _phrase_of(chunks[-1].words, names)
    tail = tuple(word for word in words if word in AGENTS)
    found = next((name for word in tail if (name := names.find((word,)))), None)
    return None if found is None else Phrase(text=found, known=True)


def split_words(text: str) -> tuple[str, ...]:
    """Lower-case words without accents, apostrophes, numbers and codes such as "003" or "5lb"."""
    if " " not in text.strip():
        text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    plain = re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFKD", text).lower())
    plain = unicodedata.normalize("NFC", plain)
    plain = re.sub(r"['’`]", "", plain)
    words = re.findall(r"[^\W_]+", plain)
    return tuple(word for word in words if not any(letter.isdigit() for letter in word))


def singulars(word: str) -> tuple[str, ...]:
    """What the singular of a word may be, the likeliest first; empty if it looks like one."""
    if word in _IRREGULAR_PLURALS:
        return (_IRREGULAR_PLURALS[word],)
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return ()
    if word.endswith("ies"):
        return (word[:-3] + "y", word[:-1])
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return (word[:-2], word[:-1])
    return (word[:-1], word[:-2]) if word.endswith("es") else (word[:-1],)


def _chunks(words: tuple[str, ...], names: Names) -> list[_Chunk]:
    """The words between function words, verbs, hands and words of manner."""
    kept = _within_names(words, names)
    chunks: list[_Chunk] = []
    run: list[str] = []
    determined = False
    for i, word in enumerate((*words, "of")):
        last = i == len(words)
        if not last and (i in kept or not _is_border(word, names)):
            run.append(word)
            continue
        if run:
            chunks.append(
                _Chunk(
                    words=tuple(run),
                    after_determiner=determined,
                    before_determiner=word in DETERMINERS,
                    before_of=word == "of" and not last,
                )
            )
            run, determined = [], False
        determined = word in DETERMINERS or (determined and word not in BREAKS)
    return chunks


def _within_names(words: tuple[str, ...], names: Names) -> set[int]:
    """Places of words inside known names of several words, which no border may cut."""
    kept: set[int] = set()
    for start in range(len(words)):
        for end in range(start + 2, min(start + MAX_WORDS, len(words)) + 1):
            if names.find(words[start:end]):
                kept.update(range(start, end))
    return kept


def _is_border(word: str, names: Names) -> bool:
    if word in DETERMINERS or word in BREAKS or word in AGENTS or word in MANNERS:
        return True
    if names.find((word,)):
        return False
    return word in VERBS or (len(word) > 4 and word.endswith("ly"))


def _is_idle(chunk: _Chunk, names: Names) -> bool:
    """Whether a chunk only leads to the object: "pair (of)", "image (of)", "red (and)"."""
    if chunk.before_of and chunk.words[-1] in OF_WORDS:
        return True
    if names.find(chunk.words):
        return False
    return all(word in ATTRIBUTES or word in PICTURES for word in chunk.words)


def _is_object(chunk: _Chunk, names: Names) -> bool:
    """Whether a chunk is a noun phrase for sure and not a verb: "iron a shirt", "typing on"."""
    if chunk.after_determiner:
        return True
    known = _is_named(chunk, names)
    if chunk.before_determiner:
        return known and len(chunk.words) > 1
    return known or not chunk.words[-1].endswith("ing")


def _is_named(chunk: _Chunk, names: Names) -> bool:
    return _known_end(chunk.words, names) is not None


def _phrase_of(words: tuple[str, ...], names: Names) -> Phrase:
    if name := _known_end(words, names):
        return Phrase(text=name, known=True)
    kept = _bare(words)
    last = next(iter(singulars(kept[-1])), kept[-1])
    return Phrase(text=" ".join((*kept[:-1], last)), known=False)


def _known_end(words: tuple[str, ...], names: Names) -> str | None:
    """The longest known name at the end of the words, or before trailing attributes."""
    while words:
        for length in range(min(MAX_WORDS, len(words)), 0, -1):
            if name := names.find(words[-length:]):
                return name
        if words[-1] not in ATTRIBUTES:
            return None
        words = words[:-1]
    return None


def _bare(words: tuple[str, ...]) -> tuple[str, ...]:
    """Unknown words without attributes at either end; at least one word stays."""
    while len(words) > 1 and words[0] in ATTRIBUTES:
        words = words[1:]
    while len(words) > 1 and words[-1] in ATTRIBUTES:
        words = words[:-1]
    return words
