"""GRAB (Taheri et al. 2020): whole bodies with 51 objects, 120 frames a second.

    grab/sX/OBJECT_ACTION_N.npz          hands, body, object; frames
    tools/object_meshes/contact_meshes/OBJECT.ply      metres
    tools/subject_meshes/GENDER/SUBJECT_{l,r}hand.ply  the subject's hand at rest

Hands are `fullpose` (45, axis-angle, from the flat hand) with the root's rotation and translation;
the subject's own template takes the place of betas: the betas whose template is nearest are taken.
An object's vertices are `v @ R + t`: its rotation is the TRANSPOSE of that of its rotation vector.
Both hands are in every file; which of them grasp is found by their distance to the object.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from torch import Tensor

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.clips import Clip
from bghop.data.foreign_files import number_table, read_npz
from bghop.data.mano_numbers import ManoHands
from bghop.errors import DataError
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid

NAME = "grab"
_FILE = re.compile(r"^([a-z0-9]+)_(.+?)(_\d+)?(_Retake)?$")
_SIDES = ("lhand", "rhand")
_VALIDATION, _TEST = ("s9",), ("s10",)


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All sequences, sorted.

    Raises:
        DataError: There are none.
    """
    found = []
    for path in sorted((root / "grab").glob("s*/*.npz")):
        match = _FILE.match(path.stem)
        if match:
            found.append(
                ForeignSequence(
                    key=f"{path.parent.name}/{path.stem}",
                    objects=(match[1],),
                    files={"frames": path, "root": root},
                    facts={"action": match[2].replace("_", " "), "subject": path.parent.name},
                )
            )
    if not found:
        raise DataError(
            f"{root} has no grab/sX/OBJECT_ACTION_N.npz: name the folder that holds GRAB's grab "
            "and tools"
        )
    return found


def read_splits(root: Path, protocol: str) -> dict[str, str]:
    """By subject: s9 for validation, s10 for testing (GrabNet's rule is by object)."""
    del protocol
    by = {**dict.fromkeys(_VALIDATION, "val"), **dict.fromkeys(_TEST, "test")}
    return {each.key: by.get(each.facts["subject"], "train") for each in find_sequences(root)}


def read_object(root: Path, key: str) -> Mesh:
    """The mesh of one object, metres.

    Raises:
        MeshError: The file is missing or cannot be used.
    """
    return load_mesh(root / "tools" / "object_meshes" / "contact_meshes" / f"{key}.ply")


def read_clips(sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """All frames of one sequence.

    Raises:
        DataError: The file is damaged or lacks something.
    """
    path = sequence.files["frames"]
    content = read_npz(path)
    thing = _parameters(content, "object", path)
    rotation = np.asarray(thing.get("global_orient"))
    num = len(rotation) if rotation.ndim == 2 else 0
    turn = number_table(rotation, (num, 3), path, "the object's rotations")
    place = number_table(thing.get("transl"), (num, 3), path, "the object's places")
    columns: dict[str, list[Tensor]] = {"orient": [], "pose": [], "transl": [], "shape": []}
    for side, name in enumerate(_SIDES):
        hand = _parameters(content, name, path)
        for column, key, size in (
            ("orient", "global_orient", 3), ("pose", "fullpose", 45), ("transl", "transl", 3),
        ):  # fmt: skip
            values = number_table(hand.get(key), (num, size), path, f"'{name}.{key}'")
            columns[column].append(values)
        betas, wrist = _subject(sequence.files["root"], content[name].get("vtemp"), mano, side)
        columns["shape"].append(betas.expand(num, 10))
        columns["transl"][side] = columns["transl"][side] + wrist
    hands = mano.hands(
        **{name: torch.stack(both, dim=1) for name, both in columns.items()}, at_wrist=True
    )
    key = sequence.objects[0]
    return [
        Clip(
            source=NAME,
            sequence=sequence.key,
            frame=torch.arange(num),
            object=key,
            split=split,
            text=(f"{sequence.facts['action']} {key}",) * num,
            T_world_object=rigid(matrix_from_rotvec(turn).mT, place),
            joint_value=torch.zeros(num, dtype=torch.float64),
            hands_world=hands,
        )
    ]


def _parameters(content: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    part = content.get(name)
    found = part.get("params") if isinstance(part, dict) else None
    if not isinstance(found, dict):
        raise DataError(f"{path} has no '{name}' with 'params': download it again")
    return found


def _subject(
    root: Path, told: Any, mano: ManoHands, side: int
) -> tuple[Float[Tensor, "10"], Float[Tensor, "3"]]:
    """Betas whose template is nearest to the subject's own, and where its wrist joint is in it.

    Raises:
        DataError: The subject's file is missing or damaged.
    """
    path = root / str(told).removeprefix("/")
    if not path.is_file():
        raise DataError(
            f"{path} is missing, the subject's own hand: download GRAB's tools/subject_meshes"
        )
    try:
        scene = trimesh.load(path, process=False)
        own = torch.from_numpy(np.array(getattr(scene, "vertices", np.zeros((0, 3)))))
    except Exception as error:  # of many kinds
        raise DataError(f"{path} is damaged ({error}): download it again") from error
    rest = mano.model.surface.template[side].double()
    if own.shape != rest.shape or not torch.isfinite(own).all():
        raise DataError(f"{path} has not {len(rest)} vertices of finite numbers: download it again")
    directions = mano.model.surface.shape_directions[side].double()
    # Where the template lies is not a matter of shape: both about their middles.
    wanted = own - rest
    wanted = (wanted - wanted.mean(0)).flatten()
    free = (directions - directions.mean(1, keepdim=True)).flatten(1)
    betas = torch.linalg.lstsq(free.T, wanted[:, None]).solution.squeeze(1)
    fitted = rest + torch.einsum("s,svx->vx", betas, directions)
    return betas, own.mean(0) - fitted.mean(0)


GRAB = Adapter(
    name=NAME,
    protocols=("subjects",),
    flat_hand_mean=True,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=read_splits,
    thing=read_object,
    clips=read_clips,
    frame_rate=120.0,
)
