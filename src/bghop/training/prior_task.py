"""What training a prior is: scenes to latents, cases, text, the denoising loss, validation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from bghop.data.scene import SceneBuilder, Scenes
from bghop.prior.denoiser import Condition
from bghop.prior.layout import Layout
from bghop.prior.schedule import Schedule
from bghop.training.cases import CASES, Cases, CaseWeights, cases_of, draw_kinds
from bghop.training.seeds import generator_of

Encode = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`(sdf, joints, present) -> latent`: `LatentCodec.encode`."""
Losses = Callable[..., Tensor]
"""`denoising_loss` of bghop.prior.loss."""
_VALIDATION_SEED = 0x5EED


@dataclass(frozen=True, kw_only=True)
class PriorTaskConfig:
    """How scenes become training examples."""

    cases: CaseWeights = field(default_factory=CaseWeights)
    text_dropout: float = 0.2
    """Share of the examples that are trained without their text, for guidance."""
    turn_drawn_objects: bool = False
    """Whether objects that are to be drawn are turned and shifted like given ones. They need not
    be: a sample's direction says nothing, and a network that draws things as they stand learns
    their shapes sooner."""
    validation_scenes: int = 64
    validation_batch: int = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenTable:
    """Tokens of every prompt that the records have, made once."""

    number: Mapping[str, int]
    tokens: Float[Tensor, "prompt token dim"]
    """The first row is that of the empty prompt: zeros."""

    @classmethod
    def of(
        cls,
        prompts: Sequence[str],
        encode: Callable[[list[str]], Float[Tensor, "prompt token dim"]],
        device: torch.device,
    ) -> "TokenTable":
        """Encode the distinct prompts."""
        distinct = sorted({prompt for prompt in prompts if prompt})
        # A prompt is always encoded, so that the table's shape is known.
        tokens = encode(distinct or ["object"]).to(device=device, dtype=torch.float32)
        empty = torch.zeros_like(tokens[:1])
        number = {"": 0, **{prompt: i + 1 for i, prompt in enumerate(distinct)}}
        return cls(number=number, tokens=torch.cat([empty, tokens]))

    def rows(self, prompts: Sequence[str]) -> tuple[Tensor, Bool[Tensor, "b"]]:
        """Tokens, and whether there is a prompt at all."""
        index = torch.tensor([self.number[prompt] for prompt in prompts])
        return self.tokens[index.to(self.tokens.device)], (index > 0).to(self.tokens.device)


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorInputs:
    """One micro-batch on the device."""

    latent: Float[Tensor, "b ..."]
    condition: Condition
    given: Bool[Tensor, "b part=3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorParts:
    """What a prior is made of, as the task needs it."""

    denoiser: nn.Module
    """Fulfils `Denoiser`."""
    schedule: Schedule
    layout: Layout
    encode: Encode
    losses: Losses
    tokens: TokenTable


class PriorTask:
    """A `Task`: the denoiser of a prior on scenes of a data set."""

    def __init__(
        self,
        parts: PriorParts,
        scenes: SceneBuilder,
        *,
        config: PriorTaskConfig | None = None,
        validation: SceneBuilder | None = None,
        show: Callable[[Path, int], None] | None = None,
        export: Callable[[Path, int], None] | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            parts: network, codec, loss, text.
            scenes: training scenes; built on the device.
            config: cases and text.
            validation: scenes to validate on.
            show: writes samples into the run's folder.
            export: writes the prior into the run's folder.
        """
        self.parts = parts
        self.network = parts.denoiser
        self.scenes = scenes
        self.num_rows = len(scenes)
        self.row_weights = scenes.records.weight
        self.config = config or PriorTaskConfig()
        self.cases, self._weights = _possible_cases(parts.denoiser, self.config.cases)
        self.validation = validation
        self._show, self._export = show, export

    def inputs(self, rows: Tensor, generator: torch.Generator) -> PriorInputs:
        """Scenes of rows after random motions, in random cases."""
        kinds = draw_kinds(len(rows), self._weights, generator)
        still = None if self.config.turn_drawn_objects else kinds.draws_object
        scenes = self.scenes.scenes(rows, generator=generator, still=still)
        cases = cases_of(scenes.hands.present, *kinds)
        dropped = torch.rand(len(rows), generator=generator) < self.config.text_dropout
        return self.prepared(scenes, self.scenes.texts(rows), cases, ~dropped)

    def prepared(
        self, scenes: Scenes, texts: Sequence[str], cases: Cases, with_text: Bool[Tensor, "b"]
    ) -> PriorInputs:
        """Latents and conditions of scenes."""
        device = scenes.sdf.device
        present = cases.present.to(device)
        tokens, has_text = self.parts.tokens.rows(texts)
        with torch.autocast(device.type, enabled=False):  # validation is asked under autocast
            latent = self.parts.encode(scenes.sdf, scenes.joints, present)
        return PriorInputs(
            latent=latent,
            condition=Condition(
                tokens=tokens, text_given=has_text & with_text.to(device), present=present
            ),
            given=cases.given.to(device),
        )  # fmt: skip

    def losses(
        self, network: nn.Module, inputs: PriorInputs, generator: torch.Generator
    ) -> Float[Tensor, "b"]:
        """The denoising loss of each scene."""
        parts = self.parts
        return parts.losses(
            network,
            parts.schedule,
            parts.layout,
            inputs.latent,
            inputs.condition,
            inputs.given,
            generator,
        )

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean loss of every case on fixed scenes, levels and noise; `loss` is their mean."""
        if self.validation is None:
            return {}
        num = min(self.config.validation_scenes, len(self.validation))
        # Spread over the set, as neighbours are of one object.
        rows = torch.linspace(0, len(self.validation) - 1, num).round().long()
        totals = dict.fromkeys(self.cases, 0.0)
        for first, chunk in enumerate(rows.split(self.config.validation_batch)):
            scenes = self.validation.scenes(chunk)
            texts = self.validation.texts(chunk)
            for name in self.cases:
                number = CASES.index(name)
                kind = torch.full((len(chunk),), number)
                turn = torch.arange(len(chunk)) % 2 == 0
                cases = cases_of(scenes.hands.present, kind, turn, ~turn)
                inputs = self.prepared(scenes, texts, cases, torch.ones(len(chunk)) > 0)
                generator = generator_of(_VALIDATION_SEED, first, number)
                losses = self.losses(self.network, inputs, generator)
                totals[name] += float(losses.float().sum()) / num
        return {"loss": sum(totals.values()) / len(totals), **totals}

    def show(self, folder: Path, step: int) -> None:
        """Samples, if the run asked for them."""
        if self._show is not None:
            self._show(folder, step)

    def export(self, folder: Path, step: int) -> None:
        """The prior as others load it."""
        if self._export is not None:
            self._export(folder, step)


def _possible_cases(
    network: nn.Module, weights: CaseWeights
) -> tuple[tuple[str, ...], CaseWeights]:
    """A network with one level for all parts has no given ones: it trains jointly."""
    if getattr(network, "level_per_part", True):
        return CASES, weights
    return ("joint",), CaseWeights(
        joint=1.0, object=0.0, object_and_hand=0.0, hands=0.0, single_hand=0.0
    )
