"""The hold test: two squeezing hands, an object, gravity from six sides.

A hand that only touches exerts no force, so hands are articulated, their targets lie `squeeze`
inside the surface and their forces are limited (physics/hand_bodies.py). They close without
gravity; from that closed state gravity then acts along each axis of the object, both ways. Only
the object has weight: the arms carry the hands.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.hands.model import HandModel, HandParameters
from bghop.physics.hand_bodies import plan_hands
from bghop.physics.pieces import Pieces, pieces_of
from bghop.physics.scene import HoldScene
from bghop.physics.settings import HoldSettings

DIRECTIONS = np.concatenate([np.eye(3), -np.eye(3)])
"""Gravity in the object's frame, in the order of every result: +x +y +z -x -y -z."""
DIRECTION_NAMES = ("+x", "+y", "+z", "-x", "-y", "-z")


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


@dataclass(frozen=True, kw_only=True, eq=False)
class HoldFilm:
    """One direction of gravity, moment by moment, in the object's frame before closing."""

    captions: tuple[str, ...]
    Ts_object_now: Float[np.ndarray, "frame 4 4"]
    """Where the object is: `p_object = T p_now`; the identity in the first frame."""
    hands: HandParameters
    """Batch `frame`, posed as in the simulation."""
    moved_cm: tuple[float, ...]
    """From the closed state."""
    turned_deg: tuple[float, ...]


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
        PhysicsError: MuJoCo is not installed.
        MeshError: The mesh encloses no volume.
    """
    settings = settings or HoldSettings()
    pieces = pieces_of(mesh)
    start = time.perf_counter()
    scene = _scene(mesh, pieces, hand_model, hands, settings, present, query)
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
        mass=scene.mass,
        seconds=time.perf_counter() - start,
    )


def hold_tests(
    mesh: Mesh,
    hand_model: HandModel,
    grasps: Sequence[HandParameters],
    settings: HoldSettings | None = None,
    *,
    query: MeshQuery | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[HoldResult]:
    """`hold_test` of several grasps of one object, side by side in threads.

    MuJoCo's steps do not hold Python's lock.

    Args:
        mesh: The object.
        hand_model: The hands.
        grasps: Each without a leading batch.
        settings: See `HoldSettings`.
        query: Exact distances to the mesh.
        threads: How many at once; None for the number of cores.
        progress: Called with (grasps done, grasps in all).
    """
    query = query or MeshQuery(mesh)
    pieces_of(mesh)  # once, before the threads ask for it
    pool = ThreadPoolExecutor(threads or os.cpu_count() or 1)
    try:
        runs = [
            pool.submit(hold_test, mesh, hand_model, hands, settings, query=query)
            for hands in grasps
        ]
        results = []
        for run in runs:
            results.append(run.result())
            if progress is not None:
                progress(len(results), len(runs))
    finally:  # after Ctrl-C or an error nobody waits for the rest
        pool.shutdown(cancel_futures=True)
    return results


def hold_film(
    mesh: Mesh,
    hand_model: HandModel,
    hands: HandParameters,
    settings: HoldSettings | None = None,
    *,
    direction: int,
    frames: int = 7,
    present: tuple[bool, bool] | None = None,
    query: MeshQuery | None = None,
) -> HoldFilm:
    """The hold test along one of `DIRECTIONS`, for pictures: grasp, closed, then gravity.

    Args:
        mesh: The object.
        hand_model: The hands.
        hands: One grasp (no leading batch), object frame.
        settings: See `HoldSettings`.
        direction: Index into `DIRECTIONS`.
        frames: Moments in all, at least 3. Those under gravity are spread over the time until
            the object is lost, or over all of it.
        present: Hands (left, right) to keep; both if None.
        query: Exact distances to the mesh.
    """
    settings = settings or HoldSettings()
    scene = _scene(mesh, pieces_of(mesh), hand_model, hands, settings, present, query)
    moments = [("grasp", scene.pose(), (0.0, 0.0))]
    scene.close()
    closed = scene.state()
    scene.restore(closed)
    moments.append(("closed", scene.pose(), (0.0, 0.0)))
    under: list = []
    scene.pull(
        DIRECTIONS[direction],
        look=lambda seconds: under.append((seconds, scene.pose(), scene.displacement())),
    )
    for k in np.linspace(0, len(under) - 1, max(frames - 2, 1) + 1).round().astype(int)[1:]:
        seconds, pose, moved = under[k]
        words = f"gravity {DIRECTION_NAMES[direction]}, {seconds:.2f} s"
        moments.append((words, pose, moved))
    return HoldFilm(
        captions=tuple(words for words, _, _ in moments),
        Ts_object_now=np.stack([pose[0] for _, pose, _ in moments]),
        hands=hand_model.parameters_of_bones(
            hands, torch.from_numpy(np.stack([pose[1] for _, pose, _ in moments]))
        ),
        moved_cm=tuple(100 * moved[0] for _, _, moved in moments),
        turned_deg=tuple(float(np.degrees(moved[1])) for _, _, moved in moments),
    )


def _scene(
    mesh: Mesh, pieces: Pieces, hand_model: HandModel, hands: HandParameters,
    settings: HoldSettings, present: tuple[bool, bool] | None, query: MeshQuery | None,
) -> HoldScene:  # fmt: skip
    if present is not None:
        keep = torch.tensor(present, device=hands.present.device)
        hands = replace(hands, present=hands.present & keep)
    plans = plan_hands(query or MeshQuery(mesh), hand_model, hands)
    return HoldScene(pieces, plans, settings)
