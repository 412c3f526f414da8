"""`Adapter`: what is known of one foreign data set: where its files are, what its numbers mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bghop.data.clips import Clip
from bghop.data.mano_numbers import ManoHands
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.mesh import Mesh


@dataclass(frozen=True, kw_only=True)
class ForeignSequence:
    """One sequence of a data set and its files; picklable."""

    key: str
    """Unique in the data set, as its official splits call it."""
    objects: tuple[str, ...]
    """Keys of the objects in it; each gives a clip of its own."""
    files: Mapping[str, Path]
    """By role."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the folders say: subject, action, side."""
    stride: int = 1
    """Every so many-th frame is wanted; only adapters that say `strides` look at it."""


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A data set that `bghop data NAME` reads."""

    name: str
    protocols: tuple[str, ...]
    """Official splits, the usual one first; `own` is always possible."""
    flat_hand_mean: bool
    """Whether its MANO poses count from the flat hand (else from the mean one)."""
    fix_left_shapedirs: bool
    """Whether its left shapes were fitted with mended directions."""
    find: Callable[[Path], list[ForeignSequence]]
    """Sequences below a root, sorted; a DataError names what is wanted if there are none."""
    splits: Callable[[Path, str], dict[str, str]]
    """Split of each sequence in an official protocol."""
    thing: Callable[[Path, str], Mesh | ArticulatedObject]
    """An object in metres, by key."""
    clips: Callable[[ForeignSequence, ManoHands, str], list[Clip]]
    """All frames of a sequence, one clip an object; the hands are read as said above."""
    frame_rate: float | None = None
    """Frames a second of its count; None where it is unknown or clips say times themselves."""
    strides: bool = False
    """Whether `clips` gives every `sequence.stride`-th frame only, where reading all is slow."""
