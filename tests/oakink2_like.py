"""A small data set in exactly OakInk2's format, from the truth of foreign_like.

The annotation is a plain pickle of torch tensors (a leading 1 each) and arrays, by mocap frame.
"""

import json
import pickle

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from foreign_like import NUM, box_file, poses, truth, wrist_in_template

KEY, OTHER, LOST = "O02@0039@00001", "O02@0039@00002", "O07@0001@00001"
SEQUENCE = "scene_01__A001++seq__0f__2023-04-13-18-40-23"
FIRST = 4
"""Number of the first mocap frame."""


def quaternions(rotvecs):
    """Real part first, as tensors of the annotation have them."""
    xyzw = Rotation.from_rotvec(rotvecs.reshape(-1, 3)).as_quat()
    return np.roll(xyzw, 1, axis=-1)


def annotation():
    """What the pickle holds."""
    hands, turn, place = truth()
    frames = [FIRST + k for k in range(NUM)]
    raw = {}
    for k, frame in enumerate(frames):
        raw[frame] = {}
        for prefix, side in (("rh", "right"), ("lh", "left")):
            own = hands[side]
            wrist = wrist_in_template(side, own["shape"])  # manotorch with center_idx=0
            pose = np.concatenate([own["orient"][k], own["pose"][k]])
            raw[frame] |= {
                f"{prefix}__pose_coeffs": torch.tensor(quaternions(pose))[None].float(),
                f"{prefix}__tsl": torch.tensor(own["transl"][k] + wrist)[None].float(),
                f"{prefix}__betas": torch.tensor(own["shape"])[None].float(),
            }
    T = poses(turn, place).astype(np.float32)
    smplx = {frame: {"body_pose": torch.zeros(1, 21, 4)} for frame in frames}
    return {
        "cam_def": {"0": "egocentric"}, "cam_selection": ["egocentric"],
        "frame_id_list": frames[::4], "mocap_frame_id_list": frames,
        "cam_intr": {"egocentric": {frame: np.eye(3) for frame in frames[::4]}},
        "cam_extr": {"egocentric": {frame: np.eye(4) for frame in frames[::4]}},
        "obj_list": [KEY, OTHER],
        "obj_transf": {
            KEY: {frame: T[k] for k, frame in enumerate(frames)},
            OTHER: {frame: np.eye(4) for frame in frames},
        },
        "raw_smplx": smplx, "raw_mano": raw,
    }  # fmt: skip


def write_oakink2(root):
    (root / "anno_preview").mkdir(parents=True)
    (root / "anno_preview" / f"{SEQUENCE}.pkl").write_bytes(pickle.dumps(annotation()))
    last = FIRST + NUM
    steps = {
        f"(({FIRST}, {last - 2}), ({FIRST}, {last}))": {
            "primitive": "pour", "obj_list": [KEY, LOST], "interaction_mode": "bh_main",
            "primitive_lh": "hold", "primitive_rh": "pour", "obj_list_lh": [LOST],
            "obj_list_rh": [KEY],
        },
        f"(None, ({last - 1}, {last}))": {"primitive": "place", "obj_list": [OTHER]},
    }  # fmt: skip
    said = ({"seg_desc": "pour water"}, {"seg_desc": "put it down"})
    words = dict(zip(steps, said, strict=True))
    for name, content in (("program_info", steps), ("desc_info", words)):
        (root / "program" / name).mkdir(parents=True)
        (root / "program" / name / f"{SEQUENCE}.json").write_text(json.dumps(content))
    # The repaired model is taken where there is one.
    box_file(root / "object_raw" / "align_ds" / KEY / "scan.ply", unit=2)
    box_file(root / "object_repair" / "align_ds" / KEY / "model.obj")
    box_file(root / "object_raw" / "align_ds" / OTHER / "scan.ply")
    names = {
        key: {"obj_id": key, "obj_name": name}
        for key, name in ((KEY, "bottle"), (OTHER, "bottle_cap"))
    }
    (root / "object_repair" / "obj_desc.json").write_text(json.dumps(names))
    return root
