"""The public names are a decision: this test, docs/api.md and the code change together."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bghop

API = Path(__file__).parents[1] / "docs" / "api.md"
ROW = re.compile(r"^\| `(\w+)` \| `(bghop[\w.]*)` \|", re.MULTILINE)
DOCUMENTED = dict(ROW.findall(API.read_text(encoding="utf-8")))


def test_documented_names_are_the_public_names():
    assert {**DOCUMENTED} == bghop._PUBLIC
    assert set(bghop.__all__) == {"__version__", *DOCUMENTED}
    assert dir(bghop) == sorted(bghop.__all__)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_name_is_there_documented_and_says_what_it_is(name):
    value = getattr(bghop, name)
    assert value is getattr(importlib.import_module(DOCUMENTED[name]), name)
    assert value.__module__ == DOCUMENTED[name]
    assert value.__doc__


def test_another_name_is_refused_with_the_list():
    with pytest.raises(AttributeError, match=r"public names: .*load_mesh"):
        bghop.load_mash  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, bghop; bghop.__version__; dir(bghop)\n"
        "assert not {'torch', 'numpy', 'trimesh', 'jaxtyping'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
