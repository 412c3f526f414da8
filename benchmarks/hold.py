"""The hold test on synthesised grasps of the shared meshes: does it discriminate? One JSON line.

    python benchmarks/hold.py [--meshes ../shared/meshes] [--only cracker,mug] [--num 8] [--seed 0]
                              [--sensitivity | --threads]

Per object: `num` grasps are synthesised, ranked as `bghop grasp` ranks them, and each goes through
the hold test as it is, without its left and without its right hand, with friction 0.1, with other
squeezes, pushed 3 mm deeper, opened by 30 mm, and through the static check. `--sensitivity` varies
the numbers of the definition instead; `--threads` only times the same grasps one after the other
and side by side. Making the object's convex pieces is timed apart (they are
cached). The grasps of an object run side by side, one thread a core.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from bghop.evaluation.measure import measure_grasp, solid_of_mesh
from bghop.evaluation.ranking import rank, score
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.physics.contacts import owners, posed_skin, touching
from bghop.physics.hold import HoldResult, hold_tests
from bghop.physics.pieces import pieces_of
from bghop.physics.settings import HandForces, HoldSettings
from bghop.physics.static_check import StaticResult, static_check
from bghop.synthesis.synthesize import synthesize
from shared_meshes import load_shared_objects

Change = Callable[[MeshQuery, HandModel, HandParameters], HandParameters]


def _forces(**values: float) -> HoldSettings:
    return HoldSettings(forces=replace(HandForces(), **values))


SENSITIVITY = {
    "as_is": HoldSettings(),
    "step_1ms": HoldSettings(timestep=0.001),
    "step_2ms": HoldSettings(timestep=0.002),
    "friction_0.6": HoldSettings(friction=0.6),
    "friction_1.0": HoldSettings(friction=1.0),
    "forces_x0.67": _forces(finger_force=10.0, wrist_force=26.7, wrist_torque=4.8),
    "forces_x1.5": _forces(finger_force=22.5, wrist_force=60.0, wrist_torque=10.8),
    "wrist_torque_4Nm": _forces(wrist_torque=4.0),
    "squeeze_3mm": _forces(squeeze=0.003),
    "squeeze_8mm": _forces(squeeze=0.008),
    "closing_0.6s": HoldSettings(close_s=0.6),
    "hands_pass_through_each_other": HoldSettings(hands_collide=False),
}


def deeper(
    query: MeshQuery, model: HandModel, hands: HandParameters, shift: float
) -> HandParameters:
    """Each hand moved against (negative: along) the mean normal of its contacts, metres."""
    vertices, _ = posed_skin(model, hands)
    T = hands.T_object_hand.clone()
    for side in range(2):
        found = touching(query, vertices[side], owners(model))
        normal = found.normal.sum(0)
        unit = normal / max(float(np.linalg.norm(normal)), 1e-9)
        T[side, :3, 3] -= torch.tensor(shift * unit, dtype=T.dtype)
    return replace(hands, T_object_hand=T)


def _without(side: int) -> Change:
    def change(query: MeshQuery, model: HandModel, hands: HandParameters) -> HandParameters:
        del query, model
        present = hands.present.clone()
        present[side] = False
        return replace(hands, present=present)

    return change


def _moved(shift: float) -> Change:
    return lambda query, model, hands: deeper(query, model, hands, shift)


def _same(query: MeshQuery, model: HandModel, hands: HandParameters) -> HandParameters:
    del query, model
    return hands


DISCRIMINATION: dict[str, tuple[Change, HoldSettings]] = {
    "as_is": (_same, HoldSettings()),
    "without_left": (_without(0), HoldSettings()),
    "without_right": (_without(1), HoldSettings()),
    "friction_0.1": (_same, HoldSettings(friction=0.1)),
    "squeeze_0mm": (_same, _forces(squeeze=0.0)),
    "squeeze_2mm": (_same, _forces(squeeze=0.002)),
    "deeper_3mm": (_moved(0.003), HoldSettings()),
    "opened_30mm": (_moved(-0.03), HoldSettings()),
}


def shares(results: list[HoldResult]) -> dict[str, float]:
    """Directions held, grasps held in all six, and the best-ranked one."""
    return {
        "directions": round(mean(mean(result.held) for result in results), 3),
        "all_six": round(mean(result.success for result in results), 3),
        "best": int(results[0].success),
    }


def ordered_right(values: list[float], held: list[bool]) -> float | None:
    """Share of pairs of one held and one dropped grasp that the value orders right (AUC)."""
    good = [value for value, success in zip(values, held, strict=True) if success]
    bad = [value for value, success in zip(values, held, strict=True) if not success]
    if not good or not bad:
        return None
    return mean(0.5 * ((b > g) + (b >= g)) for g in good for b in bad)


def run_object(mesh: Mesh, model: HandModel, num: int, seed: int, sensitivity: bool) -> dict:
    begin = time.perf_counter()
    pieces = pieces_of(mesh)
    pieces_s = time.perf_counter() - begin
    begin = time.perf_counter()
    found = synthesize(mesh, hand_model=model, num=num, seed=seed)
    each = (time.perf_counter() - begin) / len(found.energy)
    target = solid_of_mesh(mesh)
    query = target.query
    candidates = [found.hands.rows(i) for i in range(len(found.energy))]
    metrics = [measure_grasp(target, model, hands, time_s=each) for hands in candidates]
    checks = [static_check(query, pieces.body, model, hands) for hands in candidates]
    energies = found.energy.tolist()
    scores = [score(c.instability, e) for c, e in zip(checks, energies, strict=True)]
    order = rank(metrics, scores)
    grasps, checks = [candidates[i] for i in order], [checks[i] for i in order]
    variants = (
        {name: (_same, settings) for name, settings in SENSITIVITY.items()}
        if sensitivity
        else DISCRIMINATION
    )
    runs = {
        name: hold_tests(
            mesh, model, [change(query, model, hands) for hands in grasps], settings, query=query
        )
        for name, (change, settings) in variants.items()
    }
    as_is = runs["as_is"]
    success = [result.success for result in as_is]
    return {
        "extents_cm": (100 * mesh.extents).round(1).tolist(),
        "mass": round(as_is[0].mass, 2),
        "pieces": len(pieces.vertices),
        "pieces_s": round(pieces_s, 1),
        "num": len(grasps),
        **{name: shares(results) for name, results in runs.items()},
        **_static(checks, as_is),
        "score_orders_right": ordered_right([scores[i] for i in order], success),
        "energy_orders_right": ordered_right([energies[i] for i in order], success),
        "pushed_2cm_by_closing": round(mean(r.closing_moved_cm > 2 for r in as_is), 3),
        "held_though_pushed_2cm": sum(r.success and r.closing_moved_cm > 2 for r in as_is),
        "closing_cm": round(mean(result.closing_moved_cm for result in as_is), 2),
        "squeeze_n": [round(mean(r.squeeze_force[side] for r in as_is), 1) for side in range(2)],
        "largest_force": round(max(result.largest_force for result in as_is), 1),
        "hold_s": round(mean(result.seconds for result in as_is), 3),
        "hold_s_max": round(max(result.seconds for result in as_is), 3),
        "static_ms": round(1e3 * mean(check.seconds for check in checks), 1),
    }


def _static(checks: list[StaticResult], results: list[HoldResult]) -> dict[str, float]:
    """Static check against simulation: directions that agree, and grasps by both verdicts."""
    held = np.array([result.held for result in results])
    balanced = np.array([check.held for check in checks])
    six, all_balanced = held.all(1), balanced.all(1)
    return {
        "static_all_six": round(float(all_balanced.mean()), 3),
        "static_agrees_directions": round(float((balanced == held).mean()), 3),
        "both_hold": int((six & all_balanced).sum()),
        "static_yes_hold_no": int((all_balanced & ~six).sum()),
        "static_no_hold_yes": int((~all_balanced & six).sum()),
        "neither": int((~six & ~all_balanced).sum()),
    }


def time_threads(mesh: Mesh, model: HandModel, num: int, seed: int) -> dict:
    """Seconds for all grasps with one thread and with one a core, and their ratio."""
    query = MeshQuery(mesh)
    found = synthesize(mesh, hand_model=model, num=num, seed=seed)
    grasps = [found.hands.rows(i) for i in range(len(found.energy))]
    hold_tests(mesh, model, grasps[:1], query=query)
    seconds = []
    for threads in (1, None):
        begin = time.perf_counter()
        hold_tests(mesh, model, grasps, query=query, threads=threads)
        seconds.append(round(time.perf_counter() - begin, 2))
    return {"one_s": seconds[0], "side_by_side_s": seconds[1], "ratio": seconds[0] / seconds[1]}


def main() -> None:
    """Run the objects asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", type=Path, default=Path("../shared/meshes"))
    parser.add_argument("--only", default="", help="parts of the names to run, comma-separated")
    parser.add_argument("--num", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sensitivity", action="store_true")
    parser.add_argument("--threads", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_open_hand()
    wanted = arguments.only.split(",")
    rows = {}
    for name, mesh in load_shared_objects(arguments.meshes).items():
        if not any(part in name for part in wanted):
            continue
        if arguments.threads:
            row = time_threads(mesh, model, arguments.num, arguments.seed)
        else:
            row = run_object(mesh, model, arguments.num, arguments.seed, arguments.sensitivity)
        rows[name] = row
        print(f"{name:24s} {json.dumps(row)}", file=sys.stderr, flush=True)
    if arguments.threads:
        print(json.dumps({"benchmark": "hold_threads", "rows": rows}))
        return
    names = SENSITIVITY if arguments.sensitivity else DISCRIMINATION
    summary = {
        name: {
            key: round(mean(row[name][key] for row in rows.values()), 3)
            for key in ("directions", "all_six", "best")
        }
        for name in names
    }
    others = ("static_all_six", "static_agrees_directions", "hold_s", "static_ms")
    means = {key: round(mean(row[key] for row in rows.values()), 3) for key in others}
    print(json.dumps({"benchmark": "hold", "objects": len(rows), **summary, **means, "rows": rows}))


if __name__ == "__main__":
    main()
