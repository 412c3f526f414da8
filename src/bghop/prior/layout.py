"""Which channels of a latent are which part: pack and unpack, and the order of released models.

A latent is `*batch channel x y z`. Ours is always (object, left, right). The released networks have
(object, right, left); `ChannelLayout.to_order` is the one place where the two meet.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.fields.hand_field import NUM_CHANNELS

Part = Literal["object", "left", "right"]
PARTS: tuple[Part, Part, Part] = ("object", "left", "right")
"""The parts of an interaction in our order; noise levels and `given` masks follow it."""
OBJECT, LEFT, RIGHT = range(3)

RELEASED_ORDER: tuple[Part, ...] = ("object", "right", "left")
"""Channels of BG-HOP's network; G-HOP's has no left hand."""


class LatentParts(NamedTuple):
    """A latent taken apart."""

    object: Float[Tensor, "*batch object_channel x y z"]
    hands: Float[Tensor, "*batch hand=2 channel=20 x y z"]


@dataclass(frozen=True, kw_only=True)
class ChannelLayout:
    """How many channels each part has."""

    object_channels: int
    hand_channels: int = NUM_CHANNELS

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Channels of object, left hand, right hand."""
        return self.object_channels, self.hand_channels, self.hand_channels

    @property
    def channels(self) -> int:
        """Channels in all."""
        return sum(self.sizes)

    def pack(self, parts: LatentParts) -> Float[Tensor, "*batch channel x y z"]:
        """Inverse of `unpack`."""
        hands = parts.hands.flatten(-5, -4)
        return torch.cat([parts.object, hands], dim=-4)

    def unpack(self, latent: Float[Tensor, "*batch channel x y z"]) -> LatentParts:
        """Object channels, and hand channels with a hand axis (left, right)."""
        thing, hands = latent.split([self.object_channels, 2 * self.hand_channels], dim=-4)
        return LatentParts(thing, hands.unflatten(-4, (2, self.hand_channels)))

    def spread(self, per_part: Float[Tensor, "b part=3"]) -> Float[Tensor, "b channel 1 1 1"]:
        """One number per part to one per channel, ready to multiply a latent with."""
        return per_part[:, self.part_of_channel(per_part.device), None, None, None]

    def spread_mask(self, per_part: Bool[Tensor, "b part=3"]) -> Bool[Tensor, "b channel 1 1 1"]:
        """As `spread`, for masks."""
        return per_part[:, self.part_of_channel(per_part.device), None, None, None]

    def part_of_channel(self, device: torch.device | str | None = None) -> Tensor:
        """Index into `PARTS` of every channel."""
        parts = torch.arange(3, device=device)
        return parts.repeat_interleave(torch.tensor(self.sizes, device=device))

    def to_order(self, order: tuple[Part, ...]) -> list[int]:
        """Our channel number of each channel of a network that has its parts in `order`.

        `x[:, layout.to_order(order)]` is what such a network reads; parts that it lacks are left
        out.
        """
        starts = dict(zip(PARTS, (0, self.sizes[0], self.sizes[0] + self.sizes[1]), strict=True))
        sizes = dict(zip(PARTS, self.sizes, strict=True))
        return [starts[part] + i for part in order for i in range(sizes[part])]
