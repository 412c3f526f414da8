"""Runs bghop's training where only some packages can be imported, as on a bare GPU machine."""

import importlib.machinery
import runpy
import sys
from pathlib import Path

ALLOWED = {"bghop", "torch", "numpy", "einops", "safetensors", "pyarrow"}
# What these packages bring along by themselves.
ALLOWED |= {"torchgen", "functorch", "typing_extensions", "sympy", "mpmath", "filelock", "jinja2"}
ALLOWED |= {"networkx", "fsspec", "markupsafe", "setuptools", "packaging"}


class OnlyThese(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        top = fullname.partition(".")[0]
        standard = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
        if top not in ALLOWED and not standard:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, path, target)


sys.path.append(str(Path(__file__).resolve().parents[2] / "src"))
sys.meta_path[:] = [
    importlib.machinery.BuiltinImporter,
    importlib.machinery.FrozenImporter,
    OnlyThese,
]
try:
    import jaxtyping  # noqa: F401
except ImportError:
    runpy.run_module("bghop.training", run_name="__main__", alter_sys=True)
