"""Which numbers of a latent are which part: pack and unpack, and the order of released models.

Latents are always (object, left, right). A `ChannelLayout` has them as channels of one grid, the
hands as interaction grids; the released networks order these channels (object, right, left), and
`ChannelLayout.to_order` is the one place where the two meet. A `JointLayout` has the object as a
grid and the hands as joints, in one row of numbers.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.fields.hand_field import NUM_CHANNELS
from bghop.hands.joints import JOINT_NAMES

Part = Literal["object", "left", "right"]
PARTS: tuple[Part, Part, Part] = ("object", "left", "right")
"""The parts of an interaction in our order; noise levels and `given` masks follow it."""
OBJECT, LEFT, RIGHT = range(3)
NUM_JOINTS = len(JOINT_NAMES)

RELEASED_ORDER: tuple[Part, ...] = ("object", "right", "left")
"""Channels of BG-HOP's network; G-HOP's has no left hand."""


class LatentParts(NamedTuple):
    """A latent taken apart."""

    object: Float[Tensor, "b object_channel x y z"]
    hands: Float[Tensor, "b hand=2 ..."]
    """`b 2 20 x y z` interaction grids, or `b 2 21 3` joints."""


@runtime_checkable
class Layout(Protocol):
    """What samplers and losses know of a latent."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers (or channels) of object, left hand, right hand."""
        ...

    def spread(self, per_part: Tensor) -> Tensor:
        """`b part=3` to something that broadcasts with latents: each part's own number."""
        ...

    def means(self, values: Float[Tensor, "b ..."]) -> Float[Tensor, "b part=3"]:
        """Mean of each part."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one latent."""
        ...


@dataclass(frozen=True, kw_only=True)
class ChannelLayout:
    """How many channels each part has."""

    object_channels: int
    hand_channels: int = NUM_CHANNELS
    resolution: int = 16

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Channels of object, left hand, right hand."""
        return self.object_channels, self.hand_channels, self.hand_channels

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one latent."""
        return (sum(self.sizes), *[self.resolution] * 3)

    def pack(self, parts: LatentParts) -> Float[Tensor, "b channel x y z"]:
        """Inverse of `unpack`."""
        return torch.cat([parts.object, parts.hands.flatten(1, 2)], dim=1)

    def unpack(self, latent: Float[Tensor, "b channel x y z"]) -> LatentParts:
        """Object channels, and hand channels with a hand axis (left, right)."""
        thing, hands = latent.split([self.object_channels, 2 * self.hand_channels], dim=1)
        return LatentParts(thing, hands.unflatten(1, (2, self.hand_channels)))

    def spread(self, per_part: Tensor) -> Tensor:
        """`b part=3` to `b channel 1 1 1`."""
        return _repeated(per_part, self.sizes)[..., None, None, None]

    def means(self, values: Float[Tensor, "b channel x y z"]) -> Float[Tensor, "b part=3"]:
        """Mean of each part."""
        return _means(values.mean((-1, -2, -3)), self.sizes)

    def to_order(self, order: tuple[Part, ...]) -> list[int]:
        """Our channel number of each channel of a network that has its parts in `order`.

        `x[:, layout.to_order(order)]` is what such a network reads; parts that it lacks are left
        out.
        """
        starts = dict(zip(PARTS, (0, self.sizes[0], self.sizes[0] + self.sizes[1]), strict=True))
        sizes = dict(zip(PARTS, self.sizes, strict=True))
        return [starts[part] + i for part in order for i in range(sizes[part])]


@dataclass(frozen=True, kw_only=True)
class JointLayout:
    """An object grid and the 21 joints of both hands, flat: `b number`."""

    object_channels: int
    resolution: int = 16

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of object, left hand, right hand."""
        return self.object_channels * self.resolution**3, 3 * NUM_JOINTS, 3 * NUM_JOINTS

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one latent."""
        return (sum(self.sizes),)

    def pack(self, parts: LatentParts) -> Float[Tensor, "b number"]:
        """Inverse of `unpack`."""
        return torch.cat([parts.object.flatten(1), parts.hands.flatten(1)], dim=1)

    def unpack(self, latent: Float[Tensor, "b number"]) -> LatentParts:
        """Object grid, and joints `b 2 21 3`."""
        size, _, _ = self.sizes
        thing, hands = latent[:, :size], latent[:, size:]
        grid = (self.object_channels, *[self.resolution] * 3)
        return LatentParts(thing.unflatten(1, grid), hands.unflatten(1, (2, NUM_JOINTS, 3)))

    def spread(self, per_part: Tensor) -> Tensor:
        """`b part=3` to `b number`."""
        return _repeated(per_part, self.sizes)

    def means(self, values: Float[Tensor, "b number"]) -> Float[Tensor, "b part=3"]:
        """Mean of each part."""
        return _means(values, self.sizes)


def _repeated(per_part: Tensor, sizes: tuple[int, int, int]) -> Tensor:
    columns = [per_part[:, i : i + 1].expand(-1, size) for i, size in enumerate(sizes)]
    return torch.cat(columns, dim=1)


def _means(values: Tensor, sizes: tuple[int, int, int]) -> Tensor:
    return torch.stack([part.mean(1) for part in values.split(list(sizes), dim=1)], dim=1)
