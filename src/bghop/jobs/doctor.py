"""What works on this machine: packages, hands, device, pictures."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from bghop.version import __version__

PACKAGES = ("torch", "numpy", "scipy", "trimesh", "libigl", "jaxtyping", "tyro", "tqdm", "pillow",
            "pyvista", "vtk", "safetensors")  # fmt: skip
OPTIONAL_PACKAGES = {"mujoco-core": "physics", "pyarrow": "benchmark", "matplotlib": "benchmark"}
"""Needed by the hold test and `bghop evaluate`, and the extra of bghop that brings each."""
MANO_VARIABLE = "BGHOP_MANO"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding; `essential` ones must hold for grasps to be made."""

    name: str
    works: bool
    detail: str
    essential: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def examine(mano: Path | None = None) -> list[Check]:
    """Runs every check; never raises for what it finds."""
    return [
        Check(
            name="bghop",
            works=True,
            detail=f"{__version__}, Python {platform.python_version()}, {platform.platform()}",
        ),
        *(_package(name) for name in PACKAGES),
        *(_optional(name, extra) for name, extra in OPTIONAL_PACKAGES.items()),
        _check("device", _device, essential=True),
        _check("open hand", _open_hand, essential=True),
        _mano(mano),
        _check("pictures", _pictures),
    ]


def _package(name: str) -> Check:
    try:
        return Check(name=name, works=True, detail=metadata.version(name), essential=True)
    except metadata.PackageNotFoundError:
        # vtk may come under another distribution's name; pyvista tells whether it works.
        essential = name not in {"vtk", "pyvista"}
        remedy = f"not installed: pip install {name}"
        return Check(name=name, works=False, detail=remedy, essential=essential)


def _optional(name: str, extra: str) -> Check:
    try:
        return Check(name=name, works=True, detail=metadata.version(name))
    except metadata.PackageNotFoundError:
        use = "the hold test" if extra == "physics" else "bghop evaluate"
        remedy = f"not installed, only needed for {use}: pip install 'bghop[{extra}]'"
        return Check(name=name, works=False, detail=remedy)


def _check(name: str, question: Callable[[], str], *, essential: bool = False) -> Check:
    try:
        return Check(name=name, works=True, detail=question(), essential=essential)
    except Exception as error:  # a doctor reports, whatever it is
        words = " ".join(str(error).split()) or type(error).__name__
        return Check(name=name, works=False, detail=words, essential=essential)


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
        return f"cuda ({', '.join(names)}), and cpu with {torch.get_num_threads()} threads"
    return f"cpu with {torch.get_num_threads()} threads; no CUDA device"


def _open_hand() -> str:
    import torch  # noqa: F401  (its import is not the hand's time)

    from bghop.hands.open_hand import load_open_hand

    start = time.perf_counter()
    model = load_open_hand()
    spent = time.perf_counter() - start
    return (
        f"shipped with bghop, {model.vertices_rest.shape[-2]} vertices a hand, "
        f"{len(model.shape_names)} shape parameters, ready in {spent:.2f} s"
    )


def _mano(folder: Path | None) -> Check:
    named = folder or os.environ.get(MANO_VARIABLE)
    if not named:
        detail = f"not asked for (give --mano DIR or set {MANO_VARIABLE}); the open hand needs none"
        return Check(name="mano", works=True, detail=detail)

    def load() -> str:
        from bghop.hands.mano import load_mano_files

        model = load_mano_files(Path(named))
        return f"{named}, {model.vertices_rest.shape[-2]} vertices a hand"

    return _check("mano", load, essential=folder is not None)


def _pictures() -> str:
    from bghop.drawing.contact_sheet import Cell
    from bghop.drawing.scene import Scene
    from bghop.drawing.worker import SheetWorker

    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]) * 0.1
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    scene = Scene(object=(corners, faces), hands=(None, None))
    worker = SheetWorker()
    start = time.perf_counter()
    try:
        worker.request([Cell(scene=scene, heading="", caption="")], title="", subtitle="")
        worker.answer()
        if worker.note:
            return worker.note
    finally:
        worker.close()
    return f"VTK draws off screen, ready in {time.perf_counter() - start:.1f} s"
