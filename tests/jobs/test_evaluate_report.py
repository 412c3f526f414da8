"""The report of a job: its head, scenes from rows, pictures, strips; nothing old stays."""

import shlex
from dataclasses import replace

import numpy as np
import pytest
import test_evaluate_job as t
import torch

from bghop.cli.evaluate import Evaluate
from bghop.drawing.software import SoftwareRenderer
from bghop.hands.open_hand import load_open_hand
from bghop.jobs.evaluate_machine import machine, versions
from bghop.jobs.evaluate_options import EvaluateJob, available_cores, command_of
from bghop.jobs.evaluate_scenes import RowScenes
from bghop.objects.sets import object_set
from bghop.physics.hold import hold_film

folder = t.folder
fresh = t.fresh


class SmallPainter(SoftwareRenderer):
    """In this process, and tiny."""

    def __init__(self):
        super().__init__(24)
        self.note = "Pictures are plain."

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def small_painter(monkeypatch):
    monkeypatch.setattr("bghop.jobs.evaluate_report.PictureProcess", SmallPainter)


@pytest.fixture
def rows(folder):
    job = t.job_of(folder, num=1, seeds=(0,))
    return object_set(str(folder)).items, t.table(t.run(job).folder)


def test_a_report_has_a_head_diagrams_failures_strips_and_no_old_picture(folder, small_painter):
    job = t.job_of(folder, hold=True, pictures=True, num=1, seeds=(9,), only=("brick",))
    pictures = job.out / "pictures"
    pictures.mkdir(parents=True)
    for name in ("strip_7.png", ".depth.png.0123abcd.part", "notes.txt"):
        (pictures / name).write_bytes(b"old")
    t.run(job)
    made = t.names(pictures)
    assert {"depth.png", "time.png", "hold_0.png", "failures.png", "failure_00.png",
            "failure_01.png", "strip_0.png", "notes.txt"} <= made  # fmt: skip
    assert not made & {"strip_7.png", ".depth.png.0123abcd.part"}
    text = (job.out / "report.md").read_text()
    for words in (command_of(job), machine().split(",")[0], "mujoco-core", "Pictures are plain.",
                  "brick, optimize, seed 9, rank 0: fails", "where it fares worst"):  # fmt: skip
        assert words in text
    assert all(f"({path})" in text for path in ("pictures/failure_00.png", "pictures/strip_0.png"))


def test_a_report_without_pictures_removes_those_of_an_earlier_one(folder, small_painter):
    job = t.job_of(folder, pictures=True, num=1, seeds=(0,), only=("brick",))
    t.run(job)
    assert t.names(job.out / "pictures")
    t.run(replace(job, pictures=False, overwrite=True))
    assert not t.names(job.out / "pictures")


def test_a_scene_shows_the_hands_of_its_row_and_the_object(rows):
    items, table = rows
    hand_model = load_open_hand()
    scenes = RowScenes(items, hand_model)
    both = next(row for row in table if row["method"] == "optimize")
    scene = scenes.scene(both)
    hands = scenes.hands(both)
    assert hands.present.tolist() == [True, True]
    assert hands.T_object_hand.flatten(1).tolist() == [
        both["T_object_left"],
        both["T_object_right"],
    ]
    for k in range(2):
        expected = hand_model.pose_hands(hands).vertices_object[k].numpy()
        np.testing.assert_allclose(scene.hands[k][0], expected, atol=1e-6)
    corners = np.unique(scene.object[0], axis=0)
    np.testing.assert_allclose(np.abs(corners), [[0.05, 0.06, 0.04]] * 8)
    one = next(row for row in table if row["method"] == "random")
    assert scenes.scene(one).hands[0] is None
    assert scenes.scene(one).object is scene.object  # of the same object, made once


def test_joints_of_a_row_are_those_of_its_hands(rows):
    items, table = rows
    hand_model = load_open_hand()
    joints = hand_model.joints(RowScenes(items, hand_model).hands(table[0]))
    kept = torch.tensor([table[0]["joints_left"], table[0]["joints_right"]]).reshape(2, 21, 3)
    torch.testing.assert_close(joints, kept)


def test_a_film_starts_with_the_grasp_and_shows_the_worst_direction(rows):
    items, table = rows
    hand_model = load_open_hand()
    scenes = RowScenes(items, hand_model)
    row = table[0] | {"hold_worst_direction": "-y"}
    for side, away in (("left", -0.3), ("right", 0.3)):
        T = torch.tensor(row[f"T_object_{side}"])
        T[3] = away  # the x of the wrist
        row[f"T_object_{side}"] = T.tolist()
    frames, captions = scenes.film(row)
    film = hold_film(items[0].mesh, hand_model, scenes.hands(row), direction=4)
    assert captions[0] == "grasp"
    assert "gravity -y" in captions[-1]
    assert f"moved {film.moved_cm[-1]:.1f} cm" in captions[-1]
    assert len(frames) == len(film.captions)
    np.testing.assert_allclose(frames[0].object[0], scenes.scene(row).object[0], atol=1e-6)
    # Nothing holds it: the object goes along gravity, 10 cm before the film ends.
    moved = frames[-1].object[0].mean(0) - frames[0].object[0].mean(0)
    assert moved[1] < -0.08
    first, grasp = frames[0].hands[1][0], scenes.scene(row).hands[1][0]
    assert np.abs(first - grasp).max() < 0.002  # bones of the simulation, not of the row


def test_a_strip_that_cannot_be_made_is_a_note_in_the_report(folder, small_painter, monkeypatch):
    def broken(*_, **__):
        raise t.ResultError("no film: install a camera")

    monkeypatch.setattr("bghop.jobs.evaluate_scenes.hold_film", broken)
    job = t.job_of(folder, hold=True, pictures=True, num=1, seeds=(9,), only=("brick",))
    t.run(job)
    assert (
        "No strips were drawn (no film: install a camera)." in (job.out / "report.md").read_text()
    )
    assert (job.out / "pictures" / "failure_00.png").exists()


def test_the_command_in_the_head_asks_for_the_same_job(folder):
    import tyro

    jobs = (
        EvaluateJob(objects="shapes:4", out=folder / "a b"),
        EvaluateJob(
            objects="x", out=folder, methods=("optimize@20", "random"), num=3, seeds=(4, 5),
            only=("box*", "mug"), workers=available_cores() + 1, hold=False, pictures=False,
            overwrite=True,
        ),
    )  # fmt: skip
    for job in jobs:
        words = shlex.split(command_of(job))
        assert words[:2] == ["bghop", "evaluate"]
        config = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)
        read = tyro.cli(Evaluate, args=words[2:], config=config)
        assert (read.objects, read.out, read.methods, read.num, read.seeds, read.only) == (
            job.objects, job.out, job.methods, job.num, job.seeds, job.only
        )  # fmt: skip
        assert (read.workers or available_cores(), read.overwrite) == (job.workers, job.overwrite)
        assert (read.no_hold, read.no_pictures) == (not job.hold, not job.pictures)


def test_versions_name_bghop_first_and_only_what_is_installed(monkeypatch):
    assert list(versions())[:2] == ["bghop", "Python"]
    assert "torch" in versions()
    monkeypatch.setattr("bghop.jobs.evaluate_machine._PACKAGES", ("no-such-package",))
    assert list(versions()) == ["bghop", "Python"]
