"""Objects with a joint from URDF and MJCF files. MuJoCo reads them; one joint is what we take.

Shapes that collide make the object; if none does, all shapes.
"""

import re
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
import trimesh

from bghop.errors import MeshError
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.joint import Joint
from bghop.geometry.mesh import Mesh
from bghop.physics.engine import load_mujoco

_Kind = Literal["revolute", "prismatic"]
SUFFIXES = (".urdf", ".xml", ".mjcf")
_ROUND = 32  # sides of a cylinder
_ROBOT = re.compile(r"(<robot\b[^>]*>)")


def read_description(path: Path) -> ArticulatedObject:
    """Parts (all that stays, all that moves) in the frame of the file at joint value 0.

    Raises:
        MeshError: The file cannot be read, has not exactly one joint, or has no shape.
        PhysicsError: MuJoCo is not installed.
    """
    mujoco = load_mujoco("URDF and MJCF files")
    model = _model(mujoco, path)
    kinds: dict[int, _Kind] = {
        int(mujoco.mjtJoint.mjJNT_HINGE): "revolute",
        int(mujoco.mjtJoint.mjJNT_SLIDE): "prismatic",
    }
    found: list[_Kind | None] = [kinds.get(int(number)) for number in model.jnt_type]
    kind = found[0] if len(found) == 1 else None
    if kind is None:
        raise MeshError(
            f"{path} has {len(found)} joints; one hinge or slide is what can be held at an angle: "
            "make the others fixed"
        )
    data = mujoco.MjData(model)
    data.qpos[:] = 0.0
    mujoco.mj_forward(model, data)
    moving = _below(model, int(model.jnt_bodyid[0]))
    parts: tuple[list[Mesh], list[Mesh]] = ([], [])
    for number in _shapes(model):
        mesh = _mesh(mujoco, model, data, number)
        if mesh is not None:
            parts[int(model.geom_bodyid[number]) in moving].append(mesh)
    if not parts[0] or not parts[1]:
        which = "stays" if not parts[0] else "moves"
        raise MeshError(f"{path} has no shape that {which}: give both sides of the joint a geom")
    low, high = map(float, model.jnt_range[0]) if model.jnt_limited[0] else (-np.inf, np.inf)
    axis, origin = map(tuple, (data.xaxis[0].tolist(), data.xanchor[0].tolist()))
    joint = Joint(kind=kind, axis=axis, origin=origin, limits=(low, high), moving=1)
    return ArticulatedObject(
        parts=tuple(Mesh.concatenated(side, name=path.stem) for side in parts),
        joint=joint,
        name=path.stem,
    )


def _model(mujoco: Any, path: Path) -> Any:
    """MuJoCo's model; of a URDF file without shapes that collide, with those that are seen.

    Raises:
        MeshError: The file cannot be read.
    """
    try:
        text = path.read_text(errors="replace") if path.suffix.lower() == ".urdf" else ""
        if "<visual" in text and not ("<collision" in text or "<mujoco" in text):
            return mujoco.MjModel.from_xml_string(_ROBOT.sub(rf"\1{_seen(path)}", text, count=1))
        return mujoco.MjModel.from_xml_path(str(path))
    except (ValueError, OSError) as error:
        lines = str(error).strip().splitlines() or ["no reason given"]
        words = next((line for line in lines if line.startswith("Error")), lines[-1])
        remedy = "correct the file"
        if "package:" in words:
            remedy = "write paths that are relative to the file instead of package://"
        raise MeshError(f"MuJoCo cannot read {path} ({words}): {remedy}") from error


def _seen(path: Path) -> str:
    """What a URDF file says to MuJoCo to keep visual shapes, and links without a mass."""
    folder = escape(path.resolve().parent.as_posix(), {'"': "&quot;"}).replace("\\", r"\\")
    return (
        '<mujoco><compiler discardvisual="false" boundmass="1e-6" boundinertia="1e-9" '
        f'meshdir="{folder}"/></mujoco>'
    )


def _below(model: Any, body: int) -> set[int]:
    """A body and all that hang on it."""
    found = {body}
    for number in range(body + 1, model.nbody):  # parents come first
        if int(model.body_parentid[number]) in found:
            found.add(number)
    return found


def _shapes(model: Any) -> list[int]:
    every = list(range(model.ngeom))
    solid = [k for k in every if model.geom_contype[k] or model.geom_conaffinity[k]]
    return solid or every


def _mesh(mujoco: Any, model: Any, data: Any, number: int) -> Mesh | None:
    """One shape where it is; None for planes and the like."""
    kind, size = int(model.geom_type[number]), model.geom_size[number]
    types = mujoco.mjtGeom
    if kind == int(types.mjGEOM_MESH):
        which = int(model.geom_dataid[number])
        first, count = int(model.mesh_vertadr[which]), int(model.mesh_vertnum[which])
        start, faces = int(model.mesh_faceadr[which]), int(model.mesh_facenum[which])
        vertices = model.mesh_vert[first : first + count].astype(float)
        triangles = model.mesh_face[start : start + faces]
    else:
        make = {
            int(types.mjGEOM_BOX): lambda: trimesh.creation.box(2 * size),
            int(types.mjGEOM_SPHERE): lambda: trimesh.creation.icosphere(3, size[0]),
            int(types.mjGEOM_CYLINDER): lambda: trimesh.creation.cylinder(
                size[0], 2 * size[1], sections=_ROUND
            ),
            int(types.mjGEOM_CAPSULE): lambda: trimesh.creation.capsule(2 * size[1], size[0]),
        }.get(kind)
        if make is None:
            return None
        made = make()
        vertices, triangles = np.asarray(made.vertices), np.asarray(made.faces)
        if kind == int(types.mjGEOM_CAPSULE):  # trimesh's begins at one end
            vertices = vertices - [0, 0, (vertices[:, 2].min() + vertices[:, 2].max()) / 2]
    R = data.geom_xmat[number].reshape(3, 3)
    placed = vertices @ R.T + data.geom_xpos[number]
    return Mesh(vertices=placed, faces=np.asarray(triangles, dtype=np.int64), name="part")
