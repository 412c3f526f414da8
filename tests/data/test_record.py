from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from bghop.data.record import concatenate_records
from bghop.data.record_file import read_records, write_records
from bghop.errors import DataError


def same(first, second):
    for name in ("id", "object", "text", "split", "source", "hand_model", "shape_names"):
        assert getattr(first, name) == getattr(second, name)
    assert torch.equal(first.joint_value, second.joint_value)
    for name in ("present", "T_object_hand", "pose", "shape"):
        assert torch.equal(getattr(first.hands, name), getattr(second.hands, name))


def test_what_is_read_is_what_was_written_bit_for_bit(records, tmp_path):
    write_records(tmp_path / "r.parquet", records)
    same(read_records(tmp_path / "r.parquet"), records)


@pytest.mark.parametrize("rows", [None, 5])
@pytest.mark.parametrize("library", ["pyarrow", "pandas", "polars", "duckdb"])
def test_any_reader_of_parquet_takes_file_and_folder(records, tmp_path, library, rows):
    path = tmp_path / "r.parquet"
    write_records(path, records, rows=rows)
    read = {
        "pyarrow": lambda _: pq.read_table(path).to_pydict(),
        "pandas": lambda module: module.read_parquet(path).to_dict("list"),
        "polars": lambda module: module.read_parquet(path).to_dict(as_series=False),
        "duckdb": lambda module: module.sql(
            f"select * from '{path if rows is None else path / '*.parquet'}' order by id"
        ).fetchall(),
    }[library](pytest.importorskip(library))
    if library == "duckdb":  # rows
        assert [row[0] for row in read] == sorted(records.id)
        return
    assert tuple(read["id"]) == records.id
    pose = torch.tensor([list(map(float, row)) for row in read["pose"]]).view(-1, 2, 15, 3)
    torch.testing.assert_close(pose, records.hands.pose, rtol=0, atol=0)


def test_splits_rows_and_concatenation(records):
    train, val = records.of_split("train"), records.of_split("val")
    assert len(train) + len(val) == len(records)
    assert set(val.object) == {"bar"}
    same(records.rows([3]), records.rows(torch.arange(len(records)) == 3))
    assert len(concatenate_records([train, val])) == len(records)
    with pytest.raises(DataError, match=r"split 'test' \(splits: train, val\): choose one of them"):
        records.of_split("test")


def test_other_writers_may_leave_the_joint_value_empty(records, tmp_path):
    path = tmp_path / "r.parquet"
    write_records(path, records)
    table = pq.read_table(path)
    place = table.column_names.index("joint_value")
    table = table.set_column(place, "joint_value", pa.nulls(len(records), pa.float32()))
    pq.write_table(table, path)
    assert torch.equal(read_records(path).joint_value, torch.zeros(len(records)))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda t: t.drop_columns(["pose"]), r"no column 'pose' \(it has id, .*\): write it again"),
        (lambda t: t.replace_schema_metadata({}), r"is not a bghop-records file: give a file that"),
        (
            lambda t: t.replace_schema_metadata(
                {b"bghop": b'{"format": "bghop-records", "format_version": 99}'}
            ),
            r"format version 99, this bghop reads 1",
        ),
        (
            lambda t: t.set_column(
                t.column_names.index("shape"), "shape", pa.array([[1.0]] * len(t))
            ),
            r"'shape' has 12 numbers in 12 rows, not 2 x 10 a row",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_remedy(records, tmp_path, break_it, message):
    path = tmp_path / "r.parquet"
    write_records(path, records)
    pq.write_table(break_it(pq.read_table(path)), path)
    with pytest.raises(DataError, match=message):
        read_records(path)


def test_a_missing_or_cut_file(records, tmp_path):
    path = tmp_path / "r.parquet"
    with pytest.raises(DataError, match=r"does not exist: give a file"):
        read_records(path)
    write_records(path, records)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"not a complete parquet file"):
        read_records(path)


def test_numbers_that_no_interaction_has(records, tmp_path):
    pose = records.hands.pose.clone()
    pose[2, 0, 3, 1] = float("nan")
    wrong = replace(records, hands=replace(records.hands, pose=pose))
    with pytest.raises(DataError, match=r"row 2, row2: a 'pose' that is not a finite number"):
        write_records(tmp_path / "r.parquet", wrong)
    T = records.hands.T_object_hand.clone()
    T[5, 1, :3, :3] *= 1.1
    wrong = replace(records, hands=replace(records.hands, T_object_hand=T))
    with pytest.raises(DataError, match=r"row 5, row5: .* not rigid .*scale into `shape`"):
        write_records(tmp_path / "r.parquet", wrong)
    with pytest.raises(DataError, match="an id that is there twice"):
        write_records(tmp_path / "r.parquet", concatenate_records([records, records]))
    assert not (tmp_path / "r.parquet").exists()


def test_another_hand_model_is_refused(records, hand_model):
    assert records.for_model(hand_model) is records
    other = replace(records, hand_model="mano")
    with pytest.raises(DataError, match=r"hand model 'mano' .* not of 'open'.*load the hand model"):
        other.for_model(hand_model)
    with pytest.raises(DataError, match=r"different hand models \(mano, open\)"):
        concatenate_records([records, other])
