"""Training the object prior of a prior: p(object | text) over principal shapes and sizes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from bghop.data.normalised import normalised_distances
from bghop.data.scene import SceneBuilder
from bghop.errors import OptionError
from bghop.prior.checkpoint import WEIGHTS, load_prior
from bghop.prior.first_stage import FirstStage
from bghop.prior.object_prior import (
    ObjectPrior,
    ObjectPriorConfig,
    Shapes,
    decode_shapes,
    encode_shapes,
)
from bghop.prior.prior import Prior
from bghop.prior.surface import drawn_surface
from bghop.training.config import LoopConfig, to_json
from bghop.training.distributed import World
from bghop.training.loop import Listener, Outcome, train
from bghop.training.prior import PRIOR_FOLDER, save_prior
from bghop.training.prior_task import TokenTable
from bghop.training.run import begin_run, commit_of, sha256
from bghop.training.seeds import generator_of
from bghop.training.sources import SourceConfig, load_sources
from bghop.training.state import load_network

_VALIDATION_SEED = 0x0B1E
_AT_ONCE = 32
_MEASURED = 10
"""Objects of each word whose handles are counted."""


@dataclass(frozen=True, kw_only=True)
class TrainObjects:
    """What `bghop train objects` is told."""

    data: SourceConfig
    """Only objects, joint values and texts of its records are used."""
    source: Path
    """Folder of the prior that the object prior belongs to; written again with it."""
    network: dict[str, Any] = field(default_factory=dict)
    """Fields of `ObjectPriorConfig` that differ from the defaults."""
    text_dropout: float = 0.15
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=2500, batch=128, micro=128, learning_rate=1e-3, warmup=100, ema=0.999,
            sample_every=0, validate_every=250,
        )
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectInputs:
    """One micro-batch."""

    clean: Float[Tensor, "b k"]
    text: Float[Tensor, "b dim"]
    text_given: Bool[Tensor, "b"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectSet:
    """The distinct objects of some records as coefficients, and their texts."""

    coefficients: Float[Tensor, "object mirror=2 k"]
    texts: Sequence[tuple[str, ...]]


class ObjectTask:
    """A `Task`: rows are objects; each is seen in either mirror under one of its texts."""

    def __init__(
        self,
        network: ObjectPrior,
        objects: ObjectSet,
        tokens: TokenTable,
        *,
        text_dropout: float,
        validation: ObjectSet | None = None,
        export: Callable[[Path, int], None] | None = None,
    ) -> None:
        """Put the parts together."""
        self.network: nn.Module = network
        self.num_rows = len(objects.texts)
        self.row_weights: Tensor | None = None
        self._objects, self._validation = objects, validation
        self._tokens, self._dropout, self._export = tokens, text_dropout, export

    def inputs(self, rows: Tensor, generator: torch.Generator) -> ObjectInputs:
        """Coefficients and texts of objects."""
        return self._drawn(self._objects, rows, generator)

    def losses(
        self, network: nn.Module, inputs: ObjectInputs, generator: torch.Generator
    ) -> Float[Tensor, "b"]:
        """Mean squared error of `v` of each object."""
        clean = inputs.clean
        num = len(clean)
        place = torch.randperm(num, generator=generator) + torch.rand(num, generator=generator)
        level = (1 - place / num).to(clean.device)
        noise = torch.randn(clean.shape, generator=generator).to(clean)
        turn = torch.pi / 2 * level[:, None]
        alpha, sigma = turn.cos(), turn.sin()
        answer = network(alpha * clean + sigma * noise, level, inputs.text, inputs.text_given)
        return (answer - (alpha * noise - sigma * clean)).square().mean(1)

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """The loss of objects that are not trained on, at fixed levels and noise."""
        if self._validation is None:
            return {}
        rows = torch.arange(len(self._validation.texts)).repeat(8)
        generator = generator_of(_VALIDATION_SEED)
        inputs = self._drawn(self._validation, rows, generator)
        return {"loss": float(self.losses(self.network, inputs, generator).mean())}

    def show(self, folder: Path, step: int) -> None:
        """No samples: `bghop sample` draws them."""

    def export(self, folder: Path, step: int) -> None:
        """The prior with this object prior."""
        if self._export is not None:
            self._export(folder, step)

    def _drawn(self, objects: ObjectSet, rows: Tensor, generator: torch.Generator) -> ObjectInputs:
        mirror = torch.randint(2, (len(rows),), generator=generator)
        pick = torch.rand(len(rows), generator=generator)
        words = [
            objects.texts[row][int(share * len(objects.texts[row]))]
            for row, share in zip(rows.tolist(), pick.tolist(), strict=True)
        ]
        kept = torch.rand(len(rows), generator=generator) >= self._dropout
        text, there = self._tokens.rows(words)
        clean = objects.coefficients[rows, mirror]
        return ObjectInputs(
            clean=clean, text=text.mean(1), text_given=there & kept.to(there.device)
        )


def train_objects(
    config: TrainObjects,
    folder: Path,
    *,
    world: World | None = None,
    minutes: float | None = None,
    listener: Listener | None = None,
    stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Train an object prior; goes on where the folder's run stopped.

    Writes `prior/` (the source prior with it), `train.csv`, `validation.csv`, `run.json` and the
    state to go on from.

    Raises:
        BghopError: Bad options or data, or a folder of another run.
    """
    world = world or World()
    prior = load_prior(config.source)
    if prior.text_encoder != "minilm":
        raise OptionError(
            f"{config.source} hears words by '{prior.text_encoder}', object priors by minilm: "
            "start from a prior with text minilm"
        )
    prior.to(world.device)
    stage = prior.codec.first_stage
    sources = load_sources(config.data, prior.codec.spec, world.device, truncation=stage.truncation)
    torch.manual_seed(config.loop.seed)
    numbers: dict[str, Any] = {
        "channels": stage.latent_channels,
        "words": tuple(sorted(set(sources.train.records.text) - {""})),
        **config.network,
    }
    try:
        network = ObjectPrior(ObjectPriorConfig(**numbers))
    except TypeError as error:
        raise OptionError(f"network: {error}: use fields of ObjectPriorConfig") from error
    shapes, texts = object_shapes(sources.train, stage, network.config.fill)
    words = network.config.words
    if find_spec("igl") and find_spec("scipy"):
        network.config = replace(network.config, genus=usual_genus(prior, shapes, texts, words))
    elif listener is not None:
        listener.said("no mesh library here: handles are not counted, torn objects will be kept")
    network.to(world.device).fit(shapes)
    # A fit on another machine has other signs: going on, coefficients are those of the first one.
    load_network(folder, network)
    encoder = prior.load_text()
    tokens = TokenTable.of(sources.texts, lambda words: encoder.encode(words).tokens, world.device)

    def in_coefficients(shapes: Shapes, words: Sequence[tuple[str, ...]]) -> ObjectSet:
        with torch.no_grad():
            flat = network.coefficients(shapes)
        return ObjectSet(coefficients=flat.unflatten(0, (-1, 2)), texts=words)

    validation = None
    if sources.validation is not None:
        validation = in_coefficients(*object_shapes(sources.validation, stage, network.config.fill))
    prior.objects = network

    def export(where: Path, step: int) -> None:
        prior.origin = {**prior.origin, "objects": _origin(config, step)}
        save_prior(prior, where / PRIOR_FOLDER)

    task = ObjectTask(
        network, in_coefficients(shapes, texts), tokens, text_dropout=config.text_dropout,
        validation=validation, export=export,
    )  # fmt: skip
    if world.first:
        begin_run(folder, "objects", to_json(config), _files(config))
    return train(
        task, config.loop, folder, world=world, minutes=minutes, listener=listener, stop=stop
    )


@torch.no_grad()
def object_shapes(
    builder: SceneBuilder, stage: FirstStage, fill: float
) -> tuple[Shapes, list[tuple[str, ...]]]:
    """Shapes of the distinct objects of records, and their texts.

    Each object is there twice, as it stands and mirrored, one after the other.
    """
    first: dict[tuple[str, float], int] = {}
    words: dict[tuple[str, float], set[str]] = {}
    records = builder.records
    for row, key in enumerate(zip(records.object, records.joint_value.tolist(), strict=True)):
        first.setdefault(key, row)
        words.setdefault(key, set()).add(records.text[row])
    axis = builder.spec.first_stage_axis() * builder.spec.unit
    latents, sizes = [], []
    for rows in torch.tensor(list(first.values())).split(_AT_ONCE):
        index = builder.objects.index_of([records.object[row] for row in rows.tolist()])
        sdf, size = normalised_distances(
            builder.objects, index, records.joint_value[rows], axis, fill=fill,
            truncation=builder.truncation,
        )  # fmt: skip
        both = torch.stack([sdf, sdf.flip(2)], dim=1).flatten(0, 1)
        latents.append(encode_shapes(stage, both))
        sizes.append(size.repeat_interleave(2))
    found = Shapes(latents=torch.cat(latents), sizes=torch.cat(sizes))
    return found, [tuple(sorted(words[key])) for key in first]


@torch.no_grad()
def usual_genus(
    prior: Prior,
    shapes: Shapes,
    texts: Sequence[tuple[str, ...]],
    words: Sequence[str],
) -> tuple[tuple[int, int], ...]:
    """The fewest and most handles of each word's objects, as their latents show them.

    One in ten may have fewer, one in ten more.

    Args:
        prior: whose first stage and grid the shapes are of.
        shapes: of `object_shapes`: two for each object.
        texts: of each object.
        words: whose objects are looked at.
    """
    from bghop.geometry.topology import genus

    stage, known = prior.codec.first_stage, dict[int, int]()

    def handles(number: int) -> int:
        if number not in known:
            grid = decode_shapes(stage, shapes.latents[2 * number][None])[0]
            mesh = drawn_surface(grid, prior.codec.spec, truncation=stage.truncation)
            known[number] = 0 if mesh is None else genus(mesh.faces)
        return known[number]

    found = []
    for word in words:
        own = [number for number, said in enumerate(texts) if word in said]
        some = np.linspace(0, len(own) - 1, min(_MEASURED, len(own))).round().astype(int)
        counts = [handles(own[k]) for k in some]
        low, high = np.quantile(counts, [0.1, 0.9], method="inverted_cdf")
        found.append((int(low), int(high)))
    return tuple(found)


def _files(config: TrainObjects) -> dict[str, Path]:
    return {
        "records": config.data.records, "objects": config.data.objects,
        "source": config.source / WEIGHTS,
    }  # fmt: skip


def _origin(config: TrainObjects, step: int) -> dict[str, Any]:
    return {
        "config": to_json(config),
        "data": {name: sha256(path) for name, path in _files(config).items()},
        "commit": commit_of(Path(__file__).parent),
        "step": step,
    }
