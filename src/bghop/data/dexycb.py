"""DexYCB (Chao et al. 2021): one hand takes one of twenty objects. One camera's labels are read.

    DATE-SUBJECT/SEQUENCE/meta.yml                       mano_sides, mano_calib, ycb_ids, ...
    DATE-SUBJECT/SEQUENCE/SERIAL/labels_NNNNNN.npz       pose_y (object x 3 x 4), pose_m (1 x 51)
    calibration/mano_CALIB/mano.yml                      betas
    models/NAME/textured_simple.obj                      metres

`pose_m` is 48 numbers of pose, of which 45 are principal components, and a translation; zeros where
there is no hand. Poses count from the mean hand, left shapes were fitted without the sign
correction (dex-ycb-toolkit, issue 28). Hand and objects are in the same camera's frame, and only
where they are to each other counts. Of the toolkit's splits only `s1` (by subject) is here.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from bghop.data.adapter import Adapter, ForeignSequence, looked_at
from bghop.data.clips import Clip
from bghop.data.foreign_files import number_table, read_lines, read_npz
from bghop.data.mano_numbers import ManoHands
from bghop.errors import DataError
from bghop.geometry.loading import load_mesh
from bghop.geometry.mesh import Mesh

NAME = "dexycb"
YCB = (
    "002_master_chef_can", "003_cracker_box", "004_sugar_box", "005_tomato_soup_can",
    "006_mustard_bottle", "007_tuna_fish_can", "008_pudding_box", "009_gelatin_box",
    "010_potted_meat_can", "011_banana", "019_pitcher_base", "021_bleach_cleanser", "024_bowl",
    "025_mug", "035_power_drill", "036_wood_block", "037_scissors", "040_large_marker",
    "051_large_clamp", "052_extra_large_clamp", "061_foam_brick",
)  # fmt: skip
"""Objects; `ycb_ids` count from 1."""
_SIDES = {"left": 0, "right": 1}
_SUBJECTS = {"07": "val", "08": "test", "09": "test"}
"""Split `s1` by the subject's number, as in 20201002-subject-08; all others are for training."""


def words_of(key: str) -> str:
    """`003_cracker_box`: cracker box."""
    return key.split("_", 1)[-1].replace("_", " ")


def find_sequences(root: Path) -> list[ForeignSequence]:
    """All sequences, each with its first camera that has labels.

    Raises:
        DataError: There are none.
    """
    found: list[ForeignSequence] = []
    for meta in sorted(root.glob("*-subject-*/*/meta.yml")):
        cameras = sorted(path for path in meta.parent.iterdir() if path.is_dir())
        labelled = [camera for camera in cameras if any(camera.glob("labels_*.npz"))]
        if labelled:
            key = f"{meta.parent.parent.name}/{meta.parent.name}"
            look = partial(_sequence, key, root, meta, labelled[0])
            found += looked_at(key, {"labels": labelled[0]}, look)
    if not found:
        raise DataError(
            f"{root} has no *-subject-*/*/meta.yml with labels: name the folder that holds "
            "DexYCB's subjects, calibration and models"
        )
    return found


def _sequence(key: str, root: Path, meta: Path, labels: Path) -> ForeignSequence:
    facts = read_simple_yaml(meta)
    try:
        ids = [int(number) for number in _many(facts["ycb_ids"])]
        grasped = int(_one(facts["ycb_grasp_ind"]))
        calib, side = _one(facts["mano_calib"]), _one(facts["mano_sides"])
        name, _ = YCB[ids[grasped] - 1], _SIDES[side]
        frames = int(_one(facts["num_frames"]))
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(f"{meta} lacks or has a wrong {error}: download it again") from error
    betas = root / "calibration" / f"mano_{calib}" / "mano.yml"
    return ForeignSequence(
        key=key, objects=(name,), files={"labels": labels, "betas": betas},
        facts={"place": str(grasped), "side": side, "frames": str(frames)},
    )  # fmt: skip


def read_splits(root: Path, protocol: str) -> dict[str, str]:
    """`s1`: by subject, as in the toolkit."""
    del protocol
    return {
        each.key: _SUBJECTS.get(each.key.split("/")[0].rsplit("-", 1)[1], "train")
        for each in find_sequences(root)
    }


def read_object(root: Path, key: str) -> Mesh:
    """The model of one object, metres.

    Raises:
        MeshError: The file is missing or cannot be used.
    """
    return load_mesh(root / "models" / key / "textured_simple.obj")


def read_clips(sequence: ForeignSequence, mano: ManoHands, split: str) -> list[Clip]:
    """The grasped object and the hand in one camera.

    Raises:
        DataError: A file is missing, damaged, or of another shape.
    """
    labels = sorted(sequence.files["labels"].glob("labels_*.npz"))
    place, side = int(sequence.facts["place"]), _SIDES[sequence.facts["side"]]
    things, rows = [], []
    for path in labels:
        content = read_npz(path)
        poses, hand = np.asarray(content.get("pose_y")), np.asarray(content.get("pose_m"))
        if poses.ndim != 3 or poses.shape[1:] != (3, 4) or place >= len(poses):
            raise DataError(f"{path}: 'pose_y' is not OBJECTS x 3 x 4: download it again")
        things.append(poses[place].reshape(12))
        rows.append(hand.reshape(-1))
    num, folder = len(labels), sequence.files["labels"]
    if num != int(sequence.facts["frames"]):
        raise DataError(
            f"{folder} has labels of {num} frames, meta.yml says {sequence.facts['frames']}: "
            "download it again"
        )
    if len({len(row) for row in rows}) != 1:
        raise DataError(
            f"{folder}: 'pose_m' differs in size from frame to frame: download it again"
        )
    hand = number_table(np.stack(rows), (num, 51), folder, "'pose_m'")
    pose_object = number_table(np.stack(things), (num, 12), folder, "'pose_y'").view(num, 3, 4)
    last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64).expand(num, 1, 4)
    betas = _many(read_simple_yaml(sequence.files["betas"]).get("betas", []))
    shape = number_table(
        np.tile(np.array(betas, dtype=float), (num, 1)), (num, 10), sequence.files["betas"], "betas"
    )

    def both(values: torch.Tensor) -> torch.Tensor:
        """The numbers at the hand's side, zeros at the other."""
        out = values.new_zeros(num, 2, values.shape[-1])
        out[:, side] = values
        return out

    present = torch.zeros(num, 2, dtype=torch.bool)
    present[:, side] = hand.abs().sum(1) > 0
    hands = mano.hands(
        orient=both(hand[:, :3]), pose=mano.pose_of(both(hand[:, 3:48])),
        transl=both(hand[:, 48:]), shape=both(shape), present=present,
    )  # fmt: skip
    key = sequence.objects[0]
    return [
        Clip(
            source=NAME,
            sequence=sequence.key,
            frame=torch.tensor([int(path.stem.split("_")[1]) for path in labels]),
            object=key,
            split=split,
            text=(words_of(key),) * num,
            T_world_object=torch.cat([pose_object, last], dim=1),
            joint_value=torch.zeros(num, dtype=torch.float64),
            hands_world=hands,
        )
    ]


def read_simple_yaml(path: Path) -> dict[str, str | list[str]]:
    """`key: value` and lists of `- value`: all that DexYCB's small files have.

    Raises:
        DataError: It cannot be read.
    """
    found: dict[str, str | list[str]] = {}
    key = ""
    for line in read_lines(path):
        words = line.strip()
        if words.startswith("- "):
            items = found.get(key)
            value = words[2:].strip().strip("'\"")
            found[key] = [*items, value] if isinstance(items, list) else [value]
        elif ":" in words:
            key, _, value = (part.strip() for part in words.partition(":"))
            inline = value.strip("[]")
            is_list = value.startswith("[")
            found[key] = [v.strip() for v in inline.split(",")] if is_list else value.strip("'\"")
    return found


def _many(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _one(value: str | list[str]) -> str:
    return value[0] if isinstance(value, list) else value


DEXYCB = Adapter(
    name=NAME,
    protocols=("s1",),
    flat_hand_mean=False,
    fix_left_shapedirs=False,
    find=find_sequences,
    splits=read_splits,
    thing=read_object,
    clips=read_clips,
    frame_rate=30.0,
)
