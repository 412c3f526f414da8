"""What is trained on: without flagged rows, without broken files, only if asked."""

from dataclasses import replace

import pytest
import torch
from stand_ins import SPEC

from bghop.data.objects_file import write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.quality import flagged
from bghop.data.record_file import write_records
from bghop.errors import DataError
from bghop.training.run import sha256
from bghop.training.sources import SourceConfig, load_sources


@pytest.fixture
def config(entries, records, tmp_path):
    num = len(records)
    clearance = torch.zeros(num, 2)
    clearance[:3] = 0.04
    quality = flagged(
        clearance=clearance, contact=torch.zeros(num, 2), limit_excess=torch.zeros(num, 2),
        rejected=torch.arange(num) == 4,
    )  # fmt: skip
    write_objects(tmp_path / "objects.parquet", entries, reach=REACH)
    write_records(tmp_path / "records.parquet", replace(records, quality=quality), rows=5)
    return SourceConfig(
        records=tmp_path / "records.parquet", objects=tmp_path / "objects.parquet",
        validation_split="",
    )  # fmt: skip


def ids(config):
    sources = load_sources(config, SPEC, torch.device("cpu"), truncation=0.04)
    return sources.train.records.id


def test_flagged_rows_are_left_out_if_asked(config, records):
    every = records.of_split("train").id
    assert ids(config) == every
    wanted = tuple(key for key in every if key not in {"row0", "row1", "row4"})
    assert ids(replace(config, leave_out="far, rejected")) == wanted
    with pytest.raises(DataError, match="unknown quality flag 'fat'"):
        ids(replace(config, leave_out="fat"))


def test_a_broken_file_is_left_out_if_asked(config):
    path = config.records / "00002-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="--skip-broken"):
        ids(config)
    with pytest.warns(UserWarning, match="left out"):
        assert ids(replace(config, skip_broken=True)) == ("row0", "row1", "row3", "row4", "row6",
                                                         "row7", "row9")  # fmt: skip


def test_the_hash_of_many_files_tells_any_change(config):
    before = sha256(config.records)
    assert sha256(config.records) == before
    path = config.records / "00001-of-00003.parquet"
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    assert sha256(config.records) != before
    path.write_bytes(content)
    path.rename(path.with_name("other.parquet"))
    assert sha256(config.records) != before
