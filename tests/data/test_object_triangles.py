"""Objects keep their triangles: the same surface comes back, at any joint value, or from grids."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from bghop.data.objects_file import read_objects, read_stored_objects, write_objects
from bghop.data.objects_from_mesh import REACH, mesh_of_object, object_from_mesh
from bghop.errors import DataError
from bghop.geometry.mesh import MeshQuery
from bghop.geometry.shapes import sphere


@pytest.fixture
def path(entries, tmp_path):
    write_objects(tmp_path / "objects.parquet", entries, reach=REACH)
    return tmp_path / "objects.parquet"


def test_triangles_are_those_of_the_mesh_in_single_precision(path):
    mesh = sphere(0.05)
    write_objects(path, [object_from_mesh("ball", mesh)], reach=REACH)
    (thing,), reach = read_stored_objects(path, triangles=True)
    again = mesh_of_object(thing, 0.0, reach=reach)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    np.testing.assert_allclose(again.vertices, mesh.vertices, atol=1e-8)
    # Whoever reads the table alone gets them, too.
    row = pq.read_table(path).to_pylist()[0]
    vertices = np.frombuffer(row["vertices"], "<f4").reshape(-1, 3)
    np.testing.assert_array_equal(vertices, mesh.vertices.astype(np.float32))
    assert len(np.frombuffer(row["faces"], "<i4")) == mesh.faces.size


def test_parts_move_with_the_joint(path, lidded):
    (thing,), reach = read_stored_objects(path, {"lidded"}, triangles=True)
    np.testing.assert_allclose(
        mesh_of_object(thing, -0.7, reach=reach).vertices, lidded.mesh(-0.7).vertices, atol=1e-6
    )


def test_objects_without_triangles_have_the_surface_of_their_grid(path):
    things, reach = read_stored_objects(path, {"ball"})
    (ball,) = things
    assert ball.parts[0].triangles is None
    surface = mesh_of_object(ball, 0.0, reach=reach)
    (whole,), _ = read_stored_objects(path, {"ball"}, triangles=True)
    exact = MeshQuery(mesh_of_object(whole, 0.0, reach=reach))
    assert np.abs(exact.signed_distances(surface.vertices)).max() < 1e-3


def test_files_of_the_first_days_have_none(path, objects):
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["vertices", "faces"]), path)
    assert read_objects(path).keys == objects.keys
    things, _ = read_stored_objects(path, triangles=True)
    assert all(part.triangles is None for thing in things for part in thing.parts)


@pytest.mark.parametrize(
    ("name", "cut", "words"),
    [("vertices", -5, "are cut"), ("vertices", -24, "not there"), ("faces", -1, "are cut")],
)
def test_damaged_triangles_are_refused(entries, path, name, cut, words):
    write_objects(path, entries[:1], reach=REACH)
    table = pq.read_table(path)
    place = table.column_names.index(name)
    pq.write_table(table.set_column(place, name, [[table.column(name)[0].as_py()[:cut]]]), path)
    with pytest.raises(DataError, match=rf"row 0 \(ball\).*{words}"):
        read_stored_objects(path, triangles=True)
    read_objects(path)  # training does not care


def test_whether_triangles_are_kept_is_a_choice(entries):
    thing = object_from_mesh("ball", sphere(0.05), triangles=False)
    assert thing.parts[0].triangles is None
    kept = object_from_mesh("ball", sphere(0.05)).parts[0]
    assert replace(kept, triangles=None).values.equal(thing.parts[0].values)
