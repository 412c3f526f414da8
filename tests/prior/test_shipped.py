"""The prior of the package: small, traceable, and better than nothing at what it is for."""

import json
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from bghop.evaluation.validity import object_validity
from bghop.fields.grid_spec import GridSpec
from bghop.geometry.sdf import sdf_from_mesh
from bghop.hands.open_hand import load_open_hand
from bghop.objects.sets import object_set
from bghop.objects.splits import HELD_OUT_RELATIVES
from bghop.prior.checkpoint import CONFIG, WEIGHTS, load_prior
from bghop.prior.sampling import SampleOptions
from bghop.prior.shipped import SHIPPED_PRIOR
from bghop.synthesis.from_prior import sample_hands, sample_interactions

ROOT = Path(__file__).parents[2]
FEW = SampleOptions(steps=8, guidance=1.0)


@pytest.fixture(scope="module")
def prior():
    return load_prior()


@pytest.fixture(scope="module")
def hands():
    return load_open_hand()


def test_it_is_in_the_package_in_half_precision_and_under_48_mb():
    assert (SHIPPED_PRIOR / WEIGHTS).stat().st_size <= 48 * 10**6
    with safe_open(SHIPPED_PRIOR / WEIGHTS, framework="pt") as file:
        kinds = {file.get_tensor(n).dtype for n in file.keys() if n.startswith("denoiser.")}  # noqa: SIM118
    assert kinds == {torch.float16}
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "prior/assets/shipped/*" in patterns["package-data"]["bghop"]


def test_it_says_where_it_comes_from():
    config = json.loads((SHIPPED_PRIOR / CONFIG).read_text())
    origin = config["origin"]
    assert origin["step"] > 0
    assert set(origin["data"]) >= {"records", "objects"}
    assert len(origin["commit"]) >= 40
    recipe = json.loads((ROOT / "recipes" / "shipped_prior.json").read_text())
    assert _holds(origin["config"], recipe)


def _holds(config: object, recipe: object) -> bool:
    """Whether a whole configuration says what a recipe says; recipes leave defaults out."""
    if isinstance(config, dict) and isinstance(recipe, dict):
        return all(_holds(config[name], value) for name, value in recipe.items())
    return config == recipe


def test_it_knows_the_open_hand_and_objects_up_to_half_a_metre(prior):
    assert prior.hand_model == "open"
    assert isinstance(prior.codec.spec, GridSpec)
    assert prior.codec.spec.frame == "object"
    assert prior.codec.spec.half_extent == pytest.approx(0.30)


def test_hands_for_objects_of_families_that_it_has_never_seen_are_at_the_surface(prior, hands):
    items = object_set("held-out:4").items
    assert {item.family for item in items} <= set(HELD_OUT_RELATIVES)
    for item in items:
        drawn = sample_hands(item.mesh, prior, hands, num=4, prompt=item.text, options=FEW)
        joints = hands.joints(drawn)
        away = sdf_from_mesh(item.mesh, resolution=64).distance(joints.flatten(0, 2))
        middle = away.unflatten(0, joints.shape[:3])[:, :, 1:].abs().median()
        assert middle < 0.035, item.name


def test_words_become_closed_objects(prior, hands):
    drawn = [
        each
        for word in ("bowl", "box")
        for each in sample_interactions(prior, hands, prompt=word, num=2, options=FEW)
    ]
    assert sum(object_validity(each.mesh).closed for each in drawn) == len(drawn)
    assert all(0.03 < each.mesh.extents.max() < 0.55 for each in drawn)
