"""Small data sets in the exact formats of TACO, DexYCB, HO-3D, H2O-3D, GRAB, from a known truth.

`truth` has hands and an object in one world in MANO's equations (fabricated_mano.forward); each
writer says the same in its data set's own numbers.
"""

import pickle

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from arctic_like import MANO

NUM = 6
SIDES = ("left", "right")


def truth(seed=0):
    rng = np.random.default_rng(seed)
    hands = {
        side: {
            "orient": rng.normal(size=(NUM, 3)), "pose": 0.3 * rng.normal(size=(NUM, 45)),
            "transl": 0.2 * rng.normal(size=(NUM, 3)), "shape": rng.normal(size=10),
        }
        for side in SIDES
    }  # fmt: skip
    turn = Rotation.from_rotvec(rng.normal(size=(NUM, 3)))
    return hands, turn, 0.3 * rng.normal(size=(NUM, 3))


def wrist_in_template(side, shape):
    arrays = MANO[side]
    return (arrays["J_regressor"] @ (arrays["v_template"] + arrays["shapedirs"] @ shape))[0]


def poses(turn, place):
    T = np.tile(np.eye(4), (NUM, 1, 1))
    T[:, :3, :3], T[:, :3, 3] = turn.as_matrix(), place
    return T


def box_file(path, unit=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    box = trimesh.creation.box((0.10, 0.12, 0.08))
    box.apply_scale(unit)
    box.export(path)


def write_taco(root):
    hands, turn, place = truth()
    triple, name = "(brush, brush, plate)", "20230919_001"
    folder = root / "Hand_Poses" / triple / name
    folder.mkdir(parents=True)
    for side in SIDES:
        own = hands[side]
        wrist = wrist_in_template(side, own["shape"])  # manopth with center_idx=0
        frames = {
            f"{k:05d}": {
                "hand_pose": np.concatenate([own["orient"][k], own["pose"][k]]).astype(np.float32),
                "hand_trans": (own["transl"][k] + wrist).astype(np.float32),
            }
            for k in range(NUM)
        }
        (folder / f"{side}_hand.pkl").write_bytes(pickle.dumps(frames))
        shape = {"hand_shape": own["shape"].astype(np.float32)}
        (folder / f"{side}_hand_shape.pkl").write_bytes(pickle.dumps(shape))
    things = root / "Object_Poses" / triple / name
    things.mkdir(parents=True)
    np.save(things / "tool_009.npy", poses(turn, place))
    np.save(things / "target_104.npy", np.tile(np.eye(4), (NUM, 1, 1)))
    for key in ("009", "104"):
        box_file(root / "Object_Models" / f"{key}_cm.obj", unit=100)
    return root


def write_dexycb(root):
    hands, turn, place = truth()
    side, own = "right", hands["right"]
    folder = root / "20200709-subject-01" / "20200709_141754"
    camera = folder / "836212060125"
    camera.mkdir(parents=True)
    (folder / "meta.yml").write_text(
        "serials:\n- '836212060125'\nnum_frames: 6\nmano_sides:\n- right\n"
        "mano_calib:\n- 20200514-subject-01\nycb_ids:\n- 2\n- 3\nycb_grasp_ind: 1\n"
    )
    coefficients = own["pose"] @ np.linalg.inv(MANO[side]["hands_components"])
    for k in range(NUM):
        pose_y = np.stack([np.eye(4)[:3], poses(turn, place)[k, :3]]).astype(np.float32)
        row = np.concatenate([own["orient"][k], coefficients[k], own["transl"][k]])
        np.savez(
            camera / f"labels_{k:06d}.npz", pose_y=pose_y,
            pose_m=(row * (k != 2))[None].astype(np.float32), seg=np.zeros((4, 4), np.uint8),
        )  # fmt: skip
    calibration = root / "calibration" / "mano_20200514-subject-01"
    calibration.mkdir(parents=True)
    betas = "\n".join(f"- {value!r}" for value in own["shape"].tolist())
    (calibration / "mano.yml").write_text(f"betas:\n{betas}\n")
    box_file(root / "models" / "004_sugar_box" / "textured_simple.obj")
    return root


def write_ho3d(root, *, two_hands=False):
    hands, turn, place = truth()
    meta = root / "train" / "MC1" / "meta"
    meta.mkdir(parents=True)
    for k in range(NUM):
        content = {
            "objName": "003_cracker_box", "objLabel": 2, "camMat": np.eye(3),
            "objRot": turn[k].as_rotvec().reshape(3, 1), "objTrans": place[k],
        }  # fmt: skip
        for side in SIDES if two_hands else ("right",):
            own, word = hands[side], f"{side}Hand" if two_hands else "hand"
            content[f"{word}Pose"] = np.concatenate([own["orient"][k], own["pose"][k]])
            content[f"{word}Trans"] = own["transl"][k]
            content[f"{word}Beta"] = own["shape"]
        (meta / f"{k:04d}.pkl").write_bytes(pickle.dumps(content, protocol=2))
    withheld = root / "evaluation" / "SM1" / "meta"
    withheld.mkdir(parents=True)
    content = {"objName": "006_mustard_bottle", "handPose": None, "handTrans": None,
               "objRot": np.zeros((3, 1)), "objTrans": np.zeros(3)}  # fmt: skip
    (withheld / "0000.pkl").write_bytes(pickle.dumps(content, protocol=2))
    box_file(root / "models" / "003_cracker_box" / "textured_simple.obj")
    box_file(root / "models" / "006_mustard_bottle" / "textured_simple.obj")
    return root


def write_h2o3d(root):
    return write_ho3d(root, two_hands=True)


def write_grab(root):
    hands, turn, place = truth()
    folder = root / "grab" / "s1"
    folder.mkdir(parents=True)
    parts = {}
    for side, name in (("left", "lhand"), ("right", "rhand")):
        own = hands[side]
        mesh = f"tools/subject_meshes/male/s1_{name}.ply"
        vertices = MANO[side]["v_template"] + MANO[side]["shapedirs"] @ own["shape"]
        (root / mesh).parent.mkdir(parents=True, exist_ok=True)
        trimesh.Trimesh(vertices, MANO[side]["f"].astype(int), process=False).export(root / mesh)
        parts[name] = {
            "params": {
                "global_orient": own["orient"].astype(np.float32),
                "hand_pose": np.zeros((NUM, 24), np.float32),
                "transl": own["transl"].astype(np.float32),
                "fullpose": own["pose"].astype(np.float32),
            },
            "vtemp": mesh,
        }
    thing = {
        # Vertices are v @ R + t.
        "params": {"global_orient": turn.inv().as_rotvec(), "transl": place},
        "object_mesh": "tools/object_meshes/contact_meshes/mug.ply",
    }
    np.savez(
        folder / "mug_drink_1.npz", gender="male", sbj_id="s1", obj_name="mug", n_comps=24,
        n_frames=NUM, framerate=120.0, motion_intent="use", body={"params": {}, "vtemp": ""},
        object=thing, **parts,
    )  # fmt: skip
    box_file(root / "tools" / "object_meshes" / "contact_meshes" / "mug.ply")
    return root
