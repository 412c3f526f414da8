"""OakInk2 (Zhan et al. 2024): tasks of many steps with two hands and many objects, by mocap.

    anno_preview/SCENE++TAKE.pkl               raw_mano, obj_transf by mocap frame, 120 a second
    object_repair/align_ds/ID/*.obj or *.ply   metres; object_raw and object_preview alike
    object_repair/obj_desc.json                {ID: {obj_name}}
    program/program_info/SCENE++TAKE.json      {"((0, 120), None)": {obj_list, ...}}
    program/desc_info/SCENE++TAKE.json         {"((0, 120), None)": {seg_desc}} (optional)

A hand has sixteen quaternions (real part first; the root's, then MANO's order, from the flat hand),
a translation and betas, each a torch tensor with a leading 1. manotorch with `center_idx=0`: the
translation is where the wrist joint is; the left file is used as it is. Things with joints are
rigid parts with names and poses of their own. Objects that a sequence's program names give a clip
each; intervals of the program are (left hand's, right hand's), from the first frame up to but not
including the last. No official splits by sequence: `own`.
"""

import ast
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.data.adapter import Adapter, ForeignSequence, looked_at
from bghop.data.clips import Clip, prompt
from bghop.data.foreign_files import number_table, read_json_file, read_pickle
from bghop.data.mano_numbers import ManoHands
from bghop.data.quaternions import rotations_from_wxyz
from bghop.errors import DataError
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh

NAME = "oakink2"
MODELS = ("object_repair", "object_raw", "object_preview")
"""Folders with the objects, the best first."""
_SIDES = ("lh", "rh")
_PARTS = {"pose_coeffs": 64, "tsl": 3, "betas": 10}
_READ = {"mocap_frame_id_list": list, "raw_mano": dict, "obj_transf": dict}


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All sequences with a program that names an object whose model is there.

    Raises:
        DataError: There are none.
    """
    found: list[ForeignSequence] = []
    names = next((root / each for each in MODELS if (root / each).is_dir()), root)
    for path in sorted((root / "anno_preview").glob("*.pkl")):
        key, program = path.stem.replace("++", "/", 1), root / "program"
        files = {
            "frames": path, "program": program / "program_info" / f"{path.stem}.json",
            "words": program / "desc_info" / f"{path.stem}.json", "names": names / "obj_desc.json",
        }  # fmt: skip
        found += looked_at(key, files, partial(_sequence, key, root, files))
    if not found:
        raise DataError(
            f"{root} has no anno_preview/*.pkl with program/program_info/*.json and "
            f"{MODELS[0]}/align_ds beside: name the folder that holds OakInk2's anno_preview, "
            "program and object_repair"
        )
    return found


def _sequence(key: str, root: Path, files: dict[str, Path]) -> ForeignSequence | None:
    """None if there is no model of any object that its program names."""
    path = files["program"]
    named = {name for each in _table(path).values() for name in _objects(each, path)}
    objects = tuple(sorted(name for name in named if _model(root, name) is not None))
    return ForeignSequence(key=key, objects=objects, files=files) if objects else None


def read_object(root: Path, key: str) -> Mesh:
    """The model of one object or part, metres.

    Raises:
        DataError: There is none.
        MeshError: The file cannot be used.
    """
    path = _model(root, key)
    if path is None:
        raise DataError(f"{root} has no {MODELS[0]}/align_ds/{key}: download the objects")
    return load_mesh(path)


def read_clips(sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """One clip for each object that the program names and the mocap followed.

    Every `sequence.stride`-th frame only: decoding takes longer than all else.

    Raises:
        DataError: A file is missing, damaged, or of another shape.
    """
    path = sequence.files["frames"]
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    frames, num_skipped, raw, moved = _content(path, changed, sequence.stride)
    num = len(frames)
    columns = {
        part: torch.stack(
            [_column(raw, frames, f"{side}__{part}", size, path) for side in _SIDES],
            dim=1,
        )
        for part, size in _PARTS.items()
    }
    try:
        turns = rotations_from_wxyz(columns["pose_coeffs"].reshape(-1, 4).numpy()).as_rotvec()
    except ValueError as error:
        raise DataError(f"{path}: a quaternion is wrong ({error}): leave the file out") from error
    pose = torch.from_numpy(turns).view(num, 2, 48)
    hands = mano.hands(
        orient=pose[..., :3], pose=pose[..., 3:], transl=columns["tsl"],
        shape=columns["betas"], at_wrist=True,
    )  # fmt: skip
    clips = []
    for key in sequence.objects:
        if key not in moved:
            continue
        T = _column(moved, frames, key, 16, path, transposed=True)
        clips.append(
            Clip(
                source=NAME,
                sequence=f"{sequence.key}/{key}",
                frame=torch.tensor(frames),
                object=key,
                split=split,
                text=_texts(sequence, key, frames),
                T_world_object=T.view(num, 4, 4),
                joint_value=torch.zeros(num, dtype=torch.float64),
                hands_world=hands,
                num_skipped=num_skipped,
            )
        )
    return clips


@lru_cache(maxsize=1)  # conventions are tried on the same file several times
def _content(
    path: Path, _changed: int, stride: int
) -> tuple[list[int], int, dict[Any, Any], dict[Any, Any]]:
    """Numbers of the wanted frames, how many others there are, hands and objects of the wanted."""

    def choose(content: Any) -> tuple[list[int], int, dict[Any, Any], dict[Any, Any]]:
        if not isinstance(content, dict) or not all(
            isinstance(content.get(name), kind) for name, kind in _READ.items()
        ):
            raise DataError(f"{path} lacks one of {', '.join(_READ)}: download it again")
        every = content["mocap_frame_id_list"]
        if not every or not all(isinstance(frame, int) for frame in every):
            raise DataError(f"{path} has no numbers of frames: download it again")
        frames = every[::stride]
        moved = {
            key: _only(frames, rows)
            for key, rows in content["obj_transf"].items()
            if isinstance(rows, dict)
        }
        return frames, len(every) - len(frames), _only(frames, content["raw_mano"]), moved

    return read_pickle(path, choose=choose)


def _only(frames: list[int], rows: dict[Any, Any]) -> dict[Any, Any]:
    return {frame: rows[frame] for frame in frames if frame in rows}


def _column(
    table: dict[Any, Any],
    frames: list[int],
    key: str,
    size: int,
    path: Path,
    *,
    transposed: bool = False,
) -> Float[Tensor, "frame n"]:
    """Numbers of every frame: `table[frame][key]`, or `table[key][frame]`."""
    rows = []
    for frame in frames:
        try:
            value = table[key][frame] if transposed else table[frame][key]
        except (KeyError, TypeError, IndexError):
            raise DataError(f"{path}: frame {frame} lacks '{key}': download it again") from None
        rows.append(np.asarray(value).reshape(-1))
    if len({len(row) for row in rows}) != 1:
        raise DataError(f"{path}: '{key}' differs in size from frame to frame: download it again")
    return number_table(np.stack(rows), (len(frames), size), path, f"'{key}'")


def _texts(sequence: ForeignSequence, key: str, frames: list[int]) -> tuple[str, ...]:
    """What is done with an object in each frame; its name where nothing is said."""
    path = sequence.files["names"]
    names = read_json_file(path) if path.is_file() else {}
    told = names.get(key) if isinstance(names, dict) else None
    name = str(told.get("obj_name", "")) if isinstance(told, dict) else ""
    name = name.replace("_", " ")
    said = [name] * len(frames)
    path, program = sequence.files["words"], sequence.files["program"]
    if not path.is_file():
        return tuple(said)
    words, steps = _table(path), _table(program)
    for interval, step in steps.items():
        if key not in _objects(step, program):
            continue
        described = words.get(interval)
        text = described.get("seg_desc", "") if isinstance(described, dict) else ""
        for first, last in filter(None, interval):
            for index, frame in enumerate(frames):
                if text and first <= frame < last:
                    said[index] = prompt(name, str(text))
    return tuple(said)


def _objects(step: Any, path: Path) -> list[str]:
    """Names of the objects of one step of a program."""
    named = step.get("obj_list") if isinstance(step, dict) else None
    if not isinstance(named, list):
        raise DataError(f"{path}: a step has no 'obj_list': download it again")
    return [str(key) for key in named]


def _table(path: Path) -> dict[tuple[tuple[int, int] | None, ...], Any]:
    """A file of the program: what is said of each pair of intervals."""
    content, found = read_json_file(path), {}
    try:
        for key, value in content.items():
            left, right = ast.literal_eval(key)
            pair = tuple((int(each[0]), int(each[1])) if each else None for each in (left, right))
            found[pair] = value
    except (AttributeError, ValueError, TypeError, SyntaxError, LookupError) as error:
        raise DataError(f"{path} is no table of intervals: download it again") from error
    return found


def _model(root: Path, key: str) -> Path | None:
    for folder in MODELS:
        models = sorted((root / folder / "align_ds" / key).glob("*"))
        meshes = [path for path in models if path.suffix in (".obj", ".ply")]
        if meshes:
            return meshes[0]
    return None


OAKINK2 = Adapter(
    name=NAME,
    protocols=(),
    flat_hand_mean=True,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=lambda _root, _protocol: {},
    thing=read_object,
    clips=read_clips,
    frame_rate=120.0,
    strides=True,
)
