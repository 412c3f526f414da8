"""Object sets: fixed, stratified, held out, lazy; folders say which file is broken."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import trimesh

from bghop.errors import MeshError, OptionError
from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import mug, torus
from bghop.objects.catalog import mesh_of
from bghop.objects.sets import STRATA_CM, ObjectSet, held_out_family_sample, object_set
from bghop.objects.splits import HELD_OUT_RELATIVES, held_out_families


def write(mesh: Mesh, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(file)


@pytest.fixture(scope="module")
def shapes() -> ObjectSet:
    return object_set("shapes")


def test_the_shapes_are_24_named_objects_of_which_five_have_a_joint(shapes):
    names = [item.name for item in shapes.items]
    assert len(names) == len(set(names)) == 24
    assert sum(item.articulated for item in shapes.items) >= 5
    assert all(item.text and item.mesh.name == item.family for item in shapes.items)


def test_sizes_fill_every_stratum_from_6_to_45_cm_equally(shapes):
    longest = [100 * item.mesh.extents.max() for item in shapes.items]
    counts, _ = np.histogram(longest, bins=STRATA_CM)
    assert counts.tolist() == [4] * 6
    ratios = np.divide(STRATA_CM[1:], STRATA_CM[:-1])
    np.testing.assert_allclose(ratios, ratios.mean(), rtol=0.01)


def test_the_set_is_the_same_every_time_and_another_one_for_another_seed(shapes):
    for old, new in zip(shapes.items[:10], object_set("shapes:10").items, strict=True):
        assert old.mesh.vertices.tobytes() == new.mesh.vertices.tobytes()
        assert old.mesh.faces.tobytes() == new.mesh.faces.tobytes()
    for old, new in zip(shapes.items[:3], object_set("shapes:3", seed=1).items, strict=True):
        assert old.name == new.name
        assert old.mesh.vertices.tobytes() != new.mesh.vertices.tobytes()


def test_a_small_set_is_the_start_of_the_large_one_and_mixes_sizes_and_kinds(shapes):
    few = object_set("shapes:8")
    assert [item.name for item in few.items] == [item.name for item in shapes.items[:8]]
    longest = [item.mesh.extents.max() for item in shapes.items[:8]]
    assert min(longest) < 0.10
    assert max(longest) > 0.32
    assert any(item.articulated for item in few.items)


def test_objects_reach_other_processes_without_their_mesh_and_build_it_there(shapes):
    item = shapes.items[0]
    content = pickle.dumps(item)
    assert len(content) < 1000 < item.mesh.vertices.nbytes
    copy = pickle.loads(content)  # noqa: S301
    assert copy.name == item.name
    assert copy.mesh.vertices.tobytes() == item.mesh.vertices.tobytes()
    assert copy.mesh is copy.mesh


@pytest.fixture(scope="module")
def held_out() -> ObjectSet:
    return object_set("held-out")


def test_held_out_has_three_sizes_of_every_held_out_family(held_out):
    names = [item.name for item in held_out.items]
    assert len(names) == len(set(names)) == 3 * len(HELD_OUT_RELATIVES)
    for number, (family, kind) in enumerate(held_out_families().items()):
        assert {f"{family}_{size}" for size in ("small", "medium", "large")} <= set(names)
        samples = [held_out_family_sample(number, size) for size in range(3)]
        first, (low, high) = next(iter(kind.ranges.items()))
        shares = [(sample.parameters[first] - low) / (high - low) for sample in samples]
        assert [int(3 * share) for share in shares] == [0, 1, 2]
        # All else is drawn anew for each, and the joint too.
        assert len({tuple(sample.parameters.values())[1:] for sample in samples}) == 3
        assert len({sample.joint_value for sample in samples}) == (3 if kind.articulated else 1)


def test_held_out_objects_are_what_their_samples_say(held_out):
    item = held_out.items[list(HELD_OUT_RELATIVES).index("phone")]
    sample = held_out_family_sample(list(HELD_OUT_RELATIVES).index("phone"), 0)
    assert (item.name, item.family, item.text) == ("phone_small", "phone", "phone")
    assert item.articulated
    assert item.mesh.vertices.tobytes() == mesh_of(sample).vertices.tobytes()
    assert pickle.loads(pickle.dumps(sample)) == sample  # noqa: S301


def test_the_start_of_held_out_has_every_family_once_in_changing_sizes(held_out):
    few = object_set(f"held-out:{len(HELD_OUT_RELATIVES)}")
    assert few.name == f"held-out_{len(HELD_OUT_RELATIVES)}"
    assert [item.family for item in few.items] == list(HELD_OUT_RELATIVES)
    sizes = [item.name.rpartition("_")[2] for item in few.items]
    assert sizes[:3] == ["small", "medium", "large"]
    for old, new in zip(held_out.items[:4], few.items[:4], strict=True):
        assert old.name == new.name
        assert old.mesh.vertices.tobytes() == new.mesh.vertices.tobytes()
    (other,) = object_set("held-out:1", seed=1).items
    assert other.mesh.vertices.tobytes() != held_out.items[0].mesh.vertices.tobytes()


def test_a_folder_gives_every_mesh_below_it_in_order_with_unique_names(tmp_path):
    write(mug(), tmp_path / "b" / "cup.ply")
    write(torus(0.1, 0.02), tmp_path / "a_ring.stl")
    write(torus(0.1, 0.02), tmp_path / "a" / "cup.obj")
    (tmp_path / "notes.txt").write_text("no mesh")
    (tmp_path / ".hidden").mkdir()
    write(mug(), tmp_path / ".hidden" / "cup.ply")
    found = object_set(str(tmp_path))
    assert found.name == tmp_path.name
    assert [item.name for item in found.items] == ["a_cup", "a_ring", "b_cup"]
    assert [item.text for item in found.items] == ["cup", "a ring", "cup"]
    np.testing.assert_allclose(found.items[2].mesh.extents, mug().extents, atol=1e-7)


def test_files_that_differ_only_in_their_ending_have_unique_names(tmp_path):
    for ending in ("stl", "ply"):
        write(mug(), tmp_path / f"cup.{ending}")
    assert [item.name for item in object_set(str(tmp_path)).items] == ["cup_ply", "cup_stl"]


def test_one_file_is_a_set_of_one(tmp_path):
    write(mug(), tmp_path / "025_mug.obj")
    (item,) = object_set(str(tmp_path / "025_mug.obj")).items
    assert (item.name, item.text, item.articulated) == ("025_mug", "mug", False)
    assert item.mesh.volume == pytest.approx(mug().volume, rel=1e-5)


def test_a_broken_file_is_named_when_it_is_used_and_the_others_work(tmp_path):
    write(mug(), tmp_path / "cup.ply")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "torn.stl").write_bytes(b"solid nothing")
    cup, torn = object_set(str(tmp_path)).items
    assert len(cup.mesh.faces) > 0
    with pytest.raises(MeshError, match=r"torn\.stl.* or take it out .*deep/torn\.stl"):
        _ = torn.mesh


@pytest.mark.parametrize("source", ["shape", "no/such/folder", "cup.obj", ""])
def test_unknown_sets_are_refused_with_what_exists(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        OptionError, match=r"use shapes, shapes:N \(N from 1 to 24\), held-out.*a folder"
    ):
        object_set(source)


@pytest.mark.parametrize("source", ["shapes:0", "shapes:25", "shapes:many", "shapes:", "shapes:-3"])
def test_counts_out_of_range_are_refused(source):
    with pytest.raises(OptionError, match="N from 1 to 24"):
        object_set(source)


@pytest.mark.parametrize("source", ["held-out:0", "held-out:28", "held-out:few"])
def test_counts_of_held_out_objects_out_of_range_are_refused(source):
    with pytest.raises(OptionError, match="use held-out:N with N from 1 to 27"):
        object_set(source)


def test_an_empty_folder_and_a_negative_seed_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"holds no mesh file: put files .*obj"):
        object_set(str(tmp_path))
    with pytest.raises(OptionError, match="seed -1 is negative"):
        object_set("shapes", seed=-1)
