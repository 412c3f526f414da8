from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch

from bghop.data.objects import ObjectStore, stack_objects
from bghop.data.objects_file import read_objects, write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.errors import DataError
from bghop.geometry.mesh import MeshQuery
from bghop.geometry.rotations import random_rotations
from bghop.geometry.transforms import invert_rigid, rigid, transform_points

AXES = torch.linspace(-0.3, 0.3, 24).expand(3, -1).contiguous()
BALL, LIDDED, BAR = range(3)


def lattice():
    return torch.cartesian_prod(*AXES)


def some_poses(num, seed=0):
    generator = torch.Generator().manual_seed(seed)
    R = random_rotations(num, generator=generator)
    return rigid(R, 0.05 * torch.randn(num, 3, generator=generator))


def test_distances_of_a_sphere_in_any_pose(objects):
    """Within quantisation (0.2 mm) and interpolation of the true distance, and clamped at 4 cm."""
    T = some_poses(4)
    index, value = torch.full((4,), BALL), torch.zeros(4)
    found = objects.lattice_distance(index, value, T, AXES, truncation=0.04)
    points = transform_points(T, lattice().expand(4, -1, 3))
    truth = (points - torch.tensor([0.02, -0.01, 0.03])).norm(dim=-1) - 0.05
    error = (found.flatten(1) - truth.clamp(-0.04, 0.04)).abs()
    assert error.max() < 8e-4
    assert error.mean() < 1e-4


def test_the_stored_byte_costs_at_most_a_fifth_of_a_millimetre(objects):
    step = objects.reach / 127
    assert step / 2 == pytest.approx(0.000197, abs=1e-6)


def test_articulated_objects_equal_the_mesh_at_the_joint_value(objects, lidded):
    value = torch.tensor([0.0, -0.7, -1.9])
    T = some_poses(3, seed=1)
    found = objects.lattice_distance(
        torch.full((3,), LIDDED), value, T, AXES, truncation=0.04
    ).flatten(1)
    for i in range(3):
        points = transform_points(T[i], lattice()).double().numpy()
        truth = torch.from_numpy(MeshQuery(lidded.mesh(float(value[i]))).signed_distances(points))
        outside = truth > 0  # inside an overlap of parts the union is a lower bound of the depth
        error = (found[i] - truth.clamp(-0.04, 0.04)).abs()[outside]
        assert error.max() < 2e-3


def test_a_lattice_and_the_same_points_one_by_one_agree(objects):
    index = torch.tensor([BALL, LIDDED, BAR, BAR])
    value = torch.tensor([0.0, -1.0, 0.0, 0.0])
    T = some_poses(4, seed=2)
    on_lattice = objects.lattice_distance(index, value, T, AXES, truncation=objects.reach)
    points = transform_points(T, lattice().expand(4, -1, 3))
    assert torch.allclose(on_lattice.flatten(1), objects.distance(index, value, points), atol=1e-6)


def test_rows_of_a_batch_do_not_see_each_other(objects):
    index, value, T = (
        torch.tensor([BALL, LIDDED, BAR]),
        torch.tensor([0.0, -0.5, 0.0]),
        some_poses(3),
    )
    together = objects.lattice_distance(index, value, T, AXES, truncation=0.04)
    for i in range(3):
        alone = objects.lattice_distance(
            index[i : i + 1], value[i : i + 1], T[i : i + 1], AXES, truncation=0.04
        )
        assert torch.equal(together[i], alone[0])


def test_a_mirroring_frame_gives_the_mirrored_field(objects):
    index, value = torch.tensor([BAR, BALL]), torch.zeros(2)
    T = some_poses(2, seed=4)
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))
    plain = objects.lattice_distance(index, value, T, AXES, truncation=0.04)
    seen = objects.lattice_distance(index, value, T @ mirror, AXES, truncation=0.04)
    assert torch.allclose(seen, plain.flip(1), atol=1e-6)


def test_looking_up_everything_as_on_a_gpu_gives_the_same(objects, monkeypatch):
    """Outside of a part's box the border is read, which holds the reach."""
    index, value, T = torch.tensor([BALL, LIDDED]), torch.tensor([0.0, -0.4]), some_poses(2, 6)
    chosen = objects.lattice_distance(index, value, T, AXES, truncation=0.04)
    monkeypatch.setattr(ObjectStore, "_lower_inside", ObjectStore._lower_all)
    everything = objects.lattice_distance(index, value, T, AXES, truncation=0.04)
    assert torch.allclose(chosen, everything, atol=1e-7)


def test_the_box_of_the_surface_in_any_frame(objects, lidded):
    value = torch.tensor([-1.2])
    R = random_rotations(1, generator=torch.Generator().manual_seed(5))
    T = rigid(R, torch.tensor([[0.1, 0.0, -0.2]]))
    low, high = objects.box(torch.tensor([LIDDED]), value, T)[0]
    vertices = torch.from_numpy(lidded.mesh(-1.2).vertices).float()
    moved = transform_points(T[0], vertices)
    assert torch.allclose(low, moved.amin(0), atol=1e-5)
    assert torch.allclose(high, moved.amax(0), atol=1e-5)


def test_what_is_read_is_what_was_written(entries, objects, tmp_path):
    write_objects(tmp_path / "o.parquet", entries, reach=REACH)
    again = read_objects(tmp_path / "o.parquet")
    assert again.keys == objects.keys
    for name, value in vars(objects).items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(getattr(again, name), value), name


def test_a_wrong_file_is_refused_with_the_remedy(entries, objects, tmp_path):
    path = tmp_path / "o.parquet"
    write_objects(path, entries, reach=REACH)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["values"]), path)
    with pytest.raises(DataError, match=r"no column 'values'"):
        read_objects(path)
    cut = [value[:-1] for value in table.column("values").to_pylist()]
    place = table.column_names.index("values")
    pq.write_table(table.set_column(place, "values", [cut]), path)
    with pytest.raises(DataError, match=r"row 0 \(ball\): \d+ samples do not fill"):
        read_objects(path)
    with pytest.raises(DataError, match="key is there twice"):
        stack_objects([entries[0], entries[0]], reach=REACH)
    with pytest.raises(DataError, match=r"1 objects .* first is 'cup'"):
        objects.index_of(["ball", "cup"])


def test_distances_beyond_the_stored_reach_are_refused(objects):
    with pytest.raises(DataError, match=r"up to 0.08 m .* knows them up to 0.05 m"):
        objects.lattice_distance(
            torch.tensor([0]), torch.zeros(1), torch.eye(4)[None], AXES, truncation=0.08
        )


def test_an_object_outside_the_lattice_leaves_it_empty(objects):
    T = torch.eye(4)[None].clone()
    T[0, 0, 3] = 2.0
    field = objects.lattice_distance(
        torch.tensor([LIDDED]), torch.zeros(1), invert_rigid(T), AXES, truncation=0.04
    )
    assert bool((field == 0.04).all())


def test_a_store_is_a_value(objects):
    assert isinstance(objects.to("cpu"), ObjectStore)
    assert replace(objects).keys == objects.keys
    assert objects.megabytes < 5
