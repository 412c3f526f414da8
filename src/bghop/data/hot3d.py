"""HOT3D (Banerjee et al. 2024): two hands with thirty-three objects, recorded by headsets.

    SEQUENCE/mano_hand_pose_trajectory.jsonl    a line a time: hand_poses {"0" left, "1" right}
    SEQUENCE/dynamic_objects.csv                object_uid, timestamp[ns], t_wo_*[m], q_wo_*
    assets/UID.glb                              metres
    assets/instance.json                        {UID: {instance_name: ...}} (optional: words)
    SEQUENCE/masks/mask_qa_pass.csv             timestamp[ns], stream_id, mask (True or False)

Hands are 15 principal components from the mean hand, with the left shape directions MENDED. Hands
and objects are matched by equal timestamps. Only times that passed the authors' inspection are read
(hot3d, issue 20: some sequences begin with hands that are far off): all cameras that have a row at
the time must say True, and at least one must have one. A frame's number is that of its time among
all times of the hands, so that it does not depend on the object or the inspection.
"""

import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bghop.data.adapter import Adapter, ForeignSequence, looked_at
from bghop.data.clips import Clip
from bghop.data.foreign_files import number_table, read_json_file, read_lines
from bghop.data.mano_numbers import ManoHands
from bghop.data.quaternions import rotations_from_wxyz
from bghop.errors import DataError
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh

NAME = "hot3d"
_TRAJECTORY, _OBJECTS = "mano_hand_pose_trajectory.jsonl", "dynamic_objects.csv"
_MASK = "masks/mask_qa_pass.csv"
_NAMES = "assets/instance.json"
_TIME = "timestamp[ns]"
_COMPONENTS = 15


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All sequences with hands.

    Raises:
        DataError: There are none.
    """
    found: list[ForeignSequence] = []
    for hands in sorted(root.glob(f"*/{_TRAJECTORY}")):
        key = hands.parent.name
        files = {
            "hands": hands, "objects": hands.with_name(_OBJECTS), "mask": hands.parent / _MASK,
            "names": root / _NAMES,
        }  # fmt: skip
        found += looked_at(key, files, partial(_sequence, key, files))
    if not found:
        raise DataError(
            f"{root} has no SEQUENCE/{_TRAJECTORY}: name the folder that holds HOT3D's sequences "
            "and assets"
        )
    return found


def _sequence(key: str, files: dict[str, Path]) -> ForeignSequence:
    objects = sorted({row["object_uid"] for row in _rows(files["objects"], ("object_uid", _TIME))})
    return ForeignSequence(key=key, objects=tuple(objects), files=files)


def read_object(root: Path, key: str) -> Mesh:
    """The scan of one object, metres.

    Raises:
        MeshError: The file is missing or cannot be used.
    """
    return load_mesh(root / "assets" / f"{key}.glb")


def read_clips(sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """One clip for each object, its frames those good times at which hands are known.

    Raises:
        DataError: A file is missing or damaged.
    """
    path = sequence.files["hands"]
    times: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        try:
            content = json.loads(line)
            times[int(content["timestamp_ns"])] = dict(content["hand_poses"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}, line {number} is damaged ({type(error).__name__}): download it again"
            ) from error
    if not times:
        raise DataError(f"{path} is empty: download it again")
    good = _good_times(sequence.files["mask"])
    words = _words(sequence.files["names"])
    place = {time: number for number, time in enumerate(sorted(times))}
    clips = []
    for key in sequence.objects:
        rows = {
            _time(row, sequence.files["objects"]): row
            for row in _rows(sequence.files["objects"], ("object_uid", _TIME))
            if row["object_uid"] == key
        }
        common = sorted(times.keys() & rows.keys() & good)
        if common:
            clip = _clip(
                sequence, key, [times[t] for t in common], [rows[t] for t in common], mano, split
            )
            since = torch.tensor([t - min(times) for t in common], dtype=torch.float64)
            frame = torch.tensor([place[t] for t in common])
            text = (words.get(key, ""),) * len(common)
            clips.append(replace(clip, frame=frame, time=since * 1e-9, text=text))
    return clips


def _clip(
    sequence: ForeignSequence,
    key: str,
    hands: list[dict[str, Any]],
    things: list[dict[str, str]],
    mano: ManoHands,
    split: str,
) -> Clip:
    num, path = len(hands), sequence.files["hands"]
    numbers = np.zeros((num, 2, 3 + _COMPONENTS + 3 + 10))
    present = torch.zeros(num, 2, dtype=torch.bool)
    try:
        for frame, each in enumerate(hands):
            for side in range(2):
                hand = each.get(str(side))
                if hand is None:
                    continue
                wrist = hand["wrist_xform"]
                turn = rotations_from_wxyz(wrist["q_wxyz"]).as_rotvec()
                numbers[frame, side] = np.concatenate(
                    [turn, hand["pose"][:_COMPONENTS], wrist["t_xyz"], hand["betas"]]
                )
                present[frame, side] = True
        place = [[float(row[f"t_wo_{axis}[m]"]) for axis in "xyz"] for row in things]
        turns = [[float(row[f"q_wo_{axis}"]) for axis in "wxyz"] for row in things]
        T = np.tile(np.eye(4), (num, 1, 1))
        T[:, :3, :3] = rotations_from_wxyz(np.array(turns)).as_matrix()
        T[:, :3, 3] = place
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path.parent}: a frame lacks {error}: download it again") from error
    rows = number_table(numbers.reshape(num, -1), (num, numbers[0].size), path, "the hands")
    number_table(T.reshape(num, 16), (num, 16), sequence.files["objects"], "the object's poses")
    orient, pose, transl, shape = rows.view(num, 2, -1).split([3, _COMPONENTS, 3, 10], dim=-1)
    return Clip(
        source=NAME,
        sequence=f"{sequence.key}/{key}",
        frame=torch.arange(num),
        object=key,
        split=split,
        text=("",) * num,
        T_world_object=torch.from_numpy(T),
        joint_value=torch.zeros(num, dtype=torch.float64),
        hands_world=mano.hands(
            orient=orient, pose=mano.pose_of(pose), transl=transl, shape=shape, present=present
        ),
    )


def _words(path: Path) -> dict[str, str]:
    """What objects are called; `mug_white` is "mug white"."""
    if not path.is_file():
        return {}
    content = read_json_file(path)
    try:
        return {
            str(key): str(each["instance_name"]).replace("_", " ") for key, each in content.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{path} has a wrong {error}: download it again") from error


def _good_times(path: Path) -> set[int]:
    """Times at which no camera's frame failed the inspection."""
    said: dict[int, bool] = {}
    for row in _rows(path, (_TIME, "stream_id", "mask")):
        time, passed = _time(row, path), {"True": True, "False": False}.get(row["mask"])
        if passed is None:
            raise DataError(f"{path}: a row has a wrong '{row['mask']}': download it again")
        said[time] = said.get(time, True) and passed
    return {time for time, passed in said.items() if passed}


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    rows = list(csv.DictReader(read_lines(path)))
    if not rows or not set(columns) <= set(rows[0]):
        raise DataError(f"{path} has no columns {' and '.join(columns)}: download it again")
    for number, row in enumerate(rows, start=2):
        if any(row[name] is None for name in columns):
            raise DataError(f"{path}, line {number} is cut: download it again")
    return rows


def _time(row: dict[str, str], path: Path) -> int:
    try:
        return int(row[_TIME])
    except ValueError as error:
        raise DataError(
            f"{path}: a row has a wrong time '{row[_TIME]}': download it again"
        ) from error


HOT3D = Adapter(
    name=NAME,
    protocols=(),
    flat_hand_mean=False,
    fix_left_shapedirs=True,
    find=find_sequences,
    splits=lambda _root, _protocol: {},
    thing=read_object,
    clips=read_clips,
)
