"""Samples of a prior as hands on meshes; what is kept stays as it is."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from bghop.errors import HandModelError, OptionError, ResultError
from bghop.geometry.shapes import box
from bghop.hands.model import HandModel
from bghop.interaction import Interaction
from bghop.prior.object_prior import ObjectPrior, ObjectPriorConfig, Shapes, encode_shapes
from bghop.prior.prior import Prior
from bghop.prior.sampling import SampleOptions
from bghop.synthesis import from_prior, objects_from_prior
from bghop.synthesis.completion import complete
from bghop.synthesis.from_prior import sample_hands, sample_interactions
from bghop.synthesis.keep import PARTS
from bghop.synthesis.objects_from_prior import drawn_meshes
from quick_refinement import quick_fits
from small_prior import BOX, small_prior
from small_scenes_of_hands import palms_beside

FEW = SampleOptions(steps=2, guidance=1.0)
SUBSETS = [set(parts) for size in (1, 2) for parts in combinations(PARTS, size)]


@pytest.fixture(scope="module")
def prior() -> Prior:
    return small_prior()


@pytest.fixture(scope="module")
def given(hand_model: HandModel) -> Interaction:
    hands = palms_beside(hand_model, 0.1, 0.01).rows(0)
    return Interaction(mesh=box((0.2, 0.1, 0.16), name="crate"), hands=hands, text="box")


def test_interactions_have_the_object_that_the_prior_knows(prior: Prior, hand_model: HandModel):
    found = sample_interactions(prior, hand_model, prompt="mug", num=2, options=FEW)
    assert [each.text for each in found] == ["mug", "mug"]
    for each in found:
        np.testing.assert_allclose(each.mesh.extents, BOX, atol=0.008)
        assert each.mesh.is_watertight
        assert each.present == (True, True)
        assert (each.up, each.hand_model) == ("z", "open")
    assert not torch.equal(found[0].hands.pose, found[1].hands.pose)


def test_a_row_is_the_same_in_every_batch(prior: Prior, hand_model: HandModel, monkeypatch):
    quick_fits(monkeypatch)
    mesh = box((0.2, 0.1, 0.16))
    whole = sample_hands(mesh, prior, hand_model, num=3, seed=5, options=FEW)
    monkeypatch.setattr("bghop.synthesis.rows.BATCH", 2)
    parts = sample_hands(mesh, prior, hand_model, num=3, seed=5, options=FEW)
    torch.testing.assert_close(parts.T_object_hand, whole.T_object_hand, rtol=0, atol=1e-4)
    fewer = sample_hands(mesh, prior, hand_model, num=1, seed=5, options=FEW)
    torch.testing.assert_close(fewer.T_object_hand, whole.T_object_hand[:1], rtol=0, atol=1e-4)
    other = sample_hands(mesh, prior, hand_model, num=1, seed=6, options=FEW)
    assert not torch.allclose(other.T_object_hand, whole.T_object_hand[:1], atol=1e-2)


def test_hands_follow_the_mesh_wherever_it_is(prior: Prior, hand_model: HandModel):
    mesh = box((0.2, 0.1, 0.16))
    T = np.eye(4)
    T[:3, 3] = (0.5, -0.3, 1.0)
    here = sample_hands(mesh, prior, hand_model, num=1, options=FEW)
    there = sample_hands(mesh.transformed(T), prior, hand_model, num=1, options=FEW)
    shift = there.T_object_hand[..., :3, 3] - here.T_object_hand[..., :3, 3]
    torch.testing.assert_close(
        shift, torch.tensor(T[:3, 3]).float().expand(1, 2, 3), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("keep", SUBSETS, ids=lambda keep: "+".join(sorted(keep)))
def test_what_is_kept_is_in_every_result_bit_for_bit(
    keep: set[str], given: Interaction, prior: Prior, hand_model: HandModel
):
    found = complete(given, keep, prior, hand_model, num=2, options=FEW)
    assert len(found) == 2
    for each in found:
        assert each.present == (True, True)
        assert (each.mesh is given.mesh) == ("object" in keep)
        for side, name in enumerate(("left", "right")):
            same = [
                torch.equal(getattr(each.hands, field)[side], getattr(given.hands, field)[side])
                for field in ("T_object_hand", "pose", "shape")
            ]
            assert all(same) if name in keep else not same[0]
    if "object" not in keep:
        np.testing.assert_allclose(found[0].mesh.extents, BOX, atol=0.008)


def test_completions_are_in_the_frame_of_what_was_given(
    given: Interaction, prior: Prior, hand_model: HandModel
):
    T = np.eye(4)
    T[:3, 3] = (0.0, 2.0, 0.0)
    hands = given.hands
    moved = Interaction(
        mesh=given.mesh.transformed(T),
        hands=type(hands)(
            present=hands.present, pose=hands.pose, shape=hands.shape,
            T_object_hand=torch.from_numpy(T).float() @ hands.T_object_hand,
        ),
    )  # fmt: skip
    (found,) = complete(moved, {"left", "right"}, prior, hand_model, num=1, options=FEW)
    np.testing.assert_allclose(found.mesh.bounds.mean(0), T[:3, 3], atol=0.01)


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (set(), "names nothing"),
        (set(PARTS), "names everything"),
        ({"foot"}, "--keep foot is unknown"),
    ],
)
def test_nothing_and_everything_cannot_be_kept(keep, words, given, prior, hand_model):
    with pytest.raises(OptionError, match=words):
        complete(given, keep, prior, hand_model, num=1, options=FEW)


def test_a_hand_that_is_not_there_cannot_be_kept(given, prior, hand_model):
    hands = type(given.hands)(**{**vars(given.hands), "present": torch.tensor([False, True])})
    one = given.with_hands(hands)
    with pytest.raises(OptionError, match="no left hand"):
        complete(one, {"left"}, prior, hand_model, num=1, options=FEW)
    (found,) = complete(one, {"right"}, prior, hand_model, num=1, options=FEW)
    assert found.present == (True, True)


def test_hands_of_another_model_cannot_be_kept(given, prior, hand_model):
    other = Interaction(**{**vars(given), "hand_model": "mano"})
    with pytest.raises(HandModelError, match="with the model that it was made with"):
        complete(other, {"object"}, prior, hand_model, num=1, options=FEW)


def test_an_empty_object_is_replaced_by_the_next_row_and_said(prior, hand_model, monkeypatch):
    quick_fits(monkeypatch)
    meshes, rows = from_prior.object_meshes, []

    def some_empty(prior, sampled, *, name):
        found = meshes(prior, sampled, name=name)
        rows.append(len(found))
        return [None, *found[1:]] if len(rows) == 1 else found

    monkeypatch.setattr(from_prior, "object_meshes", some_empty)
    said, steps = [], []
    found = sample_interactions(
        prior, hand_model, num=2, seed=1, options=FEW, say=said.append,
        progress=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    assert rows == [2, 4]
    assert said == ["1 of 3 samples had no whole object; the next ones took their places"]
    assert steps == [(1, 2), (2, 2), (2, 2), (2, 2)]
    monkeypatch.setattr(from_prior, "object_meshes", meshes)
    three = sample_interactions(prior, hand_model, num=3, seed=1, options=FEW)
    for one, row in zip(found, three[1:], strict=True):
        torch.testing.assert_close(
            one.hands.T_object_hand, row.hands.T_object_hand, rtol=0, atol=1e-4
        )


def test_an_object_that_is_too_large_for_hands_is_none(prior, hand_model, monkeypatch):
    quick_fits(monkeypatch)
    sampled = prior.sample(prior.condition(["box"]), hand_model, options=FEW)
    for length, there in ((0.45, True), (0.57, False)):
        mesh = box((length, 0.1, 0.1))
        for name in ("surface_of", "drawn_surface"):
            monkeypatch.setattr(objects_from_prior, name, lambda *_, mesh=mesh, **__: mesh)
        (found,) = objects_from_prior.object_meshes(prior, sampled, name="box")
        assert (found is not None) == there


def test_a_prior_that_never_has_an_object_is_an_error(prior, hand_model, monkeypatch):
    quick_fits(monkeypatch)
    monkeypatch.setattr(from_prior, "object_meshes", lambda _, s, **_name: [None] * len(s.latent))
    with pytest.raises(
        ResultError, match=r"18 of 18 samples had no whole object: .* trained further"
    ):
        sample_interactions(prior, hand_model, num=1, options=SampleOptions(steps=1, guidance=1.0))


def test_one_hand_alone(prior, hand_model):
    (found,) = sample_interactions(prior, hand_model, num=1, present=(False, True), options=FEW)
    assert found.present == (False, True)


def test_drawn_hands_are_of_the_known_hands_person(prior, hand_model, given):
    """Average hands for a bare mesh, one person's for one of that person's hands."""
    alone = sample_hands(given.mesh, prior, hand_model, num=1, options=FEW)
    assert not alone.shape.any()
    shape = torch.linspace(-0.5, 0.5, hand_model.num_shape).expand(2, -1)
    known = replace(given.hands, shape=shape, present=torch.tensor([False, True]))
    drawn = sample_hands(given.mesh, prior, hand_model, num=1, known=known, options=FEW)
    torch.testing.assert_close(drawn.shape[0], shape, rtol=0, atol=1e-6)
    whole = sample_interactions(prior, hand_model, num=1, options=FEW)[0].hands
    assert torch.equal(whole.shape[0], whole.shape[1])


@pytest.fixture(scope="module")
def boxes_and_a_torn_plate() -> Shapes:
    """Latents of two whole boxes and, between them, a plate with two holes; 12, 20 and 30 cm."""
    stage = small_prior().codec.first_stage
    axis = torch.linspace(-0.3, 0.3, 64)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)

    def block(*half: float) -> Tensor:
        return (points.abs() - torch.tensor(half)).amax(-1)

    plate = block(0.25, 0.20, 0.02)
    for x in (-0.1, 0.1):
        plate = torch.maximum(plate, 0.04 - (points[..., :2] - torch.tensor([x, 0.0])).norm(dim=-1))
    solids = torch.stack([block(0.25, 0.15, 0.1), plate, block(0.1, 0.1, 0.25)])[:, None]
    with torch.no_grad():
        latents = encode_shapes(stage, solids)
    return Shapes(latents=latents, sizes=torch.tensor([0.12, 0.20, 0.30]))


@pytest.fixture
def knowing(boxes_and_a_torn_plate, monkeypatch):
    """A prior whose object prior answers with the given ones of these shapes, in turn."""

    def of(*order: int) -> Prior:
        prior = small_prior()
        config = ObjectPriorConfig(components=2, width=8, depth=1, words=("box",), genus=((0, 1),))
        prior.objects = ObjectPrior(config).eval()
        rows = iter(order)

        def sample(text: Tensor, *_: Tensor, **__: float) -> Shapes:
            index = [next(rows) for _ in text]
            shapes = boxes_and_a_torn_plate
            return Shapes(latents=shapes.latents[index], sizes=shapes.sizes[index])

        monkeypatch.setattr(prior.objects, "sample", sample)
        return prior

    return of


def test_drawn_objects_are_whole_have_their_size_and_hands_see_them(
    knowing, hand_model, monkeypatch
):
    quick_fits(monkeypatch)
    seen, given = [], Prior.given
    monkeypatch.setattr(Prior, "given", lambda self, known, present: seen.append(known.sdf)
                        or given(self, known, present))  # fmt: skip
    prior, said = knowing(0, 1, 1, 2), []
    found = sample_interactions(
        prior, hand_model, prompt="box", num=2, options=FEW, say=said.append
    )
    assert said == []  # the torn plate was drawn again, twice
    for each, extents in zip(found, ((0.12, 0.072, 0.048), (0.12, 0.12, 0.30)), strict=True):
        np.testing.assert_allclose(each.mesh.extents, extents, atol=0.006)
        np.testing.assert_allclose(each.mesh.bounds.mean(0), 0.0, atol=1e-9)
    # The hands are drawn for the object at its true size, in the middle of the grid.
    inside = (torch.cat(seen)[:, 0] < 0).flatten(1).sum(1) * (0.6 / 63) ** 3
    volumes = torch.tensor([each.mesh.volume for each in found]).float()
    torch.testing.assert_close(inside, volumes, rtol=0.2, atol=0)


def test_an_object_that_is_always_torn_is_left_out_and_said(knowing, hand_model, monkeypatch):
    quick_fits(monkeypatch)
    monkeypatch.setattr("bghop.synthesis.rows._SPARE", 1)
    prior, said = knowing(*[1] * objects_from_prior.TRIES, 0), []
    (found,) = sample_interactions(
        prior, hand_model, prompt="box", num=1, options=FEW, say=said.append
    )
    assert said == ["1 of 2 samples had no whole object; the next ones took their places"]
    assert float(found.mesh.extents.max()) == pytest.approx(0.12)


def test_an_object_without_its_handle_is_the_last_resort(knowing):
    """The plate, with both of its holes, is what the word means here."""
    tries = objects_from_prior.TRIES
    for drawn, length in (([0, 2, 1], 0.20), ([0] + [2] * (tries - 1), 0.12)):
        prior = knowing(*drawn)
        config = replace(prior.objects.config, genus=((2, 2),))
        prior.objects.config = config
        (mesh,) = drawn_meshes(prior, "box", 1, name="plate")
        assert mesh is not None
        assert float(mesh.extents.max()) == pytest.approx(length)


def test_a_drawn_object_depends_on_its_row_only(boxes_and_a_torn_plate, monkeypatch):
    prior = small_prior()
    config = ObjectPriorConfig(components=2, width=8, depth=1)
    prior.objects = ObjectPrior(config)
    prior.objects.fit(boxes_and_a_torn_plate)
    monkeypatch.setattr("bghop.prior.prior.OBJECT_TEMPERATURE", 2.0)
    three = drawn_meshes(prior, "", 3, name="thing", seed=4)
    (last,) = drawn_meshes(prior, "", 1, name="thing", seed=4, first=2)
    assert three[2] is not None
    assert last is not None
    np.testing.assert_allclose(last.bounds, three[2].bounds, atol=1e-5)
