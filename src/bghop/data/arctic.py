"""ARCTIC (Fan et al. 2023): two hands with eleven articulated objects, from its raw sequences.

Layout below the root (the folder with `raw_seqs` and `meta`):

    raw_seqs/sXX/NAME.mano.npy      {'right': ..., 'left': ...}: rot, pose, trans (metres), shape
    raw_seqs/sXX/NAME.object.npy    per frame: joint angle, rotation vector, translation (mm)
    meta/object_vtemplates/NAME/    mesh.obj, top.obj, bottom.obj (mm), parts.json
    splits_json/protocol_p1.json    official splits by sequence
    description/sXX/NAME/description.txt   (Text2HOI) `19-38 grasp, both hands`

Poses count from MANO's mean hand, shapes were fitted with the official left file as it is: load the
hands with `load_mano(folder, flat_hand_mean=False, fix_left_shapedirs=False)`. In parts.json 0 is
the part that moves (the top); the object's documentation says otherwise, its code and others' do
not, and top.obj and bottom.obj are asked each time.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.spatial import KDTree
from torch import Tensor

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.clips import Clip
from bghop.data.foreign_files import number_table, read_json_file, read_lines, read_npy
from bghop.data.mano_numbers import ManoHands
from bghop.data.obj_file import read_obj
from bghop.errors import DataError
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.joint import Joint
from bghop.geometry.mesh import Mesh
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid

NAME = "arctic"
TEXTS: Mapping[str, str] = {
    "box": "box", "capsulemachine": "capsule machine", "espressomachine": "espresso machine",
    "ketchup": "ketchup bottle", "laptop": "laptop", "microwave": "microwave", "mixer": "mixer",
    "notebook": "notebook", "phone": "phone", "scissors": "scissors", "waffleiron": "waffle iron",
}  # fmt: skip
"""The objects and what people call them."""
MILLIMETRE = 0.001
AXIS = (0.0, 0.0, -1.0)
"""Of every object's joint, through the origin of its frame."""
LIMITS = (0.0, 1.5 * np.pi)
TOP = 0
"""Label of the moving part in parts.json."""
_BOX_MARGIN = 0.005
_LINE = re.compile(r"^\s*(\d+)\s*-\s*(\d+)\s+(.*?)\s*$")
_HAND_WORDS = re.compile(r",?\s*(with\s+)?(both|left|right) hands?\s*$")


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All sequences below a root, sorted.

    Raises:
        DataError: There are none.
    """
    found = []
    for hands in sorted((root / "raw_seqs").glob("s*/*.mano.npy")):
        name, subject = hands.name.removesuffix(".mano.npy"), hands.parent.name
        thing = hands.with_name(f"{name}.object.npy")
        captions = root / "description" / subject / name / "description.txt"
        found.append(
            ForeignSequence(
                key=f"{subject}/{name}", objects=(name.split("_", 1)[0],),
                files={"hands": hands, "object": thing, "captions": captions},
            )
        )  # fmt: skip
    if not found:
        raise DataError(
            f"{root} has no raw_seqs/sXX/*.mano.npy: name the folder that holds ARCTIC's raw_seqs "
            "and meta"
        )
    return found


def read_splits(root: Path, protocol: str = "p1") -> dict[str, str]:
    """Official split of each sequence.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = root / "splits_json" / f"protocol_{protocol}.json"
    content = read_json_file(path)
    try:
        return {str(key): str(split) for split, keys in content.items() for key in keys}
    except (AttributeError, TypeError) as error:
        raise DataError(f"{path} is no table of splits: download it again") from error


def read_object(root: Path, name: str) -> ArticulatedObject:
    """The two parts of an object in metres, bottom first, and its joint.

    Raises:
        DataError: A file is missing or damaged, or its labels contradict top.obj.
    """
    folder = root / "meta" / "object_vtemplates" / name
    vertices, faces = read_obj(folder / "mesh.obj")
    told = read_json_file(folder / "parts.json")
    labels = np.array(told if isinstance(told, list) else [], dtype=object)
    if labels.shape != (len(vertices),) or not np.isin(labels, (0, 1)).all():
        raise DataError(
            f"{folder / 'parts.json'} has not one 0 or 1 for each of the {len(vertices)} vertices "
            "of mesh.obj: download both again"
        )
    of_top = (labels[faces] == TOP).all(1)
    if of_top.all() or not of_top.any():
        raise DataError(f"{folder / 'parts.json'} names one part only: download it again")
    bottom, top = (
        _part(vertices, faces[mask], f"{name}_{word}")
        for mask, word in ((~of_top, "bottom"), (of_top, "top"))
    )
    _assert_where(bottom, top, folder / "bottom.obj")
    _assert_where(top, bottom, folder / "top.obj")
    joint = Joint(kind="revolute", axis=AXIS, limits=LIMITS, moving=1)
    return ArticulatedObject(parts=(bottom, top), joint=joint, name=name)


def read_clip(sequence: ForeignSequence, mano: ManoHands, *, split: str = "train") -> Clip:
    """All frames of a sequence.

    Args:
        sequence: of `find_sequences`.
        mano: as ARCTIC uses it, see above.
        split: that the records shall have.

    Raises:
        DataError: A file is missing, damaged, or of another shape.
    """
    path = sequence.files["object"]
    thing = number_table(read_npy(path), (None, 7), path, "the object's frames")
    num, path = len(thing), sequence.files["hands"]
    hands = read_npy(path)
    if not isinstance(hands, dict) or not {"left", "right"} <= set(hands):
        raise DataError(f"{path} has no 'left' and 'right': download it again")
    sides = [_hand(hands[side], num, path, side) for side in ("left", "right")]
    rot, pose, trans, shape = (torch.stack(each, dim=1) for each in zip(*sides, strict=True))
    T_world_object = rigid(matrix_from_rotvec(thing[:, 1:4]), thing[:, 4:7] * MILLIMETRE)
    return Clip(
        source=NAME,
        sequence=sequence.key,
        frame=torch.arange(num),
        object=sequence.objects[0],
        split=split,
        text=captions_of(sequence, num),
        T_world_object=T_world_object,
        joint_value=thing[:, 0],
        hands_world=mano.hands(orient=rot, pose=pose, transl=trans, shape=shape),
    )


def captions_of(sequence: ForeignSequence, num: int) -> tuple[str, ...]:
    """What is done in each frame (`grasp box`); the object's name where nothing is said.

    Raises:
        DataError: A line of the description is none.
    """
    name = TEXTS.get(sequence.objects[0], sequence.objects[0])
    said, path = [name] * num, sequence.files["captions"]
    if path.exists():
        for number, line in enumerate(read_lines(path), start=1):
            match = _LINE.match(line)
            if match is None:
                raise DataError(
                    f"{path}, line {number}: '{line[:40]}' is not 'FIRST-LAST words': correct it "
                    "or delete the file"
                )
            first, last = int(match[1]), int(match[2])
            action = _HAND_WORDS.sub("", match[3])
            for frame in range(first, min(last + 1, num)):
                said[frame] = action if name in action else f"{action} {name}"
    return tuple(said)


def _part(
    vertices: Float[np.ndarray, "vert 3"], faces: Int64[np.ndarray, "face 3"], name: str
) -> Mesh:
    used, index = np.unique(faces, return_inverse=True)
    return Mesh(
        vertices=vertices[used] * MILLIMETRE, faces=index.reshape(-1, 3).astype(np.int64), name=name
    )


def _assert_where(part: Mesh, other: Mesh, path: Path) -> None:
    """The labels mean what we think they do: the file has the same box, and is nearer to its part.

    Boxes alone could not tell parts of one size that lie on each other.
    """
    points = read_obj(path)[0] * MILLIMETRE
    own = np.stack([part.vertices.min(0), part.vertices.max(0)])
    apart = np.abs(own - np.stack([points.min(0), points.max(0)])).max()
    near, far = (float(KDTree(m.vertices).query(points)[0].mean()) for m in (part, other))
    if apart > _BOX_MARGIN or near >= far:
        raise DataError(
            f"{path} lies elsewhere than the part that parts.json says (its box {apart:.3f} m, its "
            f"points {near:.4f} m from it and {far:.4f} m from the other part): the labels are not "
            "as expected (0: top); download the object again"
        )


def _hand(content: Any, num: int, path: Path, side: str) -> tuple[Tensor, ...]:
    """Rotation, pose, translation, shape of every frame."""
    if not isinstance(content, dict):
        raise DataError(f"{path}: '{side}' is no table: download it again")
    found = []
    for name, size in (("rot", 3), ("pose", 45), ("trans", 3)):
        found.append(number_table(content.get(name), (num, size), path, f"'{side}.{name}'"))
    shape = np.asarray(content.get("shape"))
    if shape.shape == (10,):  # the documentation says one row a frame, the files have one in all
        shape = np.broadcast_to(shape, (num, 10))
    return (*found, number_table(shape, (num, 10), path, f"'{side}.shape'"))


ARCTIC = Adapter(
    name=NAME,
    protocols=("p1", "p2"),
    flat_hand_mean=False,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=read_splits,
    thing=read_object,
    clips=lambda sequence, mano, split: [read_clip(sequence, mano, split=split)],
    frame_rate=30.0,
)
