"""Whatever is wrong: exit code 2, one line with the remedy, no traceback, nothing left behind."""

import os
import re
import stat
import struct
import subprocess
import sys

import numpy as np
import pytest
import trimesh

from bghop.cli import main


def cube(edge=0.1):
    return trimesh.creation.box((edge, edge, edge))


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def exported(path, mesh, cut=None):
    content = mesh.export(file_type=path.suffix[1:])
    content = content.encode() if isinstance(content, str) else content
    return write(path, content if cut is None else content[: int(cut * len(content))])


def stl_of(triangles):
    rows = b"".join(struct.pack("<12fH", *[0.0] * 3, *np.ravel(t), 0) for t in triangles)
    return b"\0" * 80 + struct.pack("<I", len(triangles)) + rows


def ply_points(num=50):
    points = np.random.default_rng(0).uniform(0, 0.1, (num, 3))
    lines = "\n".join(" ".join(f"{x:.5f}" for x in p) for p in points)
    head = f"ply\nformat ascii 1.0\nelement vertex {num}\n"
    return head + "property float x\nproperty float y\nproperty float z\nend_header\n" + lines


def open_sheet():
    return trimesh.Trimesh(
        [[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0]], [[0, 1, 2], [0, 2, 3]]
    )


def nan_obj():
    return "v 0 0 0\nv nan 0 0\nv 0 0.1 0\nv 0 0 0.1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"


def with_huge_numbers():
    return "v 0 0 0\nv 1e300 0 0\nv 0 1e300 0\nv 0 0 1e300\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"


# name -> (how to make the file from a folder, words that the remedy must hold)
MESHES = {
    "missing": (lambda d: d / "missing.obj", r"check the path"),
    "missing_folder": (lambda d: d / "no" / "such" / "a.obj", r"check the path"),
    "folder": (lambda d: d, r"name a mesh file"),
    "nul_in_name": (lambda d: f"{d}/a\0b.obj", r"check the path"),
    "long_name": (lambda d: d / ("x" * 300 + ".obj"), r"check the path"),
    "empty_obj": (lambda d: write(d / "a.obj", ""), r"export"),
    "empty_stl": (lambda d: write(d / "a.stl", ""), r"export"),
    "no_ending": (lambda d: write(d / "mesh", "v 0 0 0"), r"convert"),
    "unknown_ending": (lambda d: write(d / "a.xyzw", "v 0 0 0"), r"convert"),
    "text_as_stl": (lambda d: write(d / "a.stl", "hello " * 40), r"export|download"),
    "noise_as_obj": (lambda d: write(d / "a.obj", os.urandom(3000)), r"export|reconstruct"),
    "noise_as_ply": (lambda d: write(d / "a.ply", os.urandom(3000)), r"export|download"),
    "noise_as_glb": (lambda d: write(d / "a.glb", os.urandom(3000)), r"export|download"),
    "obj_named_glb": (lambda d: write(d / "a.glb", nan_obj()), r"export|download"),
    "truncated_stl": (lambda d: exported(d / "a.stl", cube(), 0.5), r"export|download"),
    "truncated_ply": (lambda d: exported(d / "a.ply", cube(), 0.8), r"export|download"),
    "truncated_glb": (lambda d: exported(d / "a.glb", cube(), 0.6), r"export|download"),
    "truncated_off": (lambda d: exported(d / "a.off", cube(), 0.6), r"export|download"),
    "obj_without_faces": (lambda d: write(d / "a.obj", "v 0 0 0\nv 1 0 0\n"), r"surface mesh"),
    "obj_bad_index": (lambda d: write(d / "a.obj", "v 0 0 0\nv 1 0 0\nf 1 2 9\n"), r"export"),
    "nan": (lambda d: write(d / "a.obj", nan_obj()), r"export"),
    "infinite": (lambda d: write(d / "a.obj", nan_obj().replace("nan", "inf")), r"export"),
    "huge_numbers": (lambda d: write(d / "a.obj", with_huge_numbers()), r"--scale|export"),
    "point_cloud": (lambda d: write(d / "a.ply", ply_points()), r"surface mesh"),
    "flat": (lambda d: exported(d / "a.ply", open_sheet()), r"thickness"),
    "one_triangle": (
        lambda d: write(d / "a.stl", stl_of([[[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0.05]]])),
        r"thickness|close",
    ),
    "one_point": (lambda d: write(d / "a.stl", stl_of([np.full((3, 3), 0.1)] * 4)), r"export"),
    "tiny": (lambda d: exported(d / "a.stl", cube(0.001)), r"--scale"),
    "in_millimetres": (lambda d: exported(d / "a.stl", cube(120.0)), r"--unit mm"),
    "empty_scene": (
        lambda d: write(d / "a.gltf", '{"asset": {"version": "2.0"}, "scenes": [{"nodes": []}]}'),
        r"surface mesh|export|download",
    ),
}  # fmt: skip

# name -> (options added to a good command, words that the remedy must hold)
OPTIONS = {
    "scale_zero": (["--scale", "0"], r"positive"),
    "scale_negative": (["--scale=-1"], r"positive"),
    "scale_nan": (["--scale", "nan"], r"positive"),
    "scale_infinite": (["--scale", "inf"], r"positive"),
    "scale_word": (["--scale", "big"], r"--help"),
    "scale_too_large": (["--scale", "1000"], r"--scale"),
    "scale_too_small": (["--scale", "0.001"], r"--scale"),
    "wrong_unit": (["--unit", "mm"], r"--unit|--scale"),
    "unknown_unit": (["--unit", "furlong"], r"mm"),
    "num_zero": (["--num", "0"], r"use 1 to"),
    "num_negative": (["--num=-3"], r"use 1 to"),
    "num_too_large": (["--num", "1000000"], r"use 1 to"),
    "num_fraction": (["--num", "1.5"], r"--help"),
    "seed_negative": (["--seed=-1"], r"use 0 to"),
    "seed_too_large": (["--seed", str(2**63)], r"use 0 to"),
    "up_unknown": (["--up", "w"], r"up"),
    "steps_zero": (["--steps", "0"], r"use 1 to"),
    "strips_negative": (["--strips=-1"], r"use 0 to"),
    "strips_word": (["--strips", "all"], r"--help"),
    "checkpoint_unused": (["--method", "optimize", "--checkpoint", "c"], r"add --method prior"),
    "no_refine_unused": (["--method", "optimize", "--no-refine"], r"leave them out"),
    "mano_no_prior": (["--method", "prior", "--mano", "/m"], r"leave out --mano"),
    "strip_unused": (["--progress-strip", "0,5"], r"--method sds: leave it out"),
    "strip_words": (["--progress-strip", "first"], r"numbers such as"),
    "checkpoint_missing": (
        ["--method", "prior", "--checkpoint", "/no/such"],
        r"bghop train prior.*import-checkpoint",
    ),
    "method_unknown": (["--method", "magic"], r"optimize"),
    "device_unknown": (["--device", "quantum"], r"auto, cpu, cuda"),
    "device_bad_index": (["--device", "cuda:x"], r"auto, cpu, cuda"),
    "device_absent": (["--device", "cuda:99"], r"--device cpu"),
    "text_too_long": (["--text", "hold " * 1000], r"at most 1000"),
    "unknown_option": (["--nmu", "4"], r"--help"),
    "mano_missing": (["--mano", "/no/such/folder"], r"MANO_LEFT\.pkl|check"),
}


def run(args, capsys):
    code = main([str(arg) for arg in args])
    return code, *capsys.readouterr()


def check_refusal(code, out, err, remedy):
    assert code == 2
    assert out == ""
    assert err.startswith("bghop: error: ")
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    assert "Traceback" not in err
    assert re.search(remedy, err), err
    assert len(err) < 1000


@pytest.mark.parametrize("case", MESHES)
def test_a_bad_mesh_is_refused(case, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    make, remedy = MESHES[case]
    source = make(tmp_path / "in")
    before = sorted(tmp_path.rglob("*"))
    check_refusal(*run(["grasp", source, "--out", tmp_path / "new" / "out"], capsys), remedy)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("case", OPTIONS)
def test_a_bad_option_is_refused(case, tmp_path, capsys):
    source = exported(tmp_path / "a.stl", cube())
    options, remedy = OPTIONS[case]
    check_refusal(
        *run(["grasp", source, "--out", tmp_path / "new" / "out", *options], capsys), remedy
    )
    assert sorted(tmp_path.rglob("*")) == [source]


@pytest.mark.parametrize(
    ("args", "remedy"),
    [
        (["grasp"], "--help"),
        (["grasp", "--out", "x"], "name at least one mesh"),
        (["grasp", "a.obj"], "--out"),
        (["grab", "a.obj"], "--help"),
        (["grasp", "a.obj", "--out"], "--help"),
        (["--verbose"], "--help"),
    ],
)
def test_an_incomplete_command_is_refused(args, remedy, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_refusal(*run(args, capsys), remedy)
    assert list(tmp_path.iterdir()) == []


def out_file(d):
    return write(d / "out", "text")


def out_below_a_file(d):
    write(d / "out", "text")
    return d / "out" / "deeper"


def out_of_another_job(d):
    (d / "out").mkdir()
    write(d / "out" / "grasps.json", '{"job": "other"}')
    return d / "out"


def out_with_foreign_scene(d):
    (d / "out").mkdir()
    write(d / "out" / "grasp_000.glb", "precious")
    return d / "out"


def out_with_long_name(d):
    return d / ("x" * 300)


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (out_file, "choose a folder"),
        (out_below_a_file, "choose a folder"),
        (out_of_another_job, "--overwrite"),
        (out_with_foreign_scene, "--overwrite"),
        (out_with_long_name, "shorter --out"),
    ],
)
def test_a_bad_result_folder_is_refused_and_kept_as_it_is(make, remedy, tmp_path, capsys):
    source = exported(tmp_path / "a.stl", cube())
    out = make(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    check_refusal(*run(["grasp", source, "--out", out], capsys), remedy)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("what", ["mesh", "out"])
def test_missing_permissions_are_one_line(what, tmp_path, capsys):
    source = exported(tmp_path / "a.stl", cube())
    locked = source if what == "mesh" else tmp_path / "locked"
    if what == "out":
        locked.mkdir()
    locked.chmod(0 if what == "mesh" else stat.S_IRUSR | stat.S_IXUSR)
    try:
        out = tmp_path / "locked" / "out"
        check_refusal(*run(["grasp", source, "--out", out], capsys), "permission|may write")
    finally:
        locked.chmod(0o700)


def test_permissions_that_the_system_denies_are_one_line(tmp_path, capsys, monkeypatch):
    source = exported(tmp_path / "a.stl", cube())
    monkeypatch.setattr(os, "access", lambda *_: False)
    check_refusal(*run(["grasp", source, "--out", tmp_path / "out"], capsys), "may write")
    assert sorted(tmp_path.iterdir()) == [source]


def test_one_bad_mesh_of_several_is_known_before_any_work(tmp_path, capsys):
    source = exported(tmp_path / "a.stl", cube())
    args = ["grasp", source, tmp_path / "typo.stl", "--out", tmp_path / "out"]
    check_refusal(*run(args, capsys), "check the path")
    assert sorted(tmp_path.iterdir()) == [source]


def test_from_the_shell_it_is_the_same(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bghop", "grasp", "no.obj", "--out", str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    check_refusal(done.returncode, done.stdout, done.stderr, "check the path")
    assert list(tmp_path.iterdir()) == []
