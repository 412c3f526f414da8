"""Optional packages are listed, and nothing is broken without them."""

from importlib import metadata

import pytest

from bghop.jobs import doctor

EXTRAS = {"mujoco-core": "physics", "pyarrow": "benchmark", "matplotlib": "benchmark"}


@pytest.fixture
def quick(monkeypatch):
    for name in ("_pictures", "_open_hand", "_device"):
        monkeypatch.setattr(doctor, name, lambda: "fine")


def found():
    return {check.name: check for check in doctor.examine()}


def test_optional_packages_are_listed_with_their_versions(quick):
    checks = found()
    for name in EXTRAS:
        assert checks[name].works
        assert checks[name].detail == metadata.version(name)


def test_a_missing_optional_package_is_no_failure_and_names_its_extra(quick, monkeypatch):
    def version(name):
        if name in EXTRAS:
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor.metadata, "version", version)
    checks = found()
    for name, extra in EXTRAS.items():
        assert not checks[name].works
        assert not checks[name].essential
        assert f"pip install 'bghop[{extra}]'" in checks[name].detail
    assert checks["numpy"].works
