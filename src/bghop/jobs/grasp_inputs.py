"""What a grasp job reads: the object's file, the hand model, the device."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bghop.devices import choose_device
from bghop.errors import MeshError, OptionError
from bghop.files import reason
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.joint import Joint
from bghop.geometry.loading import UNITS, load_mesh, validate_mesh
from bghop.geometry.mesh import Mesh, MeshWarning
from bghop.geometry.shapes import casserole, mug
from bghop.hands.mano import load_mano_files
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.checkpoints import checkpoint_hash
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.grasps_file import FORMAT_VERSION
from bghop.jobs.joint_option import parse_at, parse_joint
from bghop.jobs.result_folder import job_identity
from bghop.physics.description import SUFFIXES, read_description
from bghop.physics.settings import HoldSettings

BUILT_IN: dict[str, Callable[[], Mesh]] = {"casserole": casserole, "mug": mug}
"""Example objects that need no file."""
HOLD_SETTINGS = HoldSettings()
"""Of every hold test that a job runs: the definition."""
_FAR_HINGE = 0.1
"""Of the object's diagonal."""


@dataclass(frozen=True, kw_only=True)
class ObjectInput:
    """One object of a job, before its mesh is read."""

    source: str
    """As the user wrote it: a file, or the name of a built-in object."""
    name: str
    sha256: str
    """Hash of the file's bytes, or of a built-in object's vertices."""
    built_in: bool = False
    parts: tuple[str, ...] = ()
    """Files of what stays and of what moves, if the object is given so."""

    @property
    def described(self) -> bool:
        """Whether the file is a URDF or MJCF, which may have a joint."""
        return not self.parts and Path(self.source).suffix.lower() in SUFFIXES


def find_objects(job: GraspJob) -> list[ObjectInput]:
    """The objects of a job, before their meshes are read.

    Raises:
        MeshError: A file is not there.
    """
    return [find_parts(job.parts)] if job.parts else [find_object(each) for each in job.meshes]


def find_parts(parts: Sequence[str]) -> ObjectInput:
    """An object of several files.

    Raises:
        MeshError: One is not there.
    """
    files = [find_object(name) for side in parts for name in side.split(",")]
    sha256 = hashlib.sha256("".join([*(each.sha256 for each in files), *parts]).encode())
    return ObjectInput(
        source=" ".join(parts), name=files[0].name, sha256=sha256.hexdigest(), parts=tuple(parts)
    )


def find_object(source: str) -> ObjectInput:
    """Reads a file's bytes only: enough to know whether its results are there already.

    Raises:
        MeshError: There is neither such a file nor such a built-in object, or it cannot be read.
    """
    path = Path(source)
    if source in BUILT_IN and not path.is_file():
        sha256 = hashlib.sha256(BUILT_IN[source]().vertices.tobytes()).hexdigest()
        return ObjectInput(source=source, name=source, sha256=sha256, built_in=True)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        built_in = ", ".join(BUILT_IN)
        msg = f"{source} does not exist: check the path of the mesh file (built in: {built_in})"
    except IsADirectoryError:
        msg = f"{source} is a folder: name a mesh file in it"
    except (OSError, ValueError) as error:
        words = reason(error) if isinstance(error, OSError) else str(error)
        msg = f"cannot read {source} ({words}): check the path and its permissions"
    else:
        return ObjectInput(source=source, name=path.stem or path.name, sha256=sha256)
    raise MeshError(msg)


def load_object(job: GraspJob, item: ObjectInput) -> Mesh:
    """The mesh of one object, in metres.

    Raises:
        MeshError: The file or its mesh cannot be used.
        OptionError: A unit is given for a built-in object, or a joint value for a plain mesh.
    """
    if item.parts or item.described:
        return _at(job, item)
    if job.at:
        raise OptionError(
            f"--at {job.at} needs a joint and {item.source} has none: leave it out, or give "
            "--parts and --joint"
        )
    if not item.built_in:
        return load_mesh(item.source, scale=job.scale, unit=job.unit)
    if job.unit != "m":
        msg = f"--unit {job.unit} does not fit {item.source}: built-in objects are in metres"
        raise OptionError(f"{msg}, use --scale to resize them")
    mesh = BUILT_IN[item.source]().scaled(job.scale)
    validate_mesh(mesh, scale=job.scale)
    return mesh


def _at(job: GraspJob, item: ObjectInput) -> Mesh:
    """An object with a joint, at the joint value that the job says."""
    factor = job.scale * UNITS[job.unit]
    notes: list[MeshWarning] = []
    if item.parts:
        told = parse_joint(job.joint)
        value = parse_at(job.at or "0", told.kind)
        sides = [
            Mesh.concatenated(
                [
                    load_mesh(name, scale=job.scale, unit=job.unit, part=True)
                    for name in side.split(",")
                ],
                name=item.name,
            )
            for side in item.parts
        ]
        x, y, z = told.origin
        kind = "prismatic" if told.kind == "prismatic" else "revolute"
        joint = Joint(
            kind=kind, axis=told.axis, origin=(x * factor, y * factor, z * factor),
            limits=(-math.inf, math.inf), moving=1,
        )  # fmt: skip
        thing = ArticulatedObject(parts=tuple(sides), joint=joint, name=item.name)
        notes = far_from_axis(thing)
    else:
        thing = read_description(Path(item.source))
        value = parse_at(job.at or "0", thing.joint.kind)
        _check_limits(job.at, value, thing.joint, item.source)
        thing = thing.scaled(factor)
    mesh = thing.mesh(value * factor if thing.joint.kind == "prismatic" else value)
    found = validate_mesh(mesh, unit=job.unit, scale=job.scale)
    return replace(mesh, warnings=(*mesh.warnings, *found, *notes))


def _check_limits(words: str, value: float, joint: Joint, source: str) -> None:
    low, high = joint.limits
    if words and not low - 1e-6 <= value <= high + 1e-6:
        unit = "radians" if joint.kind == "revolute" else "in the file's unit"
        raise OptionError(
            f"--at {words} is outside the limits of the joint in {source}: use {low:.4g} to "
            f"{high:.4g} ({unit})"
        )


def far_from_axis(thing: ArticulatedObject) -> list[MeshWarning]:
    """A word of warning if a hinge is far from a part: its files may have frames of their own."""
    if thing.joint.kind != "revolute":
        return []
    size = thing.mesh(0.0).diagonal
    axis = np.array(thing.joint.axis) / np.linalg.norm(thing.joint.axis)
    line = np.array(thing.joint.origin) + np.linspace(-2 * size, 2 * size, 801)[:, None] * axis
    found = []
    for part, word in zip(thing.parts, ("stays", "moves"), strict=True):
        low, high = part.bounds
        away = np.linalg.norm(line - line.clip(low, high), axis=1).min()
        if away > _FAR_HINGE * size:
            found.append(
                MeshWarning(
                    kind="joint",
                    message=f"the joint's axis passes {100 * away:.0f} cm from what {word}: are "
                    "all parts in one frame, as they are at joint value 0?",
                )
            )
    return found


def settings_of(job: GraspJob, item: ObjectInput) -> dict[str, Any]:
    """Whatever decides an object's results: equal settings, equal results."""
    # Only if asked for: results without a hold test keep the identity that they always had.
    verify = {"hold_test": asdict(HOLD_SETTINGS), "strips": job.strips} if job.verified else {}
    learned = {}
    if job.prior_folder is not None:
        learned = {
            "checkpoint": checkpoint_hash(job.prior_folder),
            "refine": job.refine,
            "progress_strip": list(job.progress_strip),
        }
    jointed = {"joint": job.joint, "at": job.at} if job.joint or job.at else {}
    return {
        "format_version": FORMAT_VERSION,
        "object_sha256": item.sha256,
        **jointed,
        "scale": job.scale,
        "unit": job.unit,
        "num": job.num,
        "text": job.text,
        "seed": job.seed,
        "method": job.method,
        "steps": job.steps,
        "up": up_of(job, item),
        "hand_model": "open" if job.mano is None else "mano",
        **verify,
        **learned,
    }


def up_of(job: GraspJob, item: ObjectInput) -> str:
    """The axis against gravity of one object: `auto` resolved by the kind of file."""
    if job.up != "auto":
        return job.up
    is_gltf = not item.built_in and Path(item.source).suffix.lower() in {".glb", ".gltf"}
    return "y" if is_gltf else "z"


def identity_of(job: GraspJob, item: ObjectInput) -> str:
    """Hash of `settings_of`."""
    return job_identity(settings_of(job, item))


def load_hands(job: GraspJob) -> HandModel:
    """The hand model of a job on its device.

    Raises:
        HandModelError: The MANO folder cannot be used.
        OptionError: The device is not there.
    """
    device = choose_device(job.device)
    if job.mano is None:
        return load_open_hand(device=device)
    return load_mano_files(job.mano, device=device)
