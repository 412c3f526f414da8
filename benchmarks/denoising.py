"""How well does a denoiser know where hands are? Error of its joints by level of noise.

Validation scenes of a data set, the object given. Mean distance (mm) of the answered joints to the
true ones, at each level the same noise for all:

* `noisy`: the joints as they are seen, scaled back;
* `rigid`: the mean hand of the data moved to fit them (Kabsch), which knows no object, no text and
  no finger, and has learned nothing;
* `network`: the denoiser of each checkpoint; `no_object`: the same, with an empty grid as the
  object: what it gains by seeing the object is the difference.

Whose answers have the smaller error need not know better how hands go together, so that there is
also, of the network's answers with the object:

* `arm`: mean cosine between a forearm's direction and the true one; `arm_seen`: and that of the
  mean hand fitted to the noisy joints: a network that has not learned where bodies are repeats what
  noise says;
* `behind`: share of pairs whose forearms come from one side (their directions less than 90 degrees
  apart), beside that of the data.

One JSON line per level.

    python benchmarks/denoising.py --data data/two [--checkpoint DIR ...] [--scenes 200]
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from bghop.fields.rigid_fit import fit_rigid
from bghop.hands.axes import forearm_directions
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.hands.postures import Postures
from bghop.prior.checkpoint import load_prior
from bghop.prior.codec import JointCodec
from bghop.prior.denoiser import Condition
from bghop.prior.layout import OBJECT, JointLayout
from bghop.prior.prior import Prior
from bghop.training.prior import postures_of
from bghop.training.sources import SourceConfig, load_sources

LEVELS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--checkpoint", type=Path, nargs="*", default=[], help="besides the shipped"
    )
    parser.add_argument("--scenes", type=int, default=200)
    options = parser.parse_args()
    priors = {
        "shipped": load_prior(),
        **{str(each): load_prior(each) for each in options.checkpoint},
    }
    shipped, model = priors["shipped"], load_open_hand()
    truncation = shipped.codec.first_stage.truncation
    sources = load_sources(
        SourceConfig(
            records=options.data / "records.parquet", objects=options.data / "objects.parquet"
        ),
        shipped.codec.spec, torch.device("cpu"), truncation=truncation,
    )  # fmt: skip
    builder = sources.validation or sources.train
    rows = torch.linspace(0, len(builder) - 1, options.scenes).round().long()
    scenes = builder.scenes(rows)
    joints, present = scenes.joints, scenes.hands.present
    empty = torch.full_like(scenes.sdf, truncation)
    mean = mean_hands(model, postures_of(sources.train))
    true_arms = forearms(joints, mean)
    for level in LEVELS:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(joints.shape, generator=generator)
        row: dict[str, float] = {"level": level, "behind data": behind(true_arms, present)}

        def error(answer: Tensor) -> float:
            return round(1000 * float((answer - joints).norm(dim=-1)[present].mean()), 1)

        for name, prior in priors.items():
            condition = prior.condition(builder.texts(rows), present)
            for kind, sdf in (("network", scenes.sdf), ("no_object", empty)):
                noisy, alpha, answer = answered(prior, sdf, joints, noise, condition, level)
                if name == "shipped" and kind == "network":
                    seen = noisy / alpha
                    row |= {"noisy": error(seen), "rigid": error(fit_mean_hands(seen, mean)[0])}
                row[f"{kind} {name}"] = error(answer)
                if kind == "network":
                    arms, seen = forearms(answer, mean), forearms(noisy / alpha, mean)
                    row[f"arm {name}"] = agreement(arms, true_arms, present)
                    row[f"arm_seen {name}"] = agreement(arms, seen, present)
                    row[f"behind {name}"] = behind(arms, present)
        print(json.dumps({"benchmark": "denoising", **row}), flush=True)


def mean_hands(model: HandModel, postures: Postures) -> Tensor:
    """Joints (`hand joint 3`, metres) of average hands in their mean posture, each in its frame."""
    rest = model.rest_parameters(1)
    angles = postures.mean.to(model.vertices_rest).expand(1, 2, -1, -1)
    posed = HandParameters(
        present=rest.present,
        T_object_hand=torch.eye(4).to(model.vertices_rest).expand(1, 2, 4, 4),
        pose=model.pose_from_angles(angles),
        shape=rest.shape,
    )
    return model.joints(posed)[0]


def fit_mean_hands(joints: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Mean hands moved rigidly to joints (`b hand joint 3`), and their `R_grid_hand`."""
    hands = mean.to(joints).expand_as(joints)
    R, t = fit_rigid(hands, joints, torch.ones_like(joints[..., 0]))
    return hands @ R.mT + t[..., None, :], R


def forearms(joints: Tensor, mean: Tensor) -> Tensor:
    """Of mean hands fitted to joints, `b hand 3`."""
    return forearm_directions(fit_mean_hands(joints, mean)[1])


def agreement(first: Tensor, second: Tensor, present: Tensor) -> float:
    """Mean cosine of directions."""
    return round(float((first * second).sum(-1)[present].mean()), 3)


def behind(arms: Tensor, present: Tensor) -> float:
    """Share of pairs whose forearms come from one side."""
    together = (arms[:, 0] * arms[:, 1]).sum(-1) > 0
    return round(float(together[present.all(-1)].float().mean()), 3)


@torch.no_grad()
def answered(
    prior: Prior, sdf: Tensor, joints: Tensor, noise: Tensor, condition: Condition, level: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy joints (metres), alpha, and the joints that the denoiser answers."""
    codec, layout = prior.codec, prior.codec.layout
    assert isinstance(codec, JointCodec)
    assert isinstance(layout, JointLayout)
    levels = torch.full((len(joints), 3), level)
    levels[:, OBJECT] = 0
    alpha, sigma = prior.schedule.alpha_sigma(levels)
    clean = codec.encode(sdf, joints, condition.present)
    unit = torch.cat(
        [torch.zeros_like(layout.unpack(clean).object.flatten(1)), noise.flatten(1)], 1
    )
    x = layout.spread(alpha) * clean + layout.spread(sigma) * unit
    answer = layout.unpack(prior.denoiser(x, levels, condition)).hands * codec.joint_scale
    return layout.unpack(x).hands * codec.joint_scale, alpha[:, 1:, None, None], answer


if __name__ == "__main__":
    main()
