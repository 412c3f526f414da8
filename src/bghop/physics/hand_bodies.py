"""Hands as chains of bodies with servos that squeeze: the plan of one hand, then its MuJoCo bodies.

Bodies start in the grasp's pose, so every hinge's zero is the grasp. A finger bone's rotation
vector is `w = axes^T angles`, so the hinge for an angle turns about the column of the right
Jacobian `J_right(w) axes^T` in the bone's own frame; to first order the hinges move as the angles.

Servos are springs. The torque limit of a finger hinge is 15 N times the lever from its axis to the
finger's pad, so no hinge presses the pad harder than 15 N along the way it moves it; nearer skin
of the same finger is pressed harder by the same torque, as in a real hand, but never with more than
the wrist gives way to: its servo ends at 40 N (the length of the force, in any direction) and at
7.2 N m (40 N at the fingertips, 18 cm away). The springs reach their limits at the depth that the
targets are pushed to.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from bghop.geometry.mesh import MeshQuery
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.hands.jacobian import left_jacobian
from bghop.hands.joints import BONE_PARENTS
from bghop.hands.model import Capsules, HandModel, HandParameters
from bghop.hands.shaped_capsules import shaped_capsules
from bghop.physics.contacts import Touching, owners, posed_skin, touching
from bghop.physics.engine import load_mujoco
from bghop.physics.settings import WRIST_ARM, HandForces

FULL_SQUEEZE = 0.005
"""Metres of push at which the springs reach their force limits."""
_WRIST_MASS, _BONE_MASS = 0.35, 0.015
_WRIST_RATE, _FINGER_RATE = 150.0, 250.0
"""Radians per second of the springs; inertia follows (armature), damping is critical."""
_LEVER = 0.1  # metres that make angles comparable to shifts
_DAMPING = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Hinge:
    """One angle of one finger bone."""

    bone: int
    axis: Float[np.ndarray, "3"]
    """In the bone's frame as posed."""
    limits: tuple[float, float]
    """Radians relative to the grasp, zero included."""
    lever: float
    """Metres from the axis to the pad of its finger."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HandPlan:
    """All that the bodies of one hand need; object frame, metres."""

    Ts_object_bone: Float[np.ndarray, "bone=16 4 4"]
    capsule_bone: Int[np.ndarray, "capsule"]
    capsule_ends: Float[np.ndarray, "capsule 2 3"]
    """In the bones' frames."""
    capsule_radius: Float[np.ndarray, "capsule"]
    hinges: tuple[Hinge, ...]
    contacts: Touching


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """Where the servos of one hand pull."""

    angles: Float[np.ndarray, "hinge"]
    """Radians relative to the grasp."""
    wrist_shift: Float[np.ndarray, "3"]
    """Metres from the wrist's place in the grasp, object frame."""


def plan_hands(
    query: MeshQuery, hand_model: HandModel, hands: HandParameters
) -> tuple[HandPlan | None, HandPlan | None]:
    """Bodies, hinges and contacts of (left, right); None for a hand that is absent."""
    vertices, Ts = posed_skin(hand_model, hands)
    owner = owners(hand_model)
    capsules = shaped_capsules(hand_model, hands.shape)
    plans = []
    for side in range(2):
        if not bool(hands.present[side]):
            plans.append(None)
            continue
        contacts = touching(query, vertices[side], owner)
        hinges = _hinges(hand_model, hands, side, vertices[side], Ts[side])
        plans.append(_plan(capsules, side, Ts[side], hinges, contacts))
    return plans[0], plans[1]


def _plan(
    capsules: Capsules, side: int, Ts: np.ndarray, hinges: list[Hinge], contacts: Touching
) -> HandPlan:
    return HandPlan(
        Ts_object_bone=Ts,
        capsule_bone=capsules.bone.cpu().numpy(),
        capsule_ends=torch.stack([capsules.start[side], capsules.end[side]], 1)
        .cpu().double().numpy(),
        capsule_radius=capsules.radius[side].cpu().double().numpy(),
        hinges=tuple(hinges),
        contacts=contacts,
    )  # fmt: skip


def _hinges(
    hand_model: HandModel, hands: HandParameters, side: int, vertices: np.ndarray, Ts: np.ndarray
) -> list[Hinge]:
    """Bend for every bone; splay first at the bases, where fingers can."""
    rotvec = (hands.pose[side] + hand_model.mean_pose[side]).double().cpu()
    angles = hand_model.angles_from_pose(hands.pose)[side].double().cpu().numpy()
    limits = hand_model.anatomy.limits.double().cpu().numpy()
    # exp(w)^T J_left(w) = J_right(w): the axis in the turned bone's frame.
    R_bone_parent = matrix_from_rotvec(rotvec).transpose(-1, -2)
    axes = hand_model.anatomy.axes[side].double().cpu().transpose(-1, -2)
    columns = (R_bone_parent @ left_jacobian(rotvec) @ axes).numpy()
    pads = [vertices[pad.cpu().numpy()].mean(0) for pad in hand_model.regions.pads]
    hinges = []
    for bone in range(1, 16):
        finger, part = divmod(bone - 1, 3)
        for kind in (1, 0) if part == 0 else (0,):
            axis = columns[bone - 1][:, kind] / np.linalg.norm(columns[bone - 1][:, kind])
            arm = pads[finger] - Ts[bone, :3, 3]
            low, high = limits[bone - 1, kind] - angles[bone - 1, kind]
            hinges.append(
                Hinge(
                    bone=bone,
                    axis=axis,
                    limits=(min(low, 0.0), max(high, 0.0)),
                    lever=float(np.linalg.norm(np.cross(Ts[bone, :3, :3] @ axis, arm))),
                )
            )
    return hinges


def aim(plan: HandPlan, gaps: Float[np.ndarray, "bone=16"], squeeze: float) -> Targets:
    """Targets `squeeze` inside the surface that the simulation has.

    Shapes of the simulation fit skin and mesh to about a millimetre, and springs would turn that
    error into newtons. So `gaps` says how far each bone's shapes are from the object's (negative:
    inside), and the smallest motion of wrist and fingers that closes them comes first. A grasp
    that penetrates is pulled out by the same rule, so depth squeezes no harder. Then the squeeze:
    the wrist moves against the mean normal of the hand's contacts, each finger against its own.

    Args:
        plan: The hand.
        gaps: Metres along the contact normals; bones without contact are not looked at.
        squeeze: Metres; wrist and fingers both move by it.
    """
    contacts, hinges = plan.contacts, plan.hinges
    touched = np.flatnonzero(contacts.touches)
    if not len(touched):
        return Targets(angles=np.zeros(len(hinges)), wrist_shift=np.zeros(3))
    normals = contacts.normal[touched]
    J = _closeness(plan, touched)
    closing = _smallest_motion(np.concatenate([normals, J / _LEVER], axis=1), -gaps[touched])
    angles = closing[3:] / _LEVER
    for finger in range(5):
        own = np.flatnonzero([(hinge.bone - 1) // 3 == finger for hinge in hinges])
        rows = np.flatnonzero((touched - 1) // 3 == finger)
        if len(rows):
            push = np.full(len(rows), -squeeze)
            angles[own] += _smallest_motion(J[np.ix_(rows, own)] / _LEVER, push) / _LEVER
    low, high = np.array([hinge.limits for hinge in hinges]).T
    return Targets(
        angles=angles.clip(low, high),
        wrist_shift=closing[:3] - squeeze * normals.mean(0),
    )


def _closeness(plan: HandPlan, touched: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n hinge"]:
    """Metres that each contact moves along its normal per radian of each hinge."""
    hinges, Ts, contacts = plan.hinges, plan.Ts_object_bone, plan.contacts
    J = np.zeros((len(touched), len(hinges)))
    for column, hinge in enumerate(hinges):
        last = hinge.bone + (-hinge.bone) % 3  # of the finger that the hinge belongs to
        carried = np.flatnonzero((touched >= hinge.bone) & (touched <= last))
        T, bones = Ts[hinge.bone], touched[carried]
        swing = np.cross(T[:3, :3] @ hinge.axis, contacts.point[bones] - T[:3, 3])
        J[carried, column] = (contacts.normal[bones] * swing).sum(1)
    return J


def _smallest_motion(
    A: Float[np.ndarray, "n unknown"], wanted: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "unknown"]:
    """Damped least-norm solution of `A x = wanted`."""
    return A.T @ np.linalg.solve(A @ A.T + _DAMPING * np.eye(len(A)), wanted)


@dataclass(frozen=True, kw_only=True, eq=False)
class WristServo:
    """The names by which the stepping loop finds one wrist."""

    prefix: str
    stiffness: float
    turning_stiffness: float


def add_hand(
    spec: Any, plan: HandPlan, prefix: str, forces: HandForces, contact: dict[str, Any]
) -> WristServo:
    """Adds the bodies, hinges and servos of one hand to a MuJoCo scene.

    Args:
        spec: The scene, in the object's frame.
        plan: From `plan_hands`.
        prefix: Of all names, `left_` or `right_`.
        forces: Limits of the servos.
        contact: Attributes of the collision shapes (friction, softness, masks).
    """
    mujoco = load_mujoco()
    wrist_stiffness = forces.wrist_force / FULL_SQUEEZE
    turning = wrist_stiffness * WRIST_ARM**2
    bodies: list[Any] = []
    hinges_of: dict[int, list[int]] = {}
    for i, hinge in enumerate(plan.hinges):
        hinges_of.setdefault(hinge.bone, []).append(i)
    for bone in range(16):
        parent = BONE_PARENTS[bone]
        above = spec.worldbody if bone == 0 else bodies[parent]
        T = plan.Ts_object_bone[bone]
        if bone:
            T = np.linalg.inv(plan.Ts_object_bone[parent]) @ T
        body = above.add_body(name=f"{prefix}bone{bone}", pos=T[:3, 3], quat=_quaternion(T))
        mass = _BONE_MASS if bone else _WRIST_MASS
        body.explicitinertial = True
        body.mass, body.inertia = mass, np.full(3, mass * 0.02**2)
        if bone == 0:
            _add_wrist(spec, body, prefix, wrist_stiffness, turning)
        for i in hinges_of.get(bone, []):
            _add_hinge(spec, body, plan.hinges[i], f"{prefix}hinge{i}", forces)
        bodies.append(body)
    for bone, ends, radius in zip(
        plan.capsule_bone, plan.capsule_ends, plan.capsule_radius, strict=True
    ):
        bodies[bone].add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=[radius, 0, 0],
            fromto=ends.reshape(6), **contact,
        )  # fmt: skip
    return WristServo(prefix=prefix, stiffness=wrist_stiffness, turning_stiffness=turning)


def _add_wrist(spec: Any, body: Any, prefix: str, stiffness: float, turning: float) -> None:
    """Three slides and three hinges with springs to a target (the loop limits their length)."""
    mujoco = load_mujoco()
    kinds = [(mujoco.mjtJoint.mjJNT_SLIDE, stiffness), (mujoco.mjtJoint.mjJNT_HINGE, turning)]
    for i in range(6):
        kind, spring = kinds[i // 3]
        inertia = spring / _WRIST_RATE**2
        body.add_joint(
            name=f"{prefix}wrist{i}", type=kind, axis=np.eye(3)[i % 3],
            armature=inertia, damping=_linear(2 * spring / _WRIST_RATE),
        )  # fmt: skip
        _add_servo(spec, f"{prefix}wrist{i}", spring, None)


def _add_hinge(spec: Any, body: Any, hinge: Hinge, name: str, forces: HandForces) -> None:
    mujoco = load_mujoco()
    limit = forces.finger_force * hinge.lever
    # Three hinges in a row share the way to the target, so each is three times as stiff.
    spring = 3 * limit * hinge.lever / FULL_SQUEEZE
    body.add_joint(
        name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=hinge.axis,
        range=hinge.limits, limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        armature=spring / _FINGER_RATE**2, damping=_linear(2 * spring / _FINGER_RATE),
    )  # fmt: skip
    _add_servo(spec, name, spring, limit)


def _add_servo(spec: Any, joint: str, spring: float, limit: float | None) -> None:
    mujoco = load_mujoco()
    servo = spec.add_actuator(
        name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED, biastype=mujoco.mjtBias.mjBIAS_AFFINE,
    )  # fmt: skip
    servo.gainprm[0] = spring
    servo.biasprm[1] = -spring
    if limit is not None:
        servo.forcelimited = mujoco.mjtLimited.mjLIMITED_TRUE
        servo.forcerange = [-limit, limit]


def _linear(damping: float) -> list[float]:
    """MuJoCo 4 takes damping as coefficients of speed, speed squared and so on."""
    return [damping, 0.0, 0.0]


def _quaternion(T: np.ndarray) -> Float[np.ndarray, "4"]:
    mujoco = load_mujoco()
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.ascontiguousarray(T[:3, :3]).reshape(9))
    return quat
