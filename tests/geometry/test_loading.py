"""Reading mesh files: what comes out, what is mended, and what is refused with which advice."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from bghop.errors import MeshError
from bghop.geometry import loading
from bghop.geometry.loading import clean_mesh, load_mesh, validate_mesh
from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import box, casserole, mug, sphere, torus

CORE_FORMATS = ["obj", "stl", "ply", "off", "glb"]


def write(path: Path, mesh: Mesh) -> Path:
    trimesh.Trimesh(vertices=mesh.vertices, faces=mesh.faces, process=False).export(path)
    return path


def kinds(mesh: Mesh) -> list[str]:
    return [warning.kind for warning in mesh.warnings]


# What comes out


@pytest.mark.parametrize("ending", CORE_FORMATS)
def test_every_format_gives_the_same_solid(tmp_path, ending):
    truth = casserole()
    mesh = load_mesh(write(tmp_path / f"pot.{ending}", truth))
    assert mesh.name == "pot"
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(truth.volume, rel=1e-4)
    np.testing.assert_allclose(mesh.bounds, truth.bounds, atol=1e-6)
    assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float64, np.int64)


@pytest.mark.parametrize(("unit", "metres"), [("mm", 0.001), ("cm", 0.01), ("inch", 0.0254)])
def test_units_become_metres(tmp_path, unit, metres):
    path = write(tmp_path / "box.obj", box((0.1 / metres, 0.2 / metres, 0.3 / metres)))
    np.testing.assert_allclose(load_mesh(path, unit=unit).extents, [0.1, 0.2, 0.3], rtol=1e-6)
    halved = load_mesh(path, unit=unit, scale=0.5)
    np.testing.assert_allclose(halved.extents, [0.05, 0.1, 0.15], rtol=1e-6)


def test_nothing_is_moved(tmp_path):
    off_centre = box((0.1, 0.1, 0.1)).vertices + np.array([1.0, 2.0, 3.0])
    path = write(tmp_path / "box.ply", Mesh(vertices=off_centre, faces=box((1.0, 1.0, 1.0)).faces))
    np.testing.assert_allclose(load_mesh(path).bounds.mean(axis=0), [1, 2, 3], atol=1e-6)


def test_scene_transforms_are_applied(tmp_path):
    part = box((0.1, 0.1, 0.1))
    scene = trimesh.Scene()
    solid = trimesh.Trimesh(vertices=part.vertices, faces=part.faces, process=False)
    scene.add_geometry(solid, node_name="one")
    lift = np.diag([2.0, 1.0, 1.0, 1.0])
    lift[2, 3] = 0.5
    scene.add_geometry(solid, node_name="two", transform=lift)
    scene.export(tmp_path / "scene.glb")
    mesh = load_mesh(tmp_path / "scene.glb")
    np.testing.assert_allclose(mesh.bounds, [[-0.1, -0.05, -0.05], [0.1, 0.05, 0.55]], atol=1e-6)
    assert mesh.volume == pytest.approx(0.003, rel=1e-5)
    assert kinds(mesh) == ["pieces"]


def test_mirrored_scene_nodes_still_face_outward(tmp_path):
    part = torus(0.1, 0.03)
    scene = trimesh.Scene()
    solid = trimesh.Trimesh(vertices=part.vertices, faces=part.faces, process=False)
    scene.add_geometry(solid, transform=np.diag([-1.0, 1.0, 1.0, 1.0]))
    scene.export(tmp_path / "mirrored.glb")
    mesh = load_mesh(tmp_path / "mirrored.glb")
    assert mesh.volume == pytest.approx(part.volume, rel=1e-5)
    assert mesh.warnings == ()


# What is mended, and noted


def test_clean_solids_have_no_warnings(tmp_path):
    assert load_mesh(write(tmp_path / "ball.stl", sphere(0.1))).warnings == ()


def test_faces_that_look_inward_are_turned():
    mesh = torus(0.1, 0.03)
    inside_out = clean_mesh(Mesh(vertices=mesh.vertices, faces=mesh.faces[:, ::-1].copy()))
    assert inside_out.volume == pytest.approx(mesh.volume)
    assert kinds(inside_out) == ["flipped"]


def test_ten_percent_flipped_faces_are_turned_back():
    mesh = mug()
    flip = np.random.default_rng(0).random(len(mesh.faces)) < 0.1
    faces = np.where(flip[:, None], mesh.faces[:, ::-1], mesh.faces)
    mended = clean_mesh(Mesh(vertices=mesh.vertices, faces=faces))
    assert mended.is_watertight
    assert mended.volume == pytest.approx(mesh.volume)
    assert kinds(mended) == ["flipped"]
    assert str(int(flip.sum())) in mended.warnings[0].message


def test_cavities_stay_cavities_but_pieces_that_stand_apart_are_turned():
    outer, inner = box((0.2, 0.2, 0.2)), box((0.1, 0.1, 0.1))
    wall = Mesh(vertices=inner.vertices, faces=inner.faces[:, ::-1].copy())
    hollow = clean_mesh(Mesh.concatenated([outer, wall]))
    assert hollow.volume == pytest.approx(0.008 - 0.001)
    apart = Mesh(vertices=wall.vertices + 0.5, faces=wall.faces)
    assert clean_mesh(Mesh.concatenated([outer, apart])).volume == pytest.approx(0.009)


def test_repeated_and_degenerate_faces_are_dropped():
    mesh = box((0.1, 0.1, 0.1))
    turned = np.roll(mesh.faces[:2], 1, axis=1)
    extra = np.concatenate([mesh.faces, turned, [[3, 3, 4]]])
    cleaned = clean_mesh(Mesh(vertices=mesh.vertices, faces=extra))
    assert len(cleaned.faces) == 12
    assert cleaned.warnings[0].message == "3 degenerate or repeated faces"


def test_open_scraps_are_dropped_but_small_closed_pieces_stay():
    ball = sphere(0.1)
    scrap = Mesh(
        vertices=np.array([[0.2, 0, 0], [0.201, 0, 0], [0.2, 0.001, 0.0005]]),
        faces=np.array([[0, 1, 2]]),
    )
    button = sphere(0.001, segments=12)
    cleaned = clean_mesh(Mesh.concatenated([ball, scrap, button]))
    assert len(cleaned.faces) == len(ball.faces) + len(button.faces)
    assert "1 open scraps" in cleaned.warnings[0].message


def test_holes_and_pieces_are_reported():
    mesh = box((0.1, 0.1, 0.1))
    torn = Mesh(vertices=mesh.vertices, faces=mesh.faces[1:])
    two = Mesh.concatenated([torn, Mesh(vertices=mesh.vertices + 1.0, faces=mesh.faces)])
    found = validate_mesh(two)
    assert [warning.kind for warning in found] == ["holes", "pieces"]
    assert "2 separate pieces (12, 11 faces)" in found[1].message


def test_parts_may_be_flat(tmp_path):
    path = tmp_path / "screen.obj"
    path.write_text("v 0 0 0\nv 0.3 0 0\nv 0.3 0.2 0\nf 1 2 3\n")
    assert len(load_mesh(path, part=True).faces) == 1
    with pytest.raises(MeshError, match="flat"):
        load_mesh(path)


# What is refused


def text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


def raw(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def solid(name: str, mesh: Mesh) -> Callable[[Path], Path]:
    return lambda folder: write(folder / name, mesh)


def folder(path: Path) -> Path:
    (path / "thing.obj").mkdir()
    return path / "thing.obj"


def hill() -> Mesh:
    x, y = np.meshgrid(np.linspace(0, 0.3, 20), np.linspace(0, 0.3, 20))
    z = 0.02 * np.sin(20 * x) * np.cos(15 * y)
    number = np.arange(400).reshape(20, 20)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    return Mesh(vertices=np.stack([x, y, z], -1).reshape(-1, 3), faces=faces)


TRIANGLE = "v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\n"
TETRAHEDRON = TRIANGLE + "v 0 0 0.1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"
PLY_POINTS = (
    "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\n"
    "property float z\nend_header\n0 0 0\n1 1 1\n"
)
BOTH_SIDES = TRIANGLE + "f 1 2 3\nf 1 3 2\n"

BAD = {
    "missing": (lambda f: f / "no.obj", {}, "does not exist: check the path"),
    "folder": (folder, {}, "is a folder: name one mesh file in it"),
    "unknown ending": (text("a.blend", "x"), {}, "convert it to one of obj, stl"),
    "no ending": (text("mesh", "x"), {}, "has no file name ending"),
    "archive": (raw("a.zip", b"PK"), {}, "convert it to one of"),
    "empty obj": (text("a.obj", ""), {}, "is empty"),
    "empty glb": (raw("a.glb", b""), {}, "is empty"),
    "blank obj": (text("a.obj", "\n\n"), {}, "export"),
    "obj of points": (text("a.obj", TRIANGLE), {}, "has no faces"),
    "ply of points": (text("a.ply", PLY_POINTS), {}, "has no faces"),
    "nan": (text("a.obj", TETRAHEDRON.replace("v 0.1", "v nan")), {}, "NaN or infinite"),
    "inf": (text("a.obj", TETRAHEDRON.replace("v 0.1", "v inf")), {}, "NaN or infinite"),
    "overflow": (text("a.obj", TETRAHEDRON.replace("v 0.1", "v 1e999")), {}, "NaN or infinite"),
    "index too large": (text("a.obj", TRIANGLE + "f 1 2 9\n"), {}, "export"),
    "index zero": (text("a.obj", TRIANGLE + "f 0 7 2\n"), {}, "export"),
    "off index": (text("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n"), {}, "export"),
    "words for numbers": (text("a.obj", "v a b c\nf 1 1 1\n"), {}, "export"),
    "flat": (text("a.obj", TRIANGLE + "f 1 2 3\n"), {}, "is flat (no thickness)"),
    "flat, both sides": (text("a.obj", BOTH_SIDES), {}, "is flat (no thickness)"),
    "open sheet": (solid("a.ply", hill()), {}, "open sheet, not a solid: close it"),
    "needle faces": (text("a.obj", TRIANGLE + "f 1 1 2\nf 3 3 3\n"), {}, "usable faces"),
    "millimetres": (solid("a.stl", box((90.0, 120.0, 250.0))), {}, "--unit mm"),
    "centimetres": (solid("a.stl", box((9.0, 12.0, 25.0))), {}, "--unit cm"),
    "inches": (solid("a.obj", box((4.0, 5.0, 8.0))), {}, "--unit inch"),
    "huge": (solid("a.obj", box((1e7, 1e7, 1e7))), {}, "--scale 2e-08"),
    "tiny": (solid("a.obj", box((1e-4, 1e-4, 2e-4))), {}, "--scale 1000"),
    "metres read as mm": (solid("a.obj", box((0.1, 0.1, 0.2))), {"unit": "mm"}, "--unit m if"),
    "scale too small": (solid("a.obj", box((0.1, 0.1, 0.2))), {"scale": 0.01}, "--scale 1 "),
    "scale zero": (solid("a.obj", box((0.1, 0.1, 0.1))), {"scale": 0.0}, "greater than zero"),
    "scale negative": (solid("a.obj", box((0.1, 0.1, 0.1))), {"scale": -1.0}, "greater than zero"),
    "scale nan": (solid("a.obj", box((0.1, 0.1, 0.1))), {"scale": float("nan")}, "scale nan"),
    "scale inf": (solid("a.obj", box((0.1, 0.1, 0.1))), {"scale": float("inf")}, "scale inf"),
    "unit": (solid("a.obj", box((0.1, 0.1, 0.1))), {"unit": "furlong"}, "use one of m, dm, cm"),
    "web page": (text("a.stl", "<!DOCTYPE html><html>404</html>"), {}, "download it again"),
    "not json": (text("a.gltf", "{not json"), {}, "damaged"),
    "empty json": (text("a.gltf", "{}"), {}, "a.gltf"),
    "gltf without its buffer": (
        text(
            "a.gltf",
            json.dumps({
                "asset": {"version": "2.0"},
                "buffers": [{"uri": "gone.bin", "byteLength": 4}],
                "bufferViews": [{"buffer": 0, "byteLength": 4}],
            }),
        ),
        {},
        "a.gltf",
    ),
    "ply header only": (text("a.ply", PLY_POINTS.partition("0 0 0")[0]), {}, "a.ply"),
    "zip called 3mf": (raw("a.3mf", b"PK\x03\x04nonsense"), {}, "a.3mf"),
    "xml called dae": (text("a.dae", "<COLLADA>"), {}, "a.dae"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "options", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_in_one_line_with_the_remedy(tmp_path, make, options, message):
    with pytest.raises(MeshError) as caught:
        load_mesh(make(tmp_path), **options)
    said = str(caught.value)
    assert message in said
    assert "\n" not in said
    assert ":" in said  # what is wrong: how to mend it


@pytest.mark.parametrize("ending", [*CORE_FORMATS, "gltf", "dae", "3mf"])
@pytest.mark.parametrize("content", [b"\x00" * 300, b"\xff\xfe garbage \x01" * 40, b"solid"])
def test_garbage_of_any_format_is_a_mesh_error(tmp_path, ending, content):
    with pytest.raises(MeshError):
        load_mesh(raw(f"a.{ending}", content)(tmp_path))


@pytest.mark.parametrize("ending", CORE_FORMATS)
def test_cut_or_damaged_files_never_end_in_a_traceback(tmp_path, ending):
    whole = write(tmp_path / f"whole.{ending}", sphere(0.1, segments=16)).read_bytes()
    rng = np.random.default_rng(0)
    refused = []
    for case in range(40):
        data = bytearray(whole[: rng.integers(1, len(whole))] if case % 2 else whole)
        for place in rng.integers(0, len(data), 5 if case % 2 == 0 else 0):
            data[place] = rng.integers(0, 256)
        path = tmp_path / f"case.{ending}"
        path.write_bytes(bytes(data))
        try:
            mesh = load_mesh(path)
            assert np.isfinite(mesh.vertices).all()
        except MeshError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert not any("\n" in message for message in refused)


@pytest.mark.parametrize("ending", ["stl", "ply", "glb"])
def test_half_a_binary_file_is_refused(tmp_path, ending):
    whole = write(tmp_path / f"whole.{ending}", sphere(0.1)).read_bytes()
    (tmp_path / f"half.{ending}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MeshError, match=r"half\."):
        load_mesh(tmp_path / f"half.{ending}")


def test_too_many_faces_are_refused_with_advice(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "MOST_FACES", 100)
    with pytest.raises(MeshError, match=r"simplify it to some 50,000 first \(MeshLab"):
        load_mesh(write(tmp_path / "a.obj", sphere(0.1)))
    with pytest.raises(MeshError, match="simplify"):
        validate_mesh(sphere(0.1))


def test_meshes_made_in_code_are_checked_too():
    mesh = box((0.1, 0.1, 0.1))
    with pytest.raises(MeshError, match="refer to vertices"):
        validate_mesh(Mesh(vertices=mesh.vertices[:5], faces=mesh.faces))
    with pytest.raises(MeshError, match="NaN"):
        validate_mesh(Mesh(vertices=mesh.vertices * np.nan, faces=mesh.faces))
    with pytest.raises(MeshError, match="no usable faces"):
        validate_mesh(Mesh(vertices=mesh.vertices, faces=mesh.faces[:0]))
    folded = np.concatenate([hill().faces, hill().faces[:, ::-1]])
    with pytest.raises(MeshError, match="no volume"):
        validate_mesh(Mesh(vertices=hill().vertices, faces=folded))


@pytest.mark.skipif(not hasattr(Path, "chmod"), reason="needs file rights")
def test_unreadable_files_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "a.obj", box((0.1, 0.1, 0.1)))

    def denied(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(MeshError, match="Permission denied"):
        load_mesh(path)
