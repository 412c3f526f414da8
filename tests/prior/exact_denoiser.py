"""The exact denoiser of a small set: the posterior mean of its members, in closed form.

If a latent is one of finitely many `m_k` with equal probability and `x = alpha m + sigma eps` with
a level per part, then `p(k | x)` is a softmax of minus half the squared distance of `x` to
`alpha m_k` in units of sigma; parts without noise must agree exactly. What a sampler makes of it is
known.
"""

import torch

from bghop.prior.layout import JointLayout


class ExactDenoiser:
    prediction = "x0"
    level_per_part = True

    def __init__(self, members, schedule, layout=None):
        self.members, self.schedule = members.double(), schedule
        self.layout = layout or JointLayout(object_channels=1, resolution=2)
        self.calls = 0

    def __call__(self, x, levels, condition):
        self.calls += 1
        alpha, sigma = self.schedule.alpha_sigma(levels.double())
        alpha, sigma = self.layout.spread(alpha), self.layout.spread(sigma).clamp_min(1e-3)
        gap = (x.double()[:, None] - alpha[:, None] * self.members) / sigma[:, None]
        weight = torch.softmax(-0.5 * gap.square().flatten(2).sum(-1), dim=1)
        clean = torch.einsum("bk,k...->b...", weight, self.members)
        return clean.to(x.dtype)


class AsNoise:
    """The same knowledge told as noise, for a network with one level."""

    prediction = "eps"
    level_per_part = False

    def __init__(self, exact):
        self.exact = exact

    def __call__(self, x, levels, condition):
        alpha, sigma = self.exact.schedule.alpha_sigma(levels)
        spread = self.exact.layout.spread
        clean = self.exact(x, levels, condition)
        return (x - spread(alpha) * clean) / spread(sigma)
