"""`bghop grasp` on every shared mesh, from the shell to the files: one JSON line.

    python benchmarks/grasp.py [--meshes ../shared/meshes] [--out runs/grasp] [--num 16] [--seed 0]

Every object is one command, as a user starts it; memory includes the process that draws. `best`
are the metrics of the first-ranked grasp; `good` counts the results that keep all demands of
bghop.evaluation.ranking; `best_good` counts the objects whose best grasp does.
"""

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
import trimesh

from bghop.evaluation.ranking import faults
from bghop.jobs.grasps_file import read_grasps
from shared_meshes import load_shared_objects


def run(command: list[str]) -> tuple[int, float, float]:
    """Exit code, wall seconds, and peak megabytes of a process and its children together.

    Memory is the sum of the resident sets every 50 ms; pages that both share count twice.
    """
    begin = time.perf_counter()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        now = 0
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in (process, *process.children(recursive=True)):
                now += each.memory_info().rss
        peak = max(peak, now)
        time.sleep(0.05)
    return process.returncode, time.perf_counter() - begin, peak / 2**20


def main() -> None:
    """Grasp every object and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", type=Path, default=Path("../shared/meshes"))
    parser.add_argument("--out", type=Path, default=Path("runs/grasp"))
    parser.add_argument("--num", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a part of the names to run")
    arguments = parser.parse_args()

    objects = {}
    for name, mesh in load_shared_objects(arguments.meshes).items():
        if arguments.only not in name:
            continue
        folder = arguments.out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        file = folder / f"{name}.ply"
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(file)
        command = [
            str(Path(sys.executable).with_name("bghop")), "grasp", str(file),
            "--out", str(folder / "result"), "--num", str(arguments.num),
            "--seed", str(arguments.seed), "--quiet",
        ]  # fmt: skip
        code, wall, peak = run(command)
        row: dict = {"exit": code, "wall_s": round(wall, 1), "peak_mb": round(peak)}
        if code == 0:
            metrics = read_grasps(folder / "result").metrics
            best = metrics[0]
            row |= {
                "depth_mm": [round(float(x or 0), 2) for x in best.penetration_depth_mm],
                "volume_cm3": [round(float(x or 0), 2) for x in best.intersection_volume_cm3],
                "fingers": list(best.fingers_in_contact),
                "hand_hand_mm": round(best.hand_hand_depth_mm, 2),
                "faults": list(faults(best)),
                "good": sum(not faults(each) for each in metrics),
                "num": len(metrics),
            }
        objects[name] = row
        print(f"{name:24s} {json.dumps(row)}", file=sys.stderr, flush=True)

    done = [row for row in objects.values() if row["exit"] == 0]
    summary = {
        "benchmark": "grasp",
        "objects": len(objects),
        "best_good": sum(not row["faults"] for row in done),
        "all_good_share": round(statistics.mean(row["good"] / row["num"] for row in done), 3),
        "wall_s_max": max(row["wall_s"] for row in objects.values()),
        "wall_s_mean": round(statistics.mean(row["wall_s"] for row in objects.values()), 1),
        "peak_mb_max": max(row["peak_mb"] for row in objects.values()),
        "rows": objects,
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
