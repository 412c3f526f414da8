"""New words are drawn after known ones, the likelier the nearer; known words stay themselves."""

import pytest
import torch

from bghop.prior.checkpoint import load_prior
from bghop.prior.known_words import KNOWN, led_by_known, likely_words, nearest_known
from bghop.prior.prior import Prior

KNOWN_WORDS = torch.eye(4)[:3]


@pytest.fixture(scope="module")
def shipped() -> Prior:
    return load_prior()


def test_a_known_word_and_whatever_is_as_near_stay_bit_for_bit():
    near = torch.tensor([[KNOWN + 0.01, (1 - (KNOWN + 0.01) ** 2) ** 0.5, 0.0, 0.0]])
    text = torch.cat([KNOWN_WORDS, near])
    assert torch.equal(led_by_known(text, KNOWN_WORDS, torch.linspace(0, 1, 4)), text)
    assert float(likely_words(text, KNOWN_WORDS).abs().max()) == 0.0


def test_a_new_word_is_drawn_after_known_ones_as_often_as_it_is_likely():
    text = torch.tensor([[0.30, 0.27, -0.2, 0.8]])
    likely = likely_words(text, KNOWN_WORDS)[0]
    assert likely.argsort(descending=True).tolist() == [0, 1, 2]
    assert float(likely.sum()) == pytest.approx(1.0)
    num = 2000
    draw = (torch.arange(num) + 0.5) / num
    led = led_by_known(text.expand(num, 4), KNOWN_WORDS, draw)
    often = torch.stack([(led == word).all(-1).float().mean() for word in KNOWN_WORDS])
    torch.testing.assert_close(often, likely, atol=1e-3, rtol=0)


def test_the_ends_of_the_draw_are_words_too():
    text = torch.tensor([[0.1, 0.2, 0.15, 0.9]]).expand(2, 4)
    led = led_by_known(text, KNOWN_WORDS, torch.tensor([0.0, 1.0]))
    assert torch.equal(led, KNOWN_WORDS[[0, 2]])


def test_every_text_has_a_nearest_known_word():
    text = torch.tensor([[0.3, 0.2, 0.1, 0.8], [0.9, 0.0, 0.1, 0.0]])
    cosine = torch.nn.functional.cosine_similarity(text[:, None], KNOWN_WORDS[None], dim=-1)
    assert nearest_known(text, KNOWN_WORDS).tolist() == cosine.argmax(1).tolist()
    assert nearest_known(KNOWN_WORDS, 3 * KNOWN_WORDS).tolist() == list(range(len(KNOWN_WORDS)))


def test_lengths_of_embeddings_do_not_matter():
    text = torch.tensor([[0.3, 0.2, 0.1, 0.8]])
    torch.testing.assert_close(
        likely_words(5 * text, 2 * KNOWN_WORDS), likely_words(text, KNOWN_WORDS)
    )


def test_the_shipped_prior_knows_its_words_and_says_what_others_are_drawn_after(shipped: Prior):
    assert shipped.drawn_after("mug") == shipped.drawn_after("two mugs") == {}
    assert shipped.drawn_after("") == {}
    books = shipped.drawn_after("encyclopedia")
    assert {"textbook", "book"} <= set(books)
    assert list(books.values()) == sorted(books.values(), reverse=True)
    assert next(iter(shipped.drawn_after("football"))) == "basketball"
