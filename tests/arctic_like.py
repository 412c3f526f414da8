"""A small data set in exactly ARCTIC's format, from a known truth.

Two hinged boxes of millimetres, two subjects, hands in MANO's own numbers: axis-angle in MANO's
order relative to the mean hand, translations in metres, the object's in millimetres.
"""

import json

import numpy as np
from scipy.spatial.transform import Rotation

from bghop.data.arctic import TEXTS
from fabricated_mano import mano_arrays, write_mano

NUM = 12
SEQUENCES = ("s01/box_grab_01", "s01/laptop_use_02", "s05/box_use_01")
MANO = {side: mano_arrays(side) for side in ("left", "right")}


def cuboid(low, high):
    """Corners and outward triangles, in the unit of the corners."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]
    return np.array(low) + corners * (np.array(high) - np.array(low)), np.array(faces)


def parts_mm(size):
    """Bottom and lid of a box of one size, millimetres; the hinge is the z axis."""
    return cuboid((0, -size, -size), (2 * size, 0, size)), cuboid(
        (0, 1, -size), (2 * size, 9, size)
    )


def write_obj(path, vertices, faces):
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    lines += ["vn 0 0 1", "vt 0 0"]
    lines += [f"f {a}/1/1 {b}/1/1 {c}/1/1" for a, b, c in faces + 1]
    path.write_text("# made up\n" + "\n".join(lines) + "\n")


def truth(number):
    """What one sequence holds, in ARCTIC's own numbers."""
    rng = np.random.default_rng(number)
    thing = np.concatenate(
        [
            rng.uniform(0, 2, (NUM, 1)), rng.normal(size=(NUM, 3)),
            rng.normal(size=(NUM, 3)) * 100 + [0, 0, 1000],
        ],
        axis=1,
    ).astype(np.float32)  # fmt: skip
    hands = {
        side: {
            "rot": rng.normal(size=(NUM, 3)).astype(np.float32),
            "pose": (0.3 * rng.normal(size=(NUM, 45))).astype(np.float32),
            "trans": (0.2 * rng.normal(size=(NUM, 3)) + [0, 0, 1]).astype(np.float32),
            "shape": rng.normal(size=10).astype(np.float32),
            "fitting_err": np.zeros(NUM, dtype=np.float32),
        }
        for side in ("right", "left")
    }
    return thing, hands


def write_sequence(root, key, thing, hands):
    """Both files of one sequence."""
    subject, name = key.split("/")
    folder = root / "raw_seqs" / subject
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.object.npy", thing)
    np.save(folder / f"{name}.mano.npy", hands, allow_pickle=True)


def write_object(root, name, size):
    """The files of one hinged box."""
    folder = root / "meta" / "object_vtemplates" / name
    folder.mkdir(parents=True)
    (bottom, faces), (top, top_faces) = parts_mm(size)
    write_obj(
        folder / "mesh.obj",
        np.concatenate([bottom, top]),
        np.concatenate([faces, top_faces + len(bottom)]),
    )
    write_obj(folder / "bottom.obj", bottom, faces)
    write_obj(folder / "top.obj", top, top_faces)
    labels = [1] * len(bottom) + [0] * len(top)  # 0 is the top: as the code has it
    (folder / "parts.json").write_text(json.dumps(labels))


def write_protocol(root, content):
    """The official split p1."""
    folder = root / "splits_json"
    folder.mkdir()
    (folder / "protocol_p1.json").write_text(json.dumps(content))


def write_arctic(root):
    """The folder; returns it."""
    for number, key in enumerate(SEQUENCES):
        write_sequence(root, key, *truth(number))
    for name, size in (("box", 80.0), ("laptop", 120.0)):
        write_object(root, name, size)
    write_protocol(root, {"train": list(SEQUENCES[:2]), "val": [SEQUENCES[2]], "test": []})
    words = root / "description" / "s01" / "box_grab_01"
    words.mkdir(parents=True)
    (words / "description.txt").write_text("0-3 grasp, both hands\n4-20 open box, left hand\n")
    return root


def stand_still(root, subject="*"):
    """All frames of a subject's sequences become the first one; returns the root."""
    for path in (root / "raw_seqs").glob(f"{subject}/*"):
        content = np.load(path, allow_pickle=True)
        if path.name.endswith("object.npy"):
            np.save(path, np.repeat(content[:1], NUM, axis=0))
        else:
            hands = content.item()
            for side in hands.values():
                for name in ("rot", "pose", "trans"):
                    side[name] = np.repeat(side[name][:1], NUM, axis=0)
            np.save(path, hands, allow_pickle=True)
    return root


def write_mano_files(folder):
    """MANO_LEFT.pkl and MANO_RIGHT.pkl with the hands of the truth; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, arrays in MANO.items():
        write_mano(folder / f"MANO_{side.upper()}.pkl", arrays)
    return folder


def smooth_truth(rng, frames, size):
    """One long sequence: both hands come to the box, slide on it, and leave again.

    They are at its surface for about half of the frames. The paths are as fast as people's are at
    30 frames a second; all numbers are ARCTIC's own.
    """
    second = np.arange(frames) / 30

    def wave(count, scale):
        speed, start = rng.uniform(0.5, 2.0, count), rng.uniform(0, 2 * np.pi, count)
        return scale * np.sin(second[:, None] * speed + start)

    turn, place = wave(3, 0.6), np.array([0, 0, 1]) + wave(3, 0.1)
    R = Rotation.from_rotvec(turn)
    thing = np.concatenate([1 + wave(1, 1.0), turn, 1000 * place], axis=1)
    away = 0.12 * np.sin(second * rng.uniform(0.6, 1.2)).clip(0)
    hands = {}
    for side, sign in (("right", 1.0), ("left", -1.0)):
        shape = 0.5 * rng.normal(size=10)
        arrays = MANO[side]
        J0 = arrays["J_regressor"][0] @ (arrays["v_template"] + arrays["shapedirs"] @ shape)
        middle = np.array([size, -size / 2, sign * size]) / 1000
        own = middle + wave(3, 0.015) + away[:, None] * [0, 0, sign]
        hands[side] = {
            "rot": (R * Rotation.from_rotvec(wave(3, 0.2))).as_rotvec().astype(np.float32),
            "pose": wave(45, 0.2).astype(np.float32),
            "trans": (R.apply(own) + place - J0).astype(np.float32),
            "shape": shape.astype(np.float32),
            "fitting_err": np.zeros(frames, dtype=np.float32),
        }
    return thing.astype(np.float32), hands


def write_arctic_at_scale(root, *, sequences, frames, seed=0):
    """Many long sequences of eleven objects, for measurements; returns the folder."""
    sizes = {name: 60.0 + 8.0 * k for k, name in enumerate(TEXTS)}
    for name, size in sizes.items():
        write_object(root, name, size)
    split = {"train": [], "val": [], "test": []}
    for number in range(sequences):
        name = list(sizes)[number % len(sizes)]
        key = f"s{1 + number % 9:02d}/{name}_use_{number:03d}"
        rng = np.random.default_rng((seed, number))
        write_sequence(root, key, *smooth_truth(rng, frames, sizes[name]))
        split["val" if number % 10 == 9 else "train"].append(key)
    write_protocol(root, split)
    return root
