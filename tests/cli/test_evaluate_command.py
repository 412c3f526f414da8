"""`bghop evaluate` from the shell: table, JSON, silence, errors in one line."""

import json
import re
import subprocess
import sys

import pytest

from bghop.cli import main
from bghop.evaluation.trial import TrialResult
from bghop.jobs.evaluate import EvaluateResult

ROW = {"grasps": 4, "hold_best": 1.0, "hold_verified": 1.0, "hold_all": 0.75, "depth_mm": 0.5,
       "volume_cm3": 0.1, "both_in_contact": 1.0, "good": 0.5}  # fmt: skip


@pytest.fixture
def jobs(monkeypatch):
    """The job itself is replaced; what it is told is recorded."""
    given = []

    def record(job, *, listener):
        given.append(job)
        listener.stage("trials", 0, 1)
        listener.trial("box, optimize, seed 0", TrialResult(index=0, rows=[], times={}))
        return EvaluateResult(
            folder=job.out, state="done", num_objects=1, num_trials=1, summary={"optimize": ROW}
        )

    monkeypatch.setattr("bghop.jobs.evaluate.run_evaluate_job", record)
    return given


def test_every_option_is_passed_on(jobs, tmp_path):
    args = "--methods optimize optimize@20 --num 3 --seeds 1 2 --only box* mug --workers 1"
    command = ["evaluate", "--objects", "shapes", "--out", str(tmp_path), *args.split()]
    assert main([*command, "--no-hold", "--overwrite", "--quiet"]) == 0
    (job,) = jobs
    assert (job.objects, job.out, job.num, job.workers) == ("shapes", tmp_path, 3, 1)
    assert (job.methods, job.seeds) == (("optimize", "optimize@20"), (1, 2))
    assert (job.only, job.hold, job.overwrite) == (("box*", "mug"), False, True)


def test_a_job_ends_with_a_table(jobs, tmp_path, capsys):
    assert main(["evaluate", "--objects", "shapes", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert re.search(r"optimize +4 +100% / 100% / 75% +0\.5 +0\.10 +50%", shown.out)
    assert "box, optimize, seed 0: 0 grasps" in shown.err
    assert jobs[0].hold


def test_json_and_quiet(jobs, tmp_path, capsys):
    command = ["evaluate", "--objects", "shapes", "--out", str(tmp_path)]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["methods"]["optimize"] == ROW
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--num", "0"], "use 1 to"),
        (["--methods", "guess"], "use optimize, random"),
        (["--methods", "sds"], "not available in this version"),
        (["--seeds", "-1"], "use 0 to"),
        (["--workers", "0"], "use 1 to"),
        (["--num", "many"], "evaluate --help"),
        (["--only", "cup"], "matches no object"),
        (["--objects", "nowhere"], "nowhere"),
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
    command = "-m bghop evaluate --objects shapes --methods random --num 2 --no-hold --json --out"
    done = subprocess.run(
        [sys.executable, *command.split(), str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["methods"]["random"]["grasps"] >= 4
