"""One result of a folder as an `Interaction`: hands from the numbers, the object from the scene."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from bghop.errors import MeshError, ResultError
from bghop.geometry.loading import load_mesh
from bghop.interaction import UPS, Interaction
from bghop.jobs.grasps_file import read_grasps
from bghop.jobs.result_folder import KINDS

_NUMBERED = re.compile(r"^(?P<path>.+)#(?P<index>\d+)$")
_SCENE = re.compile(rf"^({'|'.join(kind.noun for kind in KINDS)})_(?P<index>\d{{3,}})\.glb$")


def read_interaction(source: str | Path, index: int | None = None) -> Interaction:
    """Read one result of `bghop grasp`, `bghop sample` or `bghop complete`.

    Args:
        source: a folder of results, its grasps.json or interactions.json, either with `#K` behind
            it, or the GLB file of one result.
        index: number of the result as in its GLB file's name, 0 is the best; None for what
            `source` says, else 0.

    Returns:
        The interaction in its object's own frame, metres; hands equal those of the file bit for
        bit, the object's corners those of the scene.

    Raises:
        ResultError: There are no such results, no result of that number, or its scene is missing.
        MeshError: The scene's object cannot be used.
    """
    path, named = _split(str(source))
    index = named if index is None else index
    grasps = read_grasps(path)
    num = len(grasps.metrics)
    if not 0 <= index < num:
        last = f"0 to {num - 1}" if num > 1 else "0"
        raise ResultError(f"{path} has no result #{index}: use {last}")
    folder = path if path.is_dir() else path.parent
    scene = folder / grasps.kind.scene_file(index)
    if not scene.is_file():
        raise ResultError(f"{scene} is missing: the object is read from it, run its command again")
    header = grasps.header
    try:
        mesh = load_mesh(scene, node="object")
    except MeshError as error:
        raise MeshError(f"the object of {path}#{index} cannot be used: {error}") from error
    return Interaction(
        mesh=replace(mesh, name=_name(header)),
        hands=grasps.hands.rows(index),
        text=str(header.get("text", "")),
        up=_up(header),
        hand_model=str(header["hand_model"]["name"]),
    )


def _split(source: str) -> tuple[Path, int]:
    """Path of the results and number of one of them."""
    path = Path(source)
    numbered = _NUMBERED.match(source)
    if numbered is not None and not path.exists():
        return Path(numbered["path"]), int(numbered["index"])
    scene = _SCENE.match(path.name)
    if scene is not None:
        return path.parent, int(scene["index"])
    return path, 0


def _name(header: dict[str, Any]) -> str:
    thing = header.get("object")
    name = thing.get("name") if isinstance(thing, dict) else header.get("text")
    return str(name or "object")


def _up(header: dict[str, Any]) -> str:
    options = header.get("options")
    up = options.get("up") if isinstance(options, dict) else None
    return up if up in UPS else "z"
