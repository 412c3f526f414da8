"""A prior that knows a few pairs of hands exactly: the posterior mean of their joints.

If the joints are those of one of finitely many pairs `m_k` with equal probability, and noise hides
them, `x = alpha m + sigma eps`, the best guess of the clean ones is a mean of the `m_k` weighted by
a softmax of minus half the squared distance of `x` to `alpha m_k` in units of sigma.
"""

import torch

from bghop.fields.grid_spec import GridSpec
from bghop.prior.codec import JointCodec
from bghop.prior.first_stage import BlockCodec, BlockCodecConfig
from bghop.prior.layout import LatentParts
from bghop.prior.prior import Prior
from bghop.prior.schedule import CosineSchedule
from bghop.prior.transformer import PatchTransformer, TransformerConfig

SPEC = GridSpec(resolution=4, half_extent=0.3, unit=0.3, reduction=4, frame="object")


class ExactHands(PatchTransformer):
    """Answers what the members say, whatever the object and the text."""

    def __init__(self, members, *, scale=0.12):
        config = TransformerConfig(
            object_channels=1, resolution=4, width=8, depth=0, heads=1, text_dim=384
        )
        super().__init__(config, CosineSchedule())
        self.members = members / scale
        self.calls = []

    def forward(self, x, levels, condition):
        self.calls.append((x, levels, condition))
        alpha, sigma = self.schedule.alpha_sigma(levels)
        seen = self.layout.unpack(x)
        a, s = alpha[:, 1, None], sigma[:, 1, None].clamp_min(1e-3)
        there = condition.present[:, None, :, None, None]
        gap = (seen.hands[:, None] - a[..., None, None, None] * self.members) * there
        weight = torch.softmax(-0.5 * (gap.flatten(2) / s[..., None]).square().sum(-1), dim=1)
        hands = torch.einsum("bk,k...->b...", weight, self.members)
        return self.layout.pack(LatentParts(seen.object, hands))


def exact_prior(members, denoiser=ExactHands):
    """A whole prior over joints (metres); its objects all look the same."""
    first_stage = BlockCodec(BlockCodecConfig(channels=1, depth=0))
    return Prior(
        denoiser=denoiser(members).eval(),
        codec=JointCodec(first_stage=first_stage, spec=SPEC),
        schedule=CosineSchedule(),
    )
