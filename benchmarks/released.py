"""The released networks in our code beside a plain implementation of them. One JSON line a case.

    python benchmarks/released.py [--threads 2] [--repeats 5] [--cases NAME ...] [--clock wall|cpu]

"Plain" is the released pipeline's forward pass written down operation by operation as the public
code does it: channels first, every convolution by torch's own choice, normalisation with a cast
to float32, attention as two products and a softmax with its checks for NaN, a prediction that is
doubled along its channels, cross-attention to the single text token in full, swish as
x * sigmoid(x), and the nearest code from the full table of distances. Both sides have the same
formula weights and inputs and take turns; `ms` are the best of the repeats, `difference` is the
largest between the outputs. `--clock cpu` counts the process's own time (of all its threads,
divided by their number), for machines that are busy with something else.
"""

import argparse
import json
import math
import time
import zlib
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bghop.prior.unet import UNet3D, UNet3DConfig
from bghop.prior.vqvae import VQVAE

Weights = dict[str, Tensor]


def formula(name: str, shape: torch.Size) -> Tensor:
    """The fill rule of the parity fixtures."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    values = generator.standard_normal(size=tuple(shape))
    if name.endswith("quantize.embedding.weight"):
        values = 0.05 * values
    elif name.endswith(".weight") and len(shape) == 1:
        values = 1.0 + 0.02 * values
    else:
        values = 0.02 * values
    return torch.from_numpy(values.astype(np.float32))


Module = TypeVar("Module", bound=nn.Module)


def filled(module: Module, prefix: str) -> Module:
    """A module with formula weights, for inference."""
    state = {name: formula(prefix + name, t.shape) for name, t in module.state_dict().items()}
    module.load_state_dict(state)
    return module.eval()


def conv(w: Weights, name: str, x: Tensor, *, stride: int = 1, padding: int = 1) -> Tensor:
    """Convolution as torch chooses to do it."""
    weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    if weight.shape[-1] == 1:
        padding = 0
    return functional.conv3d(x, weight, bias, stride=stride, padding=padding)


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    """Linear layer, with a bias if it has one."""
    return functional.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))


def group_norm(w: Weights, name: str, x: Tensor, eps: float) -> Tensor:
    """Normalised in float32, whatever comes in."""
    normal = functional.group_norm(x.float(), 32, w[f"{name}.weight"], w[f"{name}.bias"], eps)
    return normal.type(x.dtype)


def layer_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    """Layer normalisation."""
    return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


# -- the denoiser --


def res_block(w: Weights, name: str, x: Tensor, embedding: Tensor) -> Tensor:
    hidden = functional.silu(group_norm(w, f"{name}.in_layers.0", x, 1e-5))
    hidden = conv(w, f"{name}.in_layers.2", hidden)
    scale_shift = linear(w, f"{name}.emb_layers.1", functional.silu(embedding))
    scale, shift = scale_shift[..., None, None, None].chunk(2, dim=1)
    hidden = group_norm(w, f"{name}.out_layers.0", hidden, 1e-5) * (1 + scale) + shift
    hidden = conv(w, f"{name}.out_layers.3", functional.silu(hidden))
    if f"{name}.skip_connection.weight" in w:
        x = conv(w, f"{name}.skip_connection", x)
    return x + hidden


def attention(w: Weights, name: str, x: Tensor, context: Tensor) -> Tensor:
    heads = x.shape[-1] // 64
    q, k, v = linear(w, f"{name}.to_q", x), linear(w, f"{name}.to_k", context), context
    v = linear(w, f"{name}.to_v", v)
    q, k, v = (
        t.unflatten(2, (heads, 64)).permute(0, 2, 1, 3).flatten(0, 1).contiguous()
        for t in (q, k, v)
    )
    similarity = torch.einsum("bid,bjd->bij", q, k) * 64**-0.5
    _check(similarity)
    weights = similarity.softmax(dim=-1)
    _check(weights)
    mixed = torch.einsum("bij,bjd->bid", weights, v)
    mixed = mixed.unflatten(0, (-1, heads)).permute(0, 2, 1, 3).flatten(2)
    out = linear(w, f"{name}.to_out.0", mixed)
    _check(out)
    return out


def _check(x: Tensor) -> None:
    if torch.isnan(x).any():
        raise FloatingPointError("NaN in attention")


def transformer(w: Weights, name: str, x: Tensor, context: Tensor) -> Tensor:
    size = x.shape[2:]
    hidden = conv(w, f"{name}.proj_in", group_norm(w, f"{name}.norm", x, 1e-6))
    cells = hidden.flatten(2).transpose(1, 2).contiguous()
    block = f"{name}.transformer_blocks.0"
    normal = layer_norm(w, f"{block}.norm1", cells)
    cells = attention(w, f"{block}.attn1", normal, normal) + cells
    cells = attention(w, f"{block}.attn2", layer_norm(w, f"{block}.norm2", cells), context) + cells
    wide = linear(w, f"{block}.ff.net.0.proj", layer_norm(w, f"{block}.norm3", cells))
    value, gate = wide.chunk(2, dim=-1)
    cells = linear(w, f"{block}.ff.net.2", value * functional.gelu(gate)) + cells
    hidden = cells.transpose(1, 2).contiguous().unflatten(2, size)
    return conv(w, f"{name}.proj_out", hidden) + x


def stage(w: Weights, name: str, x: Tensor, embedding: Tensor, context: Tensor) -> Tensor:
    for index in range(3):
        layer = f"{name}.{index}"
        if f"{layer}.in_layers.0.weight" in w:
            x = res_block(w, layer, x, embedding)
        elif f"{layer}.proj_in.weight" in w:
            x = transformer(w, layer, x, context)
        elif f"{layer}.op.weight" in w:
            x = conv(w, f"{layer}.op", x, stride=2)
        elif f"{layer}.conv.weight" in w:
            x = conv(w, f"{layer}.conv", functional.interpolate(x, scale_factor=2.0))
        elif f"{layer}.weight" in w:
            x = conv(w, layer, x)
    return x


def plain_unet(w: Weights, x: Tensor, t: Tensor, context: Tensor) -> Tensor:
    """The prediction twice along the channels, as the sampler there wants it."""
    frequencies = torch.exp(-math.log(10000) * torch.arange(32, dtype=torch.float32) / 32)
    angles = t[:, None].float() * frequencies
    embedding = linear(w, "time_embed.0", torch.cat([angles.cos(), angles.sin()], dim=-1))
    embedding = linear(w, "time_embed.2", functional.silu(embedding))
    skips = []
    for index in range(12):
        x = stage(w, f"input_blocks.{index}", x, embedding, context)
        skips.append(x)
    x = stage(w, "middle_block", x, embedding, context)
    for index in range(12):
        x = torch.cat([x, skips.pop()], dim=1)
        x = stage(w, f"output_blocks.{index}", x, embedding, context)
    x = conv(w, "out.2", functional.silu(group_norm(w, "out.0", x, 1e-5)))
    return torch.cat([x, x], dim=1)


# -- the first stage --


def swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def resnet_block(w: Weights, name: str, x: Tensor) -> Tensor:
    hidden = conv(w, f"{name}.conv1", swish(group_norm(w, f"{name}.norm1", x, 1e-6)))
    hidden = conv(w, f"{name}.conv2", swish(group_norm(w, f"{name}.norm2", hidden, 1e-6)))
    if f"{name}.nin_shortcut.weight" in w:
        x = conv(w, f"{name}.nin_shortcut", x)
    return x + hidden


def middle(w: Weights, name: str, x: Tensor) -> Tensor:
    x = resnet_block(w, f"{name}.block_1", x)
    normal = group_norm(w, f"{name}.attn_1.norm", x, 1e-6)
    q, k, v = (conv(w, f"{name}.attn_1.{part}", normal).flatten(2) for part in "qkv")
    weights = torch.bmm(q.transpose(1, 2), k) * q.shape[1] ** -0.5
    weights = functional.softmax(weights, dim=2).transpose(1, 2)
    mixed = torch.bmm(v, weights).unflatten(2, x.shape[2:])
    x = x + conv(w, f"{name}.attn_1.proj_out", mixed)
    return resnet_block(w, f"{name}.block_2", x)


def plain_encode(w: Weights, x: Tensor) -> Tensor:
    x = conv(w, "encoder.conv_in", x)
    for level in range(3):
        x = resnet_block(w, f"encoder.down.{level}.block.0", x)
        if level < 2:
            padded = functional.pad(x, (0, 1, 0, 1, 0, 1))
            name = f"encoder.down.{level}.downsample.conv"
            x = conv(w, name, padded, stride=2, padding=0)
    x = functional.gelu(group_norm(w, "encoder.norm_out", middle(w, "encoder.mid", x), 1e-6))
    return conv(w, "quant_conv", conv(w, "encoder.conv_out", x))


def plain_codes(w: Weights, h: Tensor) -> Tensor:
    vectors, book = h.movedim(1, -1).reshape(-1, h.shape[1]), w["quantize.embedding.weight"]
    distances = (
        vectors.pow(2).sum(dim=1, keepdim=True)
        + book.pow(2).sum(dim=1)
        - 2 * torch.einsum("bd,dn->bn", vectors, book.T)
    )
    return distances.argmin(dim=1)


def plain_decode(w: Weights, h: Tensor) -> Tensor:
    shape = h.movedim(1, -1).shape
    z = w["quantize.embedding.weight"][plain_codes(w, h)].view(shape)
    loss = (z - h.movedim(1, -1)).pow(2).mean() * 1.25  # made there, too, and not used
    z = (h.movedim(1, -1) + (z - h.movedim(1, -1))).movedim(-1, 1).contiguous() + 0 * loss
    x = middle(w, "decoder.mid", conv(w, "decoder.conv_in", conv(w, "post_quant_conv", z)))
    for level in (2, 1, 0):
        x = resnet_block(w, f"decoder.up.{level}.block.0", x)
        if level:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = conv(w, f"decoder.up.{level}.upsample.conv", x)
    x = functional.gelu(group_norm(w, "decoder.norm_out", x, 1e-6))
    return conv(w, "decoder.conv_out", x)


# -- the comparison --


def sphere() -> Tensor:
    axis = torch.linspace(-1.5, 1.5, 64)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    distance = (points - torch.tensor([0.1, -0.2, 0.05])).norm(dim=-1) - 0.6
    return (distance.clamp(-0.2, 0.2) / 0.2)[None, None]


Case = tuple[Callable[[], Tensor], Callable[[], Tensor]]


def cases(wanted: list[str]) -> dict[str, Case]:
    """Name -> (plain, ours)."""
    made: dict[str, Case] = {}
    generator = torch.Generator().manual_seed(0)
    if {"unet", "pair"} & set(wanted):
        unet = filled(UNet3D(UNet3DConfig()), "glide_model.")
        w = unet.state_dict()
        x = torch.randn(1, 43, 16, 16, 16, generator=generator)
        text = torch.randn(2, 1, 768, generator=generator)
        t = torch.tensor([500.0])
        both, steps = x.repeat(2, 1, 1, 1, 1), t.repeat(2)
        made["unet"] = (
            lambda: plain_unet(w, x, t, text[:1])[:, :43],
            lambda: unet(x, t, text[:1]),
        )
        made["pair"] = (
            lambda: plain_unet(w, both, steps, text)[:, :43],
            lambda: unet(both, steps, text),
        )
    if {"encode", "decode", "codes"} & set(wanted):
        vqvae = filled(VQVAE(), "ae.model.")
        v = vqvae.state_dict()
        grid = sphere()
        h = vqvae.encode(grid)
        made["encode"] = lambda: plain_encode(v, grid), lambda: vqvae.encode(grid)
        made["decode"] = lambda: plain_decode(v, h), lambda: vqvae.decode(h)
        made["codes"] = lambda: plain_codes(v, h), lambda: vqvae.codes(h).flatten()
    return {name: made[name] for name in wanted}


def compare(case: Case, repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    plain, ours = case
    difference = (plain().double() - ours().double()).abs().max().item()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for function, kept in zip((plain, ours), times, strict=True):
            start = clock()
            function()
            kept.append(1000 * (clock() - start))
    best = [min(kept) for kept in times]
    return {
        "plain_ms": round(best[0], 2),
        "ours_ms": round(best[1], 2),
        "ratio": round(best[0] / best[1], 2),
        "difference": difference,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ["unet", "pair", "encode", "decode", "codes"]
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    arguments = parser.parse_args()

    def clock() -> float:
        if arguments.clock == "wall":
            return time.perf_counter()
        return time.process_time() / arguments.threads

    torch.set_num_threads(arguments.threads)
    with torch.no_grad():
        for name, case in cases(arguments.cases).items():
            row = {"case": name, "threads": arguments.threads, "clock": arguments.clock}
            print(json.dumps(row | compare(case, arguments.repeats, clock)), flush=True)


if __name__ == "__main__":
    main()
