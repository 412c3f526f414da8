"""Which parts of an interaction may be kept; needs no torch."""

from collections.abc import Collection

from bghop.errors import OptionError
from bghop.hands.joints import SIDES

PARTS = ("object", *SIDES)


def check_keep(keep: Collection[str], present: tuple[bool, bool] = (True, True)) -> None:
    """Refuse what cannot be kept.

    Args:
        keep: parts.
        present: the (left, right) hands that there are.

    Raises:
        OptionError: Nothing is kept, or everything, or something that is not there.
    """
    names = ", ".join(PARTS)
    unknown = [part for part in keep if part not in PARTS]
    if unknown:
        raise OptionError(f"--keep {unknown[0]} is unknown: use one or two of {names}")
    if not keep:
        raise OptionError(f"--keep names nothing: use one or two of {names}")
    if len(set(keep)) == len(PARTS):
        raise OptionError(
            f"--keep names everything, so nothing is missing: leave out one of {names}"
        )
    for side, here in zip(SIDES, present, strict=True):
        if side in keep and not here:
            raise OptionError(
                f"--keep {side}: the interaction has no {side} hand; keep something that it has"
            )
