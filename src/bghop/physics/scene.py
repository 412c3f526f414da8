"""One compiled MuJoCo scene of the hold test: an object, up to two hands, and its clock."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from bghop.physics.engine import load_mujoco
from bghop.physics.equilibrium import GRAVITY
from bghop.physics.hand_bodies import HandPlan, WristServo, add_hand, aim
from bghop.physics.pieces import Pieces
from bghop.physics.settings import HoldSettings

_CONTROL = 0.004  # seconds between two looks at the wrists' springs
_LOOK = 0.02  # seconds between two looks at the object
_HAND_BITS, _OBJECT_BIT = (1, 2), 4
_PREFIXES = ("left_", "right_")
_GAP_REACH = 0.012  # metres; gaps between shapes are looked for up to here


class HoldScene:
    """One compiled scene and its state."""

    def __init__(
        self,
        pieces: Pieces,
        plans: tuple[HandPlan | None, HandPlan | None],
        settings: HoldSettings,
    ) -> None:
        """Compiles the scene; the hands are in the grasp's pose and aim inside the surface."""
        self.mujoco = load_mujoco()
        self.settings = settings
        self.control_steps = max(1, round(_CONTROL / settings.timestep))
        self.mass = pieces.body.mass
        self.plans = plans
        spec = _empty_scene(self.mujoco, settings)
        _add_object(self.mujoco, spec, pieces, _contact(settings.friction))
        servos: list[WristServo] = []
        for side, plan in enumerate(plans):
            if plan is None:
                continue
            # Contact needs a type of one shape among the affinities of the other.
            mine, other = _HAND_BITS[side], _HAND_BITS[1 - side]
            affinity = _OBJECT_BIT | (other if settings.hands_collide else 0)
            contact = {**_contact(settings.friction), "contype": mine, "conaffinity": affinity}
            servos.append(add_hand(spec, plan, _PREFIXES[side], settings.forces, contact))
        self.model = spec.compile()
        self.data = self.mujoco.MjData(self.model)
        self._find_names(servos)
        self._aim()
        self.mujoco.mj_forward(self.model, self.data)
        self.reference = self.state()

    def _find_names(self, servos: list[WristServo]) -> None:
        """Addresses in MuJoCo's arrays."""
        model, named = self.model, self.mujoco.mj_name2id
        actuator, body = self.mujoco.mjtObj.mjOBJ_ACTUATOR, self.mujoco.mjtObj.mjOBJ_BODY
        self.object = named(model, body, "object")
        self.side_of_body = np.full(model.nbody, -1)
        self.bone_of_body = np.full(model.nbody, -1)
        for side, prefix in enumerate(_PREFIXES):
            if self.plans[side] is None:
                continue
            for bone in range(16):
                which = named(model, body, f"{prefix}bone{bone}")
                self.side_of_body[which], self.bone_of_body[which] = side, bone
        # Per wrist two groups of three: slides and turns.
        count = len(servos)
        self.group_ctrl = np.zeros((2 * count, 3), dtype=int)
        self.group_qpos = np.zeros((2 * count, 3), dtype=int)
        self.group_target = np.zeros((2 * count, 3))
        self.group_reach = np.zeros(2 * count)
        forces = self.settings.forces
        for k, servo in enumerate(servos):
            # Springs to targets no farther than this pull no harder than the limits.
            self.group_reach[2 * k] = forces.wrist_force / servo.stiffness
            self.group_reach[2 * k + 1] = forces.wrist_torque / servo.turning_stiffness
            for i in range(6):
                which = named(model, actuator, f"{servo.prefix}wrist{i}")
                self.group_ctrl[2 * k + i // 3, i % 3] = which
                joint = model.actuator_trnid[which, 0]
                self.group_qpos[2 * k + i // 3, i % 3] = model.jnt_qposadr[joint]

    def _aim(self) -> None:
        """Sets the targets of all servos, from the gaps between the simulation's shapes."""
        gaps = self._gaps()
        named, actuator = self.mujoco.mj_name2id, self.mujoco.mjtObj.mjOBJ_ACTUATOR
        servo = 0
        for side, plan in enumerate(self.plans):
            if plan is None:
                continue
            targets = aim(plan, gaps[side], self.settings.forces.squeeze)
            for i, angle in enumerate(targets.angles):
                which = named(self.model, actuator, f"{_PREFIXES[side]}hinge{i}")
                self.data.ctrl[which] = angle
            # The slides are along the axes of the wrist's frame.
            R_object_wrist = plan.Ts_object_bone[0][:3, :3]
            self.group_target[2 * servo] = R_object_wrist.T @ targets.wrist_shift
            servo += 1

    def _gaps(self) -> Float[np.ndarray, "hand=2 bone=16"]:
        """Smallest distance of each bone's capsules to the object's pieces in the grasp's pose."""
        margin = self.model.geom_margin.copy()
        self.model.geom_margin[:] = _GAP_REACH
        self.mujoco.mj_kinematics(self.model, self.data)
        self.mujoco.mj_collision(self.model, self.data)
        self.model.geom_margin[:] = margin
        contact = self.data.contact
        bodies = self.model.geom_bodyid[contact.geom]
        mine = (bodies == self.object).any(1)
        side, bone = (
            values[bodies[mine]].max(1, initial=-1)
            for values in (self.side_of_body, self.bone_of_body)
        )
        gaps = np.full((2, 16), _GAP_REACH)
        np.minimum.at(gaps, (side, bone), contact.dist[mine])
        return gaps

    def state(self) -> tuple[np.ndarray, ...]:
        """All that the future depends on, and the object's pose."""
        full = self.mujoco.mjtState.mjSTATE_INTEGRATION
        values = np.empty(self.mujoco.mj_stateSize(self.model, full))
        self.mujoco.mj_getState(self.model, self.data, values, full)
        return values, self.data.xipos[self.object].copy(), self._turn().copy()

    def restore(self, state: tuple[np.ndarray, ...]) -> None:
        """Back to a state; displacements count from it."""
        full = self.mujoco.mjtState.mjSTATE_INTEGRATION
        self.mujoco.mj_setState(self.model, self.data, state[0], full)
        self.mujoco.mj_forward(self.model, self.data)
        self.reference = state

    def _turn(self) -> np.ndarray:
        return self.data.xmat[self.object].reshape(3, 3)

    def displacement(self) -> tuple[float, float]:
        """Metres and radians from the reference state."""
        _, centre, R = self.reference
        cosine = (np.sum(R * self._turn()) - 1) / 2
        far = float(np.linalg.norm(self.data.xipos[self.object] - centre))
        return far, float(np.arccos(np.clip(cosine, -1, 1)))

    def close(self) -> None:
        """Squeeze without gravity."""
        self._run(round(self.settings.close_s / self.settings.timestep))

    def pose(self) -> tuple[Float[np.ndarray, "4 4"], Float[np.ndarray, "hand=2 bone=16 4 4"]]:
        """Of the object since the scene was made, and of all bones (identity: absent hand)."""
        Ts = np.tile(np.eye(4), (2, 16, 1, 1))
        body = self.mujoco.mjtObj.mjOBJ_BODY
        for side, prefix in enumerate(_PREFIXES):
            if self.plans[side] is not None:
                which = [
                    self.mujoco.mj_name2id(self.model, body, f"{prefix}bone{bone}")
                    for bone in range(16)
                ]
                Ts[side, :, :3, :3] = self.data.xmat[which].reshape(16, 3, 3)
                Ts[side, :, :3, 3] = self.data.xpos[which]
        T = np.eye(4)
        T[:3, :3] = self.data.xmat[self.object].reshape(3, 3)
        T[:3, 3] = self.data.xpos[self.object]
        return T, Ts

    def pull(
        self,
        direction: Float[np.ndarray, "3"],
        *,
        look: Callable[[float], None] | None = None,
    ) -> tuple[float, float, float]:
        """Gravity for a while: largest displacement, largest turn, largest contact force.

        `look` is called with the seconds since gravity began, fifty times a second.
        """
        settings = self.settings
        self.data.xfrc_applied[self.object, :3] = self.mass * GRAVITY * direction
        far, angle, force = 0.0, 0.0, 0.0
        steps = round(_LOOK / settings.timestep)
        for count in range(round(settings.hold_s / _LOOK)):
            self._run(steps)
            if look is not None:
                look((count + 1) * _LOOK)
            here, turn = self.displacement()
            far, angle = max(far, here), max(angle, turn)
            force = max(force, self._normal_forces().max(initial=0.0))
            if far > settings.lost:
                break
        return far, angle, float(force)

    def _run(self, steps: int) -> None:
        data, target, reach = self.data, self.group_target, self.group_reach
        done = 0
        while done < steps:
            here = data.qpos[self.group_qpos]
            way = target - here
            length = np.sqrt((way * way).sum(1))
            scale = np.minimum(1.0, reach / np.maximum(length, 1e-12))
            data.ctrl[self.group_ctrl] = here + way * scale[:, None]
            count = min(self.control_steps, steps - done)
            self.mujoco.mj_step(self.model, data, count)
            done += count

    def _normal_forces(self) -> np.ndarray:
        """Of all contacts, newtons."""
        address = self.data.contact.efc_address
        return self.data.efc_force[address[address >= 0]]

    def squeeze(self) -> tuple[float, float]:
        """Summed normal force of each hand on the object."""
        contact = self.data.contact
        live = contact.efc_address >= 0
        geoms = contact.geom[live]
        bodies = self.model.geom_bodyid[geoms]
        force = self.data.efc_force[contact.efc_address[live]]
        on_object = (bodies == self.object).any(1)
        side = self.side_of_body[bodies].max(1, initial=-1)
        left, right = (float(force[on_object & (side == k)].sum()) for k in range(2))
        return left, right


def _contact(friction: float) -> dict[str, Any]:
    """Friction and softness of every collision shape.

    Contacts resist twisting like a patch of 5 mm radius, as finger pads do; their time constant is
    the shortest that steps of 4 ms allow.
    """
    return {
        "friction": [friction, 0.005 * friction, 0.0001],
        "condim": 4,
        "solref": [0.008, 1.0],
        "solimp": [0.9, 0.98, 0.001, 0.5, 2.0],
    }


def _empty_scene(mujoco: Any, settings: HoldSettings) -> Any:
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    option = spec.option
    option.timestep = settings.timestep
    option.gravity = np.zeros(3)  # weight is applied to the object alone
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    option.impratio = 10.0
    option.iterations = 20
    return spec


def _add_object(mujoco: Any, spec: Any, pieces: Pieces, contact: dict[str, Any]) -> None:
    weights = pieces.body
    body = spec.worldbody.add_body(name="object")
    body.add_freejoint()
    body.explicitinertial = True
    body.mass, body.ipos = weights.mass, weights.centre
    principal, R = np.linalg.eigh(weights.mass * weights.inertia)
    if np.linalg.det(R) < 0:
        R[:, 0] = -R[:, 0]
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, R.reshape(9))
    body.inertia, body.iquat = principal, quat
    for i, (vertices, faces) in enumerate(zip(pieces.vertices, pieces.faces, strict=True)):
        name = f"piece{i}"
        spec.add_mesh(name=name, uservert=vertices.reshape(-1), userface=faces.reshape(-1))
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, **contact,
            contype=_OBJECT_BIT, conaffinity=sum(_HAND_BITS),
        )  # fmt: skip
