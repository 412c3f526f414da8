import errno
import os

import pytest

from bghop.errors import ResultError
from bghop.files import read_json, remove_leftovers, whole_folder, write_json, write_whole


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path):
    write_whole(tmp_path / "a.bin", b"one")
    write_whole(tmp_path / "a.bin", b"two")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"two"


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt])
def test_a_failure_at_any_step_keeps_the_old_file(tmp_path, monkeypatch, step, error):
    write_whole(tmp_path / "a.bin", b"old")

    def fail(*_args):
        raise error

    monkeypatch.setattr(os, step, fail)
    if step == "replace":
        monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises((ResultError, KeyboardInterrupt)) as caught:
        write_whole(tmp_path / "a.bin", b"new")
    if caught.type is ResultError:
        assert "free some space" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def test_leftovers_of_a_killed_run_go_and_other_files_stay(tmp_path):
    (tmp_path / ".grasps.png.0123abcd.part").write_bytes(b"half")
    for name in ("grasps.png", ".hidden", "notes.part", ".grasps.png.zzzzzzzz.part"):
        (tmp_path / name).write_text("mine")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "grasps.png", ".hidden", "notes.part", ".grasps.png.zzzzzzzz.part",
    }  # fmt: skip


def test_json_comes_back_and_refuses_what_is_not_json(tmp_path):
    value = {"a": [1, 2.5, None], "ü": "µ"}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize(
    ("content", "remedy"),
    [(None, "give a folder"), (b"{", "run the command again"), (b"\xff\xfe{}", "run the command")],
)
def test_unreadable_json_is_one_line_with_the_remedy(tmp_path, content, remedy):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ResultError, match=remedy) as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_a_huge_nesting_is_an_error_not_a_crash(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(ResultError, match="not a JSON file"):
        read_json(tmp_path / "a.json")


def test_a_folder_is_whole_or_not_there(tmp_path):
    path = tmp_path / "many"
    with whole_folder(path) as folder:
        (folder / "a").write_text("1")
        assert not path.exists()
    assert (path / "a").read_text() == "1"
    with pytest.raises(ResultError, match="cannot write"), whole_folder(path) as folder:
        folder.read_text()
    assert (path / "a").read_text() == "1"
    with whole_folder(path) as folder:
        (folder / "b").write_text("3")
    assert [each.name for each in path.iterdir()] == ["b"]
    assert [each.name for each in tmp_path.iterdir()] == ["many"]


def test_leftovers_may_be_folders(tmp_path):
    (tmp_path / ".many.0123abcd.part").mkdir()
    (tmp_path / ".many.0123abcd.part" / "a").write_text("1")
    (tmp_path / "kept").mkdir()
    remove_leftovers(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]
