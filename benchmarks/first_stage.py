"""First stages of the object on held-out shapes and shared meshes: one JSON line per codec.

    python benchmarks/first_stage.py [--meshes ../shared/meshes] [--grids runs/first_stage_train.pt]
        [--codec NAME=FILE ...] [--only NAME] [--noise 0.05 0.10] [--per-object] [--threads 1]

Quality is the mean over objects, apart for `solid` and `thin` ones (walls below the sample spacing
of 9.5 mm; see first_stage_scenes.py): IoU on 20,000 points in the object's box and 1 cm around it
against the mesh itself, IoU on the grid's samples, two-sided mean surface distance (Chamfer) and
its 95 % quantile against the mesh. `identity` is the 64^3 grid itself: what no codec can beat.
`bytes` are the weights on disk (single precision where there is no file). The closed-form codecs
are fitted to `--grids`, made by scripts/fit_first_stage.py; without that file they are left out.
`vqvae` is the released architecture with random weights: time and bytes only.
"""

import argparse
import importlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor, nn
from torch.nn import functional

import bghop.prior
from bghop.prior.first_stage import BlockCodec, BlockCodecConfig, FirstStage, to_distance_grid
from bghop.prior.first_stage_file import load_first_stage
from first_stage_scenes import Scene, quality, scenes

TRUNCATION = 0.04


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """A codec to measure."""

    name: str
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    parameters: int = 0
    size: int = 0
    quality: bool = True


def entries(arguments: argparse.Namespace) -> Iterator[Entry]:
    """All codecs, the cheapest first."""
    yield Entry(name="identity", encode=lambda x: x, decode=lambda z: z)
    yield Entry(name="nearest_1", encode=_means, decode=lambda z: _upsampled(z, "nearest"))
    yield Entry(name="trilinear_1", encode=_means, decode=lambda z: _upsampled(z, "trilinear"))
    if arguments.grids.is_file():
        grids = to_distance_grid(torch.load(arguments.grids)[:304].float(), TRUNCATION)[:, None]
        for channels in (1, 4, 7, 8, 10, 16):
            config = BlockCodecConfig(channels=channels, depth=0)
            yield _entry(f"blocks_{channels}", BlockCodec.fitted(grids, config).eval())
    shipped = Path(bghop.prior.__file__).parent / "assets" / "first_stage.safetensors"
    pairs = [("shipped", shipped), *((n, Path(f)) for n, f in arguments.codec)]
    for name, path in pairs:
        yield _entry(name, load_first_stage(path), size=path.stat().st_size)
    if find_spec("bghop.prior.vqvae"):
        vqvae = importlib.import_module("bghop.prior.vqvae").VQVAE().eval()
        yield _entry("vqvae", vqvae, quality=False)


def measure(entry: Entry, tests: list[Scene], arguments: argparse.Namespace) -> dict:
    """Time, size and quality."""
    one = to_distance_grid(tests[0].sdf, TRUNCATION)[None, None]
    latent = entry.encode(one)
    row: dict = {
        "codec": entry.name,
        "latent": "x".join(str(n) for n in latent.shape[1:]),
        "floats": latent[0].numel(),
        "encode_ms": _milliseconds(lambda: entry.encode(one)),
        "decode_ms": _milliseconds(lambda: entry.decode(latent)),
        "parameters": entry.parameters,
        "bytes": entry.size,
        "threads": torch.get_num_threads(),
    }
    if not entry.quality:
        return row
    levels = arguments.noise if entry.parameters else []
    for noise in (0.0, *levels):
        results = []
        for index, test in enumerate(tests):
            sdf = to_distance_grid(test.sdf, TRUNCATION)[None, None]
            z = entry.encode(sdf)
            generator = torch.Generator().manual_seed(index)
            # Relative to each channel's spread over all cells of all shapes, which is about 1.
            z = z + noise * torch.randn(z.shape, generator=generator)
            results.append(quality(test, entry.decode(z)[0, 0].clamp(-1, 1), TRUNCATION))
        suffix = f"_noise{round(100 * noise)}" if noise else ""
        for kind, thin in (("solid", False), ("thin", True)):
            chosen = [r for r, test in zip(results, tests, strict=True) if test.thin == thin]
            row[kind + suffix] = {key: round(mean(r[key] for r in chosen), 3) for key in chosen[0]}
        if arguments.per_object and not noise:
            row["objects"] = _per_object(tests, results)
    return row


def _per_object(tests: list[Scene], results: list[dict[str, float]]) -> dict:
    table = {}
    for name in dict.fromkeys(test.name for test in tests):
        own = [r for r, test in zip(results, tests, strict=True) if test.name == name]
        table[name] = {key: round(mean(r[key] for r in own), 3) for key in own[0]}
    return table


def _entry(name: str, stage: FirstStage, *, size: int = 0, quality: bool = True) -> Entry:
    assert isinstance(stage, nn.Module)
    count = sum(p.numel() for p in stage.parameters())
    return Entry(
        name=name,
        encode=stage.encode,
        decode=stage.decode,
        parameters=count,
        size=size or 4 * count,
        quality=quality,
    )


def _means(sdf: Tensor) -> Tensor:
    return functional.avg_pool3d(sdf, 4)


def _upsampled(latent: Tensor, mode: str) -> Tensor:
    return functional.interpolate(latent, scale_factor=4.0, mode=mode)


def _milliseconds(run: Callable[[], object]) -> float:
    """Median of up to five runs after one; slow ones run once."""
    start = time.perf_counter()
    run()
    times = [time.perf_counter() - start]
    if times[0] < 1:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return round(1000 * sorted(times)[len(times) // 2], 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", type=Path, default=Path("../shared/meshes"))
    parser.add_argument("--grids", type=Path, default=Path("runs/first_stage_train.pt"))
    parser.add_argument(
        "--codec", type=lambda text: text.split("=", 1), action="append", default=[]
    )
    parser.add_argument("--only", default="", help="a part of the names to run")
    parser.add_argument("--noise", type=float, nargs="*", default=[0.05, 0.10])
    parser.add_argument("--poses", type=int, default=2)
    parser.add_argument("--per-object", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tests = list(scenes(arguments.meshes, poses=arguments.poses))
    with torch.no_grad():
        for entry in entries(arguments):
            if arguments.only in entry.name:
                print(json.dumps(measure(entry, tests, arguments)), flush=True)


if __name__ == "__main__":
    main()
