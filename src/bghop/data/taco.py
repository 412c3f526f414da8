"""TACO (Liu et al. 2024): a tool in one hand, what it is used on in the other. CC BY 4.0.

    Hand_Poses/(tool, action, target)/SEQUENCE/{left,right}_hand.pkl         frame -> pose, trans
    Hand_Poses/(tool, action, target)/SEQUENCE/{left,right}_hand_shape.pkl   hand_shape (10)
    Object_Poses/(tool, action, target)/SEQUENCE/{tool,target}_ID.npy        frames x 4 x 4, metres
    Object_Models/ID_cm.obj                                                  centimetres

manopth with `center_idx=0`: `hand_trans` is where the wrist joint is; poses count from the flat
hand. Frames are taken in the order of their keys. No official splits by sequence: `own`.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.clips import Clip, prompt
from bghop.data.foreign_files import number_table, read_npy, read_pickle
from bghop.data.mano_numbers import ManoHands
from bghop.errors import DataError
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh

NAME = "taco"
_TRIPLE = re.compile(r"^\((.+), (.+), (.+)\)$")
_OBJECT = re.compile(r"^(tool|target)_(\w+)\.npy$")


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All sequences with hands and at least one object.

    Raises:
        DataError: There are none.
    """
    found = []
    for hands in sorted((root / "Hand_Poses").glob("*/*/right_hand.pkl")):
        folder, triple = hands.parent, hands.parent.parent.name
        things = root / "Object_Poses" / triple / folder.name
        objects = {
            f"{match[1]}:{match[2]}": path
            for path in sorted(things.glob("*.npy"))
            if (match := _OBJECT.match(path.name))
        }
        words = _TRIPLE.match(triple)
        if objects and words:
            files = {side: folder / f"{side}_hand.pkl" for side in ("left", "right")}
            files |= {
                f"{side} shape": folder / f"{side}_hand_shape.pkl" for side in ("left", "right")
            }
            found.append(
                ForeignSequence(
                    key=f"{triple}/{folder.name}",
                    objects=tuple(name.split(":")[1] for name in objects),
                    files={**files, **objects},
                    facts={"tool": words[1], "action": words[2], "target": words[3]},
                )
            )
    if not found:
        raise DataError(
            f"{root} has no Hand_Poses/(TOOL, ACTION, TARGET)/SEQUENCE with object poses beside: "
            "name the folder that holds TACO's Hand_Poses, Object_Poses and Object_Models"
        )
    return found


def read_object(root: Path, key: str) -> Mesh:
    """The scan of one object, metres.

    Raises:
        MeshError: The file is missing or cannot be used.
    """
    return load_mesh(root / "Object_Models" / f"{key}_cm.obj", unit="cm")


def read_clips(sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """One clip for each object of a sequence.

    Raises:
        DataError: A file is missing, damaged, or of another shape.
    """
    sides = [_hand(sequence, side) for side in ("left", "right")]
    num = len(sides[0][0])
    if len(sides[1][0]) != num:
        raise DataError(
            f"{sequence.files['left']}: {num} frames of the left hand and {len(sides[1][0])} of "
            "the right: download both again"
        )
    pose, trans, shape = (torch.stack(each, dim=1) for each in zip(*sides, strict=True))
    hands = mano.hands(
        orient=pose[..., :3], pose=pose[..., 3:], transl=trans, shape=shape, at_wrist=True
    )
    clips = []
    for role, path in sequence.files.items():
        kind, _, key = role.partition(":")
        if not key:
            continue
        T = np.asarray(read_npy(path))
        if T.shape != (num, 4, 4):
            raise DataError(
                f"{path}: poses of shape {T.shape}, not {(num, 4, 4)}: download it again"
            )
        action, tool, target = (sequence.facts[key] for key in ("action", "tool", "target"))
        words = {
            "tool": prompt(tool, f"{action} {target}"),
            "target": prompt(target, f"{action} with {tool}", verb="hold the"),
        }
        clips.append(
            Clip(
                source=NAME,
                sequence=f"{sequence.key}/{kind}",
                frame=torch.arange(num),
                object=key,
                split=split,
                text=(words[kind],) * num,
                T_world_object=number_table(T.reshape(num, 16), (num, 16), path, "poses").view(
                    num, 4, 4
                ),
                joint_value=torch.zeros(num, dtype=torch.float64),
                hands_world=hands,
            )
        )
    return clips


def _hand(sequence: ForeignSequence, side: str) -> tuple[Float[Tensor, "frame n"], ...]:
    """Pose (48), translation, shape of every frame."""
    path, shape_path = sequence.files[side], sequence.files[f"{side} shape"]
    content = read_pickle(path)
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path} is no table of frames: download it again")
    frames = [content[key] for key in sorted(content, key=_place)]
    try:
        pose = np.stack([np.asarray(frame["hand_pose"]).reshape(-1) for frame in frames])
        trans = np.stack([np.asarray(frame["hand_trans"]).reshape(-1) for frame in frames])
        shape = np.asarray(read_pickle(shape_path)["hand_shape"]).reshape(-1)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: a frame lacks {error}: download it again") from error
    num = len(frames)
    return (
        number_table(pose, (num, 48), path, "poses"),
        number_table(trans, (num, 3), path, "translations"),
        number_table(np.tile(shape, (num, 1)), (num, 10), shape_path, "shapes"),
    )


def _place(key: Any) -> tuple[int, str]:
    """Where a frame stands: by its number, whether its key is one or a word."""
    word = str(key)
    return (int(word) if word.isdecimal() else -1, word)


TACO = Adapter(
    name=NAME,
    protocols=(),
    flat_hand_mean=True,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=lambda _root, _protocol: {},
    thing=read_object,
    clips=read_clips,
)
