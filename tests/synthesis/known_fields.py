"""A prior over fields that knows one interaction: its noise answer always leads there."""

import torch
from torch import nn

from bghop.fields.grid_spec import GridSpec
from bghop.prior.codec import FieldCodec
from bghop.prior.layout import ChannelLayout
from bghop.prior.prior import Prior
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.schedule import ReleasedSchedule

SPEC = GridSpec(resolution=8, reduction=4, frame="right")


class Blocks(nn.Module):
    """A first stage that loses nothing: each block of 4^3 samples is 64 channels."""

    latent_channels = 64
    truncation = 0.04

    def __init__(self):
        super().__init__()
        self.encoded, self.decoded = [], 0

    def encode(self, sdf):
        self.encoded.append(sdf.requires_grad)
        assert not torch.is_grad_enabled()
        b, _, n, _, _ = sdf.shape
        split = sdf.reshape(b, n // 4, 4, n // 4, 4, n // 4, 4)
        return split.permute(0, 2, 4, 6, 1, 3, 5).flatten(1, 3)

    def decode(self, latent):
        self.decoded += 1
        b, _, n, _, _ = latent.shape
        split = latent.reshape(b, 4, 4, 4, n, n, n).permute(0, 4, 1, 5, 2, 6, 3)
        return split.reshape(b, 1, 4 * n, 4 * n, 4 * n)


class KnownField(ReleasedDenoiser):
    """`eps = (x - alpha clean) / sigma`; without text, the clean latent is another one."""

    hands = 2

    def __init__(self, clean, unconditional=None):
        nn.Module.__init__(self)
        self.anchor = nn.Parameter(torch.zeros(1))
        self.layout = ChannelLayout(object_channels=64, resolution=8)
        self.clean = clean
        self.unconditional = clean if unconditional is None else unconditional
        self.levels = []

    def set_empty_text(self, tokens):
        """Text decides by being there, not by what it says."""

    def forward(self, x, levels, condition):
        self.levels.append(levels)
        alpha, sigma = (self.layout.spread(v) for v in ReleasedSchedule().alpha_sigma(levels))
        given = condition.text_given[:, None, None, None, None]
        return (x - alpha * torch.where(given, self.clean, self.unconditional)) / sigma


def known_prior(clean, unconditional=None):
    return Prior(
        denoiser=KnownField(clean, unconditional),
        codec=FieldCodec(first_stage=Blocks(), spec=SPEC),
        schedule=ReleasedSchedule(),
    )
