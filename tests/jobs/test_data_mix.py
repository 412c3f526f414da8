"""`bghop data mix`: rows and objects of all sets, weights that give each its share."""

from dataclasses import replace

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from bghop.data.objects_file import read_objects, write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.quality import flagged
from bghop.data.record_file import read_records, write_records
from bghop.errors import DataError, OptionError, ResultError
from bghop.jobs.data_mix import MixDataJob, run_mix_job
from bghop.training.seeds import RowOrder


@pytest.fixture
def sets(tmp_path, entries, records):
    """Twelve records, and four of the same."""
    folders = []
    for name, rows in (("first", range(12)), ("second", range(4))):
        folder = tmp_path / name
        folder.mkdir()
        write_objects(folder / "objects.parquet", entries, reach=REACH)
        write_records(folder / "records.parquet", records.rows(list(rows)))
        folders.append(folder)
    return tuple(folders)


def test_all_rows_are_there_under_the_name_of_their_set(sets, tmp_path):
    mixed = run_mix_job(MixDataJob(folders=sets, out=tmp_path / "out"))
    records = read_records(tmp_path / "out" / "records.parquet")
    assert [each.rows for each in mixed] == [12, 4]
    assert len(records) == 16
    assert records.id[0].startswith("first:")
    assert records.id[-1].startswith("second:")
    read_objects(tmp_path / "out" / "objects.parquet").index_of(records.object)
    for k, folder in enumerate(sets):
        own = read_records(folder / "records.parquet")
        part = records.rows([i for i, key in enumerate(records.id) if key.startswith(folder.name)])
        assert torch.equal(part.hands.pose, own.hands.pose), k


@pytest.mark.parametrize("weights", [(), (1.0, 3.0)])
def test_each_set_gets_its_share_of_the_training(sets, tmp_path, weights):
    run_mix_job(MixDataJob(folders=sets, out=tmp_path / "out", weights=weights))
    records = read_records(tmp_path / "out" / "records.parquet").of_split("train")
    order = RowOrder(len(records), seed=3, weights=records.weight)
    rows = order.rows(0, 50 * len(records))
    second = torch.tensor([key.startswith("second") for key in records.id])
    share = float(second[rows].float().mean())
    assert share == pytest.approx(0.5 if not weights else 0.75, abs=0.02)


def test_a_mix_can_be_mixed_again(sets, records, tmp_path):
    """Shares hold although rows that are not trained on weigh otherwise than those that are."""
    heavy = torch.where(torch.tensor([split == "train" for split in records.split]), 1.0, 9.0)
    write_records(sets[0] / "records.parquet", replace(records, weight=heavy))
    run_mix_job(MixDataJob(folders=sets, out=tmp_path / "out", weights=(1.0, 3.0)))
    mixed = read_records(tmp_path / "out" / "records.parquet").of_split("train")
    second = torch.tensor([key.startswith("second") for key in mixed.id])
    assert float(mixed.weight[second].sum() / mixed.weight.sum()) == pytest.approx(0.75)


def test_columns_that_we_do_not_know_survive(sets, tmp_path):
    path = sets[0] / "records.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.append_column("operator", pa.array(["me"] * len(table))), path)
    run_mix_job(MixDataJob(folders=sets, out=tmp_path / "out"))
    found = parquet.read_table(tmp_path / "out" / "records.parquet").column("operator").to_pylist()
    assert found == ["me"] * 12 + [None] * 4


def test_what_cannot_be_mixed_is_refused(sets, tmp_path):
    with pytest.raises(OptionError, match="two or more"):
        run_mix_job(MixDataJob(folders=sets[:1], out=tmp_path / "out"))
    with pytest.raises(OptionError, match="1 numbers for 2"):
        run_mix_job(MixDataJob(folders=sets, out=tmp_path / "out", weights=(1.0,)))
    with pytest.raises(OptionError, match="more than 0"):
        run_mix_job(MixDataJob(folders=sets, out=tmp_path / "out", weights=(1.0, 0.0)))
    with pytest.raises(DataError, match="does not exist"):
        run_mix_job(MixDataJob(folders=(sets[0], tmp_path), out=tmp_path / "out"))
    run_mix_job(MixDataJob(folders=sets, out=tmp_path / "out"))
    with pytest.raises(ResultError, match="--overwrite"):
        run_mix_job(MixDataJob(folders=sets, out=tmp_path / "out"))


def test_sets_in_many_files_are_mixed_without_broken_ones_if_asked(sets, records, tmp_path):
    many = sets[0] / "records.parquet"
    many.unlink()
    write_records(many, records, rows=5)
    broken = many / "00001-of-00003.parquet"
    broken.write_bytes(broken.read_bytes()[:-20])
    job = MixDataJob(folders=sets, out=tmp_path / "out")
    with pytest.raises(DataError, match=rf"{broken} is not a complete"):
        run_mix_job(job)
    mixed = run_mix_job(replace(job, skip_broken=True))
    assert [each.rows for each in mixed] == [7, 4]
    assert "00001-of-00003" in mixed[0].broken[0]
    assert mixed[1].broken == ()


def test_what_only_one_set_knows_survives(sets, records, tmp_path):
    num = len(records)
    quality = flagged(
        clearance=torch.full((num, 2), 0.03), contact=torch.zeros(num, 2),
        limit_excess=torch.zeros(num, 2),
    )  # fmt: skip
    write_records(sets[0] / "records.parquet", replace(records, quality=quality))
    run_mix_job(MixDataJob(folders=sets, out=tmp_path / "out"))
    mixed = read_records(tmp_path / "out" / "records.parquet")
    assert mixed.quality.flags == (("far",),) * num + ((),) * 4
    assert mixed.quality.clearance[num:].isnan().all()
