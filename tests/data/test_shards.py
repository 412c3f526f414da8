"""Records in one file or many: the same rows; a damaged file is named, and left out only if asked.

Read with pyarrow alone, too: what others see without bghop.
"""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from test_record import same

from bghop.data.origin import Origin
from bghop.data.quality import FLAGS, flagged
from bghop.data.record import concatenate_records
from bghop.data.record_file import RECORDS, read_records, write_records
from bghop.data.shards import join_tables
from bghop.errors import DataError

ROWS = 5


@pytest.fixture
def full(records):
    """The records with everything that may be known of them."""
    num = len(records)
    clearance = torch.linspace(-0.012, 0.03, 2 * num).reshape(num, 2)
    absent = ~records.hands.present
    return replace(
        records,
        weight=torch.linspace(0.5, 2, num),
        origin=Origin(
            sequence=("s01/grab",) * (num - 1) + ("",),
            frame=torch.arange(num).where(torch.arange(num) < num - 1, torch.tensor(-1)),
            time=(torch.arange(num) / 30).double(),
            T_world_object=records.hands.T_object_hand[:, 0],
        ),
        quality=flagged(
            clearance=clearance.masked_fill(absent, torch.nan),
            contact=torch.rand(num, 2, generator=torch.Generator().manual_seed(1)),
            limit_excess=torch.zeros(num, 2),
            rejected=torch.arange(num) == 4,
        ),
        extra=pa.table({"operator": ["me"] * num, "rating": pa.array(range(num), pa.int8())}),
    )


@pytest.fixture
def folder(full, tmp_path):
    path = tmp_path / "records.parquet"
    write_records(path, full, rows=ROWS)
    return path


def equal(first, second):
    """Also in what is optional; NaN is equal to NaN."""
    same(first, second)
    assert torch.equal(first.weight, second.weight)
    for group in ("origin", "quality"):
        mine, theirs = getattr(first, group), getattr(second, group)
        for name, value in vars(mine).items():
            other = getattr(theirs, name)
            if isinstance(value, torch.Tensor):
                assert torch.equal(value.isnan(), other.isnan()), name
                assert torch.equal(value.nan_to_num(), other.nan_to_num()), name
                assert value.dtype == other.dtype, name
            else:
                assert value == other, name
    assert first.extra.equals(second.extra.combine_chunks())


def test_one_file_and_many_have_the_same_rows_bit_for_bit(full, folder, tmp_path):
    write_records(tmp_path / "one.parquet", full)
    assert (tmp_path / "one.parquet").is_file()
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"0000{k}-of-00003.parquet" for k in range(3)]
    equal(full, read_records(folder))
    equal(full, read_records(tmp_path / "one.parquet"))


def test_others_read_the_folder_without_us(full, folder):
    table = pq.read_table(folder)
    assert table.column("id").to_pylist() == list(full.id)
    assert table.column("frame").to_pylist()[-2:] == [len(full) - 2, None]
    pose = torch.tensor(table.column("pose").to_pylist()).reshape(full.hands.pose.shape)
    assert torch.equal(pose, full.hands.pose)
    T = torch.tensor(table.column("T_world_object").to_pylist()).reshape(-1, 4, 4)
    wrists = full.origin.Ts_world_hand(full.hands)
    torch.testing.assert_close(T[:, None] @ full.hands.T_object_hand, wrists)
    # An absent hand's clearance is null, and nulls are no numbers.
    assert table.column("clearance").to_pylist()[3][0] is None
    header = json.loads(pq.read_schema(folder / "00001-of-00003.parquet").metadata[b"bghop"])
    assert (header["format"], header["hand_model"]) == ("bghop-records", full.hand_model)


def test_a_file_of_the_first_days_has_none_of_the_new_columns(records, tmp_path):
    write_records(tmp_path / "r.parquet", records)
    assert set(pq.read_schema(tmp_path / "r.parquet").names) == {
        "id", "object", "text", "split", "source", "joint_value", "present", "T_object_hand",
        "pose", "shape",
    }  # fmt: skip
    read = read_records(tmp_path / "r.parquet")
    assert (read.origin, read.quality, read.extra, read.weight) == (None, None, None, None)


def test_unknown_columns_survive_choosing_joining_and_writing(full, records, tmp_path):
    joined = concatenate_records(
        [full.rows([7, 2]), replace(records, id=tuple(f"b{k}" for k in range(len(records))))]
    )
    write_records(tmp_path / "r.parquet", joined)
    read = read_records(tmp_path / "r.parquet")
    assert read.extra.column("rating").to_pylist() == [7, 2] + [None] * len(records)
    assert read.extra.schema.field("rating").type == pa.int8()
    assert read.origin.sequence[:3] == ("s01/grab", "s01/grab", "")
    assert read.quality.flags[:2] == (full.quality.flags[7], full.quality.flags[2])
    assert read.quality.clearance[2:].isnan().all()


def test_flags_follow_from_the_numbers_and_rows_can_be_left_out_by_them(full, records):
    clearance = full.quality.clearance
    for row, flags in enumerate(full.quality.flags):
        assert ("far" in flags) == bool((clearance[row] > 0.02).any())
        assert ("deep" in flags) == bool((clearance[row] < -0.01).any())
        assert ("rejected" in flags) == (row == 4)
        assert set(flags) <= set(FLAGS)
    kept = full.without(("far", "rejected"))
    assert 0 < len(kept) < len(full)
    assert not any({"far", "rejected"} & set(flags) for flags in kept.quality.flags)
    assert full.without(()) is full
    with pytest.raises(DataError, match="unknown quality flag 'ugly': use some of far, deep"):
        full.without(("ugly",))
    with pytest.raises(DataError, match=r"have no quality flags.*import the data again"):
        records.without(("far",))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is not a complete parquet file"),
        (lambda path: path.write_bytes(b""), "is not a complete parquet file"),
        (lambda path: path.unlink(), "is missing"),
        (lambda path: pq.write_table(pq.read_table(path).drop_columns(["pose"]), path),
         "has no column 'pose'"),
        (lambda path: pq.write_table(
            pq.read_table(path).replace_schema_metadata(
                {b"bghop": b'{"format": "bghop-records", "format_version": 2}'}), path),
         "has format version 2, this bghop reads 1"),
        (lambda path: pq.write_table(
            pq.read_table(path).replace_schema_metadata(
                {b"bghop": b'{"format": "bghop-records", "format_version": 1}'}), path),
         "has another hand_model than 00000"),
    ],
    ids=["cut", "empty", "missing", "column", "version", "model"],
)  # fmt: skip
def test_a_broken_shard_is_named_and_left_out_only_if_asked(full, folder, damage, why):
    path = folder / "00001-of-00003.parquet"
    damage(path)
    with pytest.raises(DataError, match=rf"{path} {why}.*--skip-broken"):
        read_records(folder)
    with pytest.warns(UserWarning, match=rf"left out: {path} {why}"):
        read = read_records(folder, skip_broken=True)
    assert read.id == full.id[:ROWS] + full.id[2 * ROWS :]


def test_a_shard_with_a_row_that_cannot_be_is_broken_too(full, folder):
    path = folder / "00002-of-00003.parquet"
    table = pq.read_table(path)
    values = table.column("joint_value").to_pylist()
    place = table.column_names.index("joint_value")
    wrong = pa.array([float("inf"), *values[1:]], pa.float32())
    pq.write_table(table.set_column(place, "joint_value", wrong), path)
    with pytest.raises(DataError, match=rf"{path}: row 0 \(row 10, row10: a 'joint_value' that"):
        read_records(folder)
    with pytest.warns(UserWarning, match=rf"{path} has a 'joint_value' that is not a finite"):
        read = read_records(folder, skip_broken=True)
    assert len(read) == 2 * ROWS


def test_nothing_is_left_out_of_a_single_file(records, tmp_path):
    path = tmp_path / "r.parquet"
    write_records(path, records)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a complete parquet file"):
        read_records(path, skip_broken=True)
    with pytest.raises(DataError, match="folder without parquet files"):
        read_records(tmp_path / "..")


def test_a_newer_version_asks_for_a_newer_bghop(records, tmp_path):
    path = tmp_path / "r.parquet"
    write_records(path, records)
    header = {b"bghop": b'{"format": "bghop-records", "format_version": 2}'}
    pq.write_table(pq.read_table(path).replace_schema_metadata(header), path)
    with pytest.raises(DataError, match="format version 2, this bghop reads 1: update bghop"):
        read_records(path)


def test_joining_is_writing_all_at_once_and_replaces_what_was_there(full, folder, tmp_path):
    parts = []
    for k in range(4):
        parts.append(tmp_path / f"{k}.parquet")
        part = full.rows(range(3 * k, 3 * k + 3))
        write_records(parts[-1], part if k else replace(part, extra=None, quality=None))
    join_tables(parts, tmp_path / "joined.parquet", RECORDS, rows=ROWS)
    joined = tmp_path / "joined.parquet"
    assert len(list(joined.iterdir())) == 3
    read = read_records(joined)
    assert read.id == full.id
    # A column that the first part lacks is there for those who look at the first file only.
    assert "operator" in pq.read_schema(joined / "00000-of-00003.parquet").names
    join_tables(parts, folder, RECORDS)
    assert folder.is_file()
    join_tables(parts, folder, RECORDS, rows=ROWS)
    assert read_records(folder).id == full.id
    assert {path.name for path in tmp_path.iterdir()} == {
        "records.parquet", "joined.parquet", *(path.name for path in parts),
    }  # fmt: skip
