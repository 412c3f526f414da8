"""Import of a data set of ARCTIC's format and size by the real job. One JSON line.

    python benchmarks/arctic.py [--sequences 300 --frames 700] [--workers 2] [--kills 2]

The input comes from the generator of the tests: eleven hinged boxes, two hands that come and go.
`frames_per_s` counts every frame of the files over the whole time of the job, grids of the objects
and the check of conventions included. With `--kills` the command is killed (-9) that often on the
way, in a folder of its own, and what it ends with is compared byte by byte. Wanted: 2,000 frames/s
on two cores, under 4 GB.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bghop.data.objects_file import read_objects
from bghop.data.record_file import read_records
from bghop.jobs.data_import import ImportListener, run_import_job
from bghop.jobs.import_options import ImportDataJob
from bghop.processes import available_cores

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

TARGET_FRAMES_PER_S, TARGET_GB = 2000, 4.0
FILES = ("records.parquet", "objects.parquet")


class Stages(ImportListener):
    """Seconds between the first and the last word about each stage."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}

    def stage(self, stage: str, done: int, total: int) -> None:
        """Note the time."""
        del done, total
        now = time.perf_counter()
        self.first.setdefault(stage, now)
        self.last[stage] = now

    def seconds(self) -> dict[str, float]:
        """Of each stage."""
        return {name: round(self.last[name] - start, 2) for name, start in self.first.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sequences", type=int, default=60)
    parser.add_argument("--frames", type=int, default=700)
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--kills", type=int, default=0)
    options = parser.parse_args()
    from arctic_like import write_arctic_at_scale, write_mano_files  # pyright: ignore[reportMissingImports]

    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        root = write_arctic_at_scale(
            base / "root", sequences=options.sequences, frames=options.frames
        )
        mano = write_mano_files(base / "mano")
        stages = Stages()
        job = ImportDataJob(
            source="arctic", root=root, out=base / "out", mano=mano, workers=options.workers
        )
        begun, busy = time.perf_counter(), processor_s()
        made = run_import_job(job, listener=stages)
        seconds, busy = time.perf_counter() - begun, processor_s() - busy
        records = read_records(job.out / FILES[0])
        counts = made.counts
        rate = counts.read / seconds
        result = {
            "benchmark": "arctic", "sequences": options.sequences, "frames": counts.read,
            "in_contact": counts.in_contact, "kept": counts.kept, "workers": options.workers,
            "seconds": round(seconds, 1), "stage_s": stages.seconds(),
            "frames_per_s": round(rate), "kept_per_s": round(counts.kept / seconds),
            "frames_per_s_without_objects": round(
                counts.read / (seconds - stages.seconds()["objects"])
            ),
            "cpu_s": round(busy, 1),
            "frames_per_s_if_idle": round(counts.read / busy * options.workers),
            "ratio_to_target": round(rate / TARGET_FRAMES_PER_S, 2),
            "peak_gb_at_most": round(peak_gb(options.workers), 2),
            "read_mb": round(megabytes(root / "raw_seqs"), 1),
            "records_mb": round(megabytes(job.out / FILES[0]), 1),
            "objects_mb": round(megabytes(job.out / FILES[1]), 1),
            "grids_mb": round(read_objects(job.out / FILES[1]).megabytes, 1),
            "rows_once": len(set(records.id)) == len(records) == counts.kept,
        }  # fmt: skip
        if options.kills:
            result["kills"], result["same_after_kills"] = after_kills(job, options.kills)
    print(json.dumps(result))


def processor_s() -> float:
    """Of this process and of all that have ended: what an idle machine would do, workers busy."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_gb(workers: int) -> float:
    """Of this process, and as much for every worker as the largest of them had."""
    own, largest = (
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return (own + (workers * largest if workers > 1 else 0)) * 1024 / 1e9  # kB on Linux


def megabytes(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file()) / 1e6


def after_kills(job: ImportDataJob, kills: int) -> tuple[int, bool]:
    """How many kills met a running command, and whether both tables came out the same."""
    out = job.out.with_name("killed")
    command = [
        sys.executable, "-m", "bghop", "data", "arctic", str(job.root), "--mano", str(job.mano),
        "--out", str(out), "--workers", str(job.workers), "--quiet",
    ]  # fmt: skip
    total, met = len(list((job.root / "raw_seqs").rglob("*.mano.npy"))), 0
    for number in range(kills):
        run = subprocess.Popen(command, start_new_session=True)
        enough = (number + 1) * total // (kills + 1)
        while run.poll() is None and len(list(out.glob("parts/*/counts.json"))) < enough:
            time.sleep(0.01)
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            met += 1
        run.wait()
    subprocess.run(command, check=True)
    return met, all(same(out / name, job.out / name) for name in FILES)


def same(one: Path, other: Path) -> bool:
    """Bytes of a file, or of all files of a folder."""
    if not one.is_dir():
        return one.read_bytes() == other.read_bytes()
    names = [sorted(each.name for each in path.iterdir()) for path in (one, other)]
    return names[0] == names[1] and all(same(one / n, other / n) for n in names[0])


if __name__ == "__main__":
    main()
