"""Which denoiser learns most per second? The overfit test, for several networks and latents.

Every contestant gets the same interactions (one of each of `--num` objects), the same cases (both
hands for a given object; the other hand; everything), the same loss, and `--seconds` of processor
time; then it samples. Printed per contestant, one JSON line:

- `object`: mean error of all joints with the object given, `other_hand`: of the right hand with
  object and left hand given, `joint`: of whole samples to the nearest training interaction (mm);
- `steps`, `ms_per_sample`, parameters, GFLOP of one forward pass.

Contestants: `joints`, ours (`PatchTransformer`: hands are joints); `grid-transformer`, the same
blocks over patches of one grid with distances to the joints as channels; `unet`, the released
architecture, narrow, over the same grid.

    python benchmarks/denoisers.py --records R.parquet --objects O.parquet [--seconds 300]
        [--only joints] [--width 128 --depth 4] [--threads 2]
"""

import argparse
import json
import math
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bghop.data.augment import NO_AUGMENTATION
from bghop.data.objects_file import read_objects
from bghop.data.record_file import read_records
from bghop.data.scene import SceneBuilder, Scenes
from bghop.fields.grid_spec import GridSpec
from bghop.hands.open_hand import load_open_hand
from bghop.prior.codec import JointCodec
from bghop.prior.denoiser import Condition
from bghop.prior.first_stage import to_distance_grid
from bghop.prior.first_stage_file import load_block_codec
from bghop.prior.layout import ChannelLayout, JointLayout, LatentParts
from bghop.prior.loss import denoising_loss
from bghop.prior.prior import Prior
from bghop.prior.sampling import Given, SampleOptions, noise_like, sample_latents
from bghop.prior.schedule import CosineSchedule
from bghop.prior.transformer import PatchTransformer, TransformerConfig, _Block, _Modulation
from bghop.prior.unet import UNet3D, UNet3DConfig
from bghop.training.cases import CaseWeights, draw_cases
from bghop.training.config import LoopConfig
from bghop.training.optimizers import make_optimizers

CASES = CaseWeights(joint=0.35, object=0.4, object_and_hand=0.2, hands=0.05, single_hand=0.0)
REACH = 0.12  # metres; a normalised distance is (d - mean) / spread of the set
GRID_SHIFT = 0.04
"""A joint in 4096 cells of distances is known 25 times better than a cell (representations.py)."""


class GridTransformer(nn.Module):
    """Patches of one grid with all channels; answers clean latents."""

    prediction = "x0"
    level_per_part = True

    def __init__(self, channels: int, width: int, depth: int, heads: int, text_dim: int) -> None:
        super().__init__()
        self.side = 4
        size = channels * self.side**3
        self.into = nn.Linear(size, width)
        self.place = nn.Parameter(0.02 * torch.randn(64, width))
        self.levels = nn.Sequential(nn.Linear(96, width), nn.SiLU(), nn.Linear(width, width))
        self.text, self.no_text = nn.Linear(text_dim, width), nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.final = _Modulation(width, 2)
        self.out = nn.Linear(width, size)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, levels: Tensor, condition: Condition) -> Tensor:
        """Clean latents."""
        split = x.unflatten(4, (4, 4)).unflatten(3, (4, 4)).unflatten(2, (4, 4))
        tokens = self.into(split.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).flatten(1, 3))
        turns = math.pi * levels[..., None] * torch.arange(1, 17)
        text = self.text(condition.tokens.mean(1))
        text = torch.where(condition.text_given[:, None], text, self.no_text)
        steer = self.levels(torch.cat([turns.sin(), turns.cos()], -1).flatten(1)) + text
        steer = nn.functional.silu(steer)[:, None]
        tokens = tokens + self.place
        for block in self.blocks:
            tokens = block(tokens, steer)
        shift, scale = self.final(steer)
        tokens = nn.functional.layer_norm(tokens, tokens.shape[-1:]) * (1 + scale) + shift
        split = self.out(tokens).unflatten(2, (-1, 4, 4, 4)).unflatten(1, (4, 4, 4))
        return split.permute(0, 4, 1, 5, 2, 6, 3, 7).flatten(6, 7).flatten(4, 5).flatten(2, 3)


class GridUNet(nn.Module):
    """The released architecture, narrow; parts that are given are told by a channel each."""

    prediction = "x0"
    level_per_part = True

    def __init__(self, channels: int, width: int, text_dim: int) -> None:
        super().__init__()
        config = UNet3DConfig(
            in_channels=channels + 3, out_channels=channels, model_channels=width,
            num_res_blocks=1, head_channels=32, context_dim=text_dim,
        )  # fmt: skip
        self.unet = UNet3D(config)

    def forward(self, x: Tensor, levels: Tensor, condition: Condition) -> Tensor:
        """Clean latents."""
        given = (levels == 0).float()[:, :, None, None, None].expand(-1, -1, *x.shape[2:])
        tokens = condition.tokens * condition.text_given[:, None, None]
        return self.unet(torch.cat([x, given], 1), 999 * levels.amax(1), tokens)


class Distances:
    """Grid latents: object channels and normalised distances of every cell to 20 joints a hand."""

    def __init__(self, joints: JointCodec, scenes: Scenes) -> None:
        spec = joints.spec
        self.layout = ChannelLayout(object_channels=joints.first_stage.latent_channels)
        axis = spec.axis() * spec.unit
        self.cells = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
        far = self._distance(scenes.joints)
        self.mean, self.spread = far.mean(), far.std()
        grid = to_distance_grid(scenes.sdf, joints.first_stage.truncation)
        thing = joints.first_stage.encode(grid)
        self.latent = self.layout.pack(LatentParts(thing.asinh(), (far - self.mean) / self.spread))

    def _distance(self, joints: Tensor) -> Tensor:
        return (self.cells - joints[:, :, 1:, None, None, None]).norm(dim=-1)

    def joints(self, latent: Tensor) -> Tensor:
        """Joints without the wrist: linear least squares, then Gauss-Newton on the distances."""
        far = (self.layout.unpack(latent).hands * self.spread + self.mean).flatten(3)
        cells = self.cells.flatten(0, 2)
        told = torch.cat([2 * cells, -torch.ones(len(cells), 1)], dim=1)
        weight = 1 / (far.clamp_min(0) + 0.05).square()
        wanted = cells.square().sum(1) - far.square()
        normal = torch.einsum("bhjc,ci,ck->bhjik", weight, told, told)
        right = torch.einsum("bhjc,ci,bhjc->bhji", weight, told, wanted)
        found = torch.linalg.solve(normal, right)[..., :3]
        for _ in range(4):
            away = found[..., None, :] - cells
            length = away.norm(dim=-1).clamp_min(1e-4)
            unit, weight = away / length[..., None], 1 / (length + 0.1).square()
            normal = torch.einsum("bhjc,bhjci,bhjck->bhjik", weight, unit, unit)
            right = torch.einsum("bhjc,bhjci,bhjc->bhji", weight, unit, far - length)
            found = found + torch.linalg.solve(normal, right)
        return found


def load_scenes(options: argparse.Namespace) -> tuple[Scenes, list[str], JointCodec]:
    records = read_records(options.records).of_split("train")
    first = {name: i for i, name in reversed(list(enumerate(records.object)))}
    records = records.rows(sorted(first.values())[: options.num])
    codec = JointCodec(
        first_stage=load_block_codec(), spec=GridSpec(frame="object", unit=0.30), joint_scale=0.12
    )
    builder = SceneBuilder(
        records, read_objects(options.objects), load_open_hand(), codec.spec,
        augment=NO_AUGMENTATION, truncation=codec.first_stage.truncation,
    )  # fmt: skip
    scenes = builder.scenes(torch.arange(len(records)))
    return scenes, builder.texts(scenes.row), codec


def train(network, schedule, layout, latent, condition, options) -> tuple[int, float]:  # noqa: ANN001
    """Steps done and milliseconds per sample; the averaged weights are left in the network."""
    config = LoopConfig(
        optimizer=options.optimizer, learning_rate=options.rate, beta2=0.99, weight_decay=0.01
    )
    optimizers = make_optimizers(network, config)
    average = [p.detach().clone() for p in network.parameters()]
    generator = torch.Generator().manual_seed(options.seed)
    start, step, batch = time.process_time(), 0, options.batch
    while (spent := time.process_time() - start) < options.seconds:
        share = spent / options.seconds
        decay = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share))
        for group in (group for each in optimizers for group in each.param_groups):
            group["lr"] = options.rate * min(1, (step + 1) / 50) * decay
        rows = torch.randint(0, len(latent), (batch,), generator=generator)
        cases = draw_cases(condition.present[rows], CASES, generator)
        told = torch.rand(batch, generator=generator) < 0.8
        some = replace(condition.rows(rows), text_given=told)
        loss = denoising_loss(
            network, schedule, layout, latent[rows], some, cases.given, generator
        ).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), options.clip)
        for each in optimizers:
            each.step()
            each.zero_grad()
        step += 1
        keep = min(0.998, step / (step + 10))
        with torch.no_grad():
            for mean, value in zip(average, network.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
    with torch.no_grad():
        for value, mean in zip(network.parameters(), average, strict=True):
            value.copy_(mean)
    return step, 1000 * spent / (step * batch)


def errors(network, schedule, layout, latent, condition, decode, truth) -> dict[str, float]:  # noqa: ANN001
    """Millimetres after sampling with 25 steps."""
    noise = noise_like(len(latent), layout.shape, seed=1)
    result = {}
    for name, parts in (("object", (1, 0, 0)), ("other_hand", (1, 1, 0)), ("joint", (0, 0, 0))):
        given = None
        if any(parts):
            mask = torch.tensor(parts, dtype=torch.bool).expand(len(latent), 3)
            given = Given(latent=latent, parts=mask)
        sampled = sample_latents(
            network, schedule, layout, condition, noise,
            options=SampleOptions(steps=25, guidance=1.0), given=given,
        )  # fmt: skip
        found = decode(sampled)
        if name == "joint":
            gap = (found[:, None] - truth).norm(dim=-1).mean((2, 3)).amin(1)
        else:
            gap = (found - truth).norm(dim=-1).mean(-1)
            gap = gap[:, 1] if name == "other_hand" else gap
        result[name] = round(1000 * float(gap.mean()), 2)
    return result


def _joints_of(layout: JointLayout, scale: float, latent: Tensor) -> Tensor:
    return layout.unpack(latent).hands[:, :, 1:] * scale


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--objects", type=Path, required=True)
    parser.add_argument("--num", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--optimizer", choices=["adamw", "muon"], default="adamw")
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=["joints", "grid-transformer", "unet"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    scenes, texts, codec = load_scenes(options)
    truth = scenes.joints[:, :, 1:]
    heads = max(1, options.width // 64)
    for name in options.only:
        torch.manual_seed(options.seed)
        if name == "joints":
            schedule, layout = CosineSchedule(), codec.layout
            config = TransformerConfig(
                object_channels=layout.object_channels, width=options.width, depth=options.depth,
                heads=heads,
            )  # fmt: skip
            network = PatchTransformer(config, schedule)
            latent = codec.encode(scenes.sdf, scenes.joints, scenes.present)
            decode = partial(_joints_of, layout, codec.joint_scale)
        else:
            grid = Distances(codec, scenes)
            schedule, layout = (
                CosineSchedule(hand_shift=GRID_SHIFT, last_object=0.04, last_hand=0.04),
                grid.layout,
            )
            latent, decode, channels = grid.latent, grid.joints, sum(grid.layout.sizes)
            if name == "unet":
                network = GridUNet(channels, 32, 384)
            else:
                network = GridTransformer(channels, options.width, options.depth, heads, 384)
        assert isinstance(schedule, CosineSchedule)
        words = Prior(denoiser=PatchTransformer(TransformerConfig(width=64, depth=1, heads=1),
                      CosineSchedule()), codec=codec, schedule=schedule)  # fmt: skip
        condition = words.condition(texts)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            network(latent[:1], torch.full((1, 3), 0.5), condition.rows(torch.arange(1)))
        steps, ms = train(network, schedule, layout, latent, condition, options)
        network.eval()
        found = errors(network, schedule, layout, latent, condition, decode, truth)
        print(
            json.dumps(
                {
                    "denoiser": name, **found, "steps": steps, "ms_per_sample": round(ms, 1),
                    "parameters_m": round(sum(p.numel() for p in network.parameters()) / 1e6, 2),
                    "forward_gflop": round(counter.get_total_flops() / 1e9, 2),
                    "seconds": options.seconds, "width": options.width, "depth": options.depth,
                    "rate": options.rate, "batch": options.batch, "optimizer": options.optimizer,
                }
            ),
            flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
