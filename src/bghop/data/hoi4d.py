"""HOI4D (Liu et al. 2022): one hand uses objects of sixteen categories, seen from the head.

    handpose/refinehandpose_right/ZY*/H*/C*/N*/S*/s*/T*/N.pickle     poseCoeff (48), beta, trans
    HOI4D_annotations/ZY*/H*/C*/N*/S*/s*/T*/objpose/N.json           center, rotation of each part
    HOI4D_CAD_Model_for_release/rigid/CATEGORY/NNN.obj               metres
    HOI4D_CAD_Model_for_release/articulated/CATEGORY/NNN/            see hoi4d_parts.py

`C` is the category, `N` the instance. manopth without a centre: the translation is added to the
template, in metres; poses count from the flat hand. Hand and object are in the camera's frame, and
only where they are to each other counts. An object's rotation is three angles in radians about its
own x, y, z in turn. Numbers of frames have leading zeros in some sequences. No official splits by
sequence: `own`.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from bghop.data.adapter import Adapter, ForeignSequence, looked_at
from bghop.data.clips import Clip
from bghop.data.foreign_files import number_table, read_json_file, read_pickle
from bghop.data.hoi4d_parts import articulated, pose_and_value, read_two_parts
from bghop.data.mano_numbers import ManoHands
from bghop.errors import DataError
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh

NAME = "hoi4d"
CATEGORIES = {
    1: "ToyCar", 2: "Mug", 3: "Laptop", 4: "StorageFurniture", 5: "Bottle", 6: "Safe", 7: "Bowl",
    8: "Bucket", 9: "Scissors", 11: "Pliers", 12: "Kettle", 13: "Knife", 14: "TrashCan",
    17: "Lamp", 18: "Stapler", 20: "Chair",
}  # fmt: skip
TEXTS = {"ToyCar": "toy car", "StorageFurniture": "storage furniture", "TrashCan": "trash can"}
MODELS = "HOI4D_CAD_Model_for_release"
HANDS = ("handpose/refinehandpose_right", "Hand_pose/handpose_right_hand")
"""Folders of right hands; archives differ in their names."""
_SEQUENCE = "ZY*/H*/C*/N*/S*/s*/T*"
_RIGHT = 1
_PARTS = {"poseCoeff": 48, "beta": 10, "trans": 3}


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All sequences with a right hand and an object that is rigid or has two parts.

    Raises:
        DataError: There are none.
    """
    found: list[ForeignSequence] = []
    for base in HANDS:
        for hands in sorted((root / base).glob(_SEQUENCE)):
            place = hands.relative_to(root / base)
            things = root / "HOI4D_annotations" / place / "objpose"
            key = _object(place)
            if key is None or not things.is_dir():
                continue
            files = {"hands": hands, "objects": things}
            look = partial(_sequence, place.as_posix(), key, files, root)
            found += looked_at(place.as_posix(), files, look)
    if not found:
        raise DataError(
            f"{root} has no {HANDS[0]}/{_SEQUENCE} with HOI4D_annotations beside: name the folder "
            f"that holds HOI4D's handpose, HOI4D_annotations and {MODELS}"
        )
    return found


def _sequence(name: str, key: str, files: dict[str, Path], root: Path) -> ForeignSequence | None:
    """None if the object has more parts than two."""
    parts = root / MODELS / "articulated" / key
    if parts.is_dir():
        if read_two_parts(parts) is None:
            return None
        files = {**files, "parts": parts}
    return ForeignSequence(key=name, objects=(key,), files=files)


def read_object(root: Path, key: str) -> Mesh | ArticulatedObject:
    """The model of one object, metres.

    Raises:
        DataError: A file of its parts is damaged.
        MeshError: The mesh is missing or cannot be used.
    """
    parts = (
        read_two_parts(folder) if (folder := root / MODELS / "articulated" / key).is_dir() else None
    )
    return articulated(parts) if parts else load_mesh(root / MODELS / "rigid" / f"{key}.obj")


def read_clips(sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """The frames with a hand and an object; of jointed ones those that the joint explains.

    Raises:
        DataError: A file is damaged or of another shape.
    """
    hands, things = (
        {int(path.stem): path for path in folder.glob(f"*.{ending}") if path.stem.isdigit()}
        for folder, ending in (
            (sequence.files["hands"], "pickle"), (sequence.files["objects"], "json"),
        )
    )  # fmt: skip
    frames = sorted(hands.keys() & things.keys())
    parts = read_two_parts(sequence.files["parts"]) if "parts" in sequence.files else None
    count = 2 if parts else 1
    found = {frame: _entries(things[frame], count) for frame in frames}
    poses = {frame: T for frame, T in found.items() if T is not None}
    frames = list(poses)
    if not frames:
        return []
    num, key = len(frames), sequence.objects[0]
    rows = [_hand(hands[frame]) for frame in frames]
    columns = {
        name: number_table(
            np.stack([row[name] for row in rows]), (num, size), sequence.files["hands"], f"'{name}'"
        )
        for name, size in _PARTS.items()
    }
    entries = torch.from_numpy(np.stack(list(poses.values())))
    value, fits = torch.zeros(num, dtype=torch.float64), torch.ones(num, dtype=torch.bool)
    T = entries[:, 0]
    if parts:
        T, value, fits = pose_and_value(parts, entries)

    def right(values: Tensor) -> Float[Tensor, "frame hand=2 n"]:
        """The numbers at the right hand, zeros at the left."""
        return torch.stack([torch.zeros_like(values), values], dim=1)

    present = torch.zeros(num, 2, dtype=torch.bool)
    present[:, _RIGHT] = True
    pose = right(columns["poseCoeff"])
    category = key.split("/")[0]
    clip = Clip(
        source=NAME,
        sequence=sequence.key,
        frame=torch.tensor(frames),
        object=key,
        split=split,
        text=(TEXTS.get(category, category.lower()),) * num,
        T_world_object=T,
        joint_value=value,
        hands_world=mano.hands(
            orient=pose[..., :3], pose=pose[..., 3:], transl=right(columns["trans"]),
            shape=right(columns["beta"]), present=present,
        ),
    )  # fmt: skip
    return [clip.rows(fits)] if bool(fits.any()) else []


def _object(place: Path) -> str | None:
    """`Mug/001` of ZY20210800001/H1/C2/N01/S260/s01/T1; None for unknown categories."""
    category, instance = place.parts[2][1:], place.parts[3][1:]
    if not category.isdigit() or not instance.isdigit() or int(category) not in CATEGORIES:
        return None
    return f"{CATEGORIES[int(category)]}/{int(instance):03d}"


def _hand(path: Path) -> dict[str, np.ndarray]:
    content = read_pickle(path)
    try:
        return {
            name: np.asarray(content[name], dtype=float).reshape(size)
            for name, size in _PARTS.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} lacks or has a wrong {error}: download it again") from error


def _entries(path: Path, count: int) -> Float[np.ndarray, "entry 4 4"] | None:
    """Poses of the parts by their labels, None where some are missing."""
    content: Any = read_json_file(path)
    T = np.tile(np.eye(4), (count, 1, 1))
    try:
        told = content["dataList"] if "dataList" in content else content["objects"]
        if len(told) < count:
            return None
        # A stable order within a sequence; a single part is the first entry.
        entries = sorted(told, key=lambda each: str(each.get("label"))) if count > 1 else told
        for number, entry in enumerate(entries[:count]):
            T[number, :3, 3] = [float(entry["center"][axis]) for axis in "xyz"]
            angles = [float(entry["rotation"][axis]) for axis in "xyz"]
            T[number, :3, :3] = Rotation.from_euler("XYZ", angles).as_matrix()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} lacks or has a wrong {error}: download it again") from error
    if not np.isfinite(T).all():
        raise DataError(f"{path}: a pose is NaN or infinite: leave the file out")
    return T


HOI4D = Adapter(
    name=NAME,
    protocols=(),
    flat_hand_mean=True,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=lambda _root, _protocol: {},
    thing=read_object,
    clips=read_clips,
)
