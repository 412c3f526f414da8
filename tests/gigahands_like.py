"""A small data set in exactly GigaHands' format, from the truth of foreign_like.

Hands have rows for the frames with either hand, objects have frames of the video; they meet in the
NUM frames of the truth.
"""

import json

import numpy as np
from scipy.spatial.transform import Rotation

from foreign_like import NUM, SIDES, box_file, truth, wrist_in_template, wxyz

SESSION, NUMBER = "p036-tea", 10
KEY = "0_tea/teapot-with-lid/teapot-with-lid.obj"
FRAMES = tuple(3 + 3 * k for k in range(NUM))
"""Frames of the video with both hands and the object."""
ONLY = {"left": (1,), "right": (2, 7)}
"""Frames with one hand and no object."""


def easymocap(own, side, k):
    """`poses`, `Rh`, `Th` of one frame; the root's turn is in both places in odd frames."""
    R = Rotation.from_rotvec(own["orient"][k])
    root = Rotation.from_rotvec([0.3, -0.2, 0.1] if k % 2 else np.zeros(3))
    wrist = wrist_in_template(side, own["shape"])
    Rh = R * root.inv()
    return (
        np.concatenate([root.as_rotvec(), own["pose"][k]]),
        Rh.as_rotvec(),
        own["transl"][k] + wrist - Rh.apply(wrist),
    )


def write_gigahands(root, *, quaternion=True):
    hands, turn, place = truth()
    rng = np.random.default_rng(5)
    union = sorted({*FRAMES, *ONLY["left"], *ONLY["right"]})
    folder = root / "hand_poses" / SESSION
    chosen = folder / "keypoints_3d" / f"{NUMBER:03d}"
    chosen.mkdir(parents=True)
    params = {}
    for side in SIDES:
        own = hands[side]
        rows = [
            easymocap(own, side, FRAMES.index(frame)) if frame in FRAMES
            else (rng.normal(size=48), rng.normal(size=3), rng.normal(size=3))
            for frame in union
        ]  # fmt: skip
        poses, Rh, Th = (np.stack(column).tolist() for column in zip(*rows, strict=True))
        params[side] = {"poses": poses, "Rh": Rh, "Th": Th, "shapes": [own["shape"].tolist()]}
        frames = sorted([*FRAMES, *ONLY[side]])
        (chosen / f"chosen_frames_{side}.json").write_text(json.dumps(frames))
    (folder / "params").mkdir()
    (folder / "params" / f"{NUMBER:03d}.json").write_text(json.dumps(params))
    track = {
        f"{frame:06d}": {
            "mesh_translation": [place[k].tolist()],
            "mesh_rotation": wxyz(turn[k].inv()) if quaternion else turn[k].as_rotvec().tolist(),
        }
        for k, frame in enumerate(FRAMES)
    }
    track["000099"] = {
        "mesh_translation": [[0, 0, 0]],
        "mesh_rotation": track["000003"]["mesh_rotation"],
    }
    for name in ("teapot_with_lid", "cup"):
        pose = root / "object_poses" / "0_tea" / name / f"{SESSION}_{NUMBER:04d}" / "pose"
        pose.mkdir(parents=True)
        (pose / "optimized_pose.json").write_text(json.dumps(track))
    table = root / "object_meta" / "scene_wise" / "0_tea.csv"
    table.parent.mkdir(parents=True)
    table.write_text(
        f"scene,sequence,annotation,{KEY},success,0_tea/cup/cup.obj,success\n"
        f"{SESSION},{NUMBER:03d},,T,T,T,F\n{SESSION},011,,,,,\n"
    )
    box_file(root / "scans_publish" / KEY)
    said = [
        {"clarify_annotation": "Pour tea.", "start_frame_id": 0, "end_frame_id": -1},
        {"clarify_annotation": "Buggy", "start_frame_id": 0, "end_frame_id": 2},
    ]
    lines = [json.dumps({"scene": SESSION, "sequence": f"{NUMBER:03d}", **each}) for each in said]
    (root / "annotations_v2.jsonl").write_text("\n".join(lines))
    return root
