"""`bghop evaluate` from the shell: table, JSON, silence, errors in one line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bghop.cli import main
from bghop.evaluation.trial import TrialResult
from bghop.jobs.evaluate import EvaluateResult
from bghop.jobs.evaluate_options import available_cores
from bghop.reporting.summary import summarize
from bghop.reporting.timing import summarize_times

sys.path.insert(0, str(Path(__file__).parents[1] / "reporting"))
from benchmark_rows import make_rows, make_times

ROWS = make_rows(methods=("optimize", "random"), num=4)
UNTESTED = make_rows(methods=("optimize",), num=2, tested=False)


@pytest.fixture
def jobs(monkeypatch):
    """The job itself is replaced; what it is told is recorded."""
    given = []

    def record(job, *, listener):
        given.append(job)
        listener.stage("trials", 0, 1)
        listener.trial("box, optimize, seed 0", TrialResult(index=0, rows=[], times={}))
        rows = ROWS if job.hold else UNTESTED
        return EvaluateResult(
            folder=job.out, state="done" if job.hold else "kept", num_objects=5, num_trials=10,
            methods=summarize(rows), times=summarize_times(rows, make_times(rows)),
        )  # fmt: skip

    monkeypatch.setattr("bghop.jobs.evaluate.run_evaluate_job", record)
    return given


def test_every_option_is_passed_on(jobs, tmp_path):
    args = "--methods optimize optimize@20 --num 3 --seeds 1 2 --only box* mug --workers 1"
    command = ["evaluate", "--objects", "shapes", "--out", str(tmp_path), *args.split()]
    assert main([*command, "--no-hold", "--no-pictures", "--overwrite", "--quiet"]) == 0
    (job,) = jobs
    assert (job.objects, job.out, job.num, job.workers) == ("shapes", tmp_path, 3, 1)
    assert (job.methods, job.seeds) == (("optimize", "optimize@20"), (1, 2))
    assert (job.only, job.hold, job.overwrite) == (("box*", "mug"), False, True)
    assert not job.pictures


def test_a_job_ends_with_a_table(jobs, tmp_path, capsys):
    assert main(["evaluate", "--objects", "shapes", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    mine = [row for row in ROWS if row["method"] == "optimize"]
    best = np.mean([row["hold"] for row in mine if row["rank"] == 0])
    every = np.mean([row["hold"] for row in mine])
    alone = np.mean([row["hold_without_left"] or row["hold_without_right"] for row in mine])
    depth = np.mean([row["depth_mm"] for row in mine])
    (line,) = [each for each in shown.out.splitlines() if each.startswith("optimize ")]
    numbers = rf"optimize +20 +{best:.0%} +{every:.0%} +\d+% +{alone:.0%} +100% +\d+% +{depth:.2f}"
    assert re.match(numbers + r" +1\.00$", line)  # 4 s a run of 4 grasps
    assert str(tmp_path / "report.html") in shown.out
    assert "box, optimize, seed 0: 0 grasps" in shown.err
    assert jobs[0].hold
    assert jobs[0].pictures
    assert jobs[0].workers == available_cores()


def test_without_a_hold_test_the_table_has_dashes(jobs, tmp_path, capsys):
    assert main(["evaluate", "--objects", "shapes", "--out", str(tmp_path), "--no-hold"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"optimize +10 +- +- +- +- +100% ", shown)
    assert "finished before" in shown


def test_json_and_quiet(jobs, tmp_path, capsys):
    command = ["evaluate", "--objects", "shapes", "--out", str(tmp_path)]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["methods"]["optimize"]
    held = [row["hold"] for row in ROWS if row["method"] == "optimize"]
    assert found["hold_all"]["mean"] == np.mean(held)
    assert found["hold_all"]["low"] <= np.mean(held) <= found["hold_all"]["high"]
    assert (found["grasps"], found["s_per_grasp"]) == (20, 1.0)
    assert main([*command, "--json", "--no-hold"]) == 0
    assert json.loads(capsys.readouterr().out)["methods"]["optimize"]["hold_all"] is None
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--num", "0"], "use 1 to"),
        (["--methods", "guess"], "use optimize, random"),
        (["--methods", "sds", "--checkpoint", "/no/such"], "train one with"),
        (["--seeds", "-1"], "use 0 to"),
        (["--workers", "0"], "use 1 to"),
        (["--num", "many"], "evaluate --help"),
        (["--only", "cup"], "matches no object"),
        (["--objects", "nowhere"], "nowhere"),
        (["--objects", "shapes:0"], "N from 1 to 24"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(args, words, tmp_path, capsys):
    command = ["evaluate", "--objects", "shapes", "--out", str(tmp_path / "out"), *args]
    assert main(command) == 2
    shown = capsys.readouterr().err
    assert words in shown.splitlines()[-1]
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()


def test_options_are_checked_before_torch_is_imported():
    code = (
        "import sys; from bghop.cli import main\n"
        "assert main(['evaluate', '--objects', 'shapes', '--out', 'o', '--num', '0']) == 2\n"
        "assert not {'torch', 'numpy', 'pyarrow', 'mujoco'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_floor_runs_from_the_shell_in_two_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path / "cache"))
    command = "-m bghop evaluate --objects shapes:3 --methods random --num 2 --no-hold --json --out"
    done = subprocess.run(
        [sys.executable, *command.split(), str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["methods"]["random"]["grasps"] == 6
