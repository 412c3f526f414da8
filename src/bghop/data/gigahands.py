"""GigaHands (Fu et al. 2025): two hands with 417 objects, seen by fifty-one cameras. CC BY-NC 4.0.

    hand_poses/SESSION/params/NNN.json                 left, right: poses, Rh, Th, shapes
    hand_poses/SESSION/keypoints_3d/NNN/chosen_frames_{left,right}.json     frames with that hand
    object_poses/SCENE/OBJECT/SESSION_NNNN/pose/optimized_pose.json         frame -> place, turn
    object_meta/**/*.csv                               which tracks of which objects are good
    object_meta/SCENE/OBJECT/*.obj                     metres; scans_publish alike
    annotations_v2.jsonl                               what is done (optional)

Hands are EasyMocap's: `Rh` and `Th` turn and move the whole model about the origin of its template,
not about the wrist; poses (48, the first three usually zero) count from the flat hand, the left
file is used as it is. Their rows are the frames with either hand, in order. Objects have the frames
of the video, about every third. Only frames with both are read, nothing is filled in between. An
object's rotation is a rotation vector, or a quaternion of PyTorch3D (real part first) whose matrix
multiplies rows: its TRANSPOSE turns the object. Hands and objects were tracked apart, and people
said of each track whether it is good: others are left out. Frames of `annotations_v2` are rows of
the hands, the last one included.
"""

import csv
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.clips import Clip, prompt
from bghop.data.foreign_files import number_table, read_json_file, read_lines
from bghop.data.mano_numbers import ManoHands
from bghop.data.quaternions import rotations_from_wxyz
from bghop.errors import DataError
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh
from bghop.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from bghop.hands.model import HandParameters

NAME = "gigahands"
MESHES = ("object_meta", "scans_publish", "scans_publish/publish")
"""Folders in which meshes are looked for."""
_SIDES = ("left", "right")
_POSE = "pose/optimized_pose.json"
_TO_THE_END = 2**31
_UNSAID = ("none", "buggy", "")


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All good tracks of an object with the hands beside, sorted.

    Raises:
        DataError: There are none, or a table is damaged.
    """
    good, found = _good_tracks(root), []
    for path in sorted(root.glob(f"object_poses/*/*/*/{_POSE}")):
        folder = path.parent.parent
        scene, name = folder.parent.parent.name, folder.parent.name
        session, _, digits = folder.name.rpartition("_")
        if not digits.isdigit():
            continue
        number = f"{int(digits):03d}"
        mesh = good.get((session, int(digits), scene, _folder(name)))
        hands = root / "hand_poses" / session
        params = hands / "params" / f"{number}.json"
        if mesh is None or not params.is_file():
            continue
        chosen = hands / "keypoints_3d" / number
        found.append(
            ForeignSequence(
                key=f"{session}/{number}/{name}",
                objects=(mesh,),
                files={
                    "hands": params, "object": path, "words": root / "annotations_v2.jsonl",
                    **{side: chosen / f"chosen_frames_{side}.json" for side in _SIDES},
                },
                facts={"session": session, "number": number},
            )
        )  # fmt: skip
    if not found:
        raise DataError(
            f"{root} has no object_poses/SCENE/OBJECT/SESSION_NNNN/{_POSE} that object_meta/*.csv "
            "calls a success, with hand_poses/SESSION/params beside: name the folder that holds "
            "GigaHands' hand_poses, object_poses and object_meta"
        )
    return found


def read_object(root: Path, key: str) -> Mesh:
    """The mesh of one object, metres.

    Args:
        root: of the data set.
        key: path of the mesh as the tables of tracks call it: SCENE/OBJECT/FILE.

    Raises:
        DataError: It is not there.
        MeshError: The file cannot be used.
    """
    scene, name, file = key.split("/", 2)
    places = [
        Path(base, scene, folder, file) for base in MESHES for folder in (name, _folder(name))
    ]
    path = next((root / each for each in places if (root / each).is_file()), None)
    if path is None:
        raise DataError(f"{root} has no {places[0]}: download the meshes (scans_publish.zip)")
    return load_mesh(path)


def read_clips(sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """The frames in which the object and a hand are known.

    Raises:
        DataError: A file is missing, damaged, or of another shape.
    """
    chosen = [_frames(sequence.files[side]) for side in _SIDES]
    rows = {frame: row for row, frame in enumerate(sorted(chosen[0] | chosen[1]))}
    things = _poses(sequence.files["object"])
    frames = sorted(rows.keys() & things.keys())
    if not frames:
        return []
    hands = _hands(sequence.files["hands"], len(rows), mano).rows(
        torch.tensor([rows[frame] for frame in frames])
    )
    present = torch.tensor([[frame in each for each in chosen] for frame in frames])
    T = torch.stack([things[frame] for frame in frames])
    _, name, _ = sequence.objects[0].split("/", 2)
    said = _words(sequence.files["words"]).get(
        (sequence.facts["session"], sequence.facts["number"]), ()
    )
    plain = name.replace("_", " ").replace("-", " ")
    text = [
        next(
            (prompt(plain, words) for first, last, words in said if first <= rows[frame] <= last),
            plain,
        )
        for frame in frames
    ]
    return [
        Clip(
            source=NAME,
            sequence=sequence.key,
            frame=torch.tensor(frames),
            object=sequence.objects[0],
            split=split,
            text=tuple(text),
            T_world_object=T,
            joint_value=torch.zeros(len(frames), dtype=torch.float64),
            hands_world=HandParameters(
                present=present, T_object_hand=hands.T_object_hand, pose=hands.pose,
                shape=hands.shape,
            ),
        )
    ]  # fmt: skip


def _hands(path: Path, num: int, mano: ManoHands) -> HandParameters:
    """Both hands in all their rows."""
    content = read_json_file(path)
    columns: dict[str, list[Tensor]] = {"poses": [], "Rh": [], "Th": [], "shapes": []}
    for side in _SIDES:
        told = content.get(side) if isinstance(content, dict) else None
        if not isinstance(told, dict):
            raise DataError(f"{path} has no '{side}': download it again")
        for name, size in (("poses", 48), ("Rh", 3), ("Th", 3), ("shapes", 10)):
            values = _array(told.get(name), path, f"'{side}.{name}'")
            if name == "shapes" and values.shape == (1, 10):
                values = np.broadcast_to(values, (num, 10))
            columns[name].append(number_table(values, (num, size), path, f"'{side}.{name}'"))
    poses, Rh, Th, shape = (torch.stack(columns[name], dim=1) for name in columns)
    R_world_model = matrix_from_rotvec(Rh)
    wrist = mano.wrist_in_template(shape)
    return mano.hands(
        orient=rotvec_from_matrix(R_world_model @ matrix_from_rotvec(poses[..., :3])),
        pose=poses[..., 3:],
        transl=(R_world_model @ wrist[..., None]).squeeze(-1) + Th,
        shape=shape,
        at_wrist=True,
    )


def _poses(path: Path) -> dict[int, Float[Tensor, "4 4"]]:
    """`T_world_object` by frame."""
    content, found = read_json_file(path), {}
    if not isinstance(content, dict):
        raise DataError(f"{path} is no table of frames: download it again")
    for frame, told in content.items():
        try:
            place = np.asarray(told["mesh_translation"], dtype=float).reshape(3)
            turn = np.asarray(told["mesh_rotation"], dtype=float).reshape(-1)
            T = np.eye(4)
            T[:3, :3] = _rotation(turn)
            T[:3, 3] = place
            number = int(frame)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path}: frame {frame} has a wrong {error}: download it again"
            ) from error
        if not np.isfinite(T).all():
            raise DataError(f"{path}: frame {frame} is NaN or infinite: leave the file out")
        found[number] = torch.from_numpy(T)
    return found


def _rotation(turn: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """As the authors' renderer has it: only quaternions are transposed."""
    if turn.shape == (3,):
        return Rotation.from_rotvec(turn).as_matrix()
    return rotations_from_wxyz(turn).as_matrix().T


def _frames(path: Path) -> set[int]:
    """Numbers of the frames with one hand."""
    content = read_json_file(path)
    if not isinstance(content, list) or not all(type(each) is int for each in content):
        raise DataError(f"{path} is no list of frames: download it again")
    return set(content)


def _array(told: Any, path: Path, what: str) -> np.ndarray:
    try:
        return np.asarray(told)
    except ValueError as error:
        raise DataError(f"{path}: {what} are no table of numbers: download it again") from error


def _folder(name: str) -> str:
    """Folders of poses have underscores where tables and meshes have dashes, too."""
    return name.replace("-", "_")


def _good_tracks(root: Path) -> dict[tuple[str, int, str, str], str]:
    """Mesh of each good track, by session, number, scene and folder of the object."""
    found = {}
    for path in sorted((root / "object_meta").rglob("*.csv")):
        rows = list(csv.reader(read_lines(path)))
        if not rows or [name.lower() for name in rows[0][:2]] != ["scene", "sequence"]:
            raise DataError(f"{path} has no columns scene and sequence: download it again")
        meshes = [(column, name) for column, name in enumerate(rows[0]) if name.count("/") >= 2]
        for row in rows[1:]:
            if len(row) < 2 or not row[1].strip().isdigit():
                continue
            for column, name in meshes:
                if [word.strip() for word in row[column : column + 2]] == [
                    "T",
                    "T",
                ]:  # it is there, and well tracked
                    scene, folder, _ = name.split("/", 2)
                    found[row[0], int(row[1]), scene, _folder(folder)] = name
    return found


@cache
def _words(path: Path) -> Mapping[tuple[str, str], tuple[tuple[int, int, str], ...]]:
    """By session and number: first and last row, and what is done."""
    found: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
    if not path.is_file():
        return {}
    for count, line in enumerate(read_lines(path), start=1):
        try:
            told = json.loads(line)
            sequence, text = told["sequence"], str(told["clarify_annotation"]).strip()
            number = str(sequence[0] if isinstance(sequence, list) else sequence).zfill(3)
            first, last = int(told["start_frame_id"]), int(told["end_frame_id"])
            session = str(told["scene"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"{path}, line {count} has a wrong {error}: download it again"
            ) from error
        if text.lower() not in _UNSAID:
            step = (first, last if last >= 0 else _TO_THE_END, text.rstrip("."))
            found.setdefault((session, number), []).append(step)
    return {key: tuple(value) for key, value in found.items()}


GIGAHANDS = Adapter(
    name=NAME,
    protocols=(),
    flat_hand_mean=True,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=lambda _root, _protocol: {},
    thing=read_object,
    clips=read_clips,
)
