"""The hold test: two squeezing hands, an object, gravity from six sides, in MuJoCo.

A hand that only touches exerts no force, so hands are articulated, their targets lie `squeeze`
inside the surface and their forces are limited (physics/hand_bodies.py). They close without
gravity; from that closed state gravity then acts along each axis of the object, both ways. Only
the object has weight: the arms carry the hands.
"""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.hands.model import HandModel, HandParameters
from bghop.physics.engine import load_mujoco
from bghop.physics.equilibrium import GRAVITY
from bghop.physics.hand_bodies import HandForces, WristServo, add_hand, plan_hands
from bghop.physics.pieces import Pieces, pieces_of

DENSITY = 500.0
"""Kilograms per cubic metre."""
MASS_RANGE = (0.1, 2.0)
"""Kilograms; what the mass from the volume is clamped to."""
DIRECTIONS = np.concatenate([np.eye(3), -np.eye(3)])
"""Gravity in the object's frame, in the order of every result: +x +y +z -x -y -z."""

_CONTROL_STEPS = 2  # steps between two looks at the wrists' springs
_LOOK = 0.01  # seconds between two looks at the object
_HAND_BITS, _OBJECT_BIT = (1, 2), 4


@dataclass(frozen=True, kw_only=True)
class HoldSettings:
    """Numbers of the hold test; the defaults are the definition."""

    forces: HandForces = field(default_factory=HandForces)
    friction: float = 0.8
    """Coulomb coefficient between skin and object."""
    close_s: float = 0.3
    """Closing without gravity."""
    hold_s: float = 2.0
    """Gravity in each direction."""
    max_moved: float = 0.02
    """Metres that the centre of mass may move from the closed state."""
    max_turned: float = float(np.radians(15))
    """Radians that the object may turn from the closed state."""
    lost: float = 0.10
    """Metres at which a direction ends early: the object has been dropped."""
    timestep: float = 0.002
    hands_collide: bool = True
    """Whether the hands push each other; fingers of one hand never do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HoldResult:
    """What became of one grasp; six values are per direction of gravity (`DIRECTIONS`)."""

    held: tuple[bool, ...]
    moved_cm: tuple[float, ...]
    """Largest displacement of the centre of mass from the closed state (about 10 when lost)."""
    turned_deg: tuple[float, ...]
    """Largest rotation from the closed state."""
    largest_force: float
    """Largest normal force at one contact point under gravity, newtons."""
    closing_moved_cm: float
    """How far closing pushed the object; it does not count against the grasp."""
    closing_turned_deg: float
    squeeze_force: tuple[float, float]
    """Sum of the normal forces of (left, right) on the object in the closed state, newtons."""
    mass: float
    """Kilograms."""
    seconds: float
    """Time for this grasp, without making the pieces."""

    @property
    def success(self) -> bool:
        """Held in all six directions."""
        return all(self.held)


def mass_of(pieces: Pieces) -> float:
    """500 kg/m3 times the mesh's volume, between 0.1 and 2 kg."""
    return float(np.clip(DENSITY * pieces.volume, *MASS_RANGE))


def hold_test(
    mesh: Mesh,
    hand_model: HandModel,
    hands: HandParameters,
    settings: HoldSettings | None = None,
    *,
    present: tuple[bool, bool] | None = None,
    query: MeshQuery | None = None,
) -> HoldResult:
    """Squeezes, then lets gravity pull from six sides.

    Args:
        mesh: The object, metres; its convex pieces are made at the first call and cached.
        hand_model: The hands.
        hands: One grasp (no leading batch), object frame.
        settings: See `HoldSettings`.
        present: Hands (left, right) to keep of those that the grasp has; both if None.
        query: Exact distances to the mesh, to share between calls.

    Raises:
        PhysicsError: MuJoCo or CoACD is not installed.
        MeshError: The mesh encloses no volume.
    """
    settings = settings or HoldSettings()
    pieces = pieces_of(mesh)
    start = time.perf_counter()
    if present is not None:
        keep = torch.tensor(present, device=hands.present.device)
        hands = replace(hands, present=hands.present & keep)
    scene = _Scene(pieces, query or MeshQuery(mesh), hand_model, hands, settings)
    scene.close()
    closing = scene.displacement()
    squeeze = scene.squeeze()
    closed = scene.state()
    moved, turned, force = [], [], 0.0
    for direction in DIRECTIONS:
        scene.restore(closed)
        far, angle, largest = scene.pull(direction)
        moved.append(far)
        turned.append(angle)
        force = max(force, largest)
    return HoldResult(
        held=tuple(
            far < settings.max_moved and angle < settings.max_turned
            for far, angle in zip(moved, turned, strict=True)
        ),
        moved_cm=tuple(100 * far for far in moved),
        turned_deg=tuple(float(np.degrees(angle)) for angle in turned),
        largest_force=force,
        closing_moved_cm=100 * closing[0],
        closing_turned_deg=float(np.degrees(closing[1])),
        squeeze_force=squeeze,
        mass=mass_of(pieces),
        seconds=time.perf_counter() - start,
    )


class _Scene:
    """One compiled scene and its state."""

    def __init__(
        self, pieces: Pieces, query: MeshQuery, hand_model: HandModel, hands: HandParameters,
        settings: HoldSettings,
    ) -> None:  # fmt: skip
        self.mujoco = load_mujoco()
        self.settings = settings
        self.mass = mass_of(pieces)
        spec = _empty_scene(self.mujoco, settings)
        _add_object(self.mujoco, spec, pieces, self.mass, _contact(settings.friction))
        servos: list[WristServo] = []
        plans = plan_hands(query, hand_model, hands, settings.forces)
        for side, plan in enumerate(plans):
            if plan is None:
                continue
            # Contact needs a type of one shape among the affinities of the other.
            mine, other = _HAND_BITS[side], _HAND_BITS[1 - side]
            affinity = _OBJECT_BIT | (other if settings.hands_collide else 0)
            contact = {**_contact(settings.friction), "contype": mine, "conaffinity": affinity}
            prefix = ("left_", "right_")[side]
            servos.append(add_hand(spec, plan, prefix, settings.forces, contact))
        self.model = spec.compile()
        self.data = self.mujoco.MjData(self.model)
        self._find_names(servos, plans)
        self.mujoco.mj_forward(self.model, self.data)
        self.reference = self.state()

    def _find_names(self, servos: list[WristServo], plans: tuple) -> None:
        """Addresses in MuJoCo's arrays; constant targets of the fingers are set here."""
        model, named = self.model, self.mujoco.mj_name2id
        actuator, body = self.mujoco.mjtObj.mjOBJ_ACTUATOR, self.mujoco.mjtObj.mjOBJ_BODY
        self.object = named(model, body, "object")
        self.side_of_body = np.full(model.nbody, -1)
        for side, prefix in enumerate(("left_", "right_")):
            if plans[side] is None:
                continue
            for bone in range(16):
                self.side_of_body[named(model, body, f"{prefix}bone{bone}")] = side
            for i, hinge in enumerate(plans[side].hinges):
                self.data.ctrl[named(model, actuator, f"{prefix}hinge{i}")] = hinge.target
        # Per wrist two groups of three: slides and turns.
        count = len(servos)
        self.group_ctrl = np.zeros((2 * count, 3), dtype=int)
        self.group_qpos = np.zeros((2 * count, 3), dtype=int)
        self.group_target = np.zeros((2 * count, 3))
        self.group_reach = np.zeros(2 * count)
        forces = self.settings.forces
        for k, servo in enumerate(servos):
            self.group_target[2 * k] = servo.target
            # Springs to targets no farther than this pull no harder than the limits.
            self.group_reach[2 * k] = forces.wrist_force / servo.stiffness
            self.group_reach[2 * k + 1] = forces.wrist_torque / servo.turning_stiffness
            for i in range(6):
                which = named(model, actuator, f"{servo.prefix}wrist{i}")
                self.group_ctrl[2 * k + i // 3, i % 3] = which
                joint = model.actuator_trnid[which, 0]
                self.group_qpos[2 * k + i // 3, i % 3] = model.jnt_qposadr[joint]

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

    def pull(self, direction: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
        """Gravity for a while: largest displacement, largest turn, largest contact force."""
        settings = self.settings
        self.data.xfrc_applied[self.object, :3] = self.mass * GRAVITY * direction
        far, angle, force = 0.0, 0.0, 0.0
        steps = round(_LOOK / settings.timestep)
        for _ in range(round(settings.hold_s / _LOOK)):
            self._run(steps)
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
            count = min(_CONTROL_STEPS, steps - done)
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
    the shortest that the time step allows.
    """
    return {
        "friction": [friction, 0.005 * friction, 0.0001],
        "condim": 4,
        "solref": [0.006, 1.0],
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


def _add_object(
    mujoco: Any, spec: Any, pieces: Pieces, mass: float, contact: dict[str, Any]
) -> None:
    body = spec.worldbody.add_body(name="object")
    body.add_freejoint()
    body.explicitinertial = True
    body.mass, body.ipos = mass, pieces.centre
    principal, R = np.linalg.eigh(mass * pieces.inertia)
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
