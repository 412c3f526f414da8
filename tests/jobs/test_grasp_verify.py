"""`--verify`: the hold test of every result; what holds comes first; strips that show it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from bghop.drawing.scene import Scene
from bghop.errors import DrawingError, OptionError, PhysicsError, ResultError
from bghop.jobs.grasp import Listener, run_grasp_job
from bghop.jobs.grasp_hold import HoldRecord
from bghop.jobs.grasp_methods import optimize_hands
from bghop.jobs.grasp_options import GraspJob, check_options
from bghop.jobs.grasp_verify import film_scenes, turn_down, what_holds_first
from bghop.jobs.grasps_file import read_grasps
from bghop.physics.hold import DIRECTIONS, HoldResult
from bghop.synthesis.synthesize import Synthesis

pytestmark = pytest.mark.usefixtures("no_window", "own_cache")


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    """Pieces of the tests stay out of the user's cache."""
    monkeypatch.setenv("BGHOP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def result(*held, moved=None):
    return HoldResult(
        held=held,
        moved_cm=moved or tuple(0.1 if each else 10.5 for each in held),
        turned_deg=(1.0,) * 6,
        largest_force=20.0,
        closing_moved_cm=0.3,
        closing_turned_deg=0.5,
        squeeze_force=(31.0, 32.0),
        mass=0.5,
        seconds=0.1,
    )


def record(*held, rank=1, moved=None, present=(True, True)):
    return HoldRecord.of(result(*held, moved=moved), present, rank)


HELD, DROPPED = (True,) * 6, (True, False, True, False, True, True)


@pytest.fixture
def told(monkeypatch):
    """Replaces the simulation: the second of three grasps holds, in score order."""
    calls = []

    def hold_tests(mesh, hand_model, grasps, settings, *, query, progress):
        calls.append(len(grasps))
        progress(len(grasps), len(grasps))
        return [result(*(HELD if k % 3 == 1 else DROPPED)) for k in range(len(grasps))]

    monkeypatch.setattr("bghop.jobs.grasp_verify.hold_tests", hold_tests)
    monkeypatch.setattr("bghop.jobs.grasp_verify.pieces_of", lambda _: None)
    return calls


@given(st.lists(st.booleans(), max_size=12))
def test_what_holds_comes_first_and_scores_decide_inside_each_group(success):
    hold = [record(*(HELD if each else DROPPED), rank=k + 1) for k, each in enumerate(success)]
    order = what_holds_first(hold)
    assert sorted(order) == list(range(len(success)))
    num = sum(success)
    assert all(success[k] for k in order[:num])
    assert order[:num] == sorted(order[:num])
    assert order[num:] == sorted(order[num:])


def test_five_of_six_directions_are_no_better_than_none():
    almost, never = record(*HELD[1:], False), record(*[False] * 6)
    assert what_holds_first([never, almost]) == [0, 1]


def test_the_hardest_direction_is_where_it_moved_most_of_those_not_held():
    assert record(*HELD, moved=(0.1, 0.2, 1.5, 0.3, 0.4, 0.5)).hardest == 2
    # Turned over on the spot in -y, while it only slid in +z.
    assert record(*HELD[:4], False, True, moved=(0.1, 0.2, 1.5, 0.3, 0.4, 0.5)).hardest == 4


def test_verified_results_come_with_their_tests_in_both_orders(
    tmp_path, box_files, fake_synthesizer, told
):
    sources = box_files(1)
    plain, checked = tmp_path / "plain", tmp_path / "checked"
    run_grasp_job(GraspJob(meshes=sources, out=plain, num=3), synthesizer=fake_synthesizer)
    (result,) = run_grasp_job(
        GraspJob(meshes=sources, out=checked, num=3, verify=True), synthesizer=fake_synthesizer
    )
    before, after = read_grasps(plain), read_grasps(checked)
    assert told == [3]
    assert before.hold is None
    assert after.hold is not None
    assert after.hold == result.hold
    assert [each.rank_by_score for each in after.hold] == [2, 1, 3]
    assert [each.success for each in after.hold] == [True, False, False]
    # Everything of a grasp moves with it: numbers, metrics, scores, scene.
    rows = torch.tensor([1, 0, 2])
    assert torch.equal(after.joints_object, before.joints_object[rows])
    assert torch.equal(after.hands.T_object_hand, before.hands.T_object_hand[rows])
    assert torch.equal(after.scores["energy"], before.scores["energy"][rows])
    assert [m.penetration_depth_mm for m in after.metrics] == [
        before.metrics[k].penetration_depth_mm for k in rows
    ]
    first, second = (
        trimesh.load_scene(path).geometry["left_hand"].vertices
        for path in (checked / "grasp_000.glb", plain / "grasp_001.glb")
    )
    np.testing.assert_allclose(first, second, atol=1e-6)  # the best by score is 1 cm away


def test_the_file_says_what_the_test_was_and_what_it_found(
    tmp_path, box_files, fake_synthesizer, told
):
    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=1, verify=True)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    content = json.loads((tmp_path / "out" / "grasps.json").read_text())
    assert content["verified"] is True
    assert content["hold_settings"]["friction"] == 0.8
    assert content["hold_settings"]["forces"]["finger_force"] == 15.0
    assert content["hold_settings"]["max_moved"] == 0.02
    hold = content["grasps"][0]["hold"]
    names = ["+x", "+y", "+z", "-x", "-y", "-z"]
    assert hold["held"] == dict(zip(names, DROPPED, strict=True))
    assert hold["moved_cm"]["+y"] == 10.5
    assert (hold["success"], hold["rank_by_score"], hold["mass_kg"]) == (False, 1, 0.5)
    assert hold["squeeze_force_n"] == {"left": 31.0, "right": 32.0}
    assert {"turned_deg", "largest_force_n", "closing_moved_cm"} < hold.keys()


def test_without_verify_the_file_has_none_of_it(tmp_path, box_files, fake_synthesizer):
    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=1)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    content = json.loads((tmp_path / "out" / "grasps.json").read_text())
    assert not {"verified", "hold_settings"} & content.keys()
    assert "hold" not in content["grasps"][0]
    assert not {"hold_test", "strips"} & content["options"].keys()


def test_an_absent_hand_presses_with_nothing_and_not_with_zero():
    one = record(*DROPPED, present=(False, True))
    assert one.squeeze_force_n == (None, 32.0)
    value = json.loads(json.dumps(one.to_json(), allow_nan=False))
    assert value["squeeze_force_n"] == {"left": None, "right": 32.0}
    assert HoldRecord.from_json(value) == one


@pytest.mark.parametrize("damage", ["no_hold", "no_direction"])
def test_a_verified_file_with_a_hole_is_damaged(
    tmp_path, box_files, fake_synthesizer, told, damage
):
    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=2, verify=True)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    path = tmp_path / "out" / "grasps.json"
    content = json.loads(path.read_text())
    if damage == "no_hold":
        del content["grasps"][1]["hold"]
    else:
        del content["grasps"][1]["hold"]["held"]["-z"]
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match="run its command again"):
        read_grasps(path)


def test_a_verified_job_is_another_job_and_is_continued(
    tmp_path, box_files, fake_synthesizer, told
):
    sources, out = box_files(1), tmp_path / "out"
    options = {"meshes": sources, "out": out, "num": 2}
    run_grasp_job(GraspJob(**options), synthesizer=fake_synthesizer)
    with pytest.raises(ResultError, match="--overwrite"):
        run_grasp_job(GraspJob(**options, verify=True), synthesizer=fake_synthesizer)
    run_grasp_job(GraspJob(**options, verify=True, overwrite=True), synthesizer=fake_synthesizer)
    (again,) = run_grasp_job(GraspJob(**options, verify=True), synthesizer=fake_synthesizer)
    assert again.state == "kept"
    assert again.hold == read_grasps(out).hold
    with pytest.raises(ResultError, match="--overwrite"):
        run_grasp_job(GraspJob(**options, strips=1), synthesizer=fake_synthesizer)


def test_without_mujoco_it_is_refused_before_any_work(
    tmp_path, box_files, fake_synthesizer, monkeypatch
):
    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=1, verify=True)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(PhysicsError, match=r"pip install 'bghop\[physics\]'"):
        run_grasp_job(job, synthesizer=fake_synthesizer)
    assert fake_synthesizer.calls == []
    assert not (tmp_path / "out").exists()


def test_without_mujoco_what_is_finished_is_still_kept(
    tmp_path, box_files, fake_synthesizer, told, monkeypatch
):
    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=1, verify=True)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    assert run_grasp_job(job, synthesizer=fake_synthesizer)[0].state == "kept"


@pytest.mark.parametrize("strips", [-1, 1001])
def test_a_number_of_strips_out_of_range_is_refused(tmp_path, strips):
    with pytest.raises(OptionError, match=r"--strips .* use 0 to 1000"):
        check_options(GraspJob(meshes=("a.obj",), out=tmp_path, strips=strips))


def test_strips_ask_for_the_hold_test():
    job = GraspJob(meshes=("a.obj",), out=Path("x"), strips=2)
    assert job.verified
    assert not replace(job, strips=0).verified


@pytest.fixture
def strips(told, monkeypatch):
    """Replaces the films; the rank by score of each that was asked for."""
    asked = []

    def hold_strip(mesh, hand_model, hands, hold, query):
        asked.append(hold.rank_by_score)
        return ["frame"], ["words"]

    monkeypatch.setattr("bghop.jobs.result_writer.hold_strip", hold_strip)
    return asked


@pytest.mark.parametrize(("num", "wanted"), [(1, [2]), (2, [2, 1]), (9, [2, 1, 3])])
def test_the_first_results_get_strips(tmp_path, box_files, fake_synthesizer, strips, num, wanted):
    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=3, strips=num)
    run_grasp_job(job, synthesizer=fake_synthesizer)
    assert strips == wanted
    found = sorted(path.name for path in (tmp_path / "out").glob("*_hold.png"))
    assert found == [f"grasp_{k:03d}_hold.png" for k in range(len(wanted))]


def test_strips_of_an_earlier_job_do_not_stay(tmp_path, box_files, fake_synthesizer, strips):
    options = {"meshes": box_files(1), "out": tmp_path / "out", "num": 1}
    run_grasp_job(GraspJob(**options, strips=1), synthesizer=fake_synthesizer)
    run_grasp_job(GraspJob(**options, overwrite=True), synthesizer=fake_synthesizer)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "grasp_000.glb", "grasps.json", "grasps.png",
    }  # fmt: skip


def test_where_strips_cannot_be_drawn_the_results_are_complete(
    tmp_path, box_files, fake_synthesizer, strips, monkeypatch, no_window
):
    def request_strip(self, frames, captions):
        self.broken = True

    def answer(self):
        if getattr(self, "broken", False):
            raise DrawingError("cannot draw pictures (no EGL): see `bghop doctor`")
        return b"\x89PNG"

    monkeypatch.setattr(no_window, "request_strip", request_strip)
    monkeypatch.setattr(no_window, "answer", answer)
    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=2, strips=2)
    (result,) = run_grasp_job(job, synthesizer=fake_synthesizer)
    (warning,) = (each for each in result.warnings if "strips" in each)
    assert "bghop doctor" in warning
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "grasp_000.glb", "grasp_001.glb", "grasps.json", "grasps.png",
    }  # fmt: skip


@pytest.mark.parametrize("down", list(DIRECTIONS))
def test_strips_are_turned_such_that_things_fall_down(down):
    R = turn_down(down)
    np.testing.assert_allclose(R @ down, [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)


def test_scenes_of_a_film_move_the_object_and_turn_everything(fake_synthesizer):
    from bghop.geometry.shapes import box
    from bghop.hands.open_hand import load_open_hand

    mesh, hand_model = box((0.1, 0.12, 0.08)), load_open_hand()
    job = GraspJob(meshes=("x",), out=Path("x"), num=2)
    found = fake_synthesizer(mesh, hand_model=hand_model, job=job, up="z", progress=None)
    hands = replace(found.hands, present=torch.tensor([[True, False]] * 2))
    Ts = np.tile(np.eye(4), (2, 1, 1))
    Ts[1, :3, 3] = [0.05, 0, 0]
    first, second = film_scenes(mesh, hand_model, Ts, hands, down=np.array([1.0, 0, 0]))
    # Gravity along +x: what moved 5 cm along +x of the object is 5 cm lower in the picture.
    np.testing.assert_allclose(
        second.object[0] - first.object[0],
        np.tile([0, 0, -0.05], (len(first.object[0]), 1)),
        atol=1e-12,
    )
    posed = hand_model.pose_hands(hands).vertices_object.double().numpy()
    assert first.hands[0] is not None
    np.testing.assert_allclose(first.hands[0][0][:, 2], -posed[0, 0, :, 0], atol=1e-6)
    assert first.hands[1] is None


@pytest.mark.slow
def test_a_real_test_puts_the_grasp_that_holds_before_one_with_better_scores(
    tmp_path, box_files, monkeypatch, no_window
):
    """Nothing replaced but the order by scores: open hands beside the object come first in it."""
    asked: list[tuple[list[Scene], list[str]]] = []

    def synthesizer(mesh, **options):
        found = optimize_hands(mesh, **options)
        away = found.hands.T_object_hand.clone()
        middle = torch.from_numpy(mesh.bounds.mean(0)).float()
        out = away[..., :3, 3] - middle
        away[..., :3, 3] += 0.06 * out / out.norm(dim=-1, keepdim=True)
        both = [
            torch.cat([getattr(part, name) for part in (found.hands, found.hands)])
            for name in ("present", "pose", "shape")
        ]
        hands = replace(
            found.hands,
            present=both[0],
            pose=both[1],
            shape=both[2],
            T_object_hand=torch.cat([away, found.hands.T_object_hand]),
        )
        return Synthesis(hands=hands, energy=torch.tensor([0.0, 1.0]), terms={})

    monkeypatch.setattr(
        "bghop.jobs.ranked.rank", lambda _, scores, **_options: list(range(len(scores)))
    )

    class Recorder(no_window):
        def request_strip(self, frames, captions):
            asked.append((frames, captions))
            super().request_strip(frames, captions)

    monkeypatch.setattr("bghop.jobs.result_writer.SheetWorker", Recorder)
    heard = []

    class Ears(Listener):
        def stage(self, name, stage, done, total):
            assert 0 <= done <= total, name
            heard.append(stage)

    job = GraspJob(meshes=box_files(1), out=tmp_path / "out", num=1, steps=5, strips=2)
    (result,) = run_grasp_job(job, synthesizer=synthesizer, listener=Ears())
    assert result.hold is not None
    holds, falls = result.hold
    assert (holds.success, holds.rank_by_score) == (True, 2)
    assert (sum(falls.held), falls.rank_by_score) == (0, 1)
    assert falls.squeeze_force_n == (0.0, 0.0)
    assert min(force or 0.0 for force in holds.squeeze_force_n) > 5.0
    # 10 x 12 x 8 cm at 500 kg/m3.
    assert holds.mass_kg == pytest.approx(0.48, rel=0.01)
    assert max(falls.moved_cm) > 10.0  # along -z the box comes to lie on a hand
    stages = list(dict.fromkeys(heard))
    assert stages.index("cutting into convex pieces") < stages.index("hold test")
    assert stages.index("hold test") < stages.index("filming the hold test")
    # The strip of what falls ends 10 cm below, and says so.
    scenes, captions = asked[1]
    drop = scenes[1].object[0].mean(0) - scenes[-1].object[0].mean(0)
    assert drop[2] == pytest.approx(falls.moved_cm[falls.hardest] / 100, rel=0.02)
    assert "not held" in captions[-1]
    assert "by closing" in captions[1]
    assert "not" not in asked[0][1][-1]
    assert "held" in asked[0][1][-1]
