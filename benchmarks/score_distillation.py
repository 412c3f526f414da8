"""Time of an iteration of score distillation. One JSON line a case.

    python benchmarks/score_distillation.py [--threads 2] [--repeats 5] [--cases ours released]

`ours`: a whole iteration of `distill` with the `small` network (weights as initialised, guidance
on) and eight candidates on a box. `released`: the pull of the released networks (formula weights)
on one candidate and its gradient, beside a plain implementation of the public code's step, which
runs both networks operation by operation (see `released.py`) and encodes with gradients, so that
every backward pass goes through the whole encoder to bring back zeros. Both sides of `released`
see the same hands and noise and take turns; `difference` is the largest one of their gradients by
the wrist poses, relative to the largest gradient. Best of the repeats for `released`, the median
iteration for `ours`. `--clock cpu` counts the process's own time divided by the threads.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional

from bghop.fields.grid_spec import GridSpec
from bghop.geometry.shapes import box
from bghop.hands.model import HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.prior.codec import FieldCodec, JointCodec
from bghop.prior.denoiser import Condition
from bghop.prior.first_stage import BlockCodec, BlockCodecConfig
from bghop.prior.layout import RELEASED_ORDER
from bghop.prior.prior import Prior
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.schedule import CosineSchedule, ReleasedSchedule
from bghop.prior.transformer import SIZES, PatchTransformer, TransformerConfig
from bghop.prior.unet import UNet3D
from bghop.prior.vqvae import VQVAE
from bghop.synthesis.distillation.field_pull import PATH, FieldPull
from bghop.synthesis.distillation.options import DistillOptions
from bghop.synthesis.distillation.place import place_object
from bghop.synthesis.distillation.pull import Moment, row_noise
from bghop.synthesis.score_distillation import distill
from released import filled, plain_decode, plain_encode, plain_unet

Clock = Callable[[], float]
MESH = box((0.16, 0.09, 0.12))
CANDIDATES = 8


def ours(clock: Clock, repeats: int) -> dict[str, float]:
    """Iterations of our own prior."""
    schedule = CosineSchedule()
    size = SIZES["small"]
    config = TransformerConfig(width=size["width"], depth=size["depth"], heads=size["heads"])
    network = PatchTransformer(config, schedule).eval()
    prior = Prior(
        denoiser=network.requires_grad_(False),
        codec=JointCodec(
            first_stage=BlockCodec(BlockCodecConfig()), spec=GridSpec(unit=0.3, frame="object")
        ),
        schedule=schedule,
    )
    times: list[float] = []
    options = DistillOptions(steps=3 * repeats, still=0.0)
    distill(
        MESH, prior, hand_model=load_open_hand(), prompts=["box"], num=CANDIDATES, seed=0,
        options=options, progress=lambda *_: times.append(clock()),
    )  # fmt: skip
    steps = [1000 * (after - before) for before, after in pairwise(times)]
    late = round(options.physics_from * options.steps)
    plain, helped = median(steps[: late - 1]), median(steps[late:])
    return {
        "candidates": CANDIDATES,
        "iteration_ms": round(plain, 1),
        "with_physics_ms": round(helped, 1),
        "per_candidate_ms": round(plain / CANDIDATES, 1),
    }


def released(clock: Clock, repeats: int) -> dict[str, float]:
    """One pull of the released networks, ours and plain."""
    unet, vqvae = filled(UNet3D(), "glide_model."), filled(VQVAE(), "ae.model.")
    unet.requires_grad_(False)
    vqvae.requires_grad_(False)
    denoiser = ReleasedDenoiser(unet)
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(2, 1, 768, generator=generator)
    denoiser.set_empty_text(text[1])
    model = load_open_hand()
    spec = GridSpec.released(model.joints_rest[1, 5])
    prior = Prior(
        denoiser=denoiser,
        codec=FieldCodec(first_stage=vqvae, spec=spec),
        schedule=ReleasedSchedule(),
    )
    both = torch.ones(1, 2, dtype=torch.bool)
    assert isinstance(prior.codec, FieldCodec)
    pull = FieldPull(
        prior=prior,
        codec=prior.codec,
        condition=Condition(tokens=text[:1], text_given=both[:, 0], present=both),
        sdf=place_object(MESH, spec).sdf,
        model=model,
        options=DistillOptions.released(),
        seed=0,
    )
    T = torch.eye(4).repeat(1, 2, 1, 1)
    T[0, :, :3, 3] = torch.tensor([[-0.10, 0.08, 0.0], [0.10, 0.08, 0.0]])
    hands = replace(model.rest_parameters(1), T_object_hand=T.requires_grad_())

    def moment() -> Moment:
        return Moment(
            rows=torch.zeros(1, dtype=torch.int64), hands=hands, joints=model.joints(hands),
            share=torch.zeros(1), iteration=0,
        )  # fmt: skip

    def fast() -> Tensor:
        return torch.autograd.grad(pull(moment()).loss.sum(), T)[0]

    weights = unet.state_dict(), vqvae.state_dict()

    def plain() -> Tensor:
        return torch.autograd.grad(_plain_loss(pull, moment(), hands, weights, text), T)[0]

    difference = (plain() - fast()).abs().max() / fast().abs().max()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for step, kept in zip((plain, fast), times, strict=True):
            start = clock()
            step()
            kept.append(1000 * (clock() - start))
    best = [min(kept) for kept in times]
    return {
        "candidates": 1,
        "plain_ms": round(best[0], 1),
        "ours_ms": round(best[1], 1),
        "ratio": round(best[0] / best[1], 2),
        "difference": float(difference),
    }


def _plain_loss(
    pull: FieldPull,
    moment: Moment,
    hands: HandParameters,
    weights: tuple[dict[str, Tensor], dict[str, Tensor]],
    text: Tensor,
) -> Tensor:
    """The public code's step in its order, with the training's schedule and whole guidance."""
    unet, vqvae = weights
    scene = pull.scene(hands, moment.joints)
    step = pull.steps(moment, scene)
    path = pull.prior.schedule.path(PATH)
    place = int(PATH - 1 - step)
    level, alpha, sigma = (
        path.level[place],
        float(path.alpha[place, 0]),
        float(path.sigma[place, 0]),
    )
    order = pull.codec.layout.to_order(RELEASED_ORDER)
    noise = row_noise(moment.rows, pull.codec.layout.shape, seed=0, iteration=0)[:, order]
    latents = torch.cat(
        [plain_encode(vqvae, scene.image), scene.fields[:, 1], scene.fields[:, 0]], dim=1
    )
    right, left = latents[:, 3:23], latents[:, 23:]
    with torch.no_grad():
        x = alpha * latents + sigma * noise
        answer = plain_unet(unet, x.repeat(2, 1, 1, 1, 1), level.repeat(2), text)[:, :43]
        conditional, unconditional = answer.chunk(2)
        eps = unconditional + pull.options.guidance * (conditional - unconditional)
        clean = (x - sigma * eps) / alpha
        decoded = plain_decode(vqvae, clean[:, :3])
    image, target, loss = scene.image, decoded, torch.zeros(())
    for _ in range(5):
        loss = loss + functional.mse_loss(image, target)
        image, target = functional.avg_pool3d(image, 2), functional.avg_pool3d(target, 2)
    for field, wanted in ((right, clean[:, 3:23]), (left, clean[:, 23:])):
        loss = loss + 0.5 * 10 * functional.mse_loss(field, wanted)
    return alpha * sigma * loss


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=["ours", "released"],
                        default=["ours", "released"])  # fmt: skip
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    told = parser.parse_args(arguments)

    def clock() -> float:
        wall = told.clock == "wall"
        return time.perf_counter() if wall else time.process_time() / told.threads

    torch.set_num_threads(told.threads)
    for name in told.cases:
        row = {"case": name, "threads": told.threads, "clock": told.clock}
        measure = ours if name == "ours" else released
        print(json.dumps(row | measure(clock, told.repeats)), flush=True)


if __name__ == "__main__":
    main()
