import json

import pytest

from bghop.errors import ResultError
from bghop.jobs.result_folder import ResultFolder, folders_of, job_identity


def names(path):
    return {entry.name for entry in path.iterdir()}


def finished(path, identity="mine"):
    folder = ResultFolder(path)
    folder.begin(identity)
    for name in ("grasp_000.glb", "grasp_001.glb", "grasps.png"):
        (path / name).write_bytes(b"x")
    folder.finish({"job": identity})
    return folder


def test_identity_depends_on_every_setting_and_not_on_their_order():
    one = job_identity({"seed": 0, "num": 16})
    assert one == job_identity({"num": 16, "seed": 0})
    assert one != job_identity({"num": 16, "seed": 1})


def test_a_finished_folder_holds_results_only(tmp_path):
    finished(tmp_path / "deep" / "out")
    path = tmp_path / "deep" / "out"
    assert names(path) == {"grasp_000.glb", "grasp_001.glb", "grasps.png", "grasps.json"}
    assert ResultFolder(path).is_finished("mine")


def test_a_killed_job_is_continued_from_a_clean_folder(tmp_path):
    ResultFolder(tmp_path).begin("mine")
    (tmp_path / "grasp_000.glb").write_bytes(b"old")
    (tmp_path / ".grasps.png.0123abcd.part").write_bytes(b"half")
    again = ResultFolder(tmp_path)
    assert not again.is_finished("mine")
    again.begin("mine")
    assert names(tmp_path) == {"job.json"}


@pytest.mark.parametrize("state", ["finished", "killed"])
def test_results_of_another_job_are_refused_and_not_touched(tmp_path, state):
    if state == "finished":
        finished(tmp_path, "other")
    else:
        ResultFolder(tmp_path).begin("other")
    before = names(tmp_path)
    with pytest.raises(ResultError, match="--overwrite"):
        ResultFolder(tmp_path).is_finished("mine")
    assert names(tmp_path) == before
    assert not ResultFolder(tmp_path).is_finished("mine", overwrite=True)


@pytest.mark.parametrize("name", ["grasp_000.glb", "grasps.png"])
def test_result_files_of_unknown_origin_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(ResultError, match="unknown origin"):
        ResultFolder(tmp_path).is_finished("mine")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"job": 3}', "null"])
def test_a_damaged_state_file_is_no_ones_job(tmp_path, content):
    (tmp_path / "grasps.json").write_text(content)
    with pytest.raises(ResultError, match="--overwrite"):
        ResultFolder(tmp_path).is_finished("mine")


def test_files_that_are_not_ours_stay_whatever_happens(tmp_path):
    for name in ("notes.txt", "grasp_1.glb", "grasp_000.glb.bak"):
        (tmp_path / name).write_text("mine")
    finished(tmp_path, "a")
    again = ResultFolder(tmp_path)
    again.begin("b")
    again.abandon()
    assert names(tmp_path) == {"notes.txt", "grasp_1.glb", "grasp_000.glb.bak"}


def test_abandoning_removes_the_folders_that_were_made_and_no_others(tmp_path):
    (tmp_path / "there").mkdir()
    folder = ResultFolder(tmp_path / "there" / "new" / "out")
    folder.begin("mine")
    (folder.path / "grasp_000.glb").write_bytes(b"x")
    folder.abandon()
    assert names(tmp_path) == {"there"}
    assert names(tmp_path / "there") == set()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("text")
    with pytest.raises(ResultError, match="is a file"):
        ResultFolder(tmp_path / "out").is_finished("mine")
    with pytest.raises(ResultError, match="is a file"):
        ResultFolder(tmp_path / "out" / "below" / "it").is_finished("mine")


def test_complete_means_that_the_result_file_came_last(tmp_path):
    folder = ResultFolder(tmp_path)
    folder.begin("mine")
    state = json.loads((tmp_path / "job.json").read_text())
    assert state == {"format": "bghop-job", "job": "mine"}
    assert not (tmp_path / "grasps.json").exists()
    folder.finish({"job": "mine"})
    assert not (tmp_path / "job.json").exists()


def test_one_object_uses_the_folder_itself_and_several_get_their_own(tmp_path):
    assert [each.path for each in folders_of(["mug"], tmp_path)] == [tmp_path]
    found = folders_of(["mug", "bowl", "mug", "Mug", "mug_2"], tmp_path)
    assert [each.path.name for each in found] == ["mug", "bowl", "mug_2", "Mug_3", "mug_2_2"]
