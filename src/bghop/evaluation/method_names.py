"""Names of methods; needs no torch, so that a typing error is told at once."""

import re
from typing import Literal, get_args

PriorMethod = Literal["mixed", "prior", "prior-raw", "prior-no-text", "sds", "sds-released"]
PRIOR_METHODS: tuple[PriorMethod, ...] = get_args(PriorMethod)
"""Those that ask a prior."""

NUMBERED_WORDS = "optimize@STEPS or random-refined@TIMES"
"""What they look like, for messages."""
_NUMBERED = re.compile(r"^(optimize|random-refined)@(\d{1,6})$")


def numbered_method(name: str) -> tuple[str, int] | None:
    """Method and number of `optimize@STEPS` and `random-refined@TIMES`; None for other names."""
    found = _NUMBERED.match(name)
    return None if found is None else (found[1], int(found[2]))
