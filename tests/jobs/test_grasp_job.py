import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from bghop.errors import DrawingError, MeshError, ResultError
from bghop.jobs.grasp import Listener, run_grasp_job
from bghop.jobs.grasp_inputs import ObjectInput, up_of
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.grasps_file import read_grasps

pytestmark = pytest.mark.usefixtures("no_window")


def names(path):
    return {entry.name for entry in path.iterdir()}


def state(path):
    """Every file below a folder with its bytes and the time of its last change."""
    return {
        str(file.relative_to(path)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in path.rglob("*")
        if file.is_file()
    }


def test_one_mesh_becomes_the_files_of_the_contract(tmp_path, box_files, fake_synthesizer):
    (source,) = box_files(1)
    job = GraspJob(meshes=(source,), out=tmp_path / "out", num=2, text="lift it", seed=7)
    (result,) = run_grasp_job(job, synthesizer=fake_synthesizer)
    assert result.state == "done"
    assert names(tmp_path / "out") == {
        "grasp_000.glb", "grasp_001.glb", "grasps.json", "grasps.png",
    }  # fmt: skip
    content = json.loads((tmp_path / "out" / "grasps.json").read_text())
    assert (content["seed"], content["text"], content["method"]) == (7, "lift it", "auto")
    assert content["object"]["file"] == source
    assert content["object"]["size_m"] == pytest.approx([0.10, 0.12, 0.08])
    assert content["hand_model"]["name"] == "open"
    assert content["sheet"] == "grasps.png"
    assert [entry["glb"] for entry in content["grasps"]] == ["grasp_000.glb", "grasp_001.glb"]
    assert fake_synthesizer.calls == [("box0", 2, 7, "z")]


def test_scenes_are_in_the_frame_and_size_of_the_scaled_mesh(tmp_path, box_files, fake_synthesizer):
    (source,) = box_files(1)
    job = GraspJob(meshes=(source,), out=tmp_path / "out", num=1, scale=50.0, unit="mm")
    with pytest.raises(MeshError, match=r"--scale|--unit"):
        run_grasp_job(job, synthesizer=fake_synthesizer)  # 5 mm: nothing for two hands
    job = GraspJob(meshes=(source,), out=tmp_path / "out", num=1, scale=2.0)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    scene = trimesh.load(io.BytesIO((tmp_path / "out" / "grasp_000.glb").read_bytes()), "glb")
    np.testing.assert_allclose(scene.geometry["object"].extents, [0.2, 0.24, 0.16], atol=1e-6)
    read = read_grasps(tmp_path / "out")
    # The wrist joint lies inside the hand's box, on its own side.
    for side, name in enumerate(("left_hand", "right_hand")):
        wrist = read.joints_object[0, side, 0].numpy()
        low, high = scene.geometry[name].bounds
        assert (wrist > low - 0.03).all()
        assert (wrist < high + 0.03).all()


def test_joints_in_the_file_are_those_of_the_parameters(tmp_path, box_files, fake_synthesizer):
    from bghop.hands.open_hand import load_open_hand

    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=3)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    read = read_grasps(tmp_path / "out")
    posed = load_open_hand().pose_hands(read.hands)
    assert torch.allclose(posed.joints_object, read.joints_object, atol=1e-6)
    energies = read.scores["energy"].tolist()
    assert energies == sorted(energies)  # equal faults: energy decides


def test_the_same_command_keeps_what_is_finished(tmp_path, box_files, fake_synthesizer):
    job = GraspJob(meshes=box_files(2), out=tmp_path / "out", num=1)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    before = state(tmp_path / "out")
    results = run_grasp_job(job, synthesizer=fake_synthesizer)
    assert [result.state for result in results] == ["kept", "kept"]
    assert len(results[0].metrics) == 1
    assert len(fake_synthesizer.calls) == 2
    assert state(tmp_path / "out") == before


@pytest.mark.parametrize(
    "change", [{"num": 2}, {"seed": 1}, {"text": "x"}, {"scale": 1.1}, {"steps": 5}, {"up": "y"}]
)
def test_other_options_in_the_same_folder_are_refused_unless_overwritten(
    tmp_path, box_files, fake_synthesizer, change
):
    sources = box_files(1)
    run_grasp_job(
        GraspJob(meshes=sources, out=tmp_path / "out", num=1), synthesizer=fake_synthesizer
    )
    before = state(tmp_path / "out")
    options = {"meshes": sources, "out": tmp_path / "out", "num": 1} | change
    with pytest.raises(ResultError, match="--overwrite"):
        run_grasp_job(GraspJob(**options), synthesizer=fake_synthesizer)
    assert state(tmp_path / "out") == before
    (result,) = run_grasp_job(GraspJob(**options, overwrite=True), synthesizer=fake_synthesizer)
    assert result.state == "done"


def test_a_changed_mesh_file_is_another_job(tmp_path, box_files, fake_synthesizer):
    (source,) = box_files(1)
    job = GraspJob(meshes=(source,), out=tmp_path / "out", num=1)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    trimesh.creation.box((0.2, 0.1, 0.1)).export(source)
    with pytest.raises(ResultError, match="--overwrite"):
        run_grasp_job(job, synthesizer=fake_synthesizer)


def test_fewer_results_than_before_leave_no_old_scene(tmp_path, box_files, fake_synthesizer):
    sources = box_files(1)
    for num in (3, 1):
        job = GraspJob(meshes=sources, out=tmp_path / "out", num=num, overwrite=True)
        run_grasp_job(job, synthesizer=fake_synthesizer)
    assert names(tmp_path / "out") == {"grasp_000.glb", "grasps.json", "grasps.png"}


def test_a_failing_object_does_not_stop_a_batch_and_leaves_nothing(
    tmp_path, box_files, fake_synthesizer
):
    good, bad, other = box_files(3)
    Path(bad).write_bytes(Path(bad).read_bytes()[:150])
    job = GraspJob(meshes=(good, bad, other), out=tmp_path / "out", num=1)
    results = run_grasp_job(job, synthesizer=fake_synthesizer)
    assert [result.state for result in results] == ["done", "failed", "done"]
    assert "export" in results[1].problem
    assert names(tmp_path / "out") == {"box0", "box2"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("bug"), MemoryError()])
def test_an_interrupted_object_leaves_nothing_and_the_others_stay(
    tmp_path, box_files, fake_synthesizer, error
):
    calls = []

    def failing(mesh, **options):
        calls.append(mesh.name)
        if len(calls) == 2:
            raise error
        return fake_synthesizer(mesh, **options)

    job = GraspJob(meshes=box_files(3), out=tmp_path / "out", num=1)
    with pytest.raises((KeyboardInterrupt, RuntimeError, MemoryError)):
        run_grasp_job(job, synthesizer=failing)
    assert names(tmp_path / "out") == {"box0"}
    results = run_grasp_job(job, synthesizer=fake_synthesizer)
    assert [result.state for result in results] == ["kept", "done", "done"]


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path, box_files, fake_synthesizer, monkeypatch
):
    def full(*_args):
        raise OSError(28, "No space left on device")

    job = GraspJob(meshes=box_files(1), out=tmp_path / "new" / "out", num=2)
    with monkeypatch.context() as patch:
        patch.setattr("bghop.jobs.result_writer.scene_glb", lambda _: b"x")
        patch.setattr(os, "fsync", full)
        with pytest.raises(ResultError, match="free some space"):
            run_grasp_job(job, synthesizer=fake_synthesizer)
    assert names(tmp_path) == {"in"}


def test_without_pictures_the_results_are_complete_and_say_so(
    tmp_path, box_files, fake_synthesizer, monkeypatch
):
    def broken(self):
        raise DrawingError("cannot draw pictures (no EGL): install libegl1")

    monkeypatch.setattr("bghop.jobs.result_writer.SheetWorker.answer", broken)
    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=1)
    (result,) = run_grasp_job(job, synthesizer=fake_synthesizer)
    assert any("libegl1" in warning for warning in result.warnings)
    assert names(tmp_path / "out") == {"grasp_000.glb", "grasps.json"}
    assert json.loads((tmp_path / "out" / "grasps.json").read_text())["sheet"] is None
    assert run_grasp_job(job, synthesizer=fake_synthesizer)[0].state == "kept"


def test_built_in_objects_need_no_file(tmp_path, fake_synthesizer):
    job = GraspJob(meshes=("casserole",), out=tmp_path / "out", num=1)
    (result,) = run_grasp_job(job, synthesizer=fake_synthesizer)
    assert (result.name, result.state) == ("casserole", "done")


def test_a_listener_hears_stages_and_results(tmp_path, box_files, fake_synthesizer):
    heard = []

    class Ears(Listener):
        def stage(self, name, stage, done, total):
            assert 0 <= done <= total
            heard.append((name, stage))

        def finished(self, result, index, total):
            heard.append((result.name, f"{result.state} {index + 1}/{total}"))

    job = GraspJob(meshes=box_files(2), out=tmp_path / "out", num=1)
    run_grasp_job(job, synthesizer=fake_synthesizer, listener=Ears())
    stages = list(dict.fromkeys(stage for name, stage in heard if name == "box1"))
    assert stages == [
        "loading", "finding grasps", "measuring", "writing scenes", "drawing", "done 2/2",
    ]  # fmt: skip


KILLED = """
import os, signal, sys
sys.path[:0] = {here!r}
from pathlib import Path
import torch
torch.set_num_threads(1)
import bghop.jobs.result_writer as results
from conftest import FakeSheetWorker, FakeSynthesizer
from bghop.jobs.grasp import run_grasp_job
from bghop.jobs.grasp_options import GraspJob

results.SheetWorker = FakeSheetWorker
fake, log, kill_at = FakeSynthesizer(), Path({log!r}), {kill_at!r}

def logged(mesh, **options):
    with log.open("a") as file:
        file.write(mesh.name + "\\n")
    if kill_at == ("synthesis", mesh.name):
        os.kill(os.getpid(), signal.SIGKILL)
    return fake(mesh, **options)

write_whole = results.write_whole
def killed_write(path, content):
    if kill_at == ("writing", path.parent.name) and path.name == "grasp_000.glb":
        path.with_name(".grasp_000.glb.00112233.part").write_bytes(content[:100])
        os.kill(os.getpid(), signal.SIGKILL)
    write_whole(path, content)
results.write_whole = killed_write

job = GraspJob(meshes=tuple({meshes!r}), out=Path({out!r}), num=1)
print([result.state for result in run_grasp_job(job, synthesizer=logged)])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("where", ["synthesis", pytest.param("writing", marks=pytest.mark.slow)])
def test_kill_9_in_a_batch_of_ten_loses_nothing_and_repeats_nothing(tmp_path, box_files, where):
    log, out = tmp_path / "log", tmp_path / "out"

    def run(kill_at):
        code = KILLED.format(
            here=[str(place) for place in list(Path(__file__).parents)[:2]],
            log=str(log), kill_at=kill_at,
            meshes=box_files(10), out=str(out),
        )  # fmt: skip
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )

    assert run((where, "box4")).returncode == -signal.SIGKILL
    finished = {f"box{k}" for k in range(4)}
    before = {name: state(out / name) for name in finished}
    assert all("grasps.json" in files for files in before.values())
    assert "job.json" in state(out / "box4")

    again = run(None)
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() == str(["kept"] * 4 + ["done"] * 6)
    assert {name: state(out / name) for name in finished} == before
    first_run, second_run = [f"box{k}" for k in range(5)], [f"box{k}" for k in range(4, 10)]
    assert log.read_text().split() == first_run + second_run
    for k in range(10):
        assert names(out / f"box{k}") == {"grasp_000.glb", "grasps.json", "grasps.png"}


@pytest.mark.parametrize(
    ("name", "given", "up"),
    [
        ("a.obj", "auto", "z"),
        ("a.glb", "auto", "y"),
        ("a.glb", "z", "z"),
        ("a.obj", "none", "none"),
    ],
)
def test_up_is_that_of_the_file_format_unless_given(tmp_path, name, given, up):
    item = ObjectInput(source=str(tmp_path / name), name="a", sha256="0")
    assert up_of(GraspJob(meshes=(name,), out=tmp_path, up=given), item) == up
