"""A small data set in exactly HOI4D's format, from the truth of foreign_like: a mug and a laptop.

The laptop has two parts with frames of their own; its annotation names the screen first, the base
after it, and the CAD files count the other way.
"""

import json
import pickle

import numpy as np
from scipy.spatial.transform import Rotation

from arctic_like import cuboid, write_obj
from foreign_like import NUM, box_file, poses, truth

MUG, LAPTOP = "ZY20210800001/H1/C2/N1/S260/s01/T1", "ZY20210800002/H2/C3/N07/S54/s5/T2"
ORIGIN, AXIS = np.array([-0.1, 0.02, 0.0]), np.array([0.0, 0.0, 2.0])
"""A point on the laptop's hinge in its own frame, and the direction."""
ANGLES = np.linspace(-0.4, 1.2, NUM)
PARTS = {
    "new-1": cuboid((-0.1, 0.0, -0.15), (0.1, 0.02, 0.15)),
    "new-0": cuboid((-0.1, 0.02, -0.15), (0.1, 0.03, 0.15)),
}
"""Base and screen, shut."""
NO_SCREEN = NUM
"""A frame whose annotation has one part only."""


def entry(label, T):
    x, y, z = Rotation.from_matrix(T[:3, :3]).as_euler("XYZ")
    place = dict(zip("xyz", T[:3, 3].tolist(), strict=True))
    return {
        "id": 1, "label": label, "2dBox": {"camera1": []}, "center": place,
        "dimensions": {"height": 0.1, "length": 0.1, "width": 0.1},
        "rotation": {"x": x, "y": y, "z": z}, "properties": {},
    }  # fmt: skip


def write_frames(root, place, entries):
    """Right hands of the truth and annotations with some entries a frame."""
    own = truth()[0]["right"]
    hands = root / "handpose" / "refinehandpose_right" / place
    things = root / "HOI4D_annotations" / place / "objpose"
    hands.mkdir(parents=True)
    things.mkdir(parents=True)
    for frame, told in enumerate(entries):
        content = {"frameId": frame, "filePath": "", "isEffective": 1, "dataList": told}
        (things / f"{frame:05d}.json").write_text(json.dumps(content))
        k = min(frame, NUM - 1)
        hand = {
            "poseCoeff": np.concatenate([own["orient"][k], own["pose"][k]]).astype(np.float32),
            "beta": own["shape"].astype(np.float32), "trans": own["transl"][k].astype(np.float32),
            "kps2D": np.zeros((21, 2)),
        }  # fmt: skip
        (hands / f"{frame}.pickle").write_bytes(pickle.dumps(hand, protocol=2))


def screen_motion(angle):
    """Of the screen's points, in the laptop's frame."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec(angle * AXIS / np.linalg.norm(AXIS)).as_matrix()
    T[:3, 3] = ORIGIN - T[:3, :3] @ ORIGIN
    return T


def write_laptop(root):
    folder = root / "HOI4D_CAD_Model_for_release" / "articulated" / "Laptop" / "007"
    (folder / "objs").mkdir(parents=True)
    T_laptop = poses(*truth()[1:])
    entries = [[] for _ in range(NUM)]
    rng = np.random.default_rng(3)
    for name, label in (("new-0", "Laptopdisplay"), ("new-1", "Laptopkeyboard")):
        vertices, faces = PARTS[name]
        T_aligned = np.eye(4)
        T_aligned[:3, :3] = Rotation.from_rotvec(rng.normal(size=3)).as_matrix()
        T_aligned[:3, 3] = 0.1 * rng.normal(size=3)
        write_obj(folder / "objs" / f"{name}.obj", vertices, faces)
        moved = vertices @ T_aligned[:3, :3].T + T_aligned[:3, 3]
        write_obj(folder / "objs" / f"{name}-align.obj", moved, faces)
        for k in range(NUM):
            motion = screen_motion(ANGLES[k]) if name == "new-0" else np.eye(4)
            entries[k].append(entry(label, T_laptop[k] @ motion @ np.linalg.inv(T_aligned)))
    entries[2].reverse()  # the order is not the same in every file
    entries.append(entries[0][1:])
    write_frames(root, LAPTOP, entries)
    tree = [{"id": 0, "name": "laptop", "text": "Laptop", "children": [
        {"id": 1, "name": "screen_frame", "text": "Screen", "objs": ["new-0"]},
        {"id": 2, "name": "base_frame", "text": "Base", "objs": ["new-1"]},
    ]}]  # fmt: skip
    joint = {
        "axis": {"origin": ORIGIN.tolist(), "direction": AXIS.tolist()},
        "limit": {"a": 0, "b": -135, "noLimit": False},
    }
    mobility = [
        {"id": 0, "parent": 1, "joint": "铰链（旋转）", "name": "screen_frame", "jointData": joint},
        {"id": 1, "parent": -1, "joint": "自由", "name": "base_frame", "jointData": {}},
    ]
    (folder / "result.json").write_text(json.dumps(tree))
    (folder / "mobility_v2.json").write_text(json.dumps(mobility))


def write_hoi4d(root):
    mug = [[entry("Watercup", T)] for T in poses(*truth()[1:])]
    write_frames(root, MUG, mug)
    (root / "handpose" / "refinehandpose_right" / MUG / "2.json").write_text("")
    box_file(root / "HOI4D_CAD_Model_for_release" / "rigid" / "Mug" / "001.obj")
    write_laptop(root)
    return root
