"""`bghop data synthesize`: whole files, the same for any number of processes, continued."""

import json

import pytest
import torch

from bghop.cli import main
from bghop.data.objects_file import read_objects
from bghop.data.record_file import read_records
from bghop.data.tables import read_table
from bghop.datagen import making
from bghop.datagen.candidates import CandidateOptions
from bghop.datagen.parts import PROVENANCE, read_reports
from bghop.errors import MeshError
from bghop.jobs import data_synthesize
from bghop.synthesis.optimize import OptimizeOptions
from bghop.training.run import sha256


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Little work, two objects a part."""

    def options(**changes):
        optimize = OptimizeOptions(steps=40, prune_at=())
        candidates = CandidateOptions(pool=200, optimize=optimize)
        return making.MakeOptions(candidates=candidates, sdf_resolution=48, **changes)

    monkeypatch.setattr(data_synthesize, "MakeOptions", options)
    monkeypatch.setattr(data_synthesize, "PART", 2)


def arguments(out, *more):
    words = "data synthesize --objects 3 --grasps 4 --families box ball mug --hold-every 0"
    return [*words.split(), "--workers", "1", "--no-pictures", "--quiet", "--out", str(out), *more]


def test_a_data_set_is_made_kept_continued_and_refused(tmp_path, capsys, monkeypatch):
    """Objects that cannot be made are left out and told."""
    whole = data_synthesize.make

    def only_the_mug(options, seed, number, model):
        if number < 2:
            raise MeshError("the surface is torn: mend it")
        return whole(options, seed, number, model)

    monkeypatch.setattr(data_synthesize, "make", only_the_mug)
    out = tmp_path / "set"
    made = []
    first = data_synthesize._make_part

    def stopped(*task):
        if made:
            raise KeyboardInterrupt
        made.append(task)
        return first(*task)

    monkeypatch.setattr(data_synthesize, "_make_part", stopped)
    monkeypatch.setattr(data_synthesize, "commit_of", lambda _: None)
    assert main(arguments(out)) == 130
    monkeypatch.setattr(data_synthesize, "commit_of", lambda _: "second")
    assert not (out / "records.parquet").exists()
    monkeypatch.setattr(
        data_synthesize, "_make_part", lambda *task: made.append(task) or first(*task)
    )
    assert main([word for word in arguments(out) if word != "--quiet"]) == 0
    assert [list(task[2]) for task in made] == [[0, 1], [2]]
    told = capsys.readouterr().err
    assert "ball_0_00001 could not be made and is left out" in told
    assert "made by 2 commits: second, unknown" in told

    records, objects = read_records(out / "records.parquet"), read_objects(out / "objects.parquet")
    table = read_table(out / "provenance.parquet", PROVENANCE)
    reports = read_reports(out / "provenance.parquet")
    assert table.column("id").to_pylist() == list(records.id)
    assert set(records.object) == set(objects.keys)
    assert [report.error for report in reports] == ["the surface is torn: mend it"] * 2 + [""]
    assert sum(report.accepted for report in reports) == len(records) > 0
    assert not (out / "parts").exists()
    state = json.loads((out / "dataset.json").read_text())
    assert state["sha256"]["records.parquet"] == sha256(out / "records.parquet")
    assert state["commits"] == ["second", "unknown"]
    report = (out / "report.md").read_text()
    assert "Families" in report
    assert "the surface is torn" in report

    assert main([*arguments(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "kept"
    assert main(arguments(out, "--seed", "1")) == 2
    assert "other options" in capsys.readouterr().err


def test_a_set_that_is_stopped_is_finished_with_more_or_fewer_objects(
    tmp_path, capsys, monkeypatch
):
    out, made = tmp_path / "set", []
    first = data_synthesize._make_part

    def stopped(*task):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(task)
        return first(*task)

    monkeypatch.setattr(data_synthesize, "_make_part", stopped)
    more, less = arguments(out), arguments(out)
    more[more.index("3")], less[less.index("3")] = "5", "4"
    assert main(more) == 130
    assert main(less) == 0  # both parts were there
    assert len(made) == 2
    assert len(read_reports(out / "provenance.parquet")) == 4
    assert main(more) == 2
    assert "finished with 4 objects" in capsys.readouterr().err


def test_a_part_that_was_shorter_is_made_again_when_there_are_to_be_more_objects(
    tmp_path, capsys, monkeypatch
):
    """What is told counts what an earlier run left."""
    out, made = tmp_path / "set", []
    first, join = data_synthesize._make_part, data_synthesize.join_parts

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        data_synthesize, "_make_part", lambda *task: made.append(list(task[2])) or first(*task)
    )
    monkeypatch.setattr(data_synthesize, "join_parts", killed)
    assert main(arguments(out)) == 130
    monkeypatch.setattr(data_synthesize, "join_parts", join)
    more = [word for word in arguments(out) if word != "--quiet"]
    more[more.index("3")] = "4"
    assert main(more) == 0
    assert made == [[0, 1], [2], [2, 3]]
    reports = read_reports(out / "provenance.parquet")
    assert len(reports) == 4
    accepted = [report.accepted for report in reports]
    assert sum(accepted[:2]) > 0
    assert f"data: 4 of 4 objects, {sum(accepted)} interactions" in capsys.readouterr().err


@pytest.mark.slow
def test_equal_commands_make_equal_files(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(arguments(first)) == main(arguments(second)) == 0
    found, same = (read_records(out / "records.parquet") for out in (first, second))
    assert torch.equal(same.hands.T_object_hand, found.hands.T_object_hand)
    assert (second / "objects.parquet").read_bytes() == (first / "objects.parquet").read_bytes()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--objects", "0"), "--objects 0 is out of range"),
        (("--families", "box", "zebra"), "unknown object family 'zebra'"),
        (("--families", "box", "box"), "names one twice"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(tmp_path, capsys, more, words):
    assert main(arguments(tmp_path / "set", *more)) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_families_are_listed(capsys):
    assert main(["data", "families", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["mug"][0] == "mug"
