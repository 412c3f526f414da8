"""A real-looking hand in exactly the official MANO format, made from the open hand.

The open hand's mesh is thinned to MANO's 778 vertices and 1,538 triangles (one loop of 16 edges at
the wrist) by collapsing short edges onto one of their ends, so that positions and skinning weights
are the open hand's. It shows what anatomy, regions and capsules make of such a mesh.
"""

import heapq

import numpy as np
import scipy.sparse

from bghop.hands.joints import BONE_JOINTS, BONES_TO_MANO, FINGERS, JOINT_NAMES
from bghop.hands.mano import TIP_VERTICES
from bghop.hands.open_hand import load_open_hand
from fabricated_mano import mano_arrays

NUM_VERTICES, NUM_LOOP = 778, 16
_SHIFT = np.array([0.095, 0.006, 0.006])  # official templates do not have the wrist at the origin


def thinned(vertices, faces, num_vertices, num_loop, keep):  # noqa: C901
    """Half-edge collapses, shortest first; returns kept vertex indices and faces over them."""
    faces = {i: list(face) for i, face in enumerate(faces.tolist())}
    around = [set() for _ in vertices]
    for i, face in faces.items():
        for v in face:
            around[v].add(i)

    def neighbours(v):
        return {w for f in around[v] for w in faces[f]} - {v}

    def shared(a, b):
        return around[a] & around[b]

    def on_loop(v):
        return any(len(shared(v, w)) == 1 for w in neighbours(v))

    def length(a, b):
        return float(np.linalg.norm(vertices[a] - vertices[b]))

    alive, loop = len(vertices), sum(on_loop(v) for v in range(len(vertices)))
    queue = [(length(a, b), a, b) for a in range(len(vertices)) for b in neighbours(a)]
    heapq.heapify(queue)
    while alive > num_vertices:
        _, a, b = heapq.heappop(queue)  # b moves onto a and disappears
        if not around[a] or not around[b] or b in keep or not shared(a, b):
            continue
        edge_faces = shared(a, b)
        border = len(edge_faces) == 1
        if border != (loop > num_loop) or (on_loop(b) and not border):
            continue
        if len(neighbours(a) & neighbours(b)) != len(edge_faces):
            continue  # would pinch the surface
        moved = around[b] - edge_faces
        before = {f: _normal(vertices, faces[f]) for f in moved}
        after = {f: _normal(vertices, [a if v == b else v for v in faces[f]]) for f in moved}
        if any(before[f] @ after[f] <= 0.3 * np.linalg.norm(before[f]) * np.linalg.norm(after[f])
               for f in moved):  # fmt: skip
            continue  # would fold the surface
        for f in edge_faces:
            for v in faces.pop(f):
                around[v].discard(f)
        for f in moved:
            faces[f] = [a if v == b else v for v in faces[f]]
            around[a].add(f)
        around[b].clear()
        alive, loop = alive - 1, loop - border
        for w in neighbours(a):
            heapq.heappush(queue, (length(a, w), a, w))
            heapq.heappush(queue, (length(a, w), w, a))
    kept = np.array([v for v in range(len(vertices)) if around[v]])
    number = {int(v): i for i, v in enumerate(kept)}
    return kept, np.array([[number[v] for v in face] for face in faces.values()])


def mano_like_arrays(side):
    """The content of a MANO_LEFT.pkl or MANO_RIGHT.pkl that is the open hand."""
    model = load_open_hand()
    hand = ("left", "right").index(side)
    vertices = model.vertices_rest[1].double().numpy()
    tips = model.joints_rest[1][[JOINT_NAMES.index(f"{f}_tip") for f in FINGERS]].double().numpy()
    tip_vertices = np.linalg.norm(vertices[:, None] - tips, axis=-1).argmin(0)
    kept, faces = thinned(
        vertices, model.faces[1].numpy(), NUM_VERTICES, NUM_LOOP, set(tip_vertices.tolist())
    )
    # The fingertips get the numbers that they have in the official files.
    order = np.array([v for v in kept if v not in tip_vertices])
    numbers = np.full(NUM_VERTICES, -1)
    numbers[list(TIP_VERTICES)] = tip_vertices
    numbers[numbers < 0] = order
    place = {int(v): i for i, v in enumerate(numbers)}
    faces = np.vectorize(place.get)(kept[faces])

    mirror = np.array([-1.0, 1.0, 1.0]) if side == "left" else np.ones(3)
    template = vertices[numbers] * mirror
    joints = model.joints_rest[hand][list(BONE_JOINTS)].double().numpy()[list(BONES_TO_MANO)]
    regressor = np.zeros((16, NUM_VERTICES))
    for row, joint in enumerate(joints):
        near = np.linalg.norm(template - joint, axis=-1).argsort()[:24]
        system = np.concatenate([template[near].T, np.ones((1, 24))])
        regressor[row, near] = np.linalg.lstsq(system, np.append(joint, 1.0), rcond=None)[0]
    arrays = mano_arrays(side)
    directions = model.surface.shape_directions[hand][:10].double().numpy()
    arrays |= {
        "v_template": template + _SHIFT * mirror,
        "f": (faces if side == "right" else faces[:, ::-1]).astype(np.uint32),
        "weights": model.skinning_weights[1].double().numpy()[numbers][:, list(BONES_TO_MANO)],
        # The official left file has the right hand's signs in x.
        "shapedirs": np.moveaxis(directions[:, numbers] * mirror, 0, -1),
        "posedirs": np.zeros_like(arrays["posedirs"]),
        "J_regressor": scipy.sparse.csc_matrix(regressor),
        "J": joints + _SHIFT * mirror,
    }
    return arrays


def _normal(vertices, face):
    a, b, c = vertices[face]
    return np.cross(b - a, c - a)
