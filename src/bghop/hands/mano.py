"""MANO hands from the official MANO_LEFT.pkl and MANO_RIGHT.pkl (Romero et al. 2017).

The files need a registration at the MANO site and are not part of bghop. They are read without
chumpy and without running any pickled code (`hands/plain_pickle.py`). What differs between data
sets is asked, never guessed: whether poses count from a flat or the mean hand, whether the left
file's shape directions get the well-known sign correction, and which vertices are fingertips.

Our wrist frame has MANO's axes but its origin at the wrist joint. MANO turns a hand about its wrist
joint where that lies in the template, so MANO's `transl` is not the wrist's position;
`wrist_pose_from_mano` converts.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import HandModelError
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid
from bghop.hands.joints import BONE_JOINTS, BONES_FROM_MANO, TIP_JOINTS
from bghop.hands.model import HandModel
from bghop.hands.plain_pickle import read_plain_pickle
from bghop.hands.rigging import HandArrays, build_hand_model
from bghop.hands.skinning import shaped

NAME = "mano"
FILES = ("MANO_LEFT.pkl", "MANO_RIGHT.pkl")

TIP_VERTICES = (745, 317, 444, 556, 673)
"""Thumb to little finger: manopth, G-HOP, and most data sets."""
TIP_VERTICES_SMPLX = (744, 320, 443, 554, 671)
"""The other common choice (smplx)."""


class ManoSettings(TypedDict):
    """What `load_mano` is asked besides the files."""

    flat_hand_mean: bool
    fix_left_shapedirs: bool | Literal["if needed"]


OWN_SETTINGS: ManoSettings = {"flat_hand_mean": True, "fix_left_shapedirs": "if needed"}
"""Those of all commands and records: pose zero is the flat hand, the left shapes are mended."""

SHAPE_RANGE = 2.5
"""Betas are standard deviations of the scanned population."""

_SHAPES: dict[str, tuple[int, ...]] = {
    "v_template": (778, 3), "shapedirs": (778, 3, 10), "posedirs": (778, 3, 135),
    "J_regressor": (16, 778), "weights": (778, 16), "f": (1538, 3), "kintree_table": (2, 16),
    "hands_mean": (45,),
}  # fmt: skip
_MANO_PARENTS = (0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)


def load_mano_files(folder: str | Path, *, device: torch.device | str | None = None) -> HandModel:
    """Both MANO hands with `OWN_SETTINGS`, so that poses mean the same everywhere.

    Raises:
        HandModelError: The folder cannot be used.
    """
    return load_mano(folder, **OWN_SETTINGS, device=device)


def load_mano(
    folder: str | Path | tuple[str | Path, str | Path],
    *,
    flat_hand_mean: bool,
    fix_left_shapedirs: bool | Literal["if needed"],
    tip_vertices: tuple[int, ...] = TIP_VERTICES,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> HandModel:
    """Both MANO hands.

    Args:
        folder: where MANO_LEFT.pkl and MANO_RIGHT.pkl are (also in `models/`), or the two files.
        flat_hand_mean: True: pose zero is the flat template (ARCTIC, smplx's flat hand); False: the
            file's mean pose is added to every pose (MANO's and manopth's default).
        fix_left_shapedirs: True: negate the x components of the left shape directions, which the
            official left file has with the right hand's signs; False: take them as they are (data
            sets fitted without the correction); "if needed": negate them unless the file was
            mended already (hands of one's own, where no data set's convention is at stake).
        tip_vertices: vertex of each fingertip, thumb to little finger.
        device: where the tensors go.
        dtype: their floating type.

    Raises:
        HandModelError: if a file is missing, damaged, not MANO, or tries to run code.
    """
    left_path, right_path = _paths(folder)
    left, right = _read(left_path), _read(right_path)
    if len(tip_vertices) != 5 or not all(0 <= index < 778 for index in tip_vertices):
        raise HandModelError(
            f"tip_vertices is {tip_vertices}: give five vertex numbers below 778, thumb first"
        )
    mended = _is_mended(left["shapedirs"], right["shapedirs"])
    if mended and fix_left_shapedirs is True:
        raise HandModelError(
            f"the shape directions in {left_path} are mirrored already: "
            "pass fix_left_shapedirs=False"
        )
    if fix_left_shapedirs and not mended:
        left["shapedirs"] = left["shapedirs"] * np.array([-1.0, 1.0, 1.0])[:, None]
    hands = (left, right)
    mean = np.stack([hand["hands_mean"].reshape(15, 3)[_our_fingers()] for hand in hands])
    model = build_hand_model(
        name=NAME,
        shape_names=tuple(f"beta{i}" for i in range(10)),
        shape_limits=np.tile([-SHAPE_RANGE, SHAPE_RANGE], (10, 1)),
        left=_hand_arrays(left, tip_vertices),
        right=_hand_arrays(right, tip_vertices),
        mean_pose=np.zeros_like(mean) if flat_hand_mean else mean,
    )
    origin = np.stack([(hand["J_regressor"] @ hand["v_template"])[0] for hand in hands])
    directions = np.stack(
        [np.einsum("v,vxs->sx", hand["J_regressor"][0], hand["shapedirs"]) for hand in hands]
    )
    model = replace(
        model,
        template_wrist=torch.from_numpy(origin).float(),
        template_wrist_directions=torch.from_numpy(directions).float(),
    )
    return model.to(device=device, dtype=dtype)


def pose_components(
    folder: str | Path | tuple[str | Path, str | Path],
) -> Float[Tensor, "hand=2 component=45 45"]:
    """Principal components of finger poses, in MANO's order of fingers, the largest first.

    Raises:
        HandModelError: A file is missing, damaged, or not MANO.
    """
    found = []
    for path in _paths(folder):
        value = read_plain_pickle(path).get("hands_components")
        if not isinstance(value, np.ndarray) or value.shape != (45, 45):
            raise HandModelError(f"{path} has no 'hands_components': use the original MANO file")
        found.append(value.astype(np.float64))
    return torch.from_numpy(np.stack(found))


def wrist_pose_from_mano(
    model: HandModel,
    *,
    global_orient: Float[Tensor, "*batch hand=2 3"],
    transl: Float[Tensor, "*batch hand=2 3"],
    shape: Float[Tensor, "*batch hand=2 shape"],
) -> Float[Tensor, "*batch hand=2 4 4"]:
    """`T_object_hand` of MANO's root rotation vector and translation (smplx, ARCTIC, manopth).

    MANO: `x = R (v - J0) + J0 + transl` with the shape's own wrist joint `J0` in the template.
    """
    J0 = _template_wrist(model, shape)
    return rigid(matrix_from_rotvec(global_orient), transl + J0)


def mano_translation(
    model: HandModel,
    *,
    T_object_hand: Float[Tensor, "*batch hand=2 4 4"],
    shape: Float[Tensor, "*batch hand=2 shape"],
) -> Float[Tensor, "*batch hand=2 3"]:
    """MANO's `transl` of our wrist pose: the inverse of `wrist_pose_from_mano`."""
    return T_object_hand[..., :3, 3] - _template_wrist(model, shape)


def _template_wrist(
    model: HandModel, shape: Float[Tensor, "*batch hand=2 shape"]
) -> Float[Tensor, "*batch hand=2 3"]:
    wrist, directions = model.template_wrist, model.template_wrist_directions
    return shaped(wrist[:, None], directions[:, :, None], shape).squeeze(-2)


def _our_fingers() -> list[int]:
    """Index among MANO's 15 finger bones of each of ours."""
    return [bone - 1 for bone in BONES_FROM_MANO[1:]]


def _paths(folder: str | Path | tuple[str | Path, str | Path]) -> tuple[Path, Path]:
    if isinstance(folder, tuple):
        left, right = folder
        return Path(left), Path(right)
    for place in (Path(folder), Path(folder) / "models"):
        left, right = (place / name for name in FILES)
        if left.is_file() and right.is_file():
            return left, right
    raise HandModelError(
        f"no MANO_LEFT.pkl and MANO_RIGHT.pkl in {folder}: download them from mano.is.tue.mpg.de "
        "(registration), or use the open hand, which needs nothing"
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of one file, checked."""
    content = read_plain_pickle(path)
    arrays: dict[str, np.ndarray] = {}
    for key, shape in _SHAPES.items():
        if key not in content:
            raise HandModelError(f"{path} has no '{key}': use the original MANO file")
        value: Any = content[key]
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
            raise HandModelError(f"'{key}' in {path} is no array: use the original MANO file")
        if value.shape != shape:
            raise HandModelError(
                f"'{key}' in {path} has shape {value.shape} instead of {shape}: "
                "use the original MANO file"
            )
        arrays[key] = value.astype(np.float64)
        if not np.isfinite(arrays[key]).all():
            raise HandModelError(f"'{key}' in {path} has NaN or infinity: download it again")
    if tuple(arrays["kintree_table"][0, 1:].astype(int)) != _MANO_PARENTS:
        raise HandModelError(f"{path} has other bones than MANO: use the original MANO file")
    if arrays["f"].min() < 0 or arrays["f"].max() >= 778:
        raise HandModelError(f"faces in {path} name missing vertices: download it again")
    return arrays


def _is_mended(left: Float[np.ndarray, "778 3 10"], right: Float[np.ndarray, "778 3 10"]) -> bool:
    """Whether the left shape directions are the right ones mirrored, as they should be."""
    as_right = np.abs(left[:, 0] - right[:, 0]).sum()
    mirrored = np.abs(left[:, 0] + right[:, 0]).sum()
    return bool(mirrored < as_right)


def _hand_arrays(mano: dict[str, np.ndarray], tip_vertices: tuple[int, ...]) -> HandArrays:
    """MANO's arrays in our orders, origin at the wrist joint."""
    tips = list(tip_vertices)
    order = list(BONES_FROM_MANO)
    regressor = mano["J_regressor"]
    shapedirs = mano["shapedirs"].transpose(2, 0, 1)  # shape vert 3
    vertices = mano["v_template"]
    posedirs = mano["posedirs"].reshape(778, 3, 15, 9)[:, :, _our_fingers()]
    posedirs = posedirs.reshape(778, 3, 135).transpose(2, 0, 1)  # 135 vert 3
    weights = mano["weights"][:, order]

    joints = np.empty((21, 3))
    directions = np.empty((10, 21, 3))
    joints[list(BONE_JOINTS)] = (regressor @ vertices)[order]
    directions[:, list(BONE_JOINTS)] = (regressor @ shapedirs)[:, order]
    joints[list(TIP_JOINTS)], directions[:, list(TIP_JOINTS)] = vertices[tips], shapedirs[:, tips]
    wrist, wrist_directions = joints[0].copy(), directions[:, :1].copy()
    return HandArrays(
        vertices=vertices - wrist,
        joints=joints - wrist,
        vertex_directions=shapedirs - wrist_directions,
        joint_directions=directions - wrist_directions,
        weights=weights,
        tip_weights=weights[tips],
        faces=mano["f"].astype(np.int64),
        pose_directions=posedirs,
        tip_pose_directions=posedirs[:, tips],
    )
