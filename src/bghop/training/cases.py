"""What a scene is used for in one step: which parts are given, which hands are there."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from bghop.errors import OptionError
from bghop.prior.layout import LEFT, OBJECT, RIGHT


@dataclass(frozen=True, kw_only=True)
class CaseWeights:
    """How often each case is trained; relative numbers."""

    joint: float = 0.4
    """Nothing is given."""
    object: float = 0.3
    """The object is given."""
    object_and_hand: float = 0.1
    """The object and one of two hands are given."""
    hands: float = 0.1
    """All hands are given, the object is not."""
    single_hand: float = 0.1
    """One of two hands is taken out of the scene; the object is given in half of these."""

    def __post_init__(self) -> None:
        """Refuse weights that give no case.

        Raises:
            OptionError: Negative or all zero.
        """
        values = [getattr(self, field.name) for field in fields(self)]
        if min(values) < 0 or sum(values) <= 0:
            raise OptionError(f"case weights {values}: use numbers >= 0, one of them > 0")


CASES = tuple(field.name for field in fields(CaseWeights))


class Cases(NamedTuple):
    """One case per scene, on the CPU."""

    given: Bool[Tensor, "b part=3"]
    present: Bool[Tensor, "b hand=2"]


class Kinds(NamedTuple):
    """What `cases_of` needs besides the hands of the scenes."""

    kind: Int64[Tensor, "b"]
    side: Bool[Tensor, "b"]
    with_object: Bool[Tensor, "b"]

    @property
    def draws_object(self) -> Bool[Tensor, "b"]:
        """Whether the object is to be drawn, with nothing given that says how it is turned."""
        single = self.kind == CASES.index("single_hand")
        return (self.kind == CASES.index("joint")) | (single & ~self.with_object)


def draw_kinds(num: int, weights: CaseWeights, generator: torch.Generator) -> Kinds:
    """A random kind of case for each scene."""
    shares = torch.tensor([getattr(weights, name) for name in CASES])
    kind = torch.multinomial(shares, num, replacement=True, generator=generator)
    side = torch.rand(num, generator=generator) < 0.5
    with_object = torch.rand(num, generator=generator) < 0.5
    return Kinds(kind, side, with_object)


def draw_cases(
    present: Bool[Tensor, "b hand=2"], weights: CaseWeights, generator: torch.Generator
) -> Cases:
    """A random case for each scene.

    Scenes of one hand that are drawn as `object_and_hand` or `single_hand` are trained as `object`:
    something is always left to learn.
    """
    return cases_of(present, *draw_kinds(len(present), weights, generator))


def cases_of(
    present: Bool[Tensor, "b hand=2"],
    kind: Int64[Tensor, "b"],
    side: Bool[Tensor, "b"],
    with_object: Bool[Tensor, "b"],
) -> Cases:
    """Masks of the numbered cases.

    Args:
        present: hands of the scenes.
        kind: number in `CASES`.
        side: in `object_and_hand` the right hand is given (else the left), in `single_hand` it is
            the one that stays.
        with_object: in `single_hand` the object is given.
    """
    both = present.all(-1)
    number = {name: CASES.index(name) for name in CASES}
    alone = (kind == number["object_and_hand"]) | (kind == number["single_hand"])
    kind = torch.where(alone & ~both, torch.full_like(kind, number["object"]), kind)
    given = torch.zeros(len(present), 3, dtype=torch.bool)
    one, single = kind == number["object_and_hand"], kind == number["single_hand"]
    given[:, OBJECT] = (kind == number["object"]) | one | (single & with_object)
    hands = kind == number["hands"]
    given[:, LEFT] = hands | (one & ~side)
    given[:, RIGHT] = hands | (one & side)
    kept = torch.stack([~side, side], dim=-1) | ~single[:, None]
    return Cases(given, present & kept)
