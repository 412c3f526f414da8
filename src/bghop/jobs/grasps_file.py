"""The format of `grasps.json` and `interactions.json`: from tensors, and back exactly.

docs/results.md describes every field. Numbers are written with as many digits as their precision
needs, so that what is read equals what was written bit for bit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import ResultError
from bghop.evaluation.metrics import GraspMetrics
from bghop.evaluation.validity import ObjectValidity
from bghop.files import read_json
from bghop.hands.joints import BONE_NAMES, JOINT_NAMES, SIDES
from bghop.hands.model import HandParameters
from bghop.jobs.grasp_hold import HoldRecord
from bghop.jobs.result_folder import GRASPS, KINDS, ResultKind
from bghop.version import __version__

FORMAT_VERSION = 1
_FRAMES = {
    "object": "the mesh file's own frame times scale and unit; p_object = T_object_hand @ p_hand",
    "hand": "origin at the wrist joint; at rest the right fingers point along -x, the palm faces"
    " -y, the thumb lies towards +z; the left hand is its mirror in x = 0",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Grasps:
    """The results of one object, or of one prompt, best first."""

    hands: HandParameters
    """Leading batch: the grasps."""
    joints_object: Float[Tensor, "grasp hand=2 joint=21 3"]
    """Joint positions in metres; NaN for an absent hand."""
    metrics: tuple[GraspMetrics, ...]
    scores: dict[str, Float[Tensor, "grasp"]]
    """What ranked them; `energy` (lower is better) and its terms."""
    header: dict[str, Any]
    """All other fields of the file: object, hand model, seed, options, versions."""
    hold: tuple[HoldRecord, ...] | None = None
    """The hold test of each, or None if it was not asked (`--verify`)."""
    objects: tuple[ObjectValidity, ...] | None = None
    """What each object is like, where every result has one of its own (`INTERACTIONS`)."""
    kind: ResultKind = GRASPS


def grasps_to_json(grasps: Grasps) -> dict[str, Any]:
    """The value of a result file."""
    return {
        "format": grasps.kind.format,
        "format_version": FORMAT_VERSION,
        "bghop_version": __version__,
        "units": {"length": "m", "angle": "rad", "other": "in the name of the field"},
        "frames": _FRAMES,
        "joint_order": list(JOINT_NAMES),
        "pose_order": list(BONE_NAMES[1:]),
        **grasps.header,
        grasps.kind.nouns: [_grasp(grasps, index) for index in range(len(grasps.metrics))],
    }


def read_grasps(path: str | Path) -> Grasps:
    """Reads the results in a folder, or a `grasps.json` or `interactions.json` itself.

    Raises:
        ResultError: Nothing there, not such a file, of a newer format, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        files = [path / kind.result_file for kind in KINDS]
        path = next((file for file in files if file.is_file()), files[0])
    content = read_json(path)
    kinds = {kind.format: kind for kind in KINDS}
    kind = kinds.get(str(content.get("format"))) if isinstance(content, dict) else None
    if kind is None:
        msg = (
            f"{path} is not a {' or '.join(kinds)} file: give a folder that `bghop grasp` or "
            "`bghop sample` has written"
        )
        raise ResultError(msg)
    if content.get("format_version") != FORMAT_VERSION:
        msg = (
            f"{path} has format version {content.get('format_version')}, this bghop reads "
            f"{FORMAT_VERSION}: install the version {content.get('bghop_version')} that wrote it"
        )
        raise ResultError(msg)
    try:
        return _grasps(content, kind)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        msg = f"{path} is damaged ({type(error).__name__}: {error}): run its command again"
        raise ResultError(msg.replace("\n", " ")) from error


def _grasp(grasps: Grasps, index: int) -> dict[str, Any]:
    hold = {} if grasps.hold is None else {"hold": grasps.hold[index].to_json()}
    objects = {} if grasps.objects is None else {"object": grasps.objects[index].to_json()}
    return {
        "rank": index + 1,
        "glb": grasps.kind.scene_file(index),
        "hands": {
            side: _hand(grasps.hands, grasps.joints_object, index, k)
            for k, side in enumerate(SIDES)
        },
        "metrics": {**grasps.metrics[index].to_json(), **objects},
        "scores": {name: _numbers(values[index]) for name, values in grasps.scores.items()},
        **hold,
    }


def _hand(hands: HandParameters, joints: Tensor, index: int, side: int) -> dict[str, Any]:
    if not bool(hands.present[index, side]):
        return {"present": False}
    return {
        "present": True,
        "T_object_hand": _numbers(hands.T_object_hand[index, side]),
        "pose": _numbers(hands.pose[index, side]),
        "shape": _numbers(hands.shape[index, side]),
        "joints_object": _numbers(joints[index, side]),
    }


def _grasps(content: dict[str, Any], kind: ResultKind) -> Grasps:
    num_shape = len(content["hand_model"]["shape_names"])
    absent = {
        "present": False,
        "T_object_hand": np.eye(4),
        "pose": np.zeros((15, 3)),
        "shape": np.zeros(num_shape),
        "joints_object": np.full((21, 3), np.nan),
    }
    entries = content[kind.nouns]
    rows = [
        hand if hand["present"] else absent
        for entry in entries
        for hand in (entry["hands"][side] for side in SIDES)
    ]

    def stack(name: str, *shape: int) -> Tensor:
        array = np.array([row[name] for row in rows], dtype=np.float32)
        return torch.from_numpy(array.reshape(len(entries), 2, *shape))

    names = list(entries[0]["scores"]) if entries else []
    written_here = {"format", "format_version", "bghop_version", "units", "frames"}
    written_here |= {"joint_order", "pose_order", kind.nouns}
    return Grasps(
        hands=HandParameters(
            present=stack("present") > 0,
            T_object_hand=stack("T_object_hand", 4, 4),
            pose=stack("pose", 15, 3),
            shape=stack("shape", num_shape),
        ),
        joints_object=stack("joints_object", 21, 3),
        metrics=tuple(GraspMetrics.from_json(entry["metrics"]) for entry in entries),
        scores={name: torch.tensor([entry["scores"][name] for entry in entries]) for name in names},
        header={key: value for key, value in content.items() if key not in written_here},
        hold=tuple(HoldRecord.from_json(entry["hold"]) for entry in entries)
        if content.get("verified", False)
        else None,
        objects=tuple(ObjectValidity(**entry["metrics"]["object"]) for entry in entries)
        if entries and "object" in entries[0]["metrics"]
        else None,
        kind=kind,
    )


def _numbers(values: Tensor) -> Any:
    """Nested lists of the shortest decimals that give the same float32 back."""
    array = values.detach().to("cpu", torch.float32).numpy()
    shortest = np.array([float(str(value)) for value in array.ravel()], dtype=np.float64)
    return shortest.reshape(array.shape).tolist()
