"""Our denoiser: a transformer over patches of the object's grid, and wrists and fingers.

The state of a hand is its 21 joints; noise is added to them, not to cells of a grid. What the
network SEES is an interaction grid all the same: every patch of the object is told its distances
to all noisy joints, and every joint what the object's latent says at its place. So hands and object
meet where they are, no cell is wasted on noise, and every answer is a set of joints. A wrist is a
token, and so is a finger with its four joints.

Level and presence of each part and the text steer every block (adaLN-zero, Peebles and Xie 2023);
one more token holds the text.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from bghop.errors import OptionError
from bghop.prior.denoiser import Condition, Prediction
from bghop.prior.layout import NUM_JOINTS, PARTS, JointLayout, LatentParts
from bghop.prior.schedule import CosineSchedule

_LEVEL_WAVES = 16
_JOINT_OCTAVES = 4
_FINGERS, _FINGER_JOINTS = 5, 4
_SUBCELLS = 2  # per axis of a patch: where its distances to the joints are taken
_DECAY = 0.06  # metres over which a joint is near


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Size of a `PatchTransformer` and the state it works on."""

    type: Literal["transformer"] = "transformer"
    object_channels: int = 8
    resolution: int = 16
    patch: int = 4
    """Cells of a patch along each axis."""
    width: int = 256
    depth: int = 8
    heads: int = 4
    text_dim: int = 384
    half_extent: float = 0.30
    """Metres from the middle of the grid to its corners' samples along each axis."""
    cell_extent: float = 0.2857142857142857
    """Metres from the middle of the grid to its outermost cells."""
    joint_scale: float = 0.12
    """Metres per unit of a joint's coordinates in the state."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit together.

        Raises:
            OptionError: Naming the numbers.
        """
        if self.resolution % self.patch:
            raise OptionError(f"patches of {self.patch} do not tile {self.resolution} cells")
        if self.width % self.heads:
            raise OptionError(f"width {self.width} is no multiple of {self.heads} heads")


SIZES: dict[str, dict[str, int]] = {
    "tiny": {"width": 64, "depth": 2, "heads": 2},
    "small": {"width": 256, "depth": 8, "heads": 4},
    "base": {"width": 512, "depth": 10, "heads": 8},
}
"""Presets: for tests, for CPUs, and with about as many weights as the released network."""


class PatchTransformer(nn.Module):
    """`Denoiser` over a `JointLayout`; answers clean latents."""

    prediction: Prediction = "x0"
    level_per_part = True

    cells: Tensor

    def __init__(self, config: TransformerConfig, schedule: CosineSchedule) -> None:
        super().__init__()
        self.config = config
        self.schedule = schedule
        self.layout = JointLayout(
            object_channels=config.object_channels, resolution=config.resolution
        )
        width, patch_size = config.width, config.object_channels * config.patch**3
        patches = (config.resolution // config.patch) ** 3
        joints = 2 * NUM_JOINTS
        self.register_buffer("cells", _cells(config), persistent=False)
        self.object_in = nn.Linear(patch_size, width)
        self.field_in = nn.Linear(2 * joints * _SUBCELLS**3, width)
        self.object_place = nn.Parameter(0.02 * torch.randn(patches, width))
        joint_size = 3 + 6 * _JOINT_OCTAVES + config.object_channels
        self.wrist_in = nn.Linear(joint_size, width)
        self.finger_in = nn.Linear(_FINGER_JOINTS * joint_size, width)
        self.hand_place = nn.Parameter(0.02 * torch.randn(2, 1 + _FINGERS, width))
        self.absent = nn.Parameter(torch.zeros(2, 1 + _FINGERS, width))
        self.text_in = nn.Linear(config.text_dim, width)
        self.no_text = nn.Parameter(torch.zeros(width))
        self.level_in = nn.Sequential(
            nn.Linear(len(PARTS) * 2 * _LEVEL_WAVES + 2, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.blocks = nn.ModuleList(_Block(width, config.heads) for _ in range(config.depth))
        self.final = _Modulation(width, 2)
        self.object_out = nn.Linear(width, patch_size)
        self.wrist_out = nn.Linear(width, 3)
        self.finger_out = nn.Linear(width, 3 * _FINGER_JOINTS)
        for layer in (self.object_out, self.wrist_out, self.finger_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        x: Float[Tensor, "b number"],
        levels: Float[Tensor, "b part=3"],
        condition: Condition,
    ) -> Float[Tensor, "b number"]:
        """Clean latents; given parts (level 0) come back unchanged."""
        alpha, sigma = self.schedule.alpha_sigma(levels)
        noisy = self.layout.unpack(x)
        alpha_hand, sigma_hand = alpha[:, 1:, None, None], sigma[:, 1:, None, None]
        tokens, steer = self._tokens(noisy, levels, condition)
        patches = len(self.object_place)
        for block in self.blocks:
            tokens = block(tokens, steer)
        shift, scale = self.final(steer)
        tokens = functional.layer_norm(tokens, tokens.shape[-1:]) * (1 + scale) + shift
        thing = self._unpatched(self.object_out(tokens[:, :patches])).to(x.dtype)
        answer = self._joints(tokens[:, patches:-1]).to(x.dtype)
        # `v`: near the clean end it is a small correction of what is seen.
        hands = alpha_hand * noisy.hands - sigma_hand * answer
        known = (sigma[:, 0] == 0)[:, None, None, None, None]
        thing = torch.where(known, noisy.object, thing)
        return self.layout.pack(LatentParts(thing, hands.to(x.dtype)))

    def transfer_parameters(self) -> list[nn.Parameter]:
        """Input and output layers: what `semi-frozen` transfer trains."""
        layers = (
            self.object_in, self.field_in, self.wrist_in, self.finger_in,
            self.object_out, self.wrist_out, self.finger_out,
        )  # fmt: skip
        places = [self.object_place, self.hand_place, self.absent]
        return places + [p for layer in layers for p in layer.parameters()]

    def _tokens(
        self, noisy: LatentParts, levels: Float[Tensor, "b part=3"], condition: Condition
    ) -> tuple[Float[Tensor, "b token width"], Float[Tensor, "b 1 width"]]:
        """Patches, wrists and fingers of both hands, text; and what steers the blocks."""
        present = condition.present
        joints = noisy.hands * present[:, :, None, None]
        metres = joints * self.config.joint_scale
        patches = self.object_in(self._patched(noisy.object)) + self.object_place
        patches = patches + self.field_in(self._field(metres, present))
        turns = metres[..., None] * (
            math.pi / self.config.half_extent
            * 2.0 ** torch.arange(_JOINT_OCTAVES, device=metres.device)
        )  # fmt: skip
        waves = torch.cat([turns.sin(), turns.cos()], dim=-1).flatten(-2)
        seen = torch.cat([joints, waves, self._object_at(noisy.object, metres)], dim=-1)
        fingers = seen[:, :, 1:].unflatten(2, (_FINGERS, _FINGER_JOINTS)).flatten(3)
        hands = torch.cat([self.wrist_in(seen[:, :, :1]), self.finger_in(fingers)], dim=2)
        hands = torch.where(present[:, :, None, None], hands, self.absent) + self.hand_place
        text = self.text_in(condition.tokens.to(joints.dtype).mean(1))
        text = torch.where(condition.text_given[:, None], text, self.no_text)
        steer = functional.silu(self._steer(levels, present) + text)[:, None]
        return torch.cat([patches, hands.flatten(1, 2), text[:, None]], dim=1), steer

    def _joints(
        self, tokens: Float[Tensor, "b token width"]
    ) -> Float[Tensor, "b hand=2 joint=21 3"]:
        """Answers of both hands' tokens, joint by joint."""
        wrist, fingers = tokens.unflatten(1, (2, 1 + _FINGERS)).split([1, _FINGERS], dim=2)
        chains = self.finger_out(fingers).unflatten(3, (_FINGER_JOINTS, 3)).flatten(2, 3)
        return torch.cat([self.wrist_out(wrist), chains], dim=2)

    def _steer(
        self, levels: Float[Tensor, "b part=3"], present: Bool[Tensor, "b hand=2"]
    ) -> Float[Tensor, "b width"]:
        waves = torch.arange(1, _LEVEL_WAVES + 1, device=levels.device)
        turns = math.pi * levels[..., None] * waves
        told = torch.cat([turns.sin(), turns.cos()], dim=-1).flatten(1)
        return self.level_in(torch.cat([told, present.to(told.dtype)], dim=1))

    def _field(
        self, metres: Float[Tensor, "b hand=2 joint 3"], present: Bool[Tensor, "b hand=2"]
    ) -> Float[Tensor, "b patch feature"]:
        """Distances of places in every patch to all joints: the interaction grid, coarsely."""
        points = metres.flatten(1, 2)
        distance = torch.cdist(self.cells.expand(len(points), -1, -1), points)
        here = present.repeat_interleave(NUM_JOINTS, dim=1)[:, None]
        far = (distance / self.config.half_extent - 1) * here
        near = 2 * torch.exp(-distance / _DECAY) * here
        both = torch.cat([far, near], dim=-1)
        return both.unflatten(1, (-1, _SUBCELLS**3)).flatten(2)

    def _object_at(
        self, thing: Float[Tensor, "b c x y z"], metres: Float[Tensor, "b hand=2 joint 3"]
    ) -> Float[Tensor, "b hand=2 joint c"]:
        """The object's latent where the joints are, trilinear; the border's value outside."""
        place = metres.flip(-1) / self.config.cell_extent  # grid_sample counts z, y, x
        found = functional.grid_sample(
            thing, place[:, :, :, None], padding_mode="border", align_corners=True
        )
        return found.squeeze(-1).movedim(1, -1)

    def _patched(self, thing: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b patch feature"]:
        side = self.config.patch
        split = thing.unflatten(4, (-1, side)).unflatten(3, (-1, side)).unflatten(2, (-1, side))
        return split.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).flatten(1, 3)

    def _unpatched(self, tokens: Float[Tensor, "b patch feature"]) -> Float[Tensor, "b c x y z"]:
        side, count = self.config.patch, self.config.resolution // self.config.patch
        split = tokens.unflatten(2, (-1, side, side, side)).unflatten(1, (count, count, count))
        return split.permute(0, 4, 1, 5, 2, 6, 3, 7).flatten(6, 7).flatten(4, 5).flatten(2, 3)


class _Modulation(nn.Module):
    """Shifts, scales and gates from what steers; zero at the start of training."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.linear = nn.Linear(width, count * width)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, steer: Float[Tensor, "b 1 width"]) -> tuple[Tensor, ...]:
        return self.linear(steer).chunk(self.count, dim=-1)


class _Block(nn.Module):
    """Attention over all tokens, then a feed-forward net, both steered."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.modulation = _Modulation(width, 6)
        self.qkv = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(
        self, x: Float[Tensor, "b token width"], steer: Float[Tensor, "b 1 width"]
    ) -> Float[Tensor, "b token width"]:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(steer)
        normed = functional.layer_norm(x, x.shape[-1:]) * (1 + scale1) + shift1
        heads = self.qkv(normed).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*heads.unbind(0))
        x = x + gate1 * self.attended(mixed.transpose(1, 2).flatten(2))
        normed = functional.layer_norm(x, x.shape[-1:]) * (1 + scale2) + shift2
        hidden = functional.gelu(self.expand(normed), approximate="tanh")
        return x + gate2 * self.contract(hidden)


def _cells(config: TransformerConfig) -> Float[Tensor, "cell 3"]:
    """Places in metres, patch by patch, `_SUBCELLS^3` in each."""
    count = config.resolution // config.patch
    centres = (torch.arange(count) + 0.5) / count * 2 - 1
    inner = ((torch.arange(_SUBCELLS) + 0.5) / _SUBCELLS * 2 - 1) / count
    patch = torch.stack(torch.meshgrid(centres, centres, centres, indexing="ij"), -1).view(-1, 1, 3)
    place = torch.stack(torch.meshgrid(inner, inner, inner, indexing="ij"), -1).view(1, -1, 3)
    return (patch + place).flatten(0, 1) * config.half_extent
