"""Score distillation with our priors: the object is given clean, the hands are their joints.

One step adds noise of one level to the joints of both hands, asks the prior for the clean joints
and pulls the hands there: `loss = w(t) / 2 |clean - joints|^2`, whose gradient by the joints is the
score's (`clean` is a constant). A joint feels the pull however far away it is; there is no range of
some centimetres as in a truncated field. The network needs no gradient and no decoder.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bghop.prior.codec import JointCodec
from bghop.prior.denoiser import Condition, clean_from
from bghop.prior.layout import OBJECT, LatentParts
from bghop.prior.prior import Known, Prior
from bghop.prior.sampling import guided_answer
from bghop.synthesis.distillation.options import DistillOptions
from bghop.synthesis.distillation.pull import (
    Moment,
    Pulled,
    falling_levels,
    row_noise,
    row_uniform,
)

_OBJECTIVE_LEVELS = (0.15, 0.3, 0.5)
_OBJECTIVE_NOISES = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class JointPull:
    """`Pull` of a prior with a level per part over joints."""

    prior: Prior
    codec: JointCodec
    condition: Condition
    """Of all candidates."""
    object: Float[Tensor, "1 c x y z"]
    """Latent of the object, the same for all."""
    options: DistillOptions
    seed: int

    @classmethod
    def of(
        cls,
        prior: Prior,
        codec: JointCodec,
        sdf: Float[Tensor, "1 1 n n n"],
        condition: Condition,
        options: DistillOptions,
        seed: int,
    ) -> "JointPull":
        """Encode the object once: distances on the first stage's lattice, metres."""
        given = prior.given(Known(sdf=sdf), condition.present[:1])
        return cls(
            prior=prior,
            codec=codec,
            condition=condition,
            object=codec.layout.unpack(given.latent).object,
            options=options,
            seed=seed,
        )

    def __call__(self, moment: Moment) -> Pulled:
        """See the file's head."""
        if self.options.order == "falling":
            level = falling_levels(moment.share, self.options)
        else:
            high, low = self.options.levels
            drawn = row_uniform(moment.rows, seed=self.seed, iteration=moment.iteration)
            level = low + (high - low) * drawn
        shape = moment.joints.shape[1:]
        noise = row_noise(moment.rows, shape, seed=self.seed, iteration=moment.iteration)
        residual, weight = self._residual(moment, level, noise)
        return Pulled(
            loss=0.5 * weight * residual.square().flatten(1).sum(1),
            correction=self._metres(residual.detach(), moment),
            curvature=weight / self.codec.joint_scale**2,
        )

    @torch.no_grad()
    def objective(self, moment: Moment) -> Float[Tensor, "b"]:
        """Root mean square correction of the joints, metres."""
        squares = []
        for number, level in enumerate(_OBJECTIVE_LEVELS * _OBJECTIVE_NOISES):
            levels = torch.full_like(moment.share, level)
            common = torch.zeros_like(moment.rows)
            noise = row_noise(
                common, moment.joints.shape[1:], seed=self.seed, iteration=-1 - number
            )
            residual, _ = self._residual(moment, levels, noise)
            squares.append(self._metres(residual, moment).square())
        return torch.stack(squares).mean(0).sqrt()

    def _residual(
        self,
        moment: Moment,
        level: Float[Tensor, "b"],
        noise: Float[Tensor, "b hand=2 joint=21 3"],
    ) -> tuple[Float[Tensor, "b hand=2 joint=21 3"], Float[Tensor, "b"]]:
        """`joints - clean` in the state's units, 0 for absent hands; and the level's weight."""
        present = moment.hands.present
        state = self.codec.encode_joints(moment.joints, present)
        levels = level[:, None].repeat(1, 3)
        levels[:, OBJECT] = 0
        clean, weight = self._clean(state.detach(), levels, noise, moment.rows)
        return (state - clean) * present[:, :, None, None], weight

    @torch.no_grad()
    def _clean(
        self,
        state: Float[Tensor, "b hand=2 joint=21 3"],
        levels: Float[Tensor, "b part=3"],
        noise: Float[Tensor, "b hand=2 joint=21 3"],
        rows: Int[Tensor, "b"],
    ) -> tuple[Float[Tensor, "b hand=2 joint=21 3"], Float[Tensor, "b"]]:
        prior, layout = self.prior, self.codec.layout
        alpha, sigma = prior.schedule.alpha_sigma(levels)
        a, s = alpha[:, 1:, None, None], sigma[:, 1:, None, None]
        thing = self.object.expand(len(state), -1, -1, -1, -1)
        x = layout.pack(LatentParts(thing, a * state + s * noise))
        answer = guided_answer(
            prior.denoiser, x, levels, self.condition.rows(rows), self.options.guidance
        )
        clean = clean_from(
            prior.denoiser.prediction, answer, x, layout.spread(alpha), layout.spread(sigma)
        )
        bell = self.options.weight == "bell"
        weight = alpha[:, 1] * sigma[:, 1] if bell else torch.ones_like(alpha[:, 1])
        return layout.unpack(clean).hands, weight

    def _metres(
        self, residual: Float[Tensor, "b hand=2 joint=21 3"], moment: Moment
    ) -> Float[Tensor, "b"]:
        squared = residual.square().sum(-1).mean(-1).sum(-1)
        return (squared / moment.hands.present.sum(-1).clamp_min(1)).sqrt() * self.codec.joint_scale
