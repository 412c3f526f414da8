"""Small data sets in the exact formats of TACO, DexYCB, HO-3D, H2O-3D, GRAB, from a known truth.

`truth` has hands and an object in one world in MANO's equations (fabricated_mano.forward); each
writer says the same in its data set's own numbers.
"""

import json
import pickle

import numpy as np
import torch
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
    for side, kind in zip(SIDES, (torch.tensor, np.array), strict=True):  # both are seen
        own = hands[side]
        wrist = wrist_in_template(side, own["shape"])  # manopth with center_idx=0
        pose = np.concatenate([own["orient"], own["pose"]], axis=1).astype(np.float32)
        trans = (own["transl"] + wrist).astype(np.float32)
        frames = {
            f"{k + 1:05d}": {"hand_pose": kind(pose[k]), "hand_trans": kind(trans[k])}
            for k in range(NUM)
        }
        (folder / f"{side}_hand.pkl").write_bytes(pickle.dumps(frames))
        shape = {"hand_shape": kind(own["shape"].astype(np.float32))}
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


def write_h2o(root):
    hands, turn, place = truth()
    folder = root / "subject3" / "k1" / "0" / "cam4"
    for name in ("hand_pose_MANO", "obj_pose_RT"):
        (folder / name).mkdir(parents=True)
    for k in range(NUM):
        numbers = []
        for side in SIDES:
            own = hands[side]
            numbers += [1, *own["transl"][k], *own["orient"][k], *own["pose"][k], *own["shape"]]
        words = " ".join(f"{value:.9g}" for value in numbers)
        (folder / "hand_pose_MANO" / f"{k:06d}.txt").write_text(words)
        T = " ".join(f"{value:.9g}" for value in [3, *poses(turn, place)[k].ravel()])
        (folder / "obj_pose_RT" / f"{k:06d}.txt").write_text(T)
    box_file(root / "object" / "lotion" / "lotion.obj")
    return root


def wxyz(turn):
    x, y, z, w = turn.as_quat()
    return [float(value) for value in (w, x, y, z)]


def _first_components(own, side, count=15):
    """Coefficients of the pose that the truth has if only the first components are used."""
    return (own["pose"] @ np.linalg.inv(MANO[side]["hands_components"]))[:, :count]


def cut_pose(own, side, count=15):
    """That pose."""
    return _first_components(own, side, count) @ MANO[side]["hands_components"][:count]


def write_hot3d(root):
    hands, turn, place = truth()
    folder = root / "P0001_10a27bf7"
    folder.mkdir(parents=True)
    lines, rows = [], []
    for k in range(NUM):
        told = {}
        for number, side in enumerate(SIDES):
            own = hands[side]
            orient = Rotation.from_rotvec(own["orient"][k])
            told[str(number)] = {
                "pose": _first_components(own, side)[k].tolist(), "betas": own["shape"].tolist(),
                "wrist_xform": {"t_xyz": own["transl"][k].tolist(), "q_wxyz": wxyz(orient)},
            }  # fmt: skip
        lines.append(json.dumps({"timestamp_ns": 1000 + k, "hand_poses": told}))
        numbers = [*place[k], *wxyz(turn[k])]
        rows.append(",".join(["194930206998778", str(1000 + k), *map(repr, map(float, numbers))]))
    rows.append("194930206998778,9999,0,0,0,1,0,0,0")  # a time at which no hand is known
    # Times that failed the inspection: hands and object are anywhere.
    for time in (900, 901, 902):
        lines.append(json.dumps({"timestamp_ns": time, "hand_poses": told}))
        rows.append(f"194930206998778,{time},0,0,0,1,0,0,0")
    cameras = ("1201-1", "214-1")
    masks = [f"{1000 + k},{camera},True" for k in range(NUM) for camera in cameras]
    masks += [f"900,{camera},False" for camera in cameras]
    masks += ["901,1201-1,True", "901,214-1,False"]  # of 902 nothing is said
    (folder / "masks").mkdir()
    (folder / "masks" / "mask_qa_pass.csv").write_text(
        "\n".join(["timestamp[ns],stream_id,mask", *masks])
    )
    head = "object_uid,timestamp[ns],t_wo_x[m],t_wo_y[m],t_wo_z[m],q_wo_w,q_wo_x,q_wo_y,q_wo_z"
    (folder / "mano_hand_pose_trajectory.jsonl").write_text("\n".join(lines))
    (folder / "dynamic_objects.csv").write_text("\n".join([head, *rows]))
    box_file(root / "assets" / "194930206998778.glb")
    names = {
        "194930206998778": {
            "instance_name": "mug_white", "instance_type": "object", "motion_type": "dynamic",
        }
    }  # fmt: skip
    (root / "assets" / "instance.json").write_text(json.dumps(names))
    return root


def write_contactpose(root):
    """One file a frame of the truth: each is a participant."""
    hands, turn, place = truth()
    for k in range(NUM):
        folder = root / "contactpose_data" / f"full{k + 1}_use" / "mug"
        folder.mkdir(parents=True)
        fits = []
        for side in SIDES:
            own = hands[side]
            # Model frame: root rotation but no translation; mTc: object -> model.
            T = np.linalg.inv(poses(turn, place)[k])
            T[:3, 3] += T[:3, :3] @ own["transl"][k]
            T = np.linalg.inv(T)
            fits.append({
                "pose": [*own["orient"][k], *_first_components(own, side)[k]],
                "betas": own["shape"].tolist(), "valid": True,
                "mTc": {"translation": T[:3, 3].tolist(),
                        "rotation": wxyz(Rotation.from_matrix(T[:3, :3]))},
            })  # fmt: skip
        (folder / "mano_fits_15.json").write_text(json.dumps(fits))
        box_file(folder / "mug.ply")
    return root
