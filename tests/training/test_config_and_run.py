import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bghop.errors import OptionError, TrainingError
from bghop.jobs.train import TrainJob, values_of
from bghop.training.config import LoopConfig, from_json, to_json
from bghop.training.distributed import World
from bghop.training.loop import Listener, Outcome
from bghop.training.prior import TrainPrior
from bghop.training.run import RUN_FILE, begin_run, commit_of
from bghop.training.sources import SourceConfig
from bghop.training.start import run_training
from bghop.training.state import STATE_FILE


@dataclass(frozen=True, kw_only=True)
class Outer:
    data: Path
    loop: LoopConfig = field(default_factory=LoopConfig)
    note: str | None = None


def test_a_config_survives_json():
    config = Outer(data=Path("a/b"), loop=LoopConfig(steps=7, learning_rate=1e-3), note="x")
    assert from_json(Outer, json.loads(json.dumps(to_json(config)))) == config
    assert from_json(Outer, {"data": "a"}) == Outer(data=Path("a"))
    assert from_json(LoopConfig, {"clip": 2}).clip == 2.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": "a", "lop": {}}, r"unknown field 'lop': use one of data, loop, note"),
        ({}, r"'data' is missing: add it"),
        ({"data": "a", "loop": {"steps": "many"}}, r"loop.steps: 'many' is not int: correct it"),
        ({"data": "a", "loop": {"steps": 1.5}}, r"loop.steps: 1.5 is not int"),
        ({"data": "a", "note": 3}, r"note: 3 is not str or NoneType"),
        ({"data": "a", "loop": {"batch": 10, "micro": 4}}, r"not a multiple of micro 4"),
        ({"data": "a", "loop": {"decay": "linear"}}, r"use one of cosine, constant"),
    ],
)
def test_a_wrong_config_is_refused_with_the_remedy(values, message):
    with pytest.raises(OptionError, match=message):
        from_json(Outer, values)


def test_a_run_notes_its_origin_and_goes_on_only_as_the_same_run(tmp_path):
    data = tmp_path / "records.parquet"
    data.write_bytes(b"some records")
    config = to_json(LoopConfig())
    folder = tmp_path / "run"
    assert begin_run(folder, "prior", config, {"records": data}) is False
    origin = json.loads((folder / RUN_FILE).read_text())
    assert origin["config"] == config
    assert {"commit", "torch", "bghop_version", "begun"} <= set(origin)
    # Without a checkpoint there is nothing to go on from.
    assert begin_run(folder, "prior", {}, {"records": data}) is False
    assert begin_run(folder, "prior", config, {"records": data}) is False
    (folder / STATE_FILE).touch()
    assert begin_run(folder, "prior", config, {"records": data}) is True
    # What does not change the curve may change.
    assert begin_run(folder, "prior", {**config, "save_every": 3}, {"records": data}) is True
    other = to_json(replace(LoopConfig(), learning_rate=1.0))
    with pytest.raises(TrainingError, match=r"learning_rate 0.0003 -> 1.0\): use the same"):
        begin_run(folder, "prior", other, {"records": data})
    with pytest.raises(TrainingError, match=r"holds the training of a prior"):
        begin_run(folder, "autoencoder", config, {"records": data})
    data.write_bytes(b"other records")
    with pytest.raises(TrainingError, match=r"the file of records has changed"):
        begin_run(folder, "prior", config, {"records": data})


def test_a_package_inside_another_project_has_no_commit(tmp_path):
    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    package = tmp_path / "site-packages" / "bghop"
    package.mkdir(parents=True)
    (package / "loop.py").touch()
    git("init")
    git("commit", "--allow-empty", "-m", "another project")
    assert commit_of(package) is None
    git("add", ".")
    git("commit", "-m", "tracked")
    assert len(commit_of(package)) == 40
    (package / "loop.py").write_text("changed")
    assert commit_of(package).endswith("+changes")


@pytest.mark.parametrize("text", ["none", "t5"])
def test_a_prior_is_trained_with_a_text_encoder_that_has_words(text):
    data = SourceConfig(records=Path("r"), objects=Path("o"))
    with pytest.raises(OptionError, match="use one of minilm, clip"):
        TrainPrior(data=data, text=text)


@pytest.mark.parametrize(
    ("data", "rotation"), [({}, "any"), ({"augment": {"shift": 0.1}}, "any"),
                           ({"augment": {"rotation": "yaw"}}, "yaw")],
)  # fmt: skip
def test_first_stages_see_objects_any_way_up_unless_told(data, rotation, tmp_path, monkeypatch):
    seen, ended = [], Outcome(step=0, finished=True, seconds=0.0, samples=0)
    monkeypatch.setattr(
        "bghop.training.autoencoder.train_autoencoder",
        lambda config, *_, **__: seen.append(config) or ended,
    )
    values = {"data": {"records": "r", "objects": "o", **data}}
    options = {"world": World(), "minutes": None, "listener": Listener()}
    run_training("autoencoder", values, tmp_path, **options)
    assert seen[0].data.augment.rotation == rotation
    for wrong in ({"data": "x"}, {"data": {**values["data"], "augment": "any"}}):
        with pytest.raises(OptionError):
            run_training("autoencoder", wrong, tmp_path, **options)


def test_a_name_that_leads_nowhere_is_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"data": "x"}')
    job = TrainJob(kind="prior", out=tmp_path, config=path, records=Path("r"))
    with pytest.raises(OptionError, match="'data' has no fields"):
        values_of(job)


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(TrainingError, match=r"holds no training run: choose a new folder"):
        begin_run(tmp_path, "prior", {}, {})
    with pytest.raises(TrainingError, match=r"cannot read .*: correct the path"):
        begin_run(tmp_path / "run", "prior", {}, {"records": tmp_path / "missing"})
