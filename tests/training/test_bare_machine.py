import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bghop.data.objects_file import write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.record_file import write_records
from bghop.prior.checkpoint import load_prior
from bghop.prior.first_stage_file import load_first_stage
from bghop.training.bare_command import main
from bghop.training.curves import TRAIN_FILE, read_curve
from small_prior import write_small_prior

BARE = Path(__file__).parent / "bare_machine.py"


def bare(*words):
    return subprocess.run(
        [sys.executable, str(BARE), *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def files(records, entries, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    write_records(folder / "records.parquet", records)
    write_objects(folder / "objects.parquet", entries, reach=REACH)
    return [
        *("--set", f"data.records={folder / 'records.parquet'}"),
        *("--set", f"data.objects={folder / 'objects.parquet'}"),
    ]


@pytest.mark.slow
def test_a_first_stage_trains_with_torch_numpy_safetensors_and_pyarrow_only(files, tmp_path):
    options = ["loop.steps=3", "loop.batch=2", "loop.micro=2", "fit_scenes=4", "block.width=4"]
    options += ["block.channels=3", "block.depth=1", "loop.warmup=1"]
    words = [*files, *(part for option in options for part in ("--set", option))]
    run = tmp_path / "run"
    first = bare("autoencoder", *words, "--out", run)
    assert first.returncode == 0, first.stderr
    assert "finished at step 3" in first.stderr
    assert len(read_curve(run / TRAIN_FILE)) == 3
    codec = load_first_stage(run / "first_stage.safetensors")
    assert codec.encode(torch.ones(1, 1, 64, 64, 64)).shape == (1, 3, 16, 16, 16)
    again = bare("autoencoder", *words, "--out", run)
    assert again.returncode == 0, again.stderr
    assert "goes on after step 3 of 3" in again.stderr


def test_mistakes_are_one_line_with_the_remedy(tmp_path, capsys):
    run = str(tmp_path / "run")
    assert main(["autoencoder", "--set", "data.records=no.parquet", "--out", run]) == 2
    assert capsys.readouterr().err == "error: config.data: 'objects' is missing: add it\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_prior_trains_on_a_bare_machine(files, tmp_path):
    options = ["preset=tiny", "loop.steps=2", "loop.batch=2", "loop.micro=2", "loop.sample_every=2"]
    options += ["sheet.scenes=1", "sheet.steps=2", "task.validation_scenes=1"]
    words = [*files, *(part for option in options for part in ("--set", option))]
    run = tmp_path / "run"
    done = bare("prior", *words, "--out", run)
    assert done.returncode == 0, done.stderr
    assert "no pictures, as " in done.stderr
    assert "the samples are in" in done.stderr
    assert load_prior(run / "prior").origin["step"] == 2
    assert (run / "samples" / "step_0000002.safetensors").exists()


def test_an_object_prior_trains_on_a_bare_machine_but_counts_no_handles(files, tmp_path):
    source = write_small_prior(tmp_path / "prior")
    options = [f"source={source}", "loop.steps=2", "loop.batch=2", "loop.micro=2"]
    options += ["loop.sample_every=0", 'network={"components": 3, "width": 16, "depth": 1}']
    words = [*files, *(part for option in options for part in ("--set", option))]
    done = bare("objects", *words, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "no mesh library here: handles are not counted" in done.stderr
    objects = load_prior(tmp_path / "run" / "prior").objects
    assert objects is not None
    assert objects.config.genus == ()
