"""More samples than wanted, refined, the best of them: counts, order, and what may not move."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.interaction import Interaction, joined
from bghop.prior.prior import Prior
from bghop.prior.sampling import SampleOptions
from bghop.synthesis.optimize import OptimizeOptions
from bghop.synthesis.prior_grasps import best_of_more, grasps_from_prior, samples_for
from bghop.synthesis.refine import RefineOptions, best_hands
from bghop.synthesis.synthesize import Synthesis
from small_prior import small_prior
from small_scenes_of_hands import palms_beside

FEW = SampleOptions(steps=2, guidance=1.0)
QUICK = RefineOptions(sdf_resolution=48, optimize=OptimizeOptions(steps=6, prune_at=()))


@pytest.fixture(scope="module")
def prior() -> Prior:
    return small_prior()


def spread_pairs(model: HandModel) -> HandParameters:
    """Six pairs of palms, ever farther from the box."""
    return joined([palms_beside(model, 0.10, 0.01 + 0.02 * k) for k in range(6)])


@pytest.mark.parametrize(("num", "samples"), [(1, 6), (4, 24), (8, 32), (16, 48), (100, 300)])
def test_as_many_samples_are_drawn_as_the_optimiser_has_starts(num: int, samples: int):
    assert samples_for(num) == samples


def test_the_best_come_first_and_the_worse_half_is_dropped(box_mesh: Mesh, hand_model: HandModel):
    hands = spread_pairs(hand_model)
    found = best_hands(box_mesh, hands, hand_model, num=2, options=QUICK)
    assert found.energy.tolist() == sorted(found.energy.tolist())
    assert len(found.energy) == 2
    half = best_hands(box_mesh, hands, hand_model, num=5, options=QUICK)
    assert len(half.energy) == 3  # half of six are left
    for name, value in found.terms.items():
        assert value.shape == (2,), name


def test_as_many_as_there_are_all_stay(box_mesh: Mesh, hand_model: HandModel):
    hands = spread_pairs(hand_model)
    assert len(best_hands(box_mesh, hands, hand_model, num=6, options=QUICK).energy) == 6


def test_a_hand_that_may_not_move_is_that_of_its_own_row(box_mesh: Mesh, hand_model: HandModel):
    """Rows are pruned and sorted; each right hand is one of those given, bit for bit."""
    hands = spread_pairs(hand_model)
    free = torch.tensor([True, False]).expand(6, 2)
    found = best_hands(box_mesh, hands, hand_model, num=3, options=QUICK, free=free)
    given = {tuple(T.flatten().tolist()) for T in hands.T_object_hand[:, 1]}
    kept = [tuple(T.flatten().tolist()) for T in found.hands.T_object_hand[:, 1]]
    assert len(set(kept)) == 3
    assert set(kept) <= given


def test_a_known_hand_is_in_every_grasp(prior: Prior, box_mesh: Mesh, hand_model: HandModel):
    known = palms_beside(hand_model, 0.10, 0.005).rows(0)
    known = replace(known, present=torch.tensor([False, True]))
    seen: list[tuple[int, int]] = []
    found = grasps_from_prior(
        box_mesh, prior, hand_model, num=2, known=known, options=FEW, refine=QUICK,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert found.hands.present.tolist() == [[True, True]] * 2
    for name in ("T_object_hand", "pose", "shape"):
        value = getattr(found.hands, name)
        assert torch.equal(value[:, 1], getattr(known, name)[1].expand_as(value[:, 1])), name
    assert seen == sorted(seen)
    assert seen[-1] == (1000, 1000)


def test_drawn_hands_are_among_the_candidates(
    prior: Prior, box_mesh: Mesh, hand_model: HandModel, monkeypatch: pytest.MonkeyPatch
):
    seen: list[HandParameters] = []

    def watched(mesh: Mesh, hands: HandParameters, *args: Any, **options: Any) -> Synthesis:
        seen.append(hands)
        return best_hands(mesh, hands, *args, **(options | {"options": QUICK}))

    monkeypatch.setattr("bghop.synthesis.prior_grasps.best_hands", watched)
    hands = palms_beside(hand_model, 0.10, 0.005).rows(0)
    drawn = Interaction(mesh=box_mesh, hands=hands, text="box")
    found = best_of_more([drawn], prior, hand_model, seed=1, options=FEW)
    assert len(found.energy) == 1
    (candidates,) = seen
    assert len(candidates.present) == samples_for(1)
    assert torch.equal(candidates.T_object_hand[0], hands.T_object_hand)
