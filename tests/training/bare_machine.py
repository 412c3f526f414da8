"""Runs bghop's training where only some packages can be imported, as on a bare GPU machine."""

import importlib.abc
import runpy
import sys

ALLOWED = {"bghop", "torch", "numpy", "einops", "safetensors", "pyarrow"}
# What these packages bring along by themselves.
ALLOWED |= {"torchgen", "functorch", "typing_extensions", "sympy", "mpmath", "filelock", "jinja2"}
ALLOWED |= {"networkx", "fsspec", "markupsafe", "setuptools", "packaging"}


class OnlyThese(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        top = name.partition(".")[0]
        standard = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
        if top not in ALLOWED and not standard:
            raise ModuleNotFoundError(f"no module named {name} on a bare machine", name=name)


sys.meta_path.insert(0, OnlyThese())
runpy.run_module("bghop.training", run_name="__main__", alter_sys=True)
