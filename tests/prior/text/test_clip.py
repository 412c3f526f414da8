"""CLIP for released weights: prompts as trained, pooled vectors as transformers gives them."""

import json

import pytest
import torch

from bghop.errors import OptionError
from bghop.prior.text.clip import ClipText, one_hand_prompt, two_hand_prompt

WIDTH = 32


@pytest.mark.parametrize(
    "prompt",
    ["banana", "bananas", "a banana", "011_banana", "a person holding a yellow banana"],
)
def test_released_prompts(prompt):
    assert two_hand_prompt(prompt) == "grasp banana with both hands"
    assert one_hand_prompt(prompt) == "an image of a hand grasping a banana"


@pytest.mark.parametrize("make", [two_hand_prompt, one_hand_prompt])
@pytest.mark.parametrize("prompt", ["banana", "cracker box", "zorbulator", "", "with both hands"])
def test_a_prompt_is_put_into_the_sentence_once(make, prompt):
    assert make(make(prompt)) == make(prompt)


def test_an_empty_prompt_stays_empty():
    assert two_hand_prompt("") == one_hand_prompt("  ") == ""


def test_a_list_is_refused():
    """The released code formatted a list and then took the first letter of the sentence."""
    # TypeError where the type hook is on, as in `make test`.
    with pytest.raises((OptionError, TypeError), match=r"is no string|Type-check"):
        two_hand_prompt(["banana"])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    """A random CLIP with text and image tower, and a vocabulary of letters."""
    transformers = pytest.importorskip("transformers", reason="needs bghop[clip]")
    from transformers.convert_slow_tokenizer import bytes_to_unicode  # type: ignore[import-not-found]

    folder = tmp_path_factory.mktemp("tiny_clip")
    letters = list(bytes_to_unicode().values())
    entries = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges = [("m", "u"), ("mu", "g</w>")]
    entries += ["mu", "mug</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {entry: i for i, entry in enumerate(entries)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines))
    ends = {"bos_token_id": len(entries) - 2, "eos_token_id": len(entries) - 1, "pad_token_id": 1}
    sizes = {"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2, "projection_dim": 16}
    config = transformers.CLIPConfig(
        text_config={**sizes, **ends, "vocab_size": len(entries)},
        vision_config={**sizes, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    return folder


def test_pooled_vectors_of_the_text_tower(tiny_folder):
    from transformers import CLIPModel, CLIPTokenizer  # type: ignore[import-not-found]

    encoder = ClipText.load(tiny_folder)
    prompts = [two_hand_prompt("mug"), "", "an image of a hand grasping a mug"]
    result = encoder.encode(prompts)
    assert (encoder.name, encoder.dim) == ("clip", WIDTH)
    assert result.tokens.shape == (3, 1, WIDTH)
    # Independent: the whole model, the batch padded.
    model = CLIPModel.from_pretrained(tiny_folder).eval()
    tokenizer = CLIPTokenizer.from_pretrained(tiny_folder)
    encoded = tokenizer(prompts, padding="max_length", max_length=77, return_tensors="pt")
    with torch.no_grad():
        pooled = model.text_model(**encoded).pooler_output
    torch.testing.assert_close(result.tokens[:, 0], pooled, atol=1e-5, rtol=1e-4)


def test_the_empty_prompt_is_a_text_like_any_other(tiny_folder):
    result = ClipText.load(tiny_folder).encode(["", "mug"])
    assert result.given.all()
    assert result.tokens.any(dim=-1).all()


def test_rows_do_not_depend_on_the_batch(tiny_folder):
    encoder = ClipText.load(tiny_folder)
    together = encoder.encode(["mug", "grasp mug with both hands"]).tokens
    assert torch.equal(encoder.encode(["mug"]).tokens[0], together[0])


def test_a_very_long_prompt_is_cut(tiny_folder):
    assert ClipText.load(tiny_folder).encode(["mug " * 500]).tokens.shape == (1, 1, WIDTH)


def test_weights_that_lack_a_tensor_are_refused(tiny_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    for path in tiny_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    state = load_file(tmp_path / "model.safetensors")
    lost = next(name for name in state if "text_model" in name and "layers.1" in name)
    rest = {name: tensor for name, tensor in state.items() if name != lost}
    save_file(rest, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(OptionError, match=r"has no tensor .*layers\.1"):
        ClipText.load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_damaged_files_are_refused_in_one_line(tiny_folder, tmp_path, name):
    for path in tiny_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:50])
    with pytest.raises(OptionError, match="cannot be read") as caught:
        ClipText.load(tmp_path)
    assert "\n" not in str(caught.value)
