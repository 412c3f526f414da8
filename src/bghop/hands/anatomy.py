"""Anatomical axes and limits of the finger joints, measured on a right hand at rest.

Nothing here knows which hand model it is: the axes come from rest joints, skin and weights.

- Along a finger the last two joints are hinges whose axes lie nearly parallel, in the plane of the
  nail. Three observations are pooled as quadratic forms: the finger tip's cross-section is wider
  along the bend axis than across it; the rest curl of the finger turns about it; and (fingers
  only) it is nearly at right angles to the palm's normal. The axis is the best unit vector.
- Per joint the triad is orthonormal: twist = the bone's direction, bend = the finger's axis made
  perpendicular to the bone, splay = twist x bend.
- The saddle joint at the thumb's base turns about the same oblique triad, which is where the
  thumb's opposition comes from: bend sweeps the thumb across the palm, splay lifts it away from
  the palm (palmar abduction), twist > 0 supinates.

Limits are anatomical angles (zero = straight finger, in line with its metacarpal) from textbooks on
joint motion (American Academy of Orthopaedic Surgeons; Kapandji, The Physiology of the Joints;
Cooney et al. 1981 for the thumb's base); the rest pose's own flexion is measured and subtracted, so
that an angle of zero is always the model's rest pose.
"""

import math

import numpy as np
from jaxtyping import Float, Int64

from bghop.hands.joints import BONE_JOINTS, FINGERS

_HINGE = ((-2, 2), (-2, 2))
"""Splay and twist of a hinge: nothing but play, so that fits to measured hands have some room."""

# (bend low, high), (splay low, high), (twist low, high) in degrees for base, middle, end joint.
# A little under the textbooks' largest bends (90 to 110, 100 to 110, 70 to 90 degrees): those are
# reached one joint at a time, and a box of limits would drive the fingertips into the palm.
_FINGER_LIMITS = {
    "index": (((-15, 80), (-8, 14), (-6, 6)), ((0, 98), *_HINGE), ((-3, 62), *_HINGE)),
    "middle": (((-15, 82), (-9, 9), (-6, 6)), ((0, 98), *_HINGE), ((-3, 62), *_HINGE)),
    "ring": (((-15, 82), (-11, 8), (-6, 6)), ((0, 98), *_HINGE), ((-3, 60), *_HINGE)),
    "little": (((-15, 82), (-16, 8), (-8, 8)), ((0, 88), *_HINGE), ((-3, 55), *_HINGE)),
}
# The thumb's base has no straight pose to count from: its limits are relative to the rest pose.
_THUMB_LIMITS = (
    ((-15, 28), (-16, 25), (-20, 10)),
    ((-5, 50), (-8, 8), (-6, 6)),
    ((-10, 65), *_HINGE),
)

_CURL_WEIGHT = 4.0
_PALM_WEIGHT = 0.15


def chains(joints: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "finger=5 4 3"]:
    """Joints of each finger from base to tip."""
    return joints[1:].reshape(5, 4, 3)


def bone_directions(joints: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "15 3"]:
    """Unit vectors along the finger bones, towards the tips."""
    bones = np.diff(chains(joints), axis=1)
    return (bones / np.linalg.norm(bones, axis=-1, keepdims=True)).reshape(15, 3)


def palm_normal(joints: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "3"]:
    """Unit vector out of the palm of a right hand."""
    wrist, bases = joints[0], chains(joints)[1:, 0]
    along = bases.mean(0) - wrist
    normal = np.cross(bases[0] - bases[3], along)
    return normal / np.linalg.norm(normal)


def vertex_areas_and_normals(
    vertices: Float[np.ndarray, "vert 3"], faces: Int64[np.ndarray, "face 3"]
) -> tuple[Float[np.ndarray, "vert"], Float[np.ndarray, "vert 3"]]:
    """A third of the adjoining triangles' area, and the area-weighted unit normal."""
    a, b, c = vertices[faces].swapaxes(0, 1)
    doubled = np.cross(b - a, c - a)
    areas, normals = np.zeros(len(vertices)), np.zeros_like(vertices)
    for corner in faces.T:
        np.add.at(areas, corner, np.linalg.norm(doubled, axis=1) / 6)
        np.add.at(normals, corner, doubled)
    return areas, normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-30)


def cross_section(
    corners: Float[np.ndarray, "face 3 3"],
    start: Float[np.ndarray, "3"],
    end: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "3 3"]:
    """Covariance of the skin about a bone's middle half, across the bone, trace one.

    Integrated over triangles, so that it does not matter how they divide the skin.
    """
    bone = end - start
    length = np.linalg.norm(bone)
    direction = bone / length
    along = (corners.mean(1) - start) @ direction / length
    across = corners[(along > 0.15) & (along < 0.85)] - start
    if len(across) < 8:
        return np.eye(3) / 3
    area = np.linalg.norm(
        np.cross(across[:, 1] - across[:, 0], across[:, 2] - across[:, 0]), axis=1
    )
    area = area / area.sum()
    across = across - (across @ direction)[..., None] * direction
    across = across - area @ across.mean(1)
    # Second moment of a triangle: (sum of its corners' + 9 times its middle's) / 12.
    points = np.concatenate([across, 3 * across.mean(1, keepdims=True)], axis=1)
    covariance = np.einsum("f,fpi,fpj->ij", area, points, points) / 12
    return covariance / np.trace(covariance)


def finger_bend_axes(
    joints: Float[np.ndarray, "21 3"],
    vertices: Float[np.ndarray, "vert 3"],
    faces: Int64[np.ndarray, "face 3"],
    weights: Float[np.ndarray, "vert 16"],
) -> Float[np.ndarray, "finger=5 3"]:
    """Unit bend axis of each finger of a right hand at rest; bending about it closes the hand."""
    normal = palm_normal(joints)
    directions = bone_directions(joints).reshape(5, 3, 3)
    axes = []
    for finger, chain in enumerate(chains(joints)):
        base, middle, end = directions[finger]
        skin = weights[faces, 3 * finger + 3].mean(1) > 0.6
        # Two curls would do for straight fingers, but the thumb's base is a saddle, not a hinge.
        curls = [np.cross(middle, end)] + ([np.cross(base, middle)] if finger else [])
        prior = np.cross(end, normal)
        evidence = cross_section(vertices[faces[skin]], chain[2], chain[3])
        evidence = evidence + _CURL_WEIGHT * sum(np.outer(c, c) for c in curls)
        if finger:
            evidence = evidence + _PALM_WEIGHT * np.outer(prior, prior)
        across = np.eye(3) - np.outer(end, end)
        axis = np.linalg.eigh(across @ evidence @ across)[1][:, 2]
        # The thumb bends towards the little finger, the fingers towards the palm.
        closing = np.cross(end, chains(joints)[4, 0] - chain[2]) if finger == 0 else prior
        axes.append(axis * np.sign(axis @ closing))
    return np.stack(axes)


def joint_axes(
    joints: Float[np.ndarray, "21 3"], bend_axes: Float[np.ndarray, "finger=5 3"]
) -> Float[np.ndarray, "15 3 3"]:
    """Rows bend, splay, twist per joint: orthonormal, twist along the bone = bend x splay."""
    twist = bone_directions(joints)
    bend = np.repeat(bend_axes, 3, axis=0)
    bend = bend - (bend * twist).sum(-1, keepdims=True) * twist
    bend = bend / np.linalg.norm(bend, axis=-1, keepdims=True)
    return np.stack([bend, np.cross(twist, bend), twist], axis=1)


def rest_flexion(
    joints: Float[np.ndarray, "21 3"], axes: Float[np.ndarray, "15 3 3"]
) -> Float[np.ndarray, "15"]:
    """Angle (radians) by which each joint is bent at rest; zero for the thumb's base."""
    directions = bone_directions(joints).reshape(5, 3, 3)
    flexion = np.zeros((5, 3))
    for finger, chain in enumerate(chains(joints)):
        metacarpal = chain[0] - joints[0]
        before = [metacarpal, directions[finger, 0], directions[finger, 1]]
        for part in range(3):
            bend, _, direction = axes[3 * finger + part]
            previous = before[part] - (before[part] @ bend) * bend
            forward = np.cross(bend, direction)  # where the bone's tip goes when it bends
            flexion[finger, part] = math.atan2(-previous @ forward, previous @ direction)
    flexion[0, 0] = 0.0
    return flexion.reshape(15)


def joint_limits(flexion: Float[np.ndarray, "15"]) -> Float[np.ndarray, "15 3 2"]:
    """Lower and upper (bend, splay, twist) in radians relative to the rest pose."""
    degrees = [_THUMB_LIMITS, *(_FINGER_LIMITS[name] for name in FINGERS[1:])]
    limits = np.radians(np.array(degrees, dtype=np.float64).reshape(15, 3, 2))
    limits[:, 0] -= flexion[:, None]
    # The rest pose itself is always allowed.
    limits[..., 0] = np.minimum(limits[..., 0], 0)
    limits[..., 1] = np.maximum(limits[..., 1], 0)
    return limits


def bone_joints(joints: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "16 3"]:
    """Joints that the 16 bones turn about."""
    return joints[list(BONE_JOINTS)]
