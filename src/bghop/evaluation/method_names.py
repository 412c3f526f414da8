"""Names of methods that carry a number; needs no torch, so that a typing error is told at once."""

import re

NUMBERED_WORDS = "optimize@STEPS or random-refined@TIMES"
"""What they look like, for messages."""
_NUMBERED = re.compile(r"^(optimize|random-refined)@(\d{1,6})$")


def numbered_method(name: str) -> tuple[str, int] | None:
    """Method and number of `optimize@STEPS` and `random-refined@TIMES`; None for other names."""
    found = _NUMBERED.match(name)
    return None if found is None else (found[1], int(found[2]))
