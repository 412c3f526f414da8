"""`--verify`: the hold test of every result, what holds first, and strips that show it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from bghop.drawing.posed import drawable, posed_scenes
from bghop.drawing.scene import Scene
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.hands.model import HandModel, HandParameters
from bghop.jobs.grasp_hold import HoldRecord
from bghop.jobs.grasp_inputs import HOLD_SETTINGS
from bghop.jobs.ranked import Progress, Ranked
from bghop.physics.hold import DIRECTIONS, hold_film, hold_tests
from bghop.physics.pieces import pieces_of

_STRIP_FRAMES = 7


def verified(
    results: Ranked, hand_model: HandModel, query: MeshQuery, *, progress: Progress
) -> Ranked:
    """The same grasps with their hold tests, those that hold in all six directions first.

    Inside each of the two groups the order stays that of the scores.

    Args:
        results: Of one mesh, ordered by scores.
        hand_model: The hands.
        query: Exact distances to the mesh.
        progress: Called with (stage, done, total).

    Raises:
        PhysicsError: MuJoCo is not installed.
    """
    grasps, mesh = results.grasps, results.mesh(0)
    progress("cutting into convex pieces", 0, 1)
    pieces_of(mesh)  # kept for the test; some seconds when the mesh is new
    num = len(grasps.metrics)
    progress("hold test", 0, num)
    tests = hold_tests(
        mesh,
        hand_model,
        [grasps.hands.rows(index) for index in range(num)],
        HOLD_SETTINGS,
        query=query,
        progress=lambda done, total: progress("hold test", done, total),
    )
    present = grasps.hands.present.tolist()
    hold = [
        HoldRecord.of(result, (present[index][0], present[index][1]), index + 1)
        for index, result in enumerate(tests)
    ]
    order = what_holds_first(hold)
    rows = torch.tensor(order, device=grasps.hands.present.device)
    grasps = replace(
        grasps,
        hands=grasps.hands.rows(rows),
        joints_object=grasps.joints_object[rows],
        metrics=tuple(grasps.metrics[k] for k in order),
        scores={name: values[rows] for name, values in grasps.scores.items()},
        hold=tuple(hold[k] for k in order),
    )
    return results.reordered(grasps, order)


def what_holds_first(hold: Sequence[HoldRecord]) -> list[int]:
    """Indices: all that hold in six directions before all others, otherwise as they came."""
    return sorted(range(len(hold)), key=lambda k: not hold[k].success)


def hold_strip(
    mesh: Mesh,
    hand_model: HandModel,
    hands: HandParameters,
    record: HoldRecord,
    query: MeshQuery,
) -> tuple[list[Scene], list[str]]:
    """Frames and captions of the hold test in its hardest direction, turned so that it is down.

    Args:
        mesh: The object.
        hand_model: The hands.
        hands: One grasp (no leading batch).
        record: Its hold test.
        query: Exact distances to the mesh.
    """
    direction = record.hardest
    film = hold_film(
        mesh,
        hand_model,
        hands,
        HOLD_SETTINGS,
        direction=direction,
        frames=_STRIP_FRAMES,
        query=query,
    )
    down = DIRECTIONS[direction]
    scenes = film_scenes(mesh, hand_model, film.Ts_object_now, film.hands, down=down)
    captions = [
        f"{words}\nmoved {moved:.1f} cm, turned {turned:.0f}°"
        for words, moved, turned in zip(film.captions, film.moved_cm, film.turned_deg, strict=True)
    ]
    # Displacements count from the closed state, so before it they say nothing.
    captions[0] = film.captions[0]
    captions[1] = f"{film.captions[1]}\npushed {record.closing_moved_cm:.1f} cm by closing"
    verdict = "held" if record.held[direction] else "not held"
    captions[-1] = captions[-1].replace("\n", f": {verdict}\n", 1)
    return scenes, captions


def film_scenes(
    mesh: Mesh,
    hand_model: HandModel,
    Ts_object_now: Float[np.ndarray, "frame 4 4"],
    hands: HandParameters,
    *,
    down: Float[np.ndarray, "3"],
) -> list[Scene]:
    """A scene for each moment, in a frame whose -z is `down`, as pictures have it."""
    R_world_object = turn_down(down)
    vertices, triangles = drawable(mesh)
    moved = [(vertices @ T[:3, :3].T + T[:3, 3], triangles) for T in Ts_object_now]
    return [scene.turned(R_world_object) for scene in posed_scenes(hand_model, hands, moved)]


def turn_down(down: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The smallest rotation that maps a unit vector along an axis to -z; half a turn about x."""
    if down[2] > 0.5:
        return np.diag([1.0, -1.0, -1.0])
    if down[2] < -0.5:
        return np.eye(3)
    # Perpendicular to z: a quarter turn that takes `down` to -z and z to `down`.
    axis = np.cross(down, [0.0, 0.0, 1.0])
    return np.outer([0.0, 0.0, -1.0], down) + np.outer(down, [0.0, 0.0, 1.0]) + np.outer(axis, axis)
