"""`bghop data synthesize`: whole files, the same for any number of processes, continued."""

import json

import pytest
import torch

from bghop.cli import main
from bghop.data.objects_file import read_objects
from bghop.data.record import read_records
from bghop.data.tables import read_table
from bghop.datagen import making
from bghop.datagen.candidates import CandidateOptions
from bghop.datagen.parts import PROVENANCE, read_reports
from bghop.errors import MeshError
from bghop.jobs import data_synthesize
from bghop.synthesis.optimize import OptimizeOptions


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Little work, two objects a part."""

    def options(**changes):
        optimize = OptimizeOptions(steps=40, prune_at=())
        return making.MakeOptions(candidates=CandidateOptions(optimize=optimize), **changes)

    monkeypatch.setattr(data_synthesize, "MakeOptions", options)
    monkeypatch.setattr(data_synthesize, "PART", 2)


def arguments(out, *more):
    words = "data synthesize --objects 3 --grasps 4 --families box ball mug --hold-every 0"
    return [*words.split(), "--workers", "1", "--no-pictures", "--quiet", "--out", str(out), *more]


def test_a_data_set_is_made_kept_continued_and_refused(tmp_path, capsys, monkeypatch):
    out = tmp_path / "set"
    made = []
    first = data_synthesize._make_part

    def stopped(*task):
        if made:
            raise KeyboardInterrupt
        made.append(task)
        return first(*task)

    monkeypatch.setattr(data_synthesize, "_make_part", stopped)
    assert main(arguments(out)) == 130
    assert not (out / "records.parquet").exists()
    monkeypatch.setattr(
        data_synthesize, "_make_part", lambda *task: made.append(task) or first(*task)
    )
    assert main(arguments(out)) == 0
    assert [list(task[2]) for task in made] == [[0, 1], [2]]
    capsys.readouterr()

    records, objects = read_records(out / "records.parquet"), read_objects(out / "objects.parquet")
    table = read_table(out / "provenance.parquet", PROVENANCE)
    reports = read_reports(out / "provenance.parquet")
    assert table.column("id").to_pylist() == list(records.id)
    assert set(records.object) == set(objects.keys)
    assert len(reports) == 3
    assert sum(report.accepted for report in reports) == len(records) > 0
    assert not (out / "parts").exists()
    assert "Families" in (out / "report.md").read_text()

    assert main([*arguments(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "kept"
    assert main(arguments(out, "--seed", "1")) == 2
    assert "other options" in capsys.readouterr().err

    again = tmp_path / "again"
    assert main(arguments(again)) == 0
    same = read_records(again / "records.parquet")
    assert torch.equal(same.hands.T_object_hand, records.hands.T_object_hand)
    assert (again / "objects.parquet").read_bytes() == (out / "objects.parquet").read_bytes()


def test_an_object_that_fails_is_left_out_and_told(tmp_path, capsys, monkeypatch):
    whole = data_synthesize.make

    def fails_at_one(options, seed, number, model):
        if number < 2:
            raise MeshError("the surface is torn: mend it")
        return whole(options, seed, number, model)

    monkeypatch.setattr(data_synthesize, "make", fails_at_one)
    out = tmp_path / "set"
    words = arguments(out)
    words.remove("--quiet")
    assert main(words) == 0
    assert "ball_0_00001 could not be made and is left out" in capsys.readouterr().err
    errors = [report.error for report in read_reports(out / "provenance.parquet")]
    assert errors == ["the surface is torn: mend it"] * 2 + [""]
    assert set(read_records(out / "records.parquet").object) == {"mug_0_00002"}
    assert "surface is torn" in (out / "report.md").read_text()


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
