import json

import pytest

from bghop.cli import main
from bghop.data.objects_file import write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.record_file import write_records
from small_scenes import entries, hand_model, lidded, records

__all__ = ["entries", "hand_model", "lidded", "records"]

TINY = [
    *("preset=tiny", "loop.batch=2", "loop.micro=2", "loop.sample_every=0", "loop.warmup=1"),
    *("task.validation_scenes=1", "task.text_dropout=1.0"),
]


@pytest.fixture(scope="module")
def data(records, entries, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    write_records(folder / "records.parquet", records)
    write_objects(folder / "objects.parquet", entries, reach=REACH)
    files = {"records": folder / "records.parquet", "objects": folder / "objects.parquet"}
    return [word for name, path in files.items() for word in (f"--{name}", str(path))]


def test_train_ends_with_one_line_and_the_same_command_goes_on(data, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["train", "prior", *data, "--out", str(run), "--steps", "3", "--set", *TINY]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "begins, 3 steps" in said.err
    assert f"{run}: finished at step 3" in said.out
    assert (run / "prior" / "model.safetensors").exists()
    assert main([*words, "--quiet", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out)["finished"] is True
    assert main([*words[:-1], "task.text_dropout=0.5"]) == 2
    assert "begun with other settings (task.text_dropout 1.0 -> 0.5)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prior"], "give --records and --objects, or --config FILE"),
        (["prior", "--config", "no.json"], "--config no.json cannot be read as JSON"),
        (["prior", "--minutes", "-1", "--config", "x"], "--minutes -1.0 is not a time"),
        (["prior", "--records", "r", "--objects", "o", "--init", "full"], "give its folder"),
        (
            ["prior", "--records", "r", "--objects", "o", "--set", "preset"],
            "write it as name=value",
        ),
        (["prior", "--records", "r", "--objects", "o", "--set", "lop.steps=1"], "unknown field"),
        (["prior", "--records", "r.parquet", "--objects", "o"], "does not exist: give a file that"),
        (
            ["autoencoder", "--records", "r", "--objects", "o", "--preset", "small"],
            "are options of `bghop train prior`",
        ),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(words, message, tmp_path, capsys):
    assert main(["train", *words, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
