"""Time from found grasps to files: metrics, ranking, GLBs and contact sheet of 16 grasps.

    python benchmarks/results.py [--mesh casserole] [--num 16] [--repeat 3]

One JSON line; the smallest of the repeats, wall and (this process's) CPU seconds. The drawing
process is warm, as it is in a job, where it starts beside the synthesis; `window_s` is what that
start costs.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bghop.drawing.contact_sheet import Cell
from bghop.drawing.scene import Scene
from bghop.drawing.worker import SheetWorker
from bghop.geometry.shapes import box
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.grasp_inputs import find_object, identity_of, load_object
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.grasp_page import page_of
from bghop.jobs.ranked import Candidates
from bghop.jobs.result_folder import ResultFolder
from bghop.jobs.result_writer import ResultWriter
from bghop.synthesis.synthesize import synthesize


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def open_window() -> None:
    """A first picture from a cold process."""
    block = box((0.1, 0.1, 0.1))
    scene = Scene(object=(block.vertices, block.faces), hands=(None, None))
    worker = SheetWorker()
    worker.request([Cell(scene=scene, heading="", caption="")], title="", subtitle="")
    worker.answer()
    worker.close()


def main() -> None:
    """Find grasps once, then write them several times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mesh", default="casserole")
    parser.add_argument("--num", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(2)

    with tempfile.TemporaryDirectory() as out:
        job = GraspJob(meshes=(arguments.mesh,), out=Path(out) / "results", num=arguments.num)
        item = find_object(arguments.mesh)
        mesh, model = load_object(job, item), load_open_hand()
        found = synthesize(mesh, hand_model=model, num=arguments.num)
        folder, writer = ResultFolder(job.out), ResultWriter()
        stages: dict[str, list[float]] = {}

        def write() -> None:
            last = ["", time.perf_counter()]

            def note(stage: str, *_: int) -> None:
                now = time.perf_counter()
                if stage != last[0]:
                    stages.setdefault(str(last[0]), []).append(now - float(last[1]))
                    last[:] = [stage, now]

            folder.begin(identity_of(job, item))
            candidates = Candidates(
                meshes=(mesh,), hands=found.hands, energy=found.energy, terms=found.terms,
                seconds=0.0,
            )  # fmt: skip
            page = page_of(job, item, mesh, model, found)
            writer.write(folder, page, model, candidates, progress=note)
            note("")

        window = min(timed(open_window)[0] for _ in range(2))
        writer.warm_up()
        write()
        runs = [timed(write) for _ in range(arguments.repeat)]
        writer.close()
        files = list(job.out.iterdir())
        print(
            json.dumps(
                {
                    "benchmark": "results",
                    "mesh": arguments.mesh,
                    "num": len(found.energy),
                    "faces": len(mesh.faces),
                    "total_s": round(min(wall for wall, _ in runs), 2),
                    "cpu_s": round(min(cpu for _, cpu in runs), 2),
                    "measure_ms_per_grasp": round(
                        1e3 * min(stages["measuring"]) / len(found.energy), 1
                    ),
                    "glb_s": round(min(stages["writing scenes"]), 2),
                    "rest_of_drawing_s": round(min(stages["drawing"]), 2),
                    "window_s": round(window, 2),
                    "megabytes": round(float(np.sum([f.stat().st_size for f in files])) / 1e6, 1),
                }
            )
        )


if __name__ == "__main__":
    main()
