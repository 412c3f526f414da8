"""ContactPose (Brahmbhatt et al. 2020): grasps of printed objects, many of them with two hands.

    contactpose_data/fullN_{use,handoff}/OBJECT/mano_fits_15.json    [left, right]
    contactpose_data/fullN_{use,handoff}/OBJECT/OBJECT.ply           metres, contact as colours

A hand has `pose` (3 of the root, 15 principal components from the mean hand), `betas`, `valid`, and
`mTc`, which takes the object's frame to that of the hand model. One grasp a file: a clip has one
frame. Every participant's copy of an object is the same mesh.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.clips import Clip
from bghop.data.foreign_files import number_table, read_json_file
from bghop.data.mano_numbers import ManoHands
from bghop.data.quaternions import rotations_from_wxyz
from bghop.errors import DataError
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh
from bghop.geometry.transforms import invert_rigid
from bghop.hands.model import HandParameters

NAME = "contactpose"
_FITS = "mano_fits_15.json"
_COMPONENTS = 15


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All grasps with fitted hands.

    Raises:
        DataError: There are none.
    """
    found = []
    for fits in sorted(root.glob(f"contactpose_data/full*/*/{_FITS}")):
        name, session = fits.parent.name, fits.parent.parent.name
        found.append(
            ForeignSequence(
                key=f"{session}/{name}", objects=(name,), files={"fits": fits},
                facts={"intent": session.split("_")[-1]},
            )
        )  # fmt: skip
    if not found:
        raise DataError(
            f"{root} has no contactpose_data/fullN_use/OBJECT/{_FITS}: name the folder that holds "
            "contactpose_data"
        )
    return found


def read_object(root: Path, key: str) -> Mesh:
    """The mesh of one object, metres: any participant's copy.

    Raises:
        DataError: There is none.
        MeshError: The file cannot be used.
    """
    copies = sorted(root.glob(f"contactpose_data/full*/{key}/{key}.ply"))
    if not copies:
        raise DataError(
            f"{root} has no contactpose_data/full*/{key}/{key}.ply: download the data set's meshes"
        )
    return load_mesh(copies[0])


def read_clips(sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """One frame.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = sequence.files["fits"]
    content = read_json_file(path)
    if not isinstance(content, list) or len(content) != 2:
        raise DataError(f"{path} has not two hands: download it again")
    numbers, present = np.zeros((2, 3 + _COMPONENTS + 10)), torch.zeros(1, 2, dtype=torch.bool)
    T_model_object = np.tile(np.eye(4), (2, 1, 1))
    try:
        for side, hand in enumerate(content):
            if not hand or not hand.get("valid", False):
                continue
            pose = np.asarray(hand["pose"], dtype=float).reshape(-1)[: 3 + _COMPONENTS]
            numbers[side] = np.concatenate([pose, np.asarray(hand["betas"], dtype=float)])
            T_model_object[side] = _rigid(hand["mTc"])
            present[0, side] = True
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: a hand lacks or has a wrong {error}: download it again") from (
            error
        )
    if not bool(present.any()):
        return []
    rows = number_table(numbers.reshape(1, -1), (1, numbers.size), path, "the hands")
    number_table(T_model_object.reshape(1, -1), (1, 32), path, "'mTc'")
    orient, pose, shape = rows.view(1, 2, -1).split([3, _COMPONENTS, 10], dim=-1)
    hands = mano.hands(
        orient=orient, pose=mano.pose_of(pose), transl=torch.zeros(1, 2, 3), shape=shape,
        present=present,
    )  # fmt: skip
    T_object_model = invert_rigid(torch.from_numpy(T_model_object))[None]
    key = sequence.objects[0]
    return [
        Clip(
            source=NAME,
            sequence=sequence.key,
            frame=torch.zeros(1, dtype=torch.int64),
            object=key,
            split=split,
            text=(f"{sequence.facts['intent']} {key.replace('_', ' ')}",),
            T_world_object=torch.eye(4, dtype=torch.float64)[None],
            joint_value=torch.zeros(1, dtype=torch.float64),
            hands_world=HandParameters(
                present=hands.present,
                T_object_hand=T_object_model @ hands.T_object_hand,
                pose=hands.pose,
                shape=hands.shape,
            ),
        )
    ]


def _rigid(told: Any) -> np.ndarray:
    """`translation`, `rotation` (wxyz) or a 4 x 4 matrix."""
    if isinstance(told, list):
        return np.asarray(told, dtype=float).reshape(4, 4)
    T = np.eye(4)
    T[:3, :3] = rotations_from_wxyz(told["rotation"]).as_matrix()
    T[:3, 3] = told["translation"]
    return T


CONTACTPOSE = Adapter(
    name=NAME,
    protocols=(),
    flat_hand_mean=False,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=lambda _root, _protocol: {},
    thing=read_object,
    clips=read_clips,
)
