"""The benchmark job with a fast method instead of the optimiser."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import trimesh

from bghop.errors import BghopError, CheckpointError, MeshError, OptionError, ResultError
from bghop.evaluation.methods import Candidates
from bghop.evaluation.ranking import Demands
from bghop.evaluation.records import HOLD_COLUMNS, RESULT_COLUMNS, TIME_COLUMNS, from_parquet
from bghop.geometry.transforms import rigid
from bghop.jobs.evaluate import EvaluateListener, run_evaluate_job
from bghop.jobs.evaluate_options import EvaluateJob
from bghop.physics.hold import DIRECTION_NAMES

CALLS: list[tuple[str, str, int]] = []


def beside(mesh, hand_model, *, num, seed, up, text=""):
    """Open hands at both sides, farther apart one after the other, mirrored energies."""
    gap = float(mesh.extents[0]) / 2 + 0.01 * (1 + seed) + 0.005 * torch.arange(num)
    sign = torch.tensor([-1.0, 1.0])
    t = torch.stack([gap[:, None] * sign, torch.zeros(num, 2), torch.zeros(num, 2)], dim=-1)
    rest = hand_model.rest_parameters(num)
    # Fingers point away from the object on either side: no hand meets the other one.
    T = rigid(torch.diag(torch.tensor([-1.0, -1.0, 1.0])).expand(num, 2, 3, 3), t)
    return Candidates(
        hands=replace(rest, T_object_hand=T), energy=torch.arange(num).flip(0).float()
    )


def counted(mesh, hand_model, **options):
    CALLS.append((mesh.name, "counted", options["seed"]))
    return beside(mesh, hand_model, **options)


def one_handed(mesh, hand_model, **options):
    found = beside(mesh, hand_model, **options)
    present = torch.tensor([False, True]).expand(len(found.hands.present), 2)
    return Candidates(hands=replace(found.hands, present=present), energy=None)


SMALL = {"num": 1, "seeds": (0,), "methods": ("optimize",)}
METHODS = {"optimize": counted, "random": one_handed}


@pytest.fixture(autouse=True)
def fresh(tmp_path_factory, monkeypatch):
    CALLS.clear()
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "objects"
    path.mkdir()
    for k, name in enumerate(("a box", "brick")):
        trimesh.creation.box((0.10 + 0.02 * k, 0.12, 0.08)).export(path / f"{name}.ply")
    (path / "notes.txt").write_text("not a mesh")
    return path


def job_of(folder, **options):
    defaults = {
        "objects": str(folder), "out": Path(folder).parent / "out", "num": 2, "seeds": (0, 3),
        "hold": False, "workers": 1, "pictures": False, "methods": ("optimize", "random"),
    }  # fmt: skip
    return EvaluateJob(**(defaults | options))


def run(job, **options):
    return run_evaluate_job(job, methods=METHODS, **options)


def table(path, name="results.parquet"):
    return from_parquet((path / name).read_bytes())[0]


def names(path):
    return {entry.name for entry in path.iterdir()}


def test_a_run_becomes_tables_and_a_report(folder):
    result = run(job_of(folder))
    assert (result.state, result.num_objects, result.num_trials) == ("done", 2, 8)
    assert names(result.folder) == {
        "results.parquet", "times.parquet", "benchmark.json", "report.md", "report.html",
        "summary.json",
    }  # fmt: skip
    rows = table(result.folder)
    assert list(rows[0]) == list(RESULT_COLUMNS)
    keys = [(row["object"], row["method"], row["seed"], row["rank"]) for row in rows]
    assert keys == [
        (name, method, seed, place) for name in ("a box", "brick")
        for method in ("optimize", "random") for seed in (0, 3) for place in range(2)
    ]  # fmt: skip
    assert {row["object_set"] for row in rows} == {"objects"}
    assert all(row[name] is None for row in rows for name in HOLD_COLUMNS)
    # What needs no simulation is there without the hold test.
    assert rows[0]["mass_kg"] == pytest.approx(500 * 0.10 * 0.12 * 0.08, rel=0.02)
    assert all(row["instability"] > 0.9 and not row["static"] for row in rows)
    assert rows[-1]["size_cm"] == pytest.approx(12.0)
    times = table(result.folder, "times.parquet")
    assert list(times[0]) == list(TIME_COLUMNS)
    assert [(t["object"], t["method"], t["seed"]) for t in times] == keys_of_trials(keys)
    assert all(t["synthesis_s"] > 0 and t["hold_s"] is None for t in times)
    report = (result.folder / "report.md").read_text()
    assert "| optimize, all | – | – | 0 % |" in report
    assert [each.method for each in result.methods] == ["optimize", "random"]
    assert result.methods[0].groups["all objects"].grasps == 8
    assert result.times["random"].runs == 4


def keys_of_trials(keys):
    return list(dict.fromkeys(key[:3] for key in keys))


def test_rows_are_ordered_by_faults_then_energy_and_say_what_is_wrong(folder):
    rows = table(run(job_of(folder, methods=("optimize",), seeds=(0,))).folder)
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        order = [
            (len(row["faults"].split("; ")) if row["faults"] else 0, row["energy"])
            for row in (first, second)
        ]
        assert order == sorted(order)
        assert first["good"] == (first["faults"] == "")
    least = Demands().fingers_in_contact
    assert all(row["fingers_left"] < least for row in rows)
    assert all("left hand 0 fingers in contact" in row["faults"] for row in rows)


def test_an_absent_hand_is_null(folder):
    (row, *_) = table(run(job_of(folder, methods=("random",), num=1)).folder)
    for name in ("depth_left_mm", "fingers_left", "T_object_left", "pose_left", "joints_left"):
        assert row[name] is None
    assert len(row["T_object_right"]) == 16
    assert len(row["pose_right"]) == 45
    assert len(row["joints_right"]) == 63
    assert not row["both_in_contact"]
    assert row["depth_mm"] == row["depth_right_mm"]


def test_hold_columns_are_those_of_the_hold_test(folder):
    result = run(
        job_of(folder, hold=True, only=("brick",), seeds=(9,), num=1, methods=("optimize",))
    )
    rows = table(result.folder)
    assert all(row[name] is not None for row in rows for name in HOLD_COLUMNS)
    # 500 kg/m3 times 0.12 x 0.12 x 0.08 m3.
    assert rows[0]["mass_kg"] == pytest.approx(0.576, rel=0.02)
    # Hands 10 cm away hold nothing: the object falls in every direction.
    assert not rows[0]["hold"]
    assert rows[0]["hold_directions"] == 0
    assert rows[0]["hold_moved_cm"] > 2
    assert rows[0]["hold_worst_direction"] in DIRECTION_NAMES
    assert rows[0]["static_directions"] == 0
    (times,) = table(result.folder, "times.parquet")
    assert times["hold_s"] > 0
    assert times["pieces_s"] > 0
    assert result.methods[0].groups["all objects"].selections["all"]["hold"].mean == 0


def test_the_same_command_keeps_what_is_finished(folder):
    first = run(job_of(folder))
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    CALLS.clear()
    again = run(job_of(folder))
    assert again.state == "kept"
    assert again.methods == first.methods
    assert again.times == first.times
    assert CALLS == []
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before


def test_an_interrupted_run_loses_only_the_trial_in_progress(folder):
    def stopped(mesh, hand_model, **options):
        if len(CALLS) == 2:
            raise KeyboardInterrupt
        return counted(mesh, hand_model, **options)

    job = job_of(folder, methods=("optimize",))
    with pytest.raises(KeyboardInterrupt):
        run_evaluate_job(job, methods={"optimize": stopped})
    assert not (job.out / "results.parquet").exists()
    assert len(list((job.out / "parts").iterdir())) == 2
    result = run(job)
    # Two before the interruption, two after it: none twice.
    assert [call[::2] for call in CALLS] == [("a box", 0), ("a box", 3), ("brick", 0), ("brick", 3)]
    other = run(replace(job, out=folder.parent / "other"))
    assert (result.folder / "results.parquet").read_bytes() == (
        other.folder / "results.parquet"
    ).read_bytes()


def test_a_damaged_part_is_run_again(folder):
    job = job_of(folder, methods=("optimize",))

    def failing(mesh, hand_model, **options):
        if mesh.name == "brick":
            raise ResultError("no grasp: give up")
        return counted(mesh, hand_model, **options)

    with pytest.raises(BghopError, match=r"2 of 4 trials failed.*brick, optimize, seed 0: no gra"):
        run_evaluate_job(job, methods={"optimize": failing})
    first, _ = sorted((job.out / "parts").iterdir())
    first.write_bytes(first.read_bytes()[:-9])
    (job.out / "parts" / f".{first.name}.0123abcd.part").write_bytes(b"half")
    CALLS.clear()
    run(job)
    assert CALLS == [("a box", "counted", 0), ("brick", "counted", 0), ("brick", "counted", 3)]


@pytest.mark.parametrize(
    "change",
    [{"num": 2}, {"seeds": (1,)}, {"methods": ("random",)}, {"only": ("brick",)}, "mesh"],
)
def test_another_benchmark_in_the_folder_is_refused_unless_overwritten(folder, change):
    run(job_of(folder, **SMALL))
    out = folder.parent / "out"
    before = (out / "results.parquet").read_bytes()
    if change == "mesh":
        trimesh.creation.box((0.2, 0.1, 0.1)).export(folder / "brick.ply")
        change = {}
    with pytest.raises(ResultError, match="--overwrite"):
        run(job_of(folder, **(SMALL | change)))
    assert (out / "results.parquet").read_bytes() == before
    assert run(job_of(folder, **(SMALL | change), overwrite=True)).state == "done"
    assert (out / "results.parquet").read_bytes() != before


def test_tables_of_unknown_origin_and_files_in_the_way_are_refused(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.parquet").write_bytes(b"mine")
    with pytest.raises(ResultError, match="unknown origin"):
        run(job_of(folder))
    with pytest.raises(ResultError, match="is a file"):
        run(job_of(folder, out=folder / "notes.txt"))


@pytest.mark.parametrize("hold", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_bytes_do_not_depend_on_the_number_of_workers(folder, hold):
    """Two processes finish in any order; the tables have one."""
    done = [
        run(
            job_of(
                folder, out=folder.parent / f"out{k}", workers=workers, hold=hold, num=1, seeds=(0,)
            )
        )
        for k, workers in enumerate((1, 2))
    ]
    for name in ("results.parquet", "summary.json"):
        first, second = ((each.folder / name).read_bytes() for each in done)
        assert first == second
    assert len(table(done[1].folder)) == 4


def test_the_same_seed_gives_the_same_bytes_again(folder):
    done = [run(job_of(folder, out=folder.parent / f"out{k}", num=1)) for k in range(2)]
    first, second = ((each.folder / "results.parquet").read_bytes() for each in done)
    assert first == second


def test_a_listener_hears_stages_and_trials(folder):
    heard = []

    class Ears(EvaluateListener):
        def stage(self, stage, done, total):
            assert 0 <= done <= total
            heard.append(stage)

        def trial(self, label, result):
            heard.append(label)
            assert len(result.rows) == 2

    run(job_of(folder, methods=("random",), seeds=(0,)), listener=Ears())
    assert list(dict.fromkeys(heard)) == [
        "reading objects", "trials", "a box, random, seed 0", "brick, random, seed 0",
        "report",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"num": 0}, OptionError, "--num 0"),
        ({"workers": 0}, OptionError, "--workers 0"),
        ({"seeds": (-1,)}, OptionError, "--seeds -1"),
        ({"seeds": (1, 1)}, OptionError, "twice"),
        ({"methods": ()}, OptionError, "at least one"),
        ({"methods": ("guess",)}, OptionError, "use optimize, random, random-refined"),
        ({"methods": ("prior",), "checkpoint": Path("none")}, CheckpointError, "does not exist"),
        ({"methods": ("optimize@0",)}, OptionError, "steps"),
        ({"methods": ("random-refined@101",)}, OptionError, "use 1 to 100"),
        ({"only": ("cup",)}, OptionError, "use a box, brick"),
        ({"objects": "nowhere"}, OptionError, "nowhere"),
        ({"objects": "shapes:25"}, OptionError, "N from 1 to 24"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(folder, options, error, words):
    with pytest.raises(error, match=words):
        run(job_of(folder, **options))
    assert not (folder.parent / "out").exists()


def test_a_bad_file_is_known_before_any_work(folder):
    (folder / "broken.obj").write_text("v 0 0 0\n")
    with pytest.raises(MeshError, match="broken"):
        run(job_of(folder))
    assert CALLS == []
    assert not (folder.parent / "out").exists()


def test_missing_packages_are_named_with_the_remedy(folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "mujoco" else 1)
    with pytest.raises(ResultError, match=r"mujoco.*pip install 'bghop\[benchmark\]'"):
        run(job_of(folder, hold=True))


def test_the_published_shapes_do_not_depend_on_the_seeds_of_the_command(folder):
    found = []
    for seed in (0, 5):
        out = folder.parent / f"out{seed}"
        run(job_of("shapes:1", out=out, seeds=(seed,), num=1, methods=("optimize",)))
        found.append(json.loads((out / "benchmark.json").read_text())["settings"])
    assert found[0]["objects"] == found[1]["objects"]
    assert list(found[0]["objects"]) == ["mug"]
    assert (found[0]["object_set"], found[0]["seeds"]) == ("shapes_1", [0])


def test_published_metrics_are_those_of_the_grasp(folder):
    (row,) = table(
        run(job_of(folder, methods=("random",), only=("brick",), num=1, seeds=(0,))).folder
    )
    assert row["grasptta_volume_left_cm3"] is row["halo_distance_left_cm"] is None
    # Fingers point away and the wrist is 1 cm from the box: nothing inside, nothing near.
    assert row["grasptta_volume_right_cm3"] == row["grasptta_depth_right_cm"] == 0
    assert not row["grasptta_contact_right"]
    assert 0.5 < row["halo_distance_right_cm"] < 5


KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
import test_evaluate_job as t
from bghop.jobs.evaluate import run_evaluate_job

def killing(mesh, hand_model, **options):
    if len(t.CALLS) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return t.counted(mesh, hand_model, **options)

run_evaluate_job(t.job_of(Path({folder!r}), methods=("optimize",)), methods={{"optimize": killing}})
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kill_9_loses_at_most_the_trial_in_progress(folder):
    code = KILLED.format(here=os.fspath(Path(__file__).parent), folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    result = run(job_of(folder, methods=("optimize",)))
    assert result.state == "done"
    assert CALLS == [("brick", "counted", 3)]
