"""What a benchmark ran on, in words for the head of its report."""

import os
import platform
from importlib import metadata
from pathlib import Path

from bghop.version import __version__

_PACKAGES = ("torch", "numpy", "scipy", "trimesh", "libigl", "mujoco-core", "pyarrow",
             "matplotlib", "pyvista")  # fmt: skip


def machine() -> str:
    """Processor, cores, memory, and the load at this moment (which times depend on)."""
    cores = os.cpu_count() or 1
    words = [_processor(), f"{cores} core{'s' if cores > 1 else ''}"]
    names = getattr(os, "sysconf_names", {})
    if {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= set(names):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        words.append(f"{memory / 2**30:.0f} GiB")
    words.append(platform.system())
    if hasattr(os, "getloadavg"):
        words.append(f"load {os.getloadavg()[0]:.1f} at the end")
    return ", ".join(words)


def versions() -> dict[str, str]:
    """bghop, Python, and the packages that decide numbers or pictures; those installed."""
    found = {"bghop": __version__, "Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Its name; Python itself knows it on few systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return platform.processor() or platform.machine()
