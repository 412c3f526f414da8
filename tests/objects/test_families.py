"""Every family makes closed, thick, connected solids of the size of things held in two hands."""

import pickle
from functools import cache

import numpy as np
import pytest
import torch

from bghop.errors import OptionError
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.loading import clean_mesh, validate_mesh
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.topology import face_area_vectors, face_components, piece_volumes
from bghop.objects.catalog import FAMILIES, family_named, mesh_of
from bghop.objects.family import family
from bghop.objects.seeds import held_out_rng, training_rng

RIGID = [name for name, kind in FAMILIES.items() if not kind.articulated]
JOINTED = [name for name, kind in FAMILIES.items() if kind.articulated]


@cache
def members(name: str) -> list[Mesh]:
    kind = FAMILIES[name]
    return [kind.mesh(kind.sample(training_rng(seed))) for seed in range(2)]


def pieces_of(mesh: Mesh) -> list[Mesh]:
    num, piece = face_components(mesh.faces)
    return [Mesh(vertices=mesh.vertices, faces=mesh.faces[piece == i]) for i in range(num)]


def test_there_are_enough_families_of_both_kinds():
    assert len(RIGID) >= 40
    assert len(JOINTED) >= 12
    texts = [text for kind in FAMILIES.values() for text in kind.texts[:1]]
    assert len(set(texts)) == len(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_members_are_closed_and_every_part_looks_outward(name):
    for mesh in members(name):
        assert mesh.is_watertight
        num, piece = face_components(mesh.faces)
        assert piece_volumes(mesh.vertices, mesh.faces, piece).min() > 0
        assert np.linalg.norm(face_area_vectors(mesh.vertices, mesh.faces), axis=1).min() > 0
        assert np.unique(mesh.faces).size == len(mesh.vertices)
        kinds = {warning.kind for warning in validate_mesh(mesh)}
        assert kinds == ({"pieces"} if num > 1 else set())
        assert clean_mesh(mesh).warnings == ()


@pytest.mark.parametrize("name", FAMILIES)
def test_members_are_one_solid_of_overlapping_parts(name):
    mesh = members(name)[0]
    pieces = pieces_of(mesh)
    reached, waiting = set(), {0}
    queries = [MeshQuery(piece) for piece in pieces]
    spots = [mesh.vertices[np.unique(piece.faces)] for piece in pieces]
    while waiting:
        here = waiting.pop()
        reached.add(here)
        for other in set(range(len(pieces))) - reached - waiting:
            touching = (
                queries[here].contains(spots[other]).any()
                or queries[other].contains(spots[here]).any()
                or np.abs(queries[here].unsigned(spots[other])[0]).min() < 2e-4
            )
            if touching:
                waiting.add(other)
    assert len(reached) == len(pieces)


@pytest.mark.parametrize("name", FAMILIES)
def test_walls_have_an_inside(name):
    """1.4 mm below nearly all of the outer surface there is solid for 1.1 mm to every side."""
    mesh = members(name)[1]
    rng = np.random.default_rng(0)
    vectors = face_area_vectors(mesh.vertices, mesh.faces)
    areas = np.linalg.norm(vectors, axis=1)
    face = rng.choice(len(areas), 800, p=areas / areas.sum())
    share = rng.dirichlet([1.0, 1.0, 1.0], len(face))
    points = np.einsum("nc,ncd->nd", share, mesh.vertices[mesh.faces[face]])
    normals = vectors[face] / areas[face, None]
    query = MeshQuery(mesh)
    outer = ~query.contains(points + 1e-5 * normals)
    depth = -query.signed_distances(points - 0.0014 * normals)[outer]
    # Tiles, keys, blades and strings have many edges close together.
    edged = ("puzzle_cube", "scissors", "racket", "phone", "keyboard")
    least = 0.60 if name in edged else 0.88
    assert (depth > 0.0011).mean() > least


@pytest.mark.parametrize("name", FAMILIES)
def test_hardly_any_volume_counts_twice(name):
    """The mean winding number inside is the volume of the faces over that of the solid."""
    mesh = members(name)[0]
    points = np.random.default_rng(0).uniform(*mesh.bounds, (6000, 3))
    winding = MeshQuery(mesh).winding_numbers(points)
    assert winding[winding > 0.5].mean() < 1.16


@pytest.mark.parametrize("name", FAMILIES)
def test_members_have_the_size_of_things_for_two_hands(name):
    for mesh in members(name):
        assert 0.055 < mesh.extents.max() < 0.47
        assert abs(mesh.bounds[0, 2]) < 0.02
        assert 2000 <= len(mesh.faces) <= 25_000


@pytest.mark.parametrize("name", FAMILIES)
def test_extreme_parameters_still_make_closed_solids(name):
    kind = FAMILIES[name]
    for end in (0, 1):
        built = kind.build(**{key: span[end] for key, span in kind.ranges.items()})
        mesh = Mesh.concatenated(built.parts) if isinstance(built, ArticulatedObject) else built
        assert mesh.is_watertight
        assert all(piece.volume > 0 for piece in pieces_of(mesh))


@pytest.mark.parametrize("name", FAMILIES)
def test_equal_seeds_make_equal_bytes_and_others_do_not(name):
    first, other = members(name)
    again = FAMILIES[name].mesh(FAMILIES[name].sample(training_rng(0)))
    assert first.vertices.tobytes() == again.vertices.tobytes()
    assert first.faces.tobytes() == again.faces.tobytes()
    assert first.vertices.tobytes() != other.vertices.tobytes()


def test_training_and_held_out_streams_differ_for_every_seed():
    draws = [make(seed).random() for make in (training_rng, held_out_rng) for seed in range(200)]
    assert len(set(draws)) == 400


def test_samples_stay_in_their_ranges_and_survive_pickling():
    kind = family_named("laptop")
    for seed in range(20):
        sample = kind.sample(training_rng(seed))
        assert all(
            low <= sample.parameters[key] <= high for key, (low, high) in kind.ranges.items()
        )
        assert kind.joint_range is not None
        assert sample.joint_value is not None
        assert kind.joint_range[0] <= sample.joint_value <= kind.joint_range[1]
    copy = pickle.loads(pickle.dumps(sample))  # noqa: S301
    assert copy == sample
    assert mesh_of(copy).vertices.tobytes() == mesh_of(sample).vertices.tobytes()


@pytest.mark.parametrize("name", JOINTED)
def test_the_moving_part_moves_as_the_joint_says_and_the_rest_stays(name):
    kind = FAMILIES[name]
    sample = kind.sample(training_rng(3))
    thing = kind.articulated_object(sample)
    assert thing is not None
    assert sample.joint_value is not None
    assert thing.joint.limits[0] <= sample.joint_value <= thing.joint.limits[1]
    fixed, moving = thing.parts
    T = thing.joint.T_object_part(torch.tensor(sample.joint_value, dtype=torch.float64)).numpy()
    whole = kind.mesh(sample).vertices
    np.testing.assert_array_equal(whole[: len(fixed.vertices)], fixed.vertices)
    np.testing.assert_allclose(
        whole[len(fixed.vertices) :], moving.vertices @ T[:3, :3].T + T[:3, 3], atol=1e-12
    )


def test_lids_open_upward_and_the_drawer_comes_out():
    for name in ("laptop", "lidded_box", "notebook"):
        kind = FAMILIES[name]
        thing = kind.articulated_object(kind.sample(training_rng(0)))
        assert thing is not None
        heights = [thing.mesh(angle).bounds[1, 2] for angle in (0.0, 0.5, 1.2)]
        assert heights == sorted(heights)
        assert heights[2] > heights[0] + 0.05
    for name in ("phone", "waffle_iron", "capsule_machine", "mixer"):
        kind = FAMILIES[name]
        thing = kind.articulated_object(kind.sample(training_rng(0)))
        assert thing is not None
        lifted = [thing.mesh(angle).bounds[1, 2] for angle in (0.1, 0.5, 0.75)]
        assert lifted == sorted(lifted)
        assert lifted[2] > lifted[0] + 0.03
    kind = FAMILIES["sliding_box"]
    box = kind.articulated_object(kind.sample(training_rng(0)))
    assert box is not None
    reach = box.mesh(0.03).bounds[1, 0] - box.mesh(0.0).bounds[1, 0]
    assert reach == pytest.approx(0.03)


@pytest.mark.parametrize("name", JOINTED)
def test_both_ends_of_the_joint_keep_the_parts_together(name):
    kind = FAMILIES[name]
    thing = kind.articulated_object(kind.sample(training_rng(1)))
    assert thing is not None
    assert kind.joint_range is not None
    for value in kind.joint_range:
        T = thing.joint.T_object_part(torch.tensor(value, dtype=torch.float64)).numpy()
        fixed, moving = thing.parts[0], thing.parts[1].transformed(T)
        meet = MeshQuery(fixed).contains(moving.vertices).any()
        assert meet or MeshQuery(moving).contains(fixed.vertices).any()


def test_rigid_families_have_no_joint():
    kind = FAMILIES["mug"]
    assert kind.sample(training_rng(0)).joint_value is None
    assert kind.articulated_object(kind.sample(training_rng(0))) is None


def test_unknown_families_are_named_with_all_that_exist():
    with pytest.raises(OptionError, match=r"unknown object family 'spaceship': .*scissors.*mug"):
        family_named("spaceship")


def test_two_families_of_one_name_are_refused():
    def mug() -> Mesh:
        return FAMILIES["ball"].build(radius=0.1)

    with pytest.raises(ValueError, match="two families are called mug"):
        family("mug")(mug)
