"""`bghop data arctic`: files of ARCTIC's format in, records out; nothing lost, nothing twice."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from arctic_like import MANO, NUM, SEQUENCES, stand_still, truth, write_arctic, write_mano_files
from bghop.data.objects_file import read_objects
from bghop.data.record_file import read_records
from bghop.errors import DataError, HandModelError, OptionError, ResultError
from bghop.geometry.shapes import box
from bghop.hands.joints import BONES_FROM_MANO
from bghop.hands.mano import load_mano, wrist_pose_from_mano
from bghop.jobs.data_import import run_import_job
from bghop.jobs.import_objects import check_size
from bghop.jobs.import_options import ImportDataJob
from bghop.jobs.import_sequences import own_split
from fabricated_mano import write_mano
from foreign_like import NUM as FRAMES
from foreign_like import write_ho3d, write_taco
from hoi4d_like import ANGLES, write_hoi4d
from oakink2_like import write_oakink2


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("arctic")
    return write_arctic(base / "root"), write_mano_files(base / "mano")


@pytest.fixture
def job(folders, tmp_path):
    root, mano = folders
    # The made-up hands are anywhere: all frames count as contact.
    return ImportDataJob(
        source="arctic", root=root, out=tmp_path / "out", mano=mano, share=0.0, workers=1
    )


@pytest.fixture
def everything(monkeypatch):
    """Made-up hands touch nothing; here they do."""
    monkeypatch.setattr(
        "bghop.data.selection.contact_shares",
        lambda hands, *_args, **_options: torch.ones(hands.present.shape),
    )


@pytest.fixture
def untried(monkeypatch):
    """Conventions are not tried: it takes as long as all the rest."""
    monkeypatch.setattr("bghop.jobs.data_import.compare_conventions", lambda *_args, **_options: ())


@pytest.mark.usefixtures("everything")
def test_all_frames_become_records_with_splits_words_and_objects(job):
    made = run_import_job(job)
    records = read_records(job.out / "records.parquet")
    assert made.counts.read == made.counts.kept == len(records) == 3 * NUM
    assert records.hand_model == "mano"
    assert records.id[0] == "s01/box_grab_01/00000"
    assert [records.split[k * NUM] for k in range(3)] == ["train", "train", "val"]
    assert records.text[:5] == ("grasp box",) * 4 + ("open box",)
    assert read_objects(job.out / "objects.parquet").keys == ("box", "laptop")
    assert not (job.out / "parts").exists()


@pytest.mark.usefixtures("everything", "untried")
def test_the_same_hands_in_the_convention_of_the_records(job):
    made = run_import_job(job)
    records = read_records(job.out / "records.parquet")
    source = load_mano(job.mano, flat_hand_mean=False, fix_left_shapedirs=False)
    target = load_mano(job.mano, flat_hand_mean=True, fix_left_shapedirs="if needed")
    _, hands = truth(0)
    # Poses count from the flat hand now, joint by joint the same rotations.
    pose = torch.tensor(hands["right"]["pose"]).unflatten(1, (15, 3))
    mean = torch.tensor(MANO["right"]["hands_mean"]).reshape(15, 3)
    order = [bone - 1 for bone in BONES_FROM_MANO[1:]]
    torch.testing.assert_close(
        records.hands.pose[:NUM, 1], (pose + mean)[:, order].float(), rtol=0, atol=1e-5
    )
    # The right hand is the same to rounding; the left as near as mended directions allow.
    skin = target.pose_hands(records.hands.rows(slice(0, 1))).vertices_object[0]
    own = records.hands.rows(slice(0, 1))
    back = replace(
        own,
        pose=own.pose - source.mean_pose,
        shape=torch.stack([torch.tensor(hands[s]["shape"]) for s in ("left", "right")])[None],
    )
    wanted = source.pose_hands(back).vertices_object[0]
    away = (skin - wanted).norm(dim=-1).mean(-1)
    assert away[1] < 1e-6
    assert away[0] < 0.02
    assert made.error_mm > 0


@pytest.mark.usefixtures("everything", "untried")
def test_the_open_hand_follows_the_joints_and_says_how_well(job):
    made = run_import_job(replace(job, model="open", only=("s01/box*",)))
    records = read_records(job.out / "records.parquet")
    assert records.hand_model == "open"
    assert len(records) == NUM
    assert 0 < made.error_mm < 100  # the made-up hands are no hands


@pytest.mark.usefixtures("untried")
def test_real_distances_decide_about_contact(job):
    with pytest.raises(DataError, match="none of 36 frames has the contact"):
        run_import_job(replace(job, share=0.9))
    made = run_import_job(replace(job, hands="any", distance=0.045, share=0.0, overwrite=True))
    records = read_records(job.out / "records.parquet")
    assert 0 < made.counts.kept == len(records) < 36
    assert records.hands.present.any(1).all()


@pytest.mark.usefixtures("everything", "untried")
def test_frames_that_repeat_the_one_before_are_left_out(job, folders, tmp_path):
    root = stand_still(write_arctic(tmp_path / "still"), "s01")
    made = run_import_job(replace(job, root=root, out=tmp_path / "few"))
    assert made.counts.in_contact == 3 * NUM
    assert made.counts.kept == NUM + 2


@pytest.mark.usefixtures("everything", "untried")
def test_a_stride_looks_at_every_so_many_th_frame(job):
    made = run_import_job(replace(job, stride=5))
    assert made.counts.looked_at == 3 * len(range(0, NUM, 5))


@pytest.mark.usefixtures("everything", "untried")
def test_the_same_command_keeps_what_is_there_and_another_is_refused(job, tmp_path):
    first = run_import_job(job)
    before = (job.out / "records.parquet").stat().st_mtime_ns
    again = run_import_job(job)
    assert (again.state, again.counts) == ("kept", first.counts)
    assert (job.out / "records.parquet").stat().st_mtime_ns == before
    with pytest.raises(ResultError, match="--overwrite"):
        run_import_job(replace(job, stride=2))
    other = write_mano_files(tmp_path / "other")
    arrays = {**MANO["right"], "v_template": 1.01 * MANO["right"]["v_template"]}
    write_mano(other / "MANO_RIGHT.pkl", arrays)
    with pytest.raises(ResultError, match="--overwrite"):
        run_import_job(replace(job, mano=other))
    assert run_import_job(replace(job, stride=2, overwrite=True)).state == "done"


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from pathlib import Path
import torch
import bghop.data.selection as selection
import bghop.jobs.import_part as part
from bghop.jobs.data_import import run_import_job
from bghop.jobs.import_options import ImportDataJob

selection.contact_shares = lambda hands, *a, **k: torch.ones(hands.present.shape)
count = [0]
def killed(*args):
    count[0] += 1
    if count[0] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    write(*args)
write, part.write_json = part.write_json, lambda path, *a, **k: (
    killed(path, *a) if path.name == "counts.json" else write(path, *a, **k))
run_import_job(ImportDataJob(source="arctic", root=Path({root!r}), out=Path({out!r}),
                             mano=Path({mano!r}), share=0.0, workers=1))
"""


@pytest.mark.usefixtures("everything", "untried")
def test_after_kill_9_nothing_is_lost_or_doubled(job, tmp_path):
    whole = replace(job, out=tmp_path / "whole")
    run_import_job(whole)
    code = KILLED.format(
        paths=[str(Path(__file__).parents[1])], root=str(job.root), out=str(job.out),
        mano=str(job.mano),
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list((job.out / "parts").iterdir())) == 2
    assert run_import_job(job).state == "done"
    files = [folder / "records.parquet" for folder in (job.out, whole.out)]
    assert files[0].read_bytes() == files[1].read_bytes()
    state = json.loads((job.out / "import.json").read_text())
    assert state["counts"]["kept"] == 3 * NUM


@pytest.mark.usefixtures("everything", "untried")
def test_sequences_without_a_hand_count_no_frames(folders, tmp_path):
    _, mano = folders
    root = write_ho3d(tmp_path / "ho3d")  # its evaluation frames have no hand
    out = tmp_path / "out"
    job = ImportDataJob(source="ho3d", root=root, out=out, mano=mano, share=0.0, workers=1)
    made = run_import_job(job)
    assert (made.sequences, made.counts.read) == (2, 6)
    assert set(read_records(out / "records.parquet").split) == {"train"}


@pytest.mark.usefixtures("everything", "untried")
def test_one_hand_and_an_object_with_a_joint_become_records(folders, tmp_path):
    _, mano = folders
    root, out = write_hoi4d(tmp_path / "hoi4d"), tmp_path / "out"
    run_import_job(
        ImportDataJob(source="hoi4d", root=root, out=out, mano=mano, share=0.0, workers=1)
    )
    records, objects = read_records(out / "records.parquet"), read_objects(out / "objects.parquet")
    assert objects.keys == ("Laptop/007", "Mug/001")
    assert not records.hands.present[:, 0].any()
    assert records.hands.present[:, 1].all()
    opened = [records.object[k] == "Laptop/007" for k in range(len(records))]
    np.testing.assert_allclose(records.joint_value[opened], ANGLES, atol=1e-5)
    assert not records.joint_value[~np.array(opened)].any()


def test_what_cannot_work_is_refused_before_any_work(job, tmp_path):
    for change, error, words in (
        ({"distance": 0.2}, OptionError, "--distance 0.2"),
        ({"split": "p9"}, OptionError, "p1, p2, own"),
        ({"mano": tmp_path}, HandModelError, "MANO_LEFT.pkl.*--hand open needs its files, too"),
        ({"root": tmp_path}, DataError, "raw_seqs"),
        ({"root": tmp_path / "nowhere"}, DataError, "nowhere is no folder: give the folder"),
        ({"split": "p2"}, DataError, r"cannot read .*protocol_p2.json .*, or give --split own"),
        ({"only": ("x/y",)}, DataError, "matches none of 3"),
    ):
        with pytest.raises(error, match=words):
            run_import_job(replace(job, **change))
    assert not job.out.exists()


def test_own_splits_are_by_sequence_and_about_nine_in_ten_are_for_training():
    splits = [own_split(f"s{k % 10:02d}/box_{k}") for k in range(2000)]
    assert 0.85 < splits.count("train") / 2000 < 0.94
    assert splits.count("val") > 50
    assert own_split(SEQUENCES[0]) == own_split(SEQUENCES[0])


@pytest.mark.usefixtures("everything", "untried")
def test_records_know_sequence_frame_time_world_and_quality(job):
    run_import_job(job)
    records = read_records(job.out / "records.parquet")
    assert records.origin.sequence[::NUM] == SEQUENCES
    assert records.origin.frame[:NUM].tolist() == list(range(NUM))
    torch.testing.assert_close(records.origin.time[:NUM], torch.arange(NUM).double() / 30)
    # ARCTIC's own equations give the wrists of the world.
    _, hands = truth(0)
    arctic = load_mano(job.mano, flat_hand_mean=False, fix_left_shapedirs=False)
    numbers = {
        name: torch.tensor(np.stack([hands[s][own] for s in ("left", "right")], 1))
        for name, own in (("global_orient", "rot"), ("transl", "trans"))
    }
    shape = torch.stack([torch.tensor(hands[s]["shape"]) for s in ("left", "right")])
    wanted = wrist_pose_from_mano(arctic, **numbers, shape=shape.expand(NUM, 2, 10))
    found = records.origin.Ts_world_hand(records.hands)[:NUM]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
    # Numbers are those of the hands that were written, asked independently.
    model = load_mano(job.mano, flat_hand_mean=True, fix_left_shapedirs="if needed")
    objects = read_objects(job.out / "objects.parquet")
    skin = model.pose_hands(records.hands).vertices_object
    index = objects.index_of(records.object)
    distance = objects.distance(index, records.joint_value, skin.flatten(1, 2))
    wanted = distance.unflatten(1, (2, -1)).amin(-1)
    torch.testing.assert_close(records.quality.clearance, wanted, rtol=0, atol=1e-6)
    assert any("far" in flags for flags in records.quality.flags)


@pytest.fixture
def damaged(folders, tmp_path):
    """A copy whose second sequence is cut."""
    root = write_arctic(tmp_path / "damaged")
    path = root / "raw_seqs" / "s01" / "laptop_use_02.mano.npy"
    path.write_bytes(path.read_bytes()[:500])
    return root


@pytest.mark.usefixtures("everything", "untried")
def test_a_broken_sequence_stops_the_import_unless_it_may_be_left_out(job, damaged):
    job = replace(job, root=damaged)
    with pytest.raises(DataError, match=r"sequence s01/laptop_use_02: .*--skip-broken"):
        run_import_job(job)
    # The same folder continues: what was read stays.
    made = run_import_job(replace(job, skip_broken=True))
    assert list(made.broken) == ["s01/laptop_use_02"]
    assert made.counts.kept == len(read_records(job.out / "records.parquet")) == 2 * NUM
    assert any("left out 1" in warning for warning in made.warnings)
    again = run_import_job(replace(job, skip_broken=True))
    assert (again.state, again.broken) == ("kept", made.broken)


@pytest.mark.usefixtures("everything", "untried")
def test_sequences_that_the_official_split_does_not_name_are_told(job, tmp_path):
    root = write_arctic(tmp_path / "unlisted")
    (root / "splits_json" / "protocol_p1.json").write_text(json.dumps({"val": [SEQUENCES[0]]}))
    made = run_import_job(replace(job, root=root, only=("*/box_*",), stride=4))
    assert made.unlisted == 1
    assert "conventions could not be checked" in made.warnings[0]
    assert any("1 of 2 sequences are not in the official split" in word for word in made.warnings)
    assert read_records(job.out / "records.parquet").split[0] == "val"


@pytest.mark.usefixtures("everything", "untried")
def test_poses_that_are_not_rigid_are_named_and_left_out_if_asked(tmp_path, folders):
    root = write_taco(tmp_path / "taco")
    path = next(root.glob("Object_Poses/*/*/tool_009.npy"))
    np.save(path, np.load(path) * [1.1, 1.1, 1.1, 1.0])
    job = ImportDataJob(
        source="taco", root=root, out=tmp_path / "out", mano=folders[1], share=0.0, workers=1
    )
    with pytest.raises(DataError, match=r"sequence .*20230919_001: .*not rigid.*--skip-broken"):
        run_import_job(job)


@pytest.mark.usefixtures("everything", "untried")
def test_what_is_seen_to_be_broken_while_looking_is_left_out_if_asked(tmp_path, folders):
    root = write_ho3d(tmp_path / "ho3d")
    (root / "evaluation" / "SM1" / "meta" / "0000.pkl").write_bytes(b"no pickle")
    job = ImportDataJob(
        source="ho3d", root=root, out=tmp_path / "out", mano=folders[1], share=0.0, workers=1
    )
    with pytest.raises(DataError, match=r"sequence evaluation/SM1: .*0000.pkl.*--skip-broken"):
        run_import_job(job)
    assert not job.out.exists()
    made = run_import_job(replace(job, skip_broken=True))
    assert list(made.broken) == ["evaluation/SM1"]
    assert made.counts.kept == FRAMES
    with pytest.raises(DataError, match=r"sequence evaluation/SM1: .*0000.pkl"):
        run_import_job(replace(job, skip_broken=True, only=("evaluation/*",)))


@pytest.mark.usefixtures("everything", "untried")
def test_a_stride_counts_frames_that_were_not_read_too(tmp_path, folders):
    root = write_oakink2(tmp_path / "oakink2")
    job = ImportDataJob(
        source="oakink2", root=root, out=tmp_path / "out", mano=folders[1], share=0.0, workers=1,
        stride=2, moved=0.0, only=(),
    )  # fmt: skip
    made = run_import_job(job)
    records = read_records(job.out / "records.parquet")
    assert (made.counts.read, made.counts.looked_at) == (2 * FRAMES, FRAMES)
    torch.testing.assert_close(records.origin.time, records.origin.frame.double() / 120)


@pytest.mark.usefixtures("everything", "untried")
def test_an_object_that_cannot_be_read_is_left_out_with_its_frames(job, tmp_path):
    root = write_arctic(tmp_path / "objects")
    (root / "meta" / "object_vtemplates" / "box" / "mesh.obj").write_text("nothing")
    job = replace(job, root=root)
    with pytest.raises(DataError, match=r"no whole OBJ.*--skip-broken"):
        run_import_job(job)
    made = run_import_job(replace(job, skip_broken=True))
    assert list(made.broken) == ["object box"]
    assert set(read_records(job.out / "records.parquet").object) == {"laptop"}


def test_objects_of_an_impossible_size_are_refused_with_a_guess_at_the_unit():
    with pytest.raises(DataError, match=r"object mug is 120 m long .*in millimetres"):
        check_size("mug", box((120.0, 80.0, 90.0)))
    with pytest.raises(DataError, match=r"object mug is 0\.00012 m long"):
        check_size("mug", box((0.00012, 0.00008, 0.0001)))
    check_size("mug", box((0.12, 0.08, 0.09)))


@pytest.mark.slow
@pytest.mark.usefixtures("everything", "untried")
def test_many_records_become_a_folder_of_files(job, monkeypatch):
    monkeypatch.setattr("bghop.data.shards.SHARD_ROWS", 20)
    run_import_job(job)
    assert len(list((job.out / "records.parquet").iterdir())) == 2
    assert len(read_records(job.out / "records.parquet")) == 3 * NUM
    assert run_import_job(job).state == "kept"
    assert run_import_job(replace(job, overwrite=True)).state == "done"
