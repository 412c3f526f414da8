"""bghop: two human hands and one object.

Public names are resolved on first use, so that `import bghop` (and `bghop --help`) loads no torch.
"""

import importlib
from typing import Any

from bghop.version import __version__

# name -> module that defines it; docs/api.md lists the same names (tests/test_public_api.py).
_PUBLIC = {
    "BghopError": "bghop.errors",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        msg = f"module 'bghop' has no attribute {name!r}; public names: {', '.join(__all__)}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
