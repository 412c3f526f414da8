"""HOI4D's objects of two parts: what moves about what, and how far it is open in each frame.

    articulated/CATEGORY/NNN/objs/NAME.obj          a part in the object's frame, metres
    articulated/CATEGORY/NNN/objs/NAME-align.obj    the same in the frame that its pose is told in
    articulated/CATEGORY/NNN/result.json            tree of named parts, leaves with their `objs`
    articulated/CATEGORY/NNN/mobility_v2.json       of each part: joint, parent, jointData

The annotation of a frame is a list of part poses; which entry is which part is not said
(HOI4D-Instructions, issue 30) and differs between categories. It is found: with the right order the
joint explains how the parts stand to each other in every frame, with the other it does not.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.data.foreign_files import read_json_file
from bghop.data.obj_file import read_obj
from bghop.errors import DataError
from bghop.fields.rigid_fit import fit_rigid
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.joint import Joint
from bghop.geometry.loading import load_mesh
from bghop.geometry.transforms import invert_rigid, rigid, transform_points

_Kind = Literal["revolute", "prismatic"]
# PartNet's annotation tool in Chinese (as released) and in English.
_KINDS: dict[str, _Kind] = {
    "铰链": "revolute", "hinge": "revolute", "滑动": "prismatic", "slider": "prismatic",
}  # fmt: skip
_ALIGNED = 0.001
"""Metres by which the two files of a part may differ after the best rigid motion."""
_FITS = 0.02
"""Metres by which a part may be off from where the joint could have it."""
_POINTS = 64
"""Vertices of a part that stand for all, about."""
_CLEAR = 2.0
"""Times that the other order must fit worse."""


@dataclass(frozen=True, kw_only=True)
class TwoParts:
    """Files and joint of an object: the base is part 0, what moves is part 1."""

    folder: Path
    names: tuple[str, str]
    """Of their meshes."""
    joint: Joint


@cache
def read_two_parts(folder: Path) -> TwoParts | None:
    """The joint of an object in a folder; None if it has not exactly two parts and one joint.

    Raises:
        DataError: A file is missing or damaged.
    """
    path = folder / "mobility_v2.json"
    parts, leaves = read_json_file(path), _leaves(read_json_file(folder / "result.json"))
    try:
        kinds: list[_Kind | None] = [_kind(part) for part in parts]
        meshes = [leaves.get(str(part["name"]), []) for part in parts]
        moving = [number for number, kind in enumerate(kinds) if kind is not None]
        if len(parts) != 2 or len(moving) != 1 or [len(names) for names in meshes] != [1, 1]:
            return None
        kind: _Kind = kinds[moving[0]] or "revolute"
        told = parts[moving[0]]["jointData"]
        origin, axis = (
            tuple(float(x) for x in told["axis"][word]) for word in ("origin", "direction")
        )
        # The sign of the limits is not confirmed: both are allowed. Nothing depends on them.
        widest = max(abs(float(told["limit"][word])) for word in ("a", "b"))
        if len(origin) != 3 or len(axis) != 3 or not any(axis):
            raise ValueError("axis")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} has a wrong {error}: download the CAD models again") from error
    widest = float(np.radians(widest)) if kind == "revolute" else widest
    return TwoParts(
        folder=folder,
        names=(meshes[1 - moving[0]][0], meshes[moving[0]][0]),
        joint=Joint(kind=kind, axis=axis, origin=origin, limits=(-widest, widest), moving=1),
    )


def articulated(parts: TwoParts) -> ArticulatedObject:
    """Both meshes in the object's frame, and the joint.

    Raises:
        MeshError: A mesh is missing or cannot be used.
    """
    meshes = tuple(
        load_mesh(parts.folder / "objs" / f"{name}.obj", part=True) for name in parts.names
    )
    return ArticulatedObject(parts=meshes, joint=parts.joint, name=parts.folder.name)


def pose_and_value(
    parts: TwoParts, T_world_entry: Float[Tensor, "frame entry=2 4 4"]
) -> tuple[Float[Tensor, "frame 4 4"], Float[Tensor, "frame"], Bool[Tensor, "frame"]]:
    """Where the object is, how far it is open, and which frames the joint explains.

    Args:
        parts: of the object.
        T_world_entry: poses of the two entries of the annotation.

    Returns:
        `T_world_object` of the base, values of the joint (radians or metres), and frames in which
        the moving part is within 2 cm of where the joint has it; none if both orders of the
        entries fit about equally well.

    Raises:
        DataError: A mesh is missing, or its two files are not the same part.
    """
    (T_base, _), (T_moving, points) = (_alignment(parts.folder, name) for name in parts.names)
    points = points.expand(len(T_world_entry), -1, -1)
    tried = []
    for base in range(2):
        T_world_object = T_world_entry[:, base] @ T_base
        T_object_part = invert_rigid(T_world_object) @ T_world_entry[:, 1 - base] @ T_moving
        value = joint_value(parts.joint, T_object_part, points)
        told = transform_points(T_object_part, points)
        off = told - transform_points(parts.joint.T_object_part(value), points)
        tried.append((off.square().sum(-1).mean(-1).sqrt(), T_world_object, value))
    tried.sort(key=lambda each: float(each[0].median()))
    (away, T, value), (other, _, _) = tried
    is_clear = float(other.median()) > _CLEAR * float(away.median())
    return T, value, (away < _FITS) & is_clear


def joint_value(
    joint: Joint,
    T_object_part: Float[Tensor, "frame 4 4"],
    points: Float[Tensor, "frame point 3"],
) -> Float[Tensor, "frame"]:
    """The value at which the joint's motion is nearest to one that is given.

    Args:
        joint: of the object.
        T_object_part: motions of the part from where it is at 0.
        points: of the part at 0, object frame; they say where a sliding part is.
    """
    axis = torch.nn.functional.normalize(T_object_part.new_tensor(joint.axis), dim=-1)
    if joint.kind == "prismatic":
        return (transform_points(T_object_part, points) - points).mean(1) @ axis
    # The angle that maximises the trace of R(angle)^T R.
    R = T_object_part[:, :3, :3]
    twist = torch.stack(
        [R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]], dim=-1
    )
    return torch.atan2(twist @ axis, R.diagonal(dim1=1, dim2=2).sum(-1) - (R @ axis) @ axis)


@cache
def _alignment(folder: Path, name: str) -> tuple[Float[Tensor, "4 4"], Float[Tensor, "point 3"]]:
    """`T_aligned_object` of a part, and some of its vertices in the object's frame."""
    own, told = folder / "objs" / f"{name}.obj", folder / "objs" / f"{name}-align.obj"
    points, aligned = (torch.from_numpy(read_obj(path)[0]) for path in (own, told))
    if points.shape != aligned.shape:
        raise DataError(f"{told} has other vertices than {own.name}: download the CAD models again")
    R, t = fit_rigid(points, aligned, points.new_ones(len(points)))
    if float((points @ R.mT + t - aligned).norm(dim=-1).max()) > _ALIGNED:
        raise DataError(f"{told} is not {own.name} moved: download the CAD models again")
    return rigid(R, t), points[:: max(1, len(points) // _POINTS)]


def _kind(part: Any) -> _Kind | None:
    """Of the joint of one entry, None where it stands still."""
    word = str(part["joint"])
    return next((kind for start, kind in _KINDS.items() if word.startswith(start)), None)


def _leaves(nodes: Any) -> dict[str, list[str]]:
    """Meshes of the named parts of a tree."""
    found: dict[str, list[str]] = {}
    for node in nodes if isinstance(nodes, list) else []:
        if isinstance(node, dict):
            if isinstance(node.get("objs"), list):
                found[str(node.get("name"))] = [str(each) for each in node["objs"]]
            found |= _leaves(node.get("children"))
    return found
