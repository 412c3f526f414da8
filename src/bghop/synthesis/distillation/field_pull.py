"""Score distillation with priors over fields: the released models, in the right wrist's frame.

One step looks up the object's distances on the first stage's lattice as it lies about the right
hand, encodes them, writes both hands as interaction grids, adds noise, asks for the clean latent
with guidance on ALL channels and the schedule that the network was trained with, and pulls

    w(t) [ object_weight sum_scales mean (image - decode(clean))^2
           + hand_weight / 2 sum_hands mean (field - clean)^2 ]

where scales are the grid and its means over 2^3, 4^3, 8^3 and 16^3 samples, and `w = alpha sigma`.
Encoder, network and decoder are constants: gradients flow through the lookup and the grids only.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bghop.fields.released_frame import origin_right
from bghop.geometry.sdf import SdfGrid
from bghop.geometry.transforms import invert_rigid, rigid, transform_points
from bghop.hands.model import HandModel, HandParameters
from bghop.prior.codec import FieldCodec
from bghop.prior.denoiser import Condition, clean_from
from bghop.prior.first_stage import FirstStage, to_distance_grid
from bghop.prior.layout import LatentParts
from bghop.prior.prior import Prior
from bghop.prior.sampling import guided_answer
from bghop.synthesis.distillation.options import DistillOptions
from bghop.synthesis.distillation.pull import (
    Moment,
    Pulled,
    falling_levels,
    row_noise,
    row_uniform,
)

PATH = 100
"""Levels are numbers of this many steps, as the released sampler walks them: 0 is the cleanest."""
SCALES = 5
_FULL, _HARDLY = -1.0, -0.2  # deepest distances at which an object is fully, hardly in the grid
_OBJECTIVE_STEPS = (15, 30, 50)
_AT_ONCE = 2  # grids that the first stage takes together: it needs half a gigabyte for each


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldScene:
    """Candidates as the network's input, with gradients."""

    image: Float[Tensor, "b 1 n n n"]
    """Object distances over the truncation, clamped."""
    fields: Float[Tensor, "b hand=2 channel x y z"]


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldStep:
    """One step's answer and losses; `object` and `hands` have the level's weight in them."""

    object: Float[Tensor, "b"]
    hands: Float[Tensor, "b hand=2"]
    clean: Float[Tensor, "b channel x y z"]
    latent: Float[Tensor, "b channel x y z"]
    """What noise was added to."""
    noise: Float[Tensor, "b channel x y z"]
    """As the network sees it."""
    decoded: Float[Tensor, "b 1 n n n"] | None


def field_step(
    prior: Prior,
    codec: FieldCodec,
    scene: FieldScene,
    condition: Condition,
    step: Int[Tensor, "b"],
    noise: Float[Tensor, "b channel x y z"],
    *,
    options: DistillOptions,
    decoded: Float[Tensor, "b 1 n n n"] | None = None,
) -> FieldStep:
    """Losses of one step, their gradients flowing to the scene.

    Args:
        prior: network and schedule.
        codec: its codec.
        scene: candidates.
        condition: text and present hands.
        step: noise of each candidate, number on a path of `PATH` levels, 0 the cleanest.
        noise: unit noise.
        options: guidance and weights.
        decoded: the clean object if it is to be taken from an earlier step.
    """
    with torch.no_grad():
        path = prior.schedule.path(PATH)
        place = (PATH - 1 - step).cpu()
        levels = path.level[place].to(scene.image)
        numbers = [codec.layout.spread(x[place].to(scene.image)) for x in (path.alpha, path.sigma)]
        alpha, sigma = numbers
        latent = codec.layout.pack(LatentParts(encoded(codec.first_stage, scene), scene.fields))
        x = alpha * latent + sigma * noise
        denoiser = prior.denoiser
        answer = guided_answer(denoiser, x, levels, condition, options.guidance)
        clean = clean_from(denoiser.prediction, answer, x, alpha, sigma)
        parts = codec.layout.unpack(clean)
        if decoded is None and options.object_weight > 0:
            decoded = _chunked(codec.first_stage.decode, parts.object)
        weight = torch.ones_like(levels[:, 0])
        if options.weight == "bell":
            weight = (path.alpha[place, 0] * path.sigma[place, 0]).to(weight)
    thing = torch.zeros_like(weight)
    if decoded is not None and options.object_weight > 0:
        thing = options.object_weight * weight * pyramid_error(scene.image, decoded)
    error = (scene.fields - parts.hands).square().flatten(2).mean(-1)
    hands = 0.5 * options.hand_weight * weight[:, None] * error * condition.present
    return FieldStep(
        object=thing, hands=hands, clean=clean, latent=latent,
        noise=(x - alpha * clean) / sigma, decoded=decoded,
    )  # fmt: skip


def encoded(first_stage: FirstStage, scene: FieldScene) -> Float[Tensor, "b c x y z"]:
    """Latents of the objects; never with gradients: they would cost a third of an iteration."""
    with torch.no_grad():
        return _chunked(first_stage.encode, scene.image)


def pyramid_error(
    image: Float[Tensor, "b 1 n n n"], target: Float[Tensor, "b 1 n n n"], scales: int = SCALES
) -> Float[Tensor, "b"]:
    """Mean squared differences of two grids and of their means over 2^3, 4^3, ... samples, summed.

    Means are linear, so it is the difference that is averaged.
    """
    gap = image - target
    total = gap.square().flatten(1).mean(1)
    for _ in range(scales - 1):
        gap = functional.avg_pool3d(gap, 2)
        total = total + gap.square().flatten(1).mean(1)
    return total


def highest_step(image: Float[Tensor, "b 1 n n n"], levels: tuple[float, float]) -> Tensor:
    """The released rule: while the object is hardly in the grid, only low noise makes sense.

    Linear between the lowest level (deepest distance -0.2 or more) and the highest one (-1).
    """
    high, low = levels
    deepest = image.detach().flatten(1).amin(1)
    share = ((_HARDLY - deepest) / (_HARDLY - _FULL)).clamp(0, 1)
    return ((low + (high - low) * share) * PATH).floor().long()


@dataclass(kw_only=True, eq=False)
class FieldPull:
    """`Pull` of a prior over fields."""

    prior: Prior
    codec: FieldCodec
    condition: Condition
    sdf: SdfGrid
    """The object, in the prior's frame of the object."""
    model: HandModel
    options: DistillOptions
    seed: int
    _decoded: Tensor | None = None
    _rows: Tensor | None = None

    def __call__(self, moment: Moment) -> Pulled:
        """See the file's head."""
        options, codec = self.options, self.codec
        scene = self.scene(moment.hands, moment.joints)
        noise = row_noise(
            moment.rows, codec.layout.shape, seed=self.seed, iteration=moment.iteration
        )
        kept = None
        if moment.iteration % options.decode_every and self._decoded is not None:
            assert self._rows is not None
            kept = self._decoded[torch.searchsorted(self._rows, moment.rows)]
        answer = field_step(
            self.prior, codec, scene, self.condition.rows(moment.rows),
            self.steps(moment, scene), noise, options=options, decoded=kept,
        )  # fmt: skip
        if kept is None:
            self._decoded, self._rows = answer.decoded, moment.rows
        return Pulled(
            loss=answer.object + answer.hands.sum(1), correction=self._size(answer, moment.hands)
        )

    @torch.no_grad()
    def objective(self, moment: Moment) -> Float[Tensor, "b"]:
        """Root mean square correction of the latent, mean of the parts."""
        scene = self.scene(moment.hands, moment.joints)
        condition = self.condition.rows(moment.rows)
        plain = DistillOptions(guidance=self.options.guidance, object_weight=0.0)
        squares = []
        for step in _OBJECTIVE_STEPS:
            common = torch.zeros_like(moment.rows)
            noise = row_noise(common, self.codec.layout.shape, seed=self.seed, iteration=-1 - step)
            answer = field_step(
                self.prior, self.codec, scene, condition, torch.full_like(moment.rows, step),
                noise, options=plain,
            )  # fmt: skip
            squares.append(self._size(answer, moment.hands).square())
        return torch.stack(squares).mean(0).sqrt()

    def scene(
        self, hands: HandParameters, joints: Float[Tensor, "b hand=2 joint=21 3"]
    ) -> FieldScene:
        """The network's input, in the grid's frame: distances in metres at points in metres."""
        codec, spec = self.codec, self.codec.spec
        T_object_grid = self.frames(hands)
        axis = spec.first_stage_axis(dtype=joints.dtype, device=joints.device) * spec.unit
        lattice = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
        everywhere = lattice.flatten(0, 2).expand(len(joints), -1, -1)
        points = transform_points(T_object_grid, everywhere)
        distance = self.sdf.distance(points).unflatten(1, (1, *lattice.shape[:3]))
        T_grid_object = invert_rigid(T_object_grid)[:, None].expand(-1, 2, -1, -1)
        return FieldScene(
            image=to_distance_grid(distance, codec.first_stage.truncation),
            fields=codec.encode_joints(transform_points(T_grid_object, joints), hands.present),
        )

    def frames(self, hands: HandParameters) -> Float[Tensor, "b 4 4"]:
        """`p_object = T_object_grid @ p_grid`: the grid's axes, origin in its middle."""
        eye = torch.eye(4).to(hands.T_object_hand).expand(len(hands.present), 4, 4)
        if self.codec.spec.frame == "object":
            return eye
        T_right_grid = rigid(eye[:, :3, :3], origin_right(self.model, hands))
        return hands.T_object_hand[:, 1] @ T_right_grid

    def steps(self, moment: Moment, scene: FieldScene) -> Int[Tensor, "b"]:
        """Noise of each candidate."""
        high, low = self.options.levels
        if self.options.order == "falling":
            step = (falling_levels(moment.share, self.options) * PATH).floor().long()
        else:
            highest = highest_step(scene.image, (high, low))
            lowest = torch.full_like(highest, int(low * PATH))
            drawn = row_uniform(moment.rows, seed=self.seed, iteration=moment.iteration)
            step = lowest + ((highest - lowest + 1) * drawn).floor().long()
        return step.clamp(0, PATH - 1)

    def _size(self, answer: FieldStep, hands: HandParameters) -> Float[Tensor, "b"]:
        gap = (answer.clean - answer.latent).square()
        here = torch.cat([torch.ones_like(hands.present[:, :1]), hands.present], dim=1)
        return ((self.codec.layout.means(gap) * here).sum(1) / here.sum(1)).sqrt()


def _chunked(function, grids: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:  # noqa: ANN001
    return torch.cat([function(chunk) for chunk in grids.split(_AT_ONCE)])
