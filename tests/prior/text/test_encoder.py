"""Encoders are found by the name in a checkpoint; what cannot be loaded says how to mend it."""

import pytest

from bghop.errors import OptionError
from bghop.prior.text.encoder import ENCODERS, load_text_encoder


def test_names():
    assert ENCODERS == ("minilm", "clip", "none")
    assert load_text_encoder("minilm").name == "minilm"
    assert load_text_encoder("none").name == "none"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        OptionError, match="unknown text encoder 't5': known are minilm, clip, none"
    ):
        load_text_encoder("t5")


def test_without_text_only_empty_prompts_are_taken():
    encoder = load_text_encoder("none")
    result = encoder.encode(["", ""])
    assert result.tokens.shape == (2, 0, encoder.dim)
    assert not result.given.any()
    with pytest.raises(OptionError, match="trained without text and cannot use 'mug'"):
        encoder.encode(["mug"])


def test_without_text_a_text_model_is_refused(tmp_path):
    with pytest.raises(OptionError, match="has no text encoder"):
        load_text_encoder("none", tmp_path)


@pytest.mark.parametrize("name", ["minilm", "clip"])
def test_an_empty_folder_says_which_file_is_missing(name, tmp_path):
    with pytest.raises(OptionError, match=r"config.json is missing.*--text-model DIR"):
        load_text_encoder(name, tmp_path)


def test_clip_needs_a_folder():
    with pytest.raises(OptionError, match="need CLIP's text model: give the folder"):
        load_text_encoder("clip")
