"""HO-3D and H2O-3D (Hampali et al. 2020, 2022): one or two hands with YCB objects.

    train/SEQUENCE/meta/NNNN.pkl     evaluation/SEQUENCE/meta/NNNN.pkl
    models/NAME/textured_simple.obj  metres (the YCB-Video models, downloaded separately)

A frame has `handPose` (48), `handTrans`, `handBeta`, `objRot`, `objTrans`, `objName`; H2O-3D has
`rightHandPose`, `leftHandPose` and so on. Poses count from the flat hand. The camera is OpenGL's
(looking along -z): hand and object share it, so where they are to each other needs no change.
Frames of the evaluation set, whose hand is withheld, are left out.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.data.adapter import Adapter, ForeignSequence, looked_at
from bghop.data.clips import Clip
from bghop.data.dexycb import words_of
from bghop.data.foreign_files import number_table, read_pickle
from bghop.data.mano_numbers import ManoHands
from bghop.errors import DataError
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid

_SIDES = ("left", "right")
_PARTS = {"Pose": 48, "Trans": 3}


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All sequences that have frames.

    Raises:
        DataError: There are none.
    """
    found: list[ForeignSequence] = []
    for part in ("train", "evaluation"):
        for folder in sorted((root / part).glob("*/meta")):
            frames = sorted(folder.glob("*.pkl"))
            if not frames:
                continue
            key, files = f"{part}/{folder.parent.name}", {"frames": folder}
            look = partial(_sequence, key, files, frames)
            found += looked_at(key, files, look)
    if not found:
        raise DataError(
            f"{root} has no train/SEQUENCE/meta/*.pkl: name the folder that holds HO-3D's train, "
            "evaluation and models"
        )
    return found


def read_splits(root: Path, protocol: str) -> dict[str, str]:
    """The official one: `evaluation` is for testing."""
    del protocol
    return {
        each.key: "train" if each.key.startswith("train/") else "test"
        for each in find_sequences(root)
    }


def read_object(root: Path, key: str) -> Mesh:
    """The model of one object, metres.

    Raises:
        MeshError: The file is missing or cannot be used.
    """
    return load_mesh(root / "models" / key / "textured_simple.obj")


def clips_of(name: str, sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """The frames of a sequence that have an object and a hand.

    Raises:
        DataError: A file is damaged.
    """
    folder = sequence.files["frames"]
    numbers, rows = [], []
    for path in sorted(folder.glob("*.pkl")):
        content = read_pickle(path)
        row = _frame(content, path) if isinstance(content, dict) else None
        if row is not None:
            numbers.append(int(path.stem))
            rows.append(row)
    if not rows:
        return []
    num = len(rows)

    def column(key: str, size: int) -> Float[Tensor, "frame hand=2 n"]:
        flat = np.stack([row[key] for row in rows]).reshape(num, 2 * size)
        return number_table(flat, (num, 2 * size), folder, f"'{key}'").view(num, 2, size)

    pose = column("Pose", 48)
    thing = number_table(np.stack([row["object"] for row in rows]), (num, 6), folder, "objects")
    hands = mano.hands(
        orient=pose[..., :3], pose=pose[..., 3:], transl=column("Trans", 3),
        shape=column("Beta", 10),
        present=torch.tensor(np.stack([row["present"] for row in rows])),
    )  # fmt: skip
    key = sequence.objects[0]
    return [
        Clip(
            source=name,
            sequence=sequence.key,
            frame=torch.tensor(numbers),
            object=key,
            split=split,
            text=(words_of(key),) * num,
            T_world_object=rigid(matrix_from_rotvec(thing[:, :3]), thing[:, 3:]),
            joint_value=torch.zeros(num, dtype=torch.float64),
            hands_world=hands,
        )
    ]


def _sequence(key: str, files: dict[str, Path], frames: list[Path]) -> ForeignSequence:
    return ForeignSequence(key=key, objects=(_object_of(frames),), files=files)


def _object_of(frames: list[Path]) -> str:
    """What the first frame that names an object says; some frames are not annotated."""
    for path in frames:
        content = read_pickle(path)
        if not isinstance(content, dict) or "objName" not in content:
            raise DataError(f"{path} has no 'objName': download it again")
        if content["objName"] is not None:
            return str(content["objName"])
    raise DataError(f"{frames[0].parent} has no frame that names an object: leave it out")


def _frame(content: dict[str, Any], path: Path) -> dict[str, np.ndarray] | None:
    """Numbers of both hands (left, right) and the object; None if there is no hand."""
    row: dict[str, Any] = {name: np.zeros((2, size)) for name, size in _PARTS.items()}
    row |= {"Beta": np.zeros((2, 10)), "present": np.zeros(2, dtype=bool)}
    try:
        if content["objRot"] is None or content["objTrans"] is None:
            return None
        rotation, place = np.asarray(content["objRot"]), np.asarray(content["objTrans"])
        row["object"] = np.concatenate([rotation.reshape(3), place.reshape(3)]).astype(float)
        for side, name in enumerate(_SIDES):
            word = f"{name}Hand" if f"{name}HandPose" in content else "hand"
            if (word == "hand" and name == "left") or content.get(f"{word}Pose") is None:
                continue
            for part, size in _PARTS.items():
                row[part][side] = np.asarray(content[f"{word}{part}"], dtype=float).reshape(size)
            betas = content[f"{word}Beta"] if f"{word}Beta" in content else content["handBeta"]
            row["Beta"][side] = np.asarray(betas, dtype=float).reshape(10)
            row["present"][side] = True
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} lacks or has a wrong {error}: download it again") from error
    return row if row["present"].any() else None


HO3D = Adapter(
    name="ho3d",
    protocols=("official",),
    flat_hand_mean=True,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=read_splits,
    thing=read_object,
    clips=partial(clips_of, "ho3d"),
)
H2O3D = replace(HO3D, name="h2o3d", clips=partial(clips_of, "h2o3d"))
