"""`Adapter`: what is known of one foreign data set: where its files are, what its numbers mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bghop.data.clips import Clip
from bghop.data.mano_numbers import ManoHands
from bghop.errors import BghopError, DataError
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
    broken: str = ""
    """Why it cannot be read, if that was seen while looking for it."""


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

    def read(self, sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
        """The clips of a sequence.

        Raises:
            DataError: It is broken, or a file is missing, damaged, or of another shape.
        """
        if sequence.broken:
            raise DataError(sequence.broken)
        return self.clips(sequence, mano, split)


def looked_at(
    key: str, files: Mapping[str, Path], look: Callable[[], ForeignSequence | None]
) -> list[ForeignSequence]:
    """A sequence as `look` finds it, if it is one; a broken one if its files cannot be used."""
    try:
        sequence = look()
    except BghopError as error:
        return [ForeignSequence(key=key, objects=(), files=files, broken=str(error))]
    return [] if sequence is None else [sequence]
