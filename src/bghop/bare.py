"""For machines that have torch and numpy but not jaxtyping: its names are annotations only.

`allow_missing_jaxtyping()` before any other import of bghop puts a stand-in in its place. Nothing
is checked then, as nothing is in ordinary use.
"""

import importlib.util
import sys
import types


class _Annotation:
    """Stands for `Float`, `Int`, ...: `Float[Tensor, "b 3"]` is just another annotation."""

    def __class_getitem__(cls, item: object) -> type["_Annotation"]:
        return cls


def allow_missing_jaxtyping() -> bool:
    """Install the stand-in if jaxtyping is not there; whether it was installed."""
    if "jaxtyping" in sys.modules or _is_there():
        return False
    module = types.ModuleType("jaxtyping", "Stand-in of bghop.bare: annotations without checks.")
    # Any name of jaxtyping that annotates; PEP 562 answers for those that code asks for.
    module.__getattr__ = _answer  # type: ignore[method-assign]
    sys.modules["jaxtyping"] = module
    return True


def _is_there() -> bool:
    try:
        return importlib.util.find_spec("jaxtyping") is not None
    except (ImportError, ValueError):
        return False


def _answer(name: str) -> type[_Annotation]:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Annotation
