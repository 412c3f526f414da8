"""Pickles without their code: what a pickle names becomes inert objects, nothing is ever imported.

A subclass says in `find_class` what each name stands for: a `Record` class, a plain container, or a
refusal. The readers for MANO files and for checkpoints are built on this.
"""

import pickle
from typing import Any, ClassVar


class Record:
    """An object of the file that was not made: what it would have been made from."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class RefusedNameError(pickle.UnpicklingError):
    """The file names something that it has no business with; the message is the name."""


# The Python implementation on purpose: hostile memo indices make the C one allocate gigabytes.
class InertUnpickler(pickle._Unpickler):
    """Reads a pickle; objects can only be what `find_class` of a subclass returns."""

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the file stands for; nothing is imported, and here nothing admitted."""
        raise RefusedNameError(f"{module}.{name}")

    def refuse_state(self, target: Any) -> None:
        """State goes into records only: else a file could change attributes of our functions."""
        raise pickle.UnpicklingError(f"state for a {type(target).__name__}")

    def load_build(self) -> None:
        """Gives an object its state."""
        stack: list[Any] = self.stack  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(stack[-2], Record):
            stack[-2].__setstate__(stack.pop())
        else:
            self.refuse_state(stack[-2])
            stack.pop()

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: load_build,
    }
