"""Methods of the benchmark that ask a learned prior: sampled or distilled hands, refined or not."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

from bghop.evaluation.method_names import PriorMethod
from bghop.evaluation.methods import Candidates, Up, through_released
from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.prior.checkpoint import load_prior
from bghop.prior.prior import Prior
from bghop.synthesis.from_prior import hands_of, sample_hands
from bghop.synthesis.prior_grasps import grasps_from_prior, mixed_grasps
from bghop.synthesis.refine import refine_hands
from bghop.synthesis.score_distillation import default_options, distill
from bghop.threads import network_threads


@dataclass(frozen=True, kw_only=True)
class FromPrior:
    """A `Method`; picklable, each process loads the checkpoint once."""

    kind: PriorMethod
    """`mixed`: samples and geometric starts, refined, as `bghop grasp` does; `prior`: samples,
    refined; `prior-raw`: samples as they are; `prior-no-text`: as `prior`, not
    told what the object is; `sds`: score distillation from random starts, refined; `sds-released`:
    the same, as the released code goes on: through its grid and its recovery."""
    checkpoint: Path

    def __call__(
        self, mesh: Mesh, hand_model: HandModel, *, num: int, seed: int, up: Up | None, text: str
    ) -> Candidates:
        """Up to `num` grasps, the better ones of more samples (of `num`: `prior-raw`, `sds`)."""
        prior = _load(self.checkpoint)
        prompt = "" if self.kind == "prior-no-text" else text
        axis = "none" if up is None else "z"
        if self.kind in ("sds", "sds-released"):
            hands = _distilled(prior, mesh, hand_model, num, seed, prompt)
            if self.kind == "sds-released":
                return Candidates(hands=through_released(hands, hand_model), energy=None)
            found = refine_hands([mesh], hands, hand_model).best(num)
        elif self.kind == "prior-raw":
            hands = sample_hands(
                mesh, prior, hand_model, num=num, prompt=prompt, seed=seed, up=axis,
                present=hands_of(prior),
            )  # fmt: skip
            found = refine_hands([mesh], hands, hand_model, only_score=True).best(num)
        else:
            find = mixed_grasps if self.kind == "mixed" else grasps_from_prior
            found = find(mesh, prior, hand_model, num=num, prompt=prompt, seed=seed, up=axis)
        return Candidates.of(found)


def _distilled(
    prior: Prior, mesh: Mesh, hand_model: HandModel, num: int, seed: int, prompt: str
) -> HandParameters:
    options = replace(default_options(prior), watch=())
    with network_threads():
        found = distill(
            mesh, prior, hand_model=hand_model, prompts=[prompt], num=num, seed=seed,
            options=options, R_prior_object=torch.eye(3),
        )  # fmt: skip
    return found.hands


@lru_cache(2)
def _load(checkpoint: Path) -> Prior:
    return load_prior(checkpoint, device=torch.device("cpu"))
