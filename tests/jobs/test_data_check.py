"""`bghop data check`: a good set is fine; each thing that is wrong is named with a remedy."""

import json
import re
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from bghop.cli import main
from bghop.data.objects_file import write_objects
from bghop.data.objects_from_mesh import REACH, object_from_mesh
from bghop.data.origin import Origin
from bghop.data.readings import scaled
from bghop.data.record import Records
from bghop.data.record_file import write_records
from bghop.errors import DataError, OptionError
from bghop.geometry.shapes import box
from bghop.hands.model import HandParameters
from bghop.jobs.check_options import CheckDataJob
from bghop.jobs.checked_data import numbers_of_check
from bghop.jobs.data_check import run_check_job
from knobs import grasp, knobs

NUM = 60


@pytest.fixture(scope="module")
def things(hand_model):
    mesh = knobs(hand_model, grasp(hand_model, 1))
    return [object_from_mesh(key, mesh) for key in ("red", "green", "blue")]


@pytest.fixture(scope="module")
def good(hand_model):
    """Three objects that are held, one of them for validation."""
    key = [("red", "green", "blue")[k % 3] for k in range(NUM)]
    return Records(
        id=tuple(f"row{k}" for k in range(NUM)),
        object=tuple(key),
        text=tuple(f"{word} knobs" for word in key),
        split=tuple("val" if word == "blue" else "train" for word in key),
        source=("test",) * NUM,
        joint_value=torch.zeros(NUM),
        hands=grasp(hand_model, NUM),
        hand_model=hand_model.name,
        shape_names=hand_model.shape_names,
    )


@pytest.fixture
def check(things, tmp_path):
    """Writes records and objects, looks at them; findings by name."""

    def look(records, *, objects=None, rows=10**6, **options):
        folder = tmp_path / "set"
        folder.mkdir(exist_ok=True)
        write_objects(folder / "objects.parquet", objects or things, reach=REACH)
        write_records(folder / "records.parquet", records, rows=rows)
        return again(**options)

    def again(**options):
        job = CheckDataJob(folder=tmp_path / "set", pictures=False, **options)
        found = run_check_job(job)
        return found, {each.name: each for each in found.findings}

    look.again = again
    return look


def test_a_good_set_is_fine_and_its_numbers_are_those_of_the_rows(check, good, tmp_path):
    found, findings = check(good)
    assert (found.fine, findings) == (True, {})
    numbers = json.loads(json.dumps(numbers_of_check(found)))
    assert numbers["records"] == numbers["measured"] == NUM
    assert numbers["splits"] == {"train": {"records": 40, "objects": 2},
                                 "val": {"records": 20, "objects": 1}}  # fmt: skip
    assert (numbers["hands"]["both"], numbers["text_share"], numbers["texts"]) == (NUM, 1.0, 3)
    assert numbers["sides"]["left"]["fingers"]["median"] == 5
    report = (tmp_path / "set" / "check" / "check.md").read_text()
    assert "Nothing looks wrong" in report
    assert (tmp_path / "set" / "check" / "check.html").exists()


def changed(records, **changes):
    return replace(records, hands=replace(records.hands, **changes))


def swapped(records):
    turned = {name: value.flip(1) for name, value in vars(records.hands).items()}
    return replace(records, hands=HandParameters(**turned))


def same_as_first(values, rows):
    return values.index_select(0, torch.where(torch.arange(NUM) < rows, 0, torch.arange(NUM)))


def doubled(records):
    twin = {name: same_as_first(value, 4) for name, value in vars(records.hands).items()}
    return replace(records, hands=HandParameters(**twin), object=("red",) * 4 + records.object[4:])


def of_sequence(records):
    return replace(
        records,
        origin=Origin(
            sequence=("s01",) * NUM, frame=torch.arange(NUM),
            time=torch.arange(NUM).double(), T_world_object=torch.eye(4).expand(NUM, 4, 4),
        ),
    )  # fmt: skip


def moved(records, by, rows=slice(None), side=slice(None)):
    T = records.hands.T_object_hand.clone()
    T[rows, side, :3, 3] += torch.tensor(by)
    return changed(records, T_object_hand=T)


def one_place(records):
    T = records.hands.T_object_hand.clone()
    T[:, 1, :3, 3] = T[:, 0, :3, 3]
    return changed(records, T_object_hand=T)


def mostly_red(records):
    return replace(
        records,
        object=("red",) * 50 + records.object[50:],
        split=("train",) * 50 + records.split[50:],
    )


def no_hands(records):
    present = records.hands.present.clone()
    present[:3] = False
    return changed(records, present=present)


@pytest.mark.parametrize(
    ("name", "level", "break_it", "words"),
    [
        ("reading", "suspicious", swapped, "left and right are swapped"),
        ("reading", "suspicious", lambda r: replace(r, hands=scaled(r.hands, 1000.0)),
         "places of hands are in millimetres"),
        ("away", "suspicious", lambda r: moved(r, [3.0, 0, 0]), "wrists are over 1 m"),
        ("far", "suspicious", lambda r: moved(r, [0, 0, 0.3], side=0), "2 cm from their object"),
        ("bent", "suspicious", lambda r: changed(r, pose=2.5 * r.hands.pose + 0.9),
         "beyond its limit"),
        ("shape", "suspicious", lambda r: changed(r, shape=r.hands.shape + 50.0),
         "shape parameters over twice"),
        ("doubles", "suspicious", doubled, "3 records repeat .* 1 of them in several splits"),
        ("torn sequences", "suspicious", of_sequence, r"1 of 1 sequences .*\(s01\)"),
        ("shared objects", "suspicious",
         lambda r: replace(r, split=tuple("val" if k % 2 else "train" for k in range(NUM))),
         "3 of 3 objects are in 'train' and"),
        ("unbalanced objects", "suspicious", mostly_red, r"9\d% of .*\(red\)|8\d% of .*\(red\)"),
        ("no text", "suspicious", lambda r: replace(r, text=("",) * NUM), "100% of the records"),
        ("texts without an object", "suspicious",
         lambda r: replace(r, text=("put it down", *r.text[1:])), "1 texts name no .*'put it"),
        ("unknown objects", "note", lambda r: replace(r, text=("grumbler", *r.text[1:])),
         "1 objects that texts name .*'grumbler'"),
        ("no validation", "note", lambda r: replace(r, split=("train",) * NUM), "split 'val'"),
        ("no training", "suspicious", lambda r: replace(r, split=("val",) * NUM), "split 'train'"),
        ("same place", "suspicious", one_place, "in one place in 60 records"),
        ("no hands", "suspicious", no_hands, "3 records have no hand"),
        ("one side", "note",
         lambda r: changed(r, present=torch.tensor([False, True]).expand(NUM, 2)), "left hand"),
        ("sides differ", "suspicious", lambda r: moved(r, [0, 0.03, 0], side=0),
         "left hands touch with"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(check, good, name, level, break_it, words):
    found, findings = check(break_it(good))
    assert name in findings
    finding = findings[name]
    assert finding.level == level
    assert re.search(words, finding.words), finding.words
    assert finding.remedy
    assert found.fine == all(each.level == "note" for each in found.findings)


def test_objects_that_are_missing_unused_or_of_a_strange_size(check, good, things):
    tiny = object_from_mesh("tiny", box((0.006, 0.006, 0.006)))
    found, findings = check(good, objects=[*things[:2], tiny])
    assert findings["missing objects"].level == "wrong"
    assert "20 records are of objects that are not in objects.parquet (blue)" in (
        findings["missing objects"].words
    )
    assert "tiny: 0.006 m" in findings["object size"].words
    assert "1 of 3 objects have no record (tiny)" in findings["unused objects"].words
    assert len(found.records) == 40


def test_bad_rows_and_broken_files_are_found_and_the_rest_is_looked_at(check, good, tmp_path):
    check(good, rows=20)
    folder = tmp_path / "set" / "records.parquet"
    path = folder / "00001-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    path = folder / "00002-of-00003.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("pose")
    pose = table.column("pose").to_pylist()
    pose[3][7] = float("nan")
    column = pa.array(pose, type=table.schema.field("pose").type)
    pq.write_table(table.set_column(place, "pose", column), path)
    found, findings = check.again()
    assert findings["broken file"].level == findings["bad rows"].level == "wrong"
    assert "00001-of-00003.parquet is not a complete parquet file" in findings["broken file"].words
    assert "1 records have a 'pose' that is not a finite number" in findings["bad rows"].words
    assert "row43" in findings["bad rows"].words
    assert len(found.records) == 39


def test_what_the_import_noted_is_told(check, good, tmp_path):
    check(good)
    doubt = {"name": "poses count from the flat hand", "tried": 900, "hands": 300,
             "assumed_mm": 20.0, "other_mm": 7.0, "closer": 0.95}  # fmt: skip
    note = {"convention": [doubt], "broken": {"s01/box": "it is cut"}}
    (tmp_path / "set" / "import.json").write_text(json.dumps(note))
    _, findings = check.again()
    assert "miss the surface by 7.0 mm if poses count from the flat" in findings["convention"].words
    assert findings["left out"].level == "note"
    (tmp_path / "set" / "import.json").write_text("no json")
    assert check.again()[1] == {}


def test_hands_of_mano_are_measured_only_with_its_files(check, good):
    names = tuple(f"beta{k}" for k in range(10))
    found, findings = check(replace(good, hand_model="mano", shape_names=names))
    assert found.measured is None
    assert findings["not measured"].level == "note"
    assert "--mano" in findings["not measured"].remedy


def test_a_sample_is_measured_and_the_same_each_time(check, good):
    found, _ = check(good, sample=7)
    again, _ = check.again(sample=7)
    assert len(found.measured.records) == 7
    assert found.measured.records.id == again.measured.records.id
    assert len(check.again(sample=0)[0].measured.records) == NUM


def test_the_command_says_it_in_words_and_exit_codes(check, good, tmp_path, capsys):
    folder = tmp_path / "set"
    check(good)
    words = ["data", "check", str(folder), "--no-pictures", "--out", str(tmp_path / "look")]
    assert main(words) == 0
    assert "nothing looks wrong" in capsys.readouterr().out
    assert (tmp_path / "look" / "check.md").exists()
    check(swapped(good))
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "suspicious: finger pads miss the surface" in out
    assert main([*words, "--json", "--quiet"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["fine"] is False
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "records.parquet does not exist" in capsys.readouterr().err
    with pytest.raises(OptionError, match="--sample -1"):
        run_check_job(CheckDataJob(folder=folder, sample=-1))
    with pytest.raises(DataError, match="no record is left"):
        check(good, objects=[object_from_mesh("other", box((0.1, 0.1, 0.1)))])


def test_pictures_are_drawn_of_what_is_stored(check, good, tmp_path, monkeypatch, draws_nothing):
    monkeypatch.setattr("bghop.jobs.data_pictures.SheetWorker", draws_nothing)
    check(good)
    run_check_job(CheckDataJob(folder=tmp_path / "set", sample=5))
    report = (tmp_path / "set" / "check" / "check.md").read_text()
    for name in ("distributions.png", "contacts.png", "records.png"):
        assert (tmp_path / "set" / "check" / name).read_bytes().startswith(b"\x89PNG")
        assert name in report
