"""The hold test on synthesised grasps of the shared meshes: does it discriminate? One JSON line.

    python benchmarks/hold.py [--meshes ../shared/meshes] [--only cracker,mug] [--num 16] [--seed 0]

Per object: `num` grasps are synthesised, ranked as `bghop grasp` ranks them, and each goes through
the hold test as it is, without its left and without its right hand, with friction 0.1, with other
squeezes, pushed 3 mm deeper, and through the static check. Making the object's convex pieces is
timed apart (they are cached). Everything runs on one core.
"""

import argparse
import json
import sys
import time
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
from bghop.physics.hold import HoldResult, hold_test
from bghop.physics.pieces import pieces_of
from bghop.physics.settings import HandForces, HoldSettings
from bghop.physics.static_check import static_check
from bghop.synthesis.synthesize import synthesize
from shared_meshes import load_shared_objects

VARIANTS = {
    "as_is": {},
    "without_left": {"present": (False, True)},
    "without_right": {"present": (True, False)},
    "friction_0.1": {"settings": HoldSettings(friction=0.1)},
    "squeeze_0mm": {"settings": HoldSettings(forces=HandForces(squeeze=0.0))},
    "squeeze_2mm": {"settings": HoldSettings(forces=HandForces(squeeze=0.002))},
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


def shares(results: list[HoldResult]) -> dict[str, float]:
    """Directions held, grasps held in all six, and the best-ranked one."""
    return {
        "directions": round(mean(mean(result.held) for result in results), 3),
        "all_six": round(mean(result.success for result in results), 3),
        "best": int(results[0].success),
    }


def run_object(mesh: Mesh, model: HandModel, num: int, seed: int) -> dict:
    begin = time.perf_counter()
    pieces = pieces_of(mesh)
    pieces_s = time.perf_counter() - begin
    begin = time.perf_counter()
    found = synthesize(mesh, hand_model=model, num=num, seed=seed)
    each = (time.perf_counter() - begin) / len(found.energy)
    target, query = solid_of_mesh(mesh), MeshQuery(mesh)
    candidates = [found.hands.rows(i) for i in range(len(found.energy))]
    metrics = [measure_grasp(target, model, hands, time_s=each) for hands in candidates]
    checks = [static_check(query, pieces.body, model, hands) for hands in candidates]
    scores = [score(c.instability, e) for c, e in zip(checks, found.energy.tolist(), strict=True)]
    order = rank(metrics, scores)
    grasps, checks = [candidates[i] for i in order], [checks[i] for i in order]

    runs = {
        name: [hold_test(mesh, model, hands, query=query, **how) for hands in grasps]
        for name, how in VARIANTS.items()
    }
    for name, shift in (("deeper_3mm", 0.003), ("opened_30mm", -0.03)):
        runs[name] = [
            hold_test(mesh, model, deeper(query, model, hands, shift), query=query)
            for hands in grasps
        ]
    as_is = runs["as_is"]
    held = np.array([result.held for result in as_is])
    balanced = np.array([check.held for check in checks])
    return {
        "extents_cm": (100 * mesh.extents).round(1).tolist(),
        "mass": round(as_is[0].mass, 2),
        "pieces": len(pieces.vertices),
        "pieces_method": pieces.method,
        "pieces_s": round(pieces_s, 1),
        "volume_error": round(pieces.volume_error, 3),
        "surface_error_mm": [round(value, 2) for value in pieces.surface_error_mm],
        "num": len(grasps),
        **{name: shares(results) for name, results in runs.items()},
        "static_all_six": round(float(balanced.all(1).mean()), 3),
        "static_directions": round(float(balanced.mean()), 3),
        "static_agrees_directions": round(float((balanced == held).mean()), 3),
        "static_yes_hold_no": int((balanced.all(1) & ~held.all(1)).sum()),
        "static_no_hold_yes": int((~balanced.all(1) & held.all(1)).sum()),
        "squeeze_n": [round(mean(r.squeeze_force[side] for r in as_is), 1) for side in range(2)],
        "closing_cm": round(mean(result.closing_moved_cm for result in as_is), 2),
        "largest_force": round(max(result.largest_force for result in as_is), 1),
        "hold_s": round(mean(result.seconds for result in as_is), 3),
        "hold_s_max": round(max(result.seconds for result in as_is), 3),
        "static_ms": round(1e3 * mean(check.seconds for check in checks), 1),
        "moved_cm": [[round(v, 1) for v in result.moved_cm] for result in as_is],
        "turned_deg": [[round(v) for v in result.turned_deg] for result in as_is],
        "squeezes": [[round(v, 1) for v in result.squeeze_force] for result in as_is],
        "closings_cm": [round(result.closing_moved_cm, 2) for result in as_is],
        "static_residuals": [[round(v, 2) for v in check.residual] for check in checks],
    }


def main() -> None:
    """Run the objects asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", type=Path, default=Path("../shared/meshes"))
    parser.add_argument("--only", default="", help="parts of the names to run, comma-separated")
    parser.add_argument("--num", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_open_hand()
    wanted = arguments.only.split(",")
    rows = {}
    for name, mesh in load_shared_objects(arguments.meshes).items():
        if not any(part in name for part in wanted):
            continue
        row = run_object(mesh, model, arguments.num, arguments.seed)
        rows[name] = row
        print(f"{name:24s} {json.dumps(row)}", file=sys.stderr, flush=True)
    names = [*VARIANTS, "deeper_3mm", "opened_30mm"]
    summary = {
        name: {key: round(mean(row[name][key] for row in rows.values()), 3) for key in row_keys}
        for name in names
        for row_keys in [("directions", "all_six", "best")]
    }
    other = {
        key: round(mean(row[key] for row in rows.values()), 3)
        for key in ("static_all_six", "static_agrees_directions", "hold_s", "static_ms")
    }
    print(json.dumps({"benchmark": "hold", "objects": len(rows), **summary, **other, "rows": rows}))


if __name__ == "__main__":
    main()
