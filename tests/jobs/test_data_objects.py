"""`bghop data objects`: what `data synthesize` makes hands for, alone, and training reads it."""

import json

import pytest
import torch

from bghop.cli import main
from bghop.data.objects_file import read_objects
from bghop.data.record_file import read_records
from bghop.datagen.making import MakeOptions, make_shape
from bghop.jobs import data_objects
from bghop.objects.catalog import FAMILIES


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(data_objects, "PART", 2)


def arguments(out, num, *more):
    words = f"data objects --objects {num} --families ball mug --workers 1 --quiet --out {out}"
    return [*words.split(), *more]


def test_every_object_has_its_words_and_nobody_holds_it(tmp_path):
    assert main(arguments(tmp_path / "set", 3)) == 0
    records = read_records(tmp_path / "set" / "records.parquet")
    objects = read_objects(tmp_path / "set" / "objects.parquet")
    keys = ["ball_0_00000", "mug_0_00001", "ball_0_00002"]
    assert list(objects.keys) == keys
    for key in keys:
        said = [word for word, thing in zip(records.text, records.object, strict=True)
                if thing == key]  # fmt: skip
        assert said == list(FAMILIES[key.split("_")[0]].texts)
    assert not records.hands.present.any()
    assert not (tmp_path / "set" / "parts").exists()
    # The same member as a data set with hands has under this number.
    mug = make_shape(MakeOptions(families=("ball", "mug")), 0, 1)
    assert mug.key == "mug_0_00001"
    number = int(objects.index_of(["mug_0_00001"])[0])
    corners = objects.box(torch.tensor([number]), torch.zeros(1), torch.eye(4)[None])[0].double()
    extents = torch.from_numpy(mug.mesh.extents)
    torch.testing.assert_close(corners[1] - corners[0], extents, rtol=0, atol=2e-3)


def test_what_was_stopped_goes_on_with_any_number(tmp_path, monkeypatch, capsys):
    out, made = tmp_path / "set", []
    first = data_objects._make_part

    def stopped(*task):
        if made:
            raise KeyboardInterrupt
        made.append(task[2])
        return first(*task)

    monkeypatch.setattr(data_objects, "_make_part", stopped)
    assert main(arguments(out, 6)) == 130
    assert not (out / "records.parquet").exists()

    def counted(*task):
        made.append(task[2])
        return first(*task)

    monkeypatch.setattr(data_objects, "_make_part", counted)
    assert main(arguments(out, 3)) == 0
    assert [list(numbers) for numbers in made] == [[0, 1], [2]]
    assert main(arguments(tmp_path / "whole", 3)) == 0
    for name in ("records.parquet", "objects.parquet"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()

    capsys.readouterr()
    assert main([*arguments(out, 3), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "kept"
    assert main(arguments(out, 4)) == 2
    assert "is finished with 3 objects: add --overwrite" in capsys.readouterr().err
    assert main([*arguments(out, 3), "--seed", "1"]) == 2
    assert "data of other options" in capsys.readouterr().err


def test_bad_options_are_refused_before_any_work(tmp_path, capsys):
    assert main(arguments(tmp_path / "set", 0)) == 2
    assert "--objects 0 is out of range" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
