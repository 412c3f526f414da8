"""`Prior`: denoiser, codec, schedule and text as one object; p(object, left, right | text).

One call samples every conditional: what is `Known` stays as it is, everything else is drawn.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bghop.errors import OptionError
from bghop.hands.model import HandModel, HandParameters
from bghop.prior.codec import Codec
from bghop.prior.denoiser import Condition
from bghop.prior.known_words import led_by_known, likely_words, nearest_known
from bghop.prior.layout import OBJECT
from bghop.prior.object_prior import ObjectPrior, Shapes
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.sampling import Given, SampleOptions, noise_like, sample_latents
from bghop.prior.schedule import Schedule
from bghop.prior.text.encoder import TextEncoder, load_text_encoder
from bghop.prior.transformer import PatchTransformer
from bghop.threads import one_thread

OBJECT_TEMPERATURE = 0.7
"""Spread of the noise that objects are drawn from: below 1 they are more typical, and whole."""
OBJECT_GUIDANCE = 1.5
_OTHER_NOISE = 0x9E3779B1


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What is known of the interactions to be sampled, in the grid's frame, metres."""

    sdf: Float[Tensor, "b 1 n n n"] | None = None
    """Object distances on the first stage's lattice; None: the object is sampled."""
    joints: Float[Tensor, "b hand=2 joint=21 3"] | None = None
    """Joints of the known hands; the other rows are not read."""
    hands: Bool[Tensor, "b hand=2"] | None = None
    """Which hands are known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sampled:
    """Interactions in the grid's frame, one row each."""

    latent: Float[Tensor, "b ..."]
    hands: HandParameters
    """Fitted to the sampled joints or grids; known hands too (`Known` has the originals)."""
    condition: Condition


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnObjects:
    """Objects of an object prior, one row each."""

    shapes: Shapes
    genus: Int[Tensor, "b 2"] | None
    """The fewest and the most handles that objects of each row's word have, if that is known."""


@dataclass(kw_only=True, eq=False)
class Prior:
    """A learned prior; networks in evaluation mode on one device."""

    denoiser: PatchTransformer | ReleasedDenoiser
    codec: Codec
    schedule: Schedule
    text_encoder: str = "minilm"
    """Name for `load_text_encoder`."""
    hand_model: str = "open"
    """Name of the hand model that it was trained with."""
    origin: dict[str, Any] = field(default_factory=dict)
    """Where the weights come from: recipe, data, commit."""
    objects: ObjectPrior | None = None
    """Draws the object where neither it nor a hand is known; the denoiser does if None."""
    _encoder: TextEncoder | None = None

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.denoiser.parameters()).device

    def to(self, device: torch.device | str) -> "Prior":
        """Move the networks."""
        self.denoiser.to(device)
        if isinstance(self.codec.first_stage, nn.Module):
            self.codec.first_stage.to(device)
        if self.objects is not None:
            self.objects.to(device)
        return self

    def compile(self) -> "Prior":
        """Let torch compile the denoiser at its next call: for GPUs and many batches."""
        self.denoiser.compile()
        return self

    def load_text(self, folder: Path | None = None) -> TextEncoder:
        """The text encoder, loaded on first use.

        Args:
            folder: the text model's files, where the encoder needs some (CLIP) or allows some.

        Raises:
            OptionError: The encoder needs a folder or package that is not there.
        """
        if self._encoder is None or folder is not None:
            self._encoder = load_text_encoder(self.text_encoder, folder)
            if isinstance(self.denoiser, ReleasedDenoiser):
                self.denoiser.set_empty_text(self._encoder.encode([""]).tokens[0])
        return self._encoder

    def condition(
        self, prompts: Sequence[str], present: Bool[Tensor, "b hand=2"] | None = None
    ) -> Condition:
        """Prompts as the denoiser is told them; an empty one says nothing.

        Args:
            prompts: a word or a sentence each.
            present: hands that exist; both if not given.

        Raises:
            OptionError: A prompt cannot be used by the prior's text encoder.
        """
        texts = [self.worded(prompt) for prompt in prompts]
        tokens = self.load_text().encode(texts)
        if present is None:
            present = torch.ones(len(texts), 2, dtype=torch.bool)
            if isinstance(self.denoiser, ReleasedDenoiser) and self.denoiser.hands == 1:
                present[:, 0] = False
        given = torch.tensor([bool(prompt.strip()) for prompt in prompts])
        return Condition(tokens=tokens.tokens.float(), text_given=given, present=present).to(
            self.device
        )

    def sample(
        self,
        condition: Condition,
        model: HandModel,
        *,
        seed: int = 0,
        first: int = 0,
        known: Known | None = None,
        shape: Float[Tensor, "b hand=2 shape"] | None = None,
        options: SampleOptions | None = None,
        progress: Callable[[int, int], None] | None = None,
        watch: Callable[[int, Tensor, Tensor], None] | None = None,
    ) -> Sampled:
        """Draw interactions.

        Args:
            condition: of `condition`; its length is the number of samples.
            model: hand model, on the prior's device.
            seed: of the noise; row `i` depends on `(seed, first + i)` only.
            first: number of the first row.
            known: parts that are given.
            shape: of the hands; found in the sample if None: that of one person for both.
            options: method, steps, guidance.
            progress: called with (steps done, steps in all).
            watch: see `sample_latents`.
        """
        num = len(condition.present)
        noise = noise_like(num, self.codec.layout.shape, seed=seed, first=first, device=self.device)
        given = None if known is None else self.given(known, condition.present)
        if isinstance(self.denoiser, ReleasedDenoiser) and options is None:
            options = SampleOptions(method="ddim", steps=100, guidance=4.0, clip=1.0)
        latent = sample_latents(
            self.denoiser, self.schedule, self.codec.layout, condition, noise,
            options=options, given=given, progress=progress, watch=watch,
        )  # fmt: skip
        # Fits of some thousand numbers: a second thread only waits.
        with one_thread() if latent.device.type == "cpu" else nullcontext():
            hands = self.codec.decode_hands(latent, model, condition.present, shape)
        return Sampled(latent=latent, hands=hands, condition=condition)

    @torch.no_grad()
    def draw_objects(
        self, condition: Condition, *, seed: int = 0, first: int = 0, again: int = 0
    ) -> DrawnObjects:
        """Draw objects from the object prior; hands for them are then drawn by `sample`.

        Args:
            condition: of `condition`; its length is the number of objects.
            seed: of the noise; row `i` depends on `(seed, first + i)` only.
            first: number of the first row.
            again: another number draws another object after the same known word: new words would
                else be drawn after whichever word is drawn well.

        Raises:
            OptionError: The prior has no object prior.
        """
        objects, num = self.objects, len(condition.present)
        if objects is None:
            raise OptionError("this prior has no object prior: `bghop train objects` makes one")
        noise = OBJECT_TEMPERATURE * noise_like(
            num, (objects.numbers,), seed=(seed + again * _OTHER_NOISE) % 2**63, first=first,
            device=self.device,
        )  # fmt: skip
        text, genus = condition.tokens.mean(1), None
        if objects.config.words:
            other = noise_like(num, (1,), seed=seed + 1, first=first, device=self.device)
            known = self._known_words(objects)
            text = led_by_known(text, known, torch.special.ndtr(other[:, 0]))
            if objects.config.genus:
                limits = torch.tensor(objects.config.genus, device=self.device)
                of_any = torch.stack([limits[:, 0].amin(), limits[:, 1].amax()])
                own = limits[nearest_known(text, known)]
                genus = torch.where(condition.text_given[:, None], own, of_any)
        found = objects.sample(text, condition.text_given, noise, guidance=OBJECT_GUIDANCE)
        return DrawnObjects(shapes=found, genus=genus)

    def drawn_after(self, prompt: str, *, least: float = 0.05) -> dict[str, float]:
        """Known words that an object of a new word is drawn after, and how likely.

        Args:
            prompt: a word or a sentence.
            least: how likely a word must be to be told.

        Returns:
            Likeliest first; empty where the prompt is known, or taken as it is.
        """
        if self.objects is None or not self.objects.config.words or not prompt.strip():
            return {}
        text = self.condition([prompt]).tokens.mean(1)
        likely = likely_words(text, self._known_words(self.objects))[0]
        order = likely.argsort(descending=True).tolist()
        words = self.objects.config.words
        return {words[k]: float(likely[k]) for k in order if likely[k] >= least}

    def _known_words(self, objects: ObjectPrior) -> Float[Tensor, "word dim"]:
        tokens = self.load_text().encode(objects.config.words).tokens
        return tokens.float().mean(1).to(self.device)

    @torch.no_grad()
    def given(self, known: Known, present: Bool[Tensor, "b hand=2"]) -> Given:
        """Known parts as latents.

        Raises:
            OptionError: A hand is known but not present.
        """
        num, spec = len(present), self.codec.spec
        fine = spec.resolution * spec.reduction
        parts = torch.zeros(num, 3, dtype=torch.bool, device=self.device)
        sdf = known.sdf
        if sdf is None:
            sdf = torch.ones(1, 1, fine, fine, fine, device=self.device).expand(num, -1, -1, -1, -1)
        else:
            parts[:, OBJECT] = True
        joints = known.joints
        if joints is None or known.hands is None:
            joints = torch.zeros(num, 2, 21, 3, device=self.device)
        else:
            if bool((known.hands & ~present).any()):
                raise OptionError("a hand is given that is not present: keep hands that exist")
            parts[:, 1:] = known.hands
        latent = self.codec.encode(sdf.to(self.device), joints.to(self.device), present)
        return Given(latent=latent, parts=parts)

    def object_grid(self, sampled: Sampled) -> Float[Tensor, "b 1 n n n"]:
        """Decoded object distances over the first stage's truncation, negative inside."""
        with torch.no_grad():
            return self.codec.decode_object(sampled.latent)

    def worded(self, prompt: str) -> str:
        """A prompt in the words that the denoiser was trained with: released ones ask for hands."""
        if self.text_encoder != "clip" or not prompt.strip():
            return prompt
        from bghop.prior.text.clip import one_hand_prompt, two_hand_prompt

        one = isinstance(self.denoiser, ReleasedDenoiser) and self.denoiser.hands == 1
        return one_hand_prompt(prompt) if one else two_hand_prompt(prompt)
