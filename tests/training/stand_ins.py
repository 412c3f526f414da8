"""A prior of a few numbers, so that training is tested without one particular network."""

import torch
from torch import nn

from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.prior.layout import ChannelLayout, LatentParts
from bghop.prior.schedule import CosineSchedule

SPEC = GridSpec(frame="object", unit=0.30, resolution=4, reduction=4)
LAYOUT = ChannelLayout(object_channels=1, resolution=4)
SCHEDULE = CosineSchedule()


class TinyDenoiser(nn.Module):
    """One convolution, told the levels, the text and which hands there are."""

    prediction = "v"
    level_per_part = True

    def __init__(self, dim=4):
        super().__init__()
        self.input = nn.Conv3d(LAYOUT.shape[0], 16, 3, padding=1)
        self.told = nn.Linear(3 + dim + 2, 16)
        self.output = nn.Conv3d(16, LAYOUT.shape[0], 3, padding=1)

    def forward(self, x, levels, condition):
        text = condition.tokens.mean(1) * condition.text_given[:, None]
        told = self.told(torch.cat([levels, text, condition.present.float()], dim=-1))
        return self.output(torch.tanh(self.input(x) + told[:, :, None, None, None]))


def encode(sdf, joints, present):
    """Mean distances and scaled fields."""
    thing = nn.functional.avg_pool3d(sdf, SPEC.reduction) / 0.04
    fields = hand_field(joints, SPEC, present=present) / SPEC.truncation
    return LAYOUT.pack(LatentParts(thing, 1 - fields))


def read_text(prompts):
    """Tokens that depend on the prompt's letters."""
    rows = [[len(p), p.count("a"), p.count("b"), 1] for p in prompts]
    return torch.tensor(rows, dtype=torch.float32)[:, None] / 10
