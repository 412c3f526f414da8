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

_PAUSE = ","
"""Stands for punctuation; never a word."""
_SIZES = ("small", "medium", "large")
_BORDERS = DETERMINERS | BREAKS | AGENTS | MANNERS | {_PAUSE}
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
    """Neighbouring words between two borders."""

    words: tuple[str, ...]
    after_verb: bool
    """Right after a verb, or a verb and an article: "hold a mug"."""
    after_determiner: bool
    before_determiner: bool
    before_of: bool
    before_pause: bool


def find_phrase(prompt: str, names: Names) -> Phrase | None:
    """The object that a prompt names; None if it names none (or is empty).

    Of several objects the first one right after a verb counts, else the first one. A bare word
    before an article is a verb ("iron a shirt"); "pair", "lid", "picture" and unknown words lead
    on with "of". People and hands are the object only if nothing else is named ("robot").
    """
    whole = split_words(prompt)
    # Data sets also write the head first: "bottle_mustard".
    for words in (whole, (*whole[1:], *whole[:1])):
        if name := names.find(words):
            return Phrase(text=name, known=True)
    marked = _marked(prompt)
    # "rolling dough" is read as verb and noun; "awning" only if there is nothing else.
    for participles in (True, False):
        every = _chunks(marked, names, participles=participles)
        chunks = [chunk for chunk in every if not _is_idle(chunk, names)]
        chunks = chunks or [chunk for chunk in every if _is_named(chunk, names)]
        for acceptable in (_is_direct_object, _is_object, _is_named):
            for chunk in chunks:
                if acceptable(chunk, names):
                    return _phrase_of(chunk.words, names)
        if chunks:
            return _phrase_of(chunks[0].words, names)
    holders = (names.find((word,)) for word in whole if word in AGENTS)
    name = next((name for name in holders if name), None)
    return None if name is None else Phrase(text=name, known=True)


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


def _marked(prompt: str) -> tuple[str, ...]:
    """The words with `_PAUSE` where punctuation separates them."""
    parts = [split_words(part) for part in re.split(r"[^\w\s'’`-]+", prompt)]
    return tuple(word for part in parts if part for word in (*part, _PAUSE))


def _chunks(words: tuple[str, ...], names: Names, *, participles: bool) -> list[_Chunk]:
    """The words between function words, verbs, hands, words of manner and punctuation."""
    kept = _within_names(words, names)
    chunks: list[_Chunk] = []
    run: list[str] = []
    determined = acted = False
    for i, word in enumerate((*words, _PAUSE)):
        verb = word in VERBS or (
            participles and bool(run or not determined) and _is_participle(word)
        )
        unknown = names.find((word,)) is None
        if i in kept or not (word in _BORDERS or (unknown and (verb or word.endswith("ly")))):
            run.append(word)
            continue
        if run:
            chunks.append(
                _Chunk(
                    words=tuple(run),
                    after_verb=acted,
                    after_determiner=determined,
                    before_determiner=word in DETERMINERS,
                    before_of=word == "of",
                    before_pause=word == _PAUSE,
                )
            )
            run, determined, acted = [], False, False
        determined = word in DETERMINERS
        still = determined or word in MANNERS
        # Neither "kettle for boiling water" nor "box with hinged lid" is about what follows.
        acts = verb and words[i - 1 : i] != ("for",) and (word in VERBS or word.endswith("ing"))
        acted = acts if verb else acted and still
    return chunks


def _within_names(words: tuple[str, ...], names: Names) -> set[int]:
    """Places of words inside known names of several words, which no border may cut."""
    kept: set[int] = set()
    for start in range(len(words)):
        for end in range(start + 2, min(start + MAX_WORDS, len(words)) + 1):
            if _PAUSE not in words[start:end] and names.find(words[start:end]):
                kept.update(range(start, end))
    return kept


def _is_participle(word: str) -> bool:
    """Whether an unknown word is likelier a verb: "adjusting", "wrapped"."""
    return len(word) > 5 and word.endswith(("ing", "ed"))


def _is_idle(chunk: _Chunk, names: Names) -> bool:
    """Whether a chunk only leads to the object: "pair (of)", "image (of)", "red (and)"."""
    if chunk.before_of and (_is_lead(chunk.words[-1]) or not _is_named(chunk, names)):
        return True
    bare = all(word in ATTRIBUTES or word in PICTURES for word in chunk.words)
    return bare and (chunk.before_pause or not _is_named(chunk, names))


def _is_lead(word: str) -> bool:
    return not OF_WORDS.isdisjoint((word, *singulars(word)))


def _is_direct_object(chunk: _Chunk, names: Names) -> bool:
    return chunk.after_verb and _is_object(chunk, names)


def _is_object(chunk: _Chunk, names: Names) -> bool:
    """Whether a chunk is a noun phrase for sure and not a verb: "iron a shirt", "typing on"."""
    if chunk.after_determiner or not chunk.before_determiner:
        return True
    return _is_named(chunk, names) and len(chunk.words) > 1


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
        if not _is_attribute(words[-1]):
            return None
        words = words[:-1]
    return None


def _bare(words: tuple[str, ...]) -> tuple[str, ...]:
    """Unknown words without attributes at either end; at least one word stays."""
    while len(words) > 1 and _is_attribute(words[0]):
        words = words[1:]
    while len(words) > 1 and _is_attribute(words[-1]):
        words = words[:-1]
    return words


def _is_attribute(word: str) -> bool:
    return word in ATTRIBUTES or (len(word) > 4 and word.endswith("ed"))
