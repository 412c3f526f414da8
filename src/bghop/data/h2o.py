"""H2O (Kwon et al. 2021): two hands with eight objects. The head camera's labels are read.

    subjectN/PLACE/I/cam4/hand_pose_MANO/NNNNNN.txt   per hand (left first): 1 + 3 + 48 + 10 numbers
    subjectN/PLACE/I/cam4/obj_pose_RT/NNNNNN.txt      class and a 4 x 4 matrix
    object/NAME/NAME.obj                              metres

The first number of a hand says whether it is there; then translation, pose (from the flat hand),
betas. Hands and object are in the camera's frame, and only where they are to each other counts.
That poses count from the flat hand is how the authors' viewer reads them; it was not tried on data.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from bghop.data.adapter import Adapter, ForeignSequence, looked_at
from bghop.data.clips import Clip
from bghop.data.foreign_files import number_table, read_numbers
from bghop.data.mano_numbers import ManoHands
from bghop.errors import DataError
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh

NAME = "h2o"
OBJECTS = ("book", "espresso", "lotion", "spray", "milk", "cocoa", "chips", "cappuccino")
"""Classes count from 1; 0 is no object."""
TEXTS = {"lotion": "lotion bottle", "spray": "spray bottle", "milk": "milk carton"}
CAMERA = "cam4"
_HAND = 1 + 3 + 48 + 10
_SUBJECTS = {"subject3": "val", "subject4": "test"}


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All sequences whose first frame has an object.

    Raises:
        DataError: There are none.
    """
    found: list[ForeignSequence] = []
    for hands in sorted(root.glob(f"subject*/*/*/{CAMERA}/hand_pose_MANO")):
        key = "/".join(hands.relative_to(root).parts[:3])
        files = {"hands": hands, "object": hands.with_name("obj_pose_RT")}
        found += looked_at(key, files, partial(_sequence, key, files))
    if not found:
        raise DataError(
            f"{root} has no subjectN/PLACE/I/{CAMERA}/hand_pose_MANO: name the folder that holds "
            "H2O's subjects and object"
        )
    return found


def _sequence(key: str, files: dict[str, Path]) -> ForeignSequence | None:
    """None if there is no object in the first and last frame."""
    things = sorted(files["object"].glob("*.txt"))
    if not things:
        return None
    try:
        classes = {int(read_numbers(path, 17)[0]) for path in (things[0], things[-1])} - {0}
    except ValueError as error:
        raise DataError(f"{things[0]} names no object ({error}): download it again") from error
    if not classes:
        return None
    if not classes <= set(range(1, len(OBJECTS) + 1)):
        raise DataError(f"{things[0]} names object {max(classes)}: download it again")
    return ForeignSequence(key=key, objects=(OBJECTS[min(classes) - 1],), files=files)


def read_splits(root: Path, protocol: str) -> dict[str, str]:
    """By subject: the third for validation, the fourth for testing."""
    del protocol
    return {
        each.key: _SUBJECTS.get(each.key.split("/")[0].split("_")[0], "train")
        for each in find_sequences(root)
    }


def read_object(root: Path, key: str) -> Mesh:
    """The scan of one object, metres.

    Raises:
        MeshError: The file is missing or cannot be used.
    """
    return load_mesh(root / "object" / key / f"{key}.obj")


def read_clips(sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """The frames with this object.

    Raises:
        DataError: A file is missing, damaged, or of another shape.
    """
    key = sequence.objects[0]
    number = OBJECTS.index(key) + 1
    frames, hands, things = [], [], []
    for path in sorted(sequence.files["hands"].glob("*.txt")):
        thing = read_numbers(sequence.files["object"] / path.name, 17)
        if thing[0] == number:
            frames.append(int(path.stem))
            hands.append(read_numbers(path, 2 * _HAND).reshape(2, _HAND))
            things.append(thing[1:])
    if not frames:
        return []
    num = len(frames)
    rows = number_table(
        np.stack(hands).reshape(num, -1), (num, 2 * _HAND), sequence.files["hands"], "the hands"
    ).view(num, 2, _HAND)
    T = number_table(np.stack(things), (num, 16), sequence.files["object"], "the poses")
    flag, transl, pose, shape = rows.split([1, 3, 48, 10], dim=-1)
    return [
        Clip(
            source=NAME,
            sequence=sequence.key,
            frame=torch.tensor(frames),
            object=key,
            split=split,
            text=(TEXTS.get(key, key),) * num,
            T_world_object=T.view(num, 4, 4),
            joint_value=torch.zeros(num, dtype=torch.float64),
            hands_world=mano.hands(
                orient=pose[..., :3], pose=pose[..., 3:], transl=transl, shape=shape,
                present=flag[..., 0] > 0,
            ),
        )
    ]  # fmt: skip


H2O = Adapter(
    name=NAME,
    protocols=("subjects",),
    flat_hand_mean=True,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=read_splits,
    thing=read_object,
    clips=read_clips,
    frame_rate=30.0,
)
