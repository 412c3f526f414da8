"""The encoder of our priors: one object, one vector, whatever the sentence."""

from itertools import combinations

import numpy as np
import pytest
import torch

from bghop.errors import OptionError
from bghop.prior.text.encoder import load_text_encoder
from bghop.prior.text.minilm import MiniLm
from bghop.prior.text.nouns import load_noun_table
from bghop.prior.text.object_text import ObjectText

TEMPLATES = ("{}", "a {}", "{}s", "grasp a {} with both hands", "a person holding a large red {}")
SAME = (
    ("mug", "coffee mug"), ("pan", "skillet"), ("laptop", "notebook computer"),
    ("book", "textbook"), ("cushion", "pillow"), ("microwave", "microwave oven"),
    ("dumbbell", "hand weight"), ("camera", "photo camera"), ("jar", "jam jar"),
    ("plate", "dinner plate"), ("hammer", "claw hammer"), ("box", "carton"),
)  # fmt: skip


class CountingMiniLm:
    """Stands for MiniLM: a vector from the letters, and what it was asked."""

    def __init__(self):
        self.asked: list[str] = []

    def embed(self, texts):
        self.asked += texts
        seeds = [sum(map(ord, text)) for text in texts]
        rows = [torch.randn(384, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


@pytest.fixture
def offline():
    return ObjectText(load_noun_table())


def vector(encoder: ObjectText, prompt: str) -> torch.Tensor:
    return encoder.encode([prompt]).tokens[0, 0]


def test_shapes_and_names(offline):
    result = offline.encode(["mug", "", "a big hammer"])
    assert (offline.name, offline.dim) == ("minilm", 384)
    assert result.tokens.shape == (3, 1, 384)
    assert result.given.tolist() == [True, False, True]
    torch.testing.assert_close(result.tokens.norm(dim=-1)[[0, 2], 0], torch.ones(2))


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_prompt_is_no_text(offline, empty):
    result = offline.encode([empty])
    assert not result.given.any()
    assert not result.tokens.any()


def test_no_prompts_at_all(offline):
    result = offline.encode([])
    assert result.tokens.shape == (0, 1, 384)
    assert result.given.shape == (0,)


def test_rows_do_not_depend_on_the_batch(offline):
    prompts = ["mug", "", "teddy bear", "grasp a pan with both hands"]
    together = offline.encode(prompts)
    for i, prompt in enumerate(prompts):
        alone = offline.encode([prompt])
        assert torch.equal(alone.tokens[0], together.tokens[i])
        assert torch.equal(alone.given[0], together.given[i])


@pytest.mark.parametrize("name", ["mug", "teddy bear", "steering wheel", "box", "game controller"])
def test_sentences_about_one_thing_are_equal(offline, name):
    plain = vector(offline, name)
    for template in TEMPLATES:
        assert torch.equal(vector(offline, template.format(name)), plain)


def test_other_names_of_one_thing_are_nearer_than_other_things(offline):
    """AUC over all pairs; 0.94 on the thirty pairs of benchmarks/text.py."""
    vectors = torch.stack([torch.stack([vector(offline, name) for name in pair]) for pair in SAME])
    same = (vectors[:, 0] * vectors[:, 1]).sum(-1).numpy()
    pairs = combinations(range(len(SAME)), 2)
    other = np.array([(vectors[i] @ vectors[j].T).numpy() for i, j in pairs]).ravel()
    assert (same[:, None] > other).mean() > 0.95
    assert same.mean() > 0.6
    assert other.mean() < 0.35


@pytest.mark.parametrize(
    ("novel", "near", "far"),
    [
        ("encyclopedia", "book", ("mug", "hammer", "pot", "ball")),
        ("sauce pan", "pot", ("book", "hammer", "camera", "ball")),
        ("pail", "pot", ("book", "hammer", "camera", "scissors")),
        ("kettlebell", "dumbbell", ("book", "camera", "mug", "scissors")),
        ("camcorder", "camera", ("book", "hammer", "pot", "ball")),
        ("football", "ball", ("book", "hammer", "pot", "camera")),
    ],
)
def test_a_word_that_no_family_has_lies_near_its_kind(offline, novel, near, far):
    cosine = vector(offline, novel) @ vector(offline, near)
    assert all(cosine > vector(offline, novel) @ vector(offline, other) for other in far)


def test_an_unknown_name_without_minilm_says_what_to_do(offline):
    with pytest.raises(OptionError) as caught:
        offline.encode(["grasp a red mugg with both hands"])
    message = str(caught.value)
    assert message.startswith("'mugg' is not among the 3,")
    assert "near: mug" in message
    assert "bghop[text]" in message
    assert "--text-model DIR" in message
    assert "\n" not in message


def test_a_prompt_without_an_object_is_refused(offline):
    with pytest.raises(OptionError, match="names no object: write its name"):
        offline.encode(["with both hands"])


def test_a_lone_string_is_refused(offline):
    """The released code took "grasp ..."[0] and sampled with the prompt "g"."""
    with pytest.raises(OptionError, match="single string 'mug': give a list"):
        offline.encode("mug")


def test_minilm_is_asked_for_unknown_names_only_and_once():
    model = CountingMiniLm()
    loads = []
    encoder = ObjectText(load_noun_table(), lambda: loads.append(1) or model)  # type: ignore[func-returns-value]
    encoder.encode(["mug", "", "grasp a mug"])
    assert loads == []
    first = encoder.encode(["grasp a blue astrolabe with both hands", "astrolabes"])
    encoder.encode(["astrolabe"])
    assert model.asked == ["astrolabe"]
    assert loads == [1]
    assert torch.equal(first.tokens[0], first.tokens[1])


def test_what_is_read_can_be_told(offline):
    phrase = offline.read("a person holding 003_cracker_box")
    assert phrase is not None
    assert (phrase.text, phrase.known) == ("cracker box", True)
    assert offline.read("") is None


def test_tokens_move_and_change_precision(offline):
    moved = offline.encode(["mug", ""]).to(device="cpu", dtype=torch.float16)
    assert moved.tokens.dtype == torch.float16
    assert moved.given.dtype == torch.bool


@pytest.mark.assets
def test_known_and_unknown_names_live_in_one_space():
    encoder = load_text_encoder("minilm")
    assert isinstance(encoder, ObjectText)
    book, hammer, ball = (vector(encoder, name) for name in ("book", "hammer", "ball"))
    grimoire = vector(encoder, "she reads an old grimoire")
    assert encoder.read("grimoire").known is False  # type: ignore[union-attr]
    assert grimoire @ book > max(grimoire @ hammer, grimoire @ ball)


@pytest.mark.assets
def test_a_folder_with_minilm_is_accepted_and_gives_the_same():
    from bghop.prior.text.minilm import find_minilm

    given, found = ObjectText.load(find_minilm()), ObjectText.load()
    for prompt in ("mug", "astrolabe"):
        assert torch.equal(vector(given, prompt), vector(found, prompt))


def test_another_model_in_the_folder_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(MiniLm, "load", lambda _: CountingMiniLm())
    with pytest.raises(OptionError, match="is not all-MiniLM-L6-v2"):
        ObjectText.load(tmp_path)
