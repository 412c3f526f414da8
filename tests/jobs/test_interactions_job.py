"""`sample` and `complete`: a checkpoint in, whole files out; nothing lost, nothing done twice."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import trimesh

from bghop.errors import CheckpointError, MeshError, OptionError, ResultError
from bghop.geometry.loading import load_mesh
from bghop.jobs.grasp import Listener, run_grasp_job
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.grasps_file import read_grasps
from bghop.jobs.interaction_file import read_interaction
from bghop.jobs.interactions import run_complete_job, run_sample_job
from bghop.jobs.prior_options import CompleteJob, SampleJob
from bghop.prior.shipped import SHIPPED_PRIOR
from quick_refinement import quick_refinement

pytestmark = pytest.mark.usefixtures("no_window")


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    quick_refinement(monkeypatch)


def names(path):
    return {entry.name for entry in path.iterdir()}


def state(path):
    """Every file of a folder with its bytes and the time of its last change."""
    return {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns)
        for file in path.iterdir()
        if file.is_file()
    }


def sample_job(checkpoint, out, **changes):
    fast = {"num": 2, "steps": 2, "guidance": 1.0, "refine": False, "prompt": "mug"}
    return SampleJob(checkpoint=checkpoint, out=out, **(fast | changes))


def complete_job(checkpoint, source, out, **changes):
    fast = {"num": 1, "steps": 2, "guidance": 1.0, "refine": False, "keep": ("object",)}
    return CompleteJob(checkpoint=checkpoint, interaction=str(source), out=out, **(fast | changes))


@pytest.fixture(scope="module")
def sampled(checkpoint, draws_nothing, tmp_path_factory):
    """Results of `sample`; not to be changed."""
    out = tmp_path_factory.mktemp("sampled") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bghop.jobs.result_writer.SheetWorker", draws_nothing)
        quick_refinement(patch)
        run_sample_job(sample_job(checkpoint, out))
    return out


def triangles(mesh):
    """Corners of every face from the smallest on, sorted: the surface without any numbering."""
    corners = np.asarray(mesh.vertices, dtype=np.float32)[mesh.faces]
    turned = [min(np.roll(face, -k, axis=0).tolist() for k in range(3)) for face in corners]
    return sorted(turned)


def test_a_word_becomes_the_files_of_the_contract(sampled, checkpoint):
    assert names(sampled) == {
        "interaction_000.glb", "interaction_001.glb", "interactions.json", "interactions.png",
    }  # fmt: skip
    content = json.loads((sampled / "interactions.json").read_text())
    assert (content["format"], content["format_version"]) == ("bghop-interactions", 1)
    assert (content["text"], content["seed"], content["method"]) == ("mug", 0, "sample")
    assert content["hand_model"]["name"] == "open"
    assert content["checkpoint"]["folder"] == str(checkpoint)
    assert len(content["checkpoint"]["sha256"]) == 64
    assert content["checkpoint"]["origin"] == {"recipe": "one box"}
    assert content["sheet"] == "interactions.png"
    first = content["interactions"][0]
    assert (first["rank"], first["glb"]) == (1, "interaction_000.glb")
    assert first["metrics"]["object"]["plausible"]
    assert first["metrics"]["object"]["volume_cm3"] == pytest.approx(2800, rel=0.05)
    scene = trimesh.load_scene(sampled / first["glb"])
    assert set(scene.graph.nodes_geometry) == {"object", "left_hand", "right_hand"}


def test_the_file_reads_back_like_that_of_grasps(sampled):
    read = read_grasps(sampled)
    assert len(read.metrics) == 2
    assert read.objects is not None
    assert all(each.closed for each in read.objects)
    assert bool(read.hands.present.all())


def test_the_same_command_keeps_what_is_finished_and_another_is_refused(sampled, checkpoint):
    before = state(sampled)
    assert run_sample_job(sample_job(checkpoint, sampled)).state == "kept"
    for change in ({"num": 1}, {"seed": 1}, {"prompt": "cup"}, {"steps": 3}, {"hands": "left"},
                   {"refine": True}, {"guidance": 2.0}):  # fmt: skip
        with pytest.raises(ResultError, match="--overwrite"):
            run_sample_job(sample_job(checkpoint, sampled, **change))
    with pytest.raises(ResultError, match="--overwrite"):
        run_complete_job(complete_job(checkpoint, sampled, sampled))
    assert state(sampled) == before


def test_other_weights_are_another_job(sampled, checkpoint, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for file in checkpoint.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    assert run_sample_job(sample_job(other, sampled)).state == "kept"
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"origin": {"recipe": "two boxes"}}))
    with pytest.raises(ResultError, match="--overwrite"):
        run_sample_job(sample_job(other, sampled))


def test_one_hand_can_be_asked_for(checkpoint, tmp_path):
    result = run_sample_job(sample_job(checkpoint, tmp_path / "one", num=1, hands="right"))
    read = read_grasps(tmp_path / "one")
    assert read.hands.present.tolist() == [[False, True]]
    assert result.metrics[0].fingers_in_contact[0] is None


def test_refined_hands_have_less_energy(checkpoint, tmp_path):
    heard = []

    class Ears(Listener):
        def stage(self, name, stage, done, total):
            heard.append(stage)

    energies = []
    for refine in (False, True):
        job = sample_job(checkpoint, tmp_path / str(refine), num=1, refine=refine)
        run_sample_job(job, listener=Ears())
        energies.append(float(read_grasps(job.out).scores["energy"][0]))
    assert energies[1] < energies[0]
    assert list(dict.fromkeys(heard)) == [
        "loading", "sampling", "measuring", "writing scenes", "drawing",
        "bringing hands into contact",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("keep", "refine"), [(("object", "right"), True), (("left", "right"), False)]
)
def test_what_is_kept_is_in_the_files_exactly(checkpoint, sampled, tmp_path, keep, refine):
    job = complete_job(checkpoint, f"{sampled}#1", tmp_path / "out", keep=keep, refine=refine)
    result = run_complete_job(job)
    assert (result.state, len(result.metrics)) == ("done", 1)
    before, after = read_grasps(sampled), read_grasps(job.out)
    for side, name in enumerate(("left", "right")):
        for field in ("T_object_hand", "pose", "shape"):
            same = torch.equal(
                getattr(after.hands, field)[0, side], getattr(before.hands, field)[1, side]
            )
            assert same or name not in keep
    assert (after.objects is None) == ("object" in keep)
    if "object" in keep:
        scenes = (sampled / "interaction_001.glb", job.out / "interaction_000.glb")
        first, second = (trimesh.load_scene(scene).geometry["object"] for scene in scenes)
        assert triangles(first) == triangles(second)
    assert after.header["text"] == "mug"
    assert after.header["options"]["keep"] == sorted(keep)
    assert run_complete_job(job).state == "kept"


def test_a_grasp_can_be_completed_too(checkpoint, tmp_path, box_files, fake_synthesizer):
    job = GraspJob(meshes=box_files(1), out=tmp_path / "grasps", num=2, up="y", text="box")
    run_grasp_job(job, synthesizer=fake_synthesizer)
    given = read_interaction(tmp_path / "grasps", 1)
    assert (given.mesh.name, given.text, given.up) == ("box0", "box", "y")
    assert given.present == (True, True)
    run_complete_job(complete_job(checkpoint, f"{job.out}#1", tmp_path / "out"))
    read = read_grasps(tmp_path / "out")
    assert read.header["object"]["name"] == "box0"
    assert read.header["options"]["up"] == "y"


def test_an_interaction_is_named_in_several_ways(sampled):
    wanted = read_grasps(sampled)
    for source, index in (
        (f"{sampled}#1", None),
        (sampled, 1),
        (str(sampled / "interactions.json") + "#1", None),
        (sampled / "interaction_001.glb", None),
    ):
        given = read_interaction(source, index)
        assert torch.equal(given.hands.pose, wanted.hands.pose[1])
    best = read_interaction(sampled)
    assert torch.equal(best.hands.pose, wanted.hands.pose[0])
    assert best.mesh.is_watertight
    assert best.hand_model == "open"


def test_an_interaction_that_is_not_there_is_one_line_with_the_remedy(sampled, tmp_path):
    with pytest.raises(ResultError, match=r"no result #2: use 0 to 1"):
        read_interaction(sampled, 2)
    with pytest.raises(ResultError, match="give a folder"):
        read_interaction(tmp_path)
    (tmp_path / "interactions.json").write_bytes((sampled / "interactions.json").read_bytes())
    with pytest.raises(ResultError, match="run its command again"):
        read_interaction(tmp_path)
    (tmp_path / "interaction_000.glb").write_bytes(b"glTF nonsense")
    with pytest.raises(MeshError, match=r"object of .*#0 cannot be used"):
        read_interaction(tmp_path)
    left = trimesh.Scene()
    left.add_geometry(trimesh.creation.box((0.1,) * 3), node_name="left_hand")
    left.export(tmp_path / "interaction_000.glb")
    with pytest.raises(MeshError, match="no faces"):
        read_interaction(tmp_path)


def test_one_node_of_a_scene_can_be_read_alone(sampled):
    scene = sampled / "interaction_000.glb"
    assert len(load_mesh(scene, node="object").faces) < len(load_mesh(scene).faces)


def test_a_checkpoint_that_cannot_be_used_is_known_before_any_folder_is_made(
    checkpoint, tmp_path, sampled
):
    out = tmp_path / "out"
    with pytest.raises(CheckpointError, match=r"does not exist .*bghop train prior"):
        run_sample_job(sample_job(tmp_path / "none", out))
    torn = tmp_path / "torn"
    torn.mkdir()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        run_sample_job(sample_job(torn, out))
    (torn / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
    (torn / "model.safetensors").write_bytes((checkpoint / "model.safetensors").read_bytes()[:999])
    with pytest.raises(CheckpointError, match="copy the checkpoint again"):
        run_sample_job(sample_job(torn, out))
    with pytest.raises(OptionError, match="leave out --mano"):
        run_sample_job(sample_job(checkpoint, out, mano=tmp_path))
    with pytest.raises(OptionError, match="names no object"):
        run_sample_job(sample_job(checkpoint, out, prompt="the and of"))
    one = tmp_path / "one"
    run_sample_job(sample_job(checkpoint, one, num=1, hands="right"))
    with pytest.raises(OptionError, match="keep something that it has"):
        run_complete_job(complete_job(checkpoint, one, out, keep=("left",)))
    assert not out.exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("bug"), MemoryError()])
def test_an_interrupted_job_leaves_nothing(checkpoint, tmp_path, monkeypatch, error):
    def failing(*_args, **_options):
        raise error

    monkeypatch.setattr("bghop.jobs.interactions.refine_hands", failing)
    with pytest.raises((KeyboardInterrupt, RuntimeError, MemoryError)):
        run_sample_job(sample_job(checkpoint, tmp_path / "new" / "out", num=1))
    assert names(tmp_path) == set()


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from pathlib import Path
import pytest
import torch
torch.set_num_threads(1)
import bghop.jobs.result_writer as results
from quick_refinement import quick_refinement
quick_refinement(pytest.MonkeyPatch())
from conftest import FakeSheetWorker
from bghop.jobs.interactions import run_sample_job
from bghop.jobs.prior_options import SampleJob

results.SheetWorker = FakeSheetWorker
write_whole = results.write_whole
def killed_write(path, content):
    if path.name == "interaction_001.glb":
        path.with_name(".interaction_001.glb.00112233.part").write_bytes(content[:100])
        os.kill(os.getpid(), signal.SIGKILL)
    write_whole(path, content)
results.write_whole = killed_write
run_sample_job(SampleJob(checkpoint=Path({checkpoint!r}), out=Path({out!r}), num=2, steps=2,
                         guidance=1.0, refine=False, prompt="mug"))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_after_kill_9_the_same_command_finishes_and_no_scrap_stays(checkpoint, tmp_path, sampled):
    out, here = tmp_path / "out", Path(__file__).parent
    code = KILLED.format(
        paths=[str(here), str(here.parent)], checkpoint=str(checkpoint), out=str(out)
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "interaction_000.glb" in names(out)
    assert "interactions.json" not in names(out)
    with pytest.raises(ResultError, match="--overwrite"):
        run_sample_job(sample_job(checkpoint, out, seed=3))
    assert run_sample_job(sample_job(checkpoint, out)).state == "done"
    assert names(out) == names(sampled)
    assert torch.equal(read_grasps(out).hands.pose, read_grasps(sampled).hands.pose)


def grasp_job(checkpoint, sources, out, **changes):
    fast = {"num": 1, "method": "prior", "steps": 2, "refine": False}
    return GraspJob(meshes=sources, out=out, checkpoint=checkpoint, **(fast | changes))


def test_hands_of_a_prior_on_a_mesh(checkpoint, tmp_path, box_files):
    job = grasp_job(checkpoint, box_files(1), tmp_path / "out", text="mug")
    assert [result.state for result in run_grasp_job(job)] == ["done"]
    content = json.loads((tmp_path / "out" / "grasps.json").read_text())
    assert (content["method"], content["text"]) == ("prior", "mug")
    assert content["checkpoint"]["sha256"] == content["options"]["checkpoint"]
    assert [result.state for result in run_grasp_job(job)] == ["kept"]
    for change in ({"method": "optimize", "checkpoint": None, "refine": True}, {"text": "cup"},
                   {"refine": True}):  # fmt: skip
        with pytest.raises(ResultError, match="--overwrite"):
            run_grasp_job(replace(job, **change))


def test_the_command_refuses_a_prior_that_does_not_fit_before_any_work(
    checkpoint, tmp_path, box_files
):
    sources, out = box_files(1), tmp_path / "out"
    with pytest.raises(CheckpointError, match="does not exist"):
        run_grasp_job(grasp_job(tmp_path / "none", sources, out))
    with pytest.raises(OptionError, match="leave out --mano"):
        run_grasp_job(grasp_job(checkpoint, sources, out, mano=tmp_path))
    with pytest.raises(OptionError, match="up to 50 cm: use --scale"):
        run_grasp_job(grasp_job(checkpoint, sources, out, scale=6.0))
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ({}, SHIPPED_PRIOR),
        ({"checkpoint": Path("c")}, Path("c")),
        ({"mano": Path("m")}, None),  # the shipped prior knows the open hand only
        ({"mano": Path("m"), "checkpoint": Path("c")}, Path("c")),
        ({"method": "optimize"}, None),
        ({"method": "prior"}, SHIPPED_PRIOR),
        ({"method": "sds"}, SHIPPED_PRIOR),
        ({"method": "prior", "checkpoint": Path("c")}, Path("c")),
    ],
)
def test_methods_that_ask_a_prior_ask_the_shipped_one_if_none_is_named(options, asks):
    assert GraspJob(meshes=("a.obj",), out=Path("o"), **options).prior_folder == asks


@pytest.mark.slow
def test_by_default_the_prior_is_asked_and_the_optimiser_where_it_cannot_see(
    checkpoint, tmp_path, box_files
):
    sources = box_files(1)

    def results(name, **changes):
        out = tmp_path / name
        options = {"method": "auto", "refine": True} | changes
        run_grasp_job(grasp_job(checkpoint, sources, out, **options))
        return json.loads((out / "grasps.json").read_text())

    small = results("small")
    assert (small["method"], small["warnings"]) == ("mixed", [])
    assert results("drawn", refine=False)["method"] == "prior"  # geometric starts are no results
    large = results("large", scale=6.0)
    assert large["method"] == "optimize"
    assert "72 cm is more than the prior sees" in large["warnings"][0]
    worded = results("worded", text="with both hands")
    assert (worded["method"], worded["text"]) == ("mixed", "with both hands")
    assert "does not lead the prior" in worded["warnings"][0]
    assert worded["grasps"][0]["hands"] == small["grasps"][0]["hands"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the job reads and changes of `DistillOptions`."""

    steps: int = 150
    watch: tuple[float, ...] = ()


def test_score_distillation_is_asked_for_its_iterations_and_they_are_drawn(
    checkpoint, tmp_path, box_files, monkeypatch
):
    asked = []

    def distill(mesh, prior, *, hand_model, prompts, num, seed, options, watch, **_):
        asked.append((mesh.name, prompts, num, seed, options.watch))
        hands = hand_model.rest_parameters(num)
        for share in options.watch:
            watch(round(share * options.steps), hands)
        watch(options.steps, hands)
        return type("Distilled", (), {"hands": hands})

    stand_in = ModuleType("score_distillation")
    vars(stand_in).update(distill=distill, default_options=lambda _: Settings())
    monkeypatch.setitem(sys.modules, "bghop.synthesis.score_distillation", stand_in)
    job = grasp_job(
        checkpoint, box_files(1), tmp_path / "out", method="sds", steps=100, num=2, text="mug",
        progress_strip=(0, 25, 50, 999), refine=True,
    )  # fmt: skip
    run_grasp_job(job)
    assert asked == [("box0", ["mug"], 2, 0, (0.0, 0.25, 0.5))]
    # 0, 25, 50, the end, and after refinement.
    assert (tmp_path / "out" / "grasps_progress.png").read_bytes() == b"\x89PNG of 2 x 5"


@pytest.mark.slow
def test_score_distillation_itself(checkpoint, tmp_path, box_files):
    job = grasp_job(
        checkpoint, box_files(1), tmp_path / "out", method="sds", steps=6, text="box",
        progress_strip=(0, 3), refine=True,
    )  # fmt: skip
    (result,) = run_grasp_job(job)
    assert result.state == "done"
    assert (tmp_path / "out" / "grasps_progress.png").read_bytes() == b"\x89PNG of 1 x 4"
