"""Balls of a hand: which may touch, and how much they overlap, with gradients."""

import pytest
import torch
from dense_overlap import dense_overlap
from torch import Tensor

from bghop.hands.open_hand import load_open_hand
from bghop.synthesis.spheres import make_spheres, summed_overlap


def balls(*shape: int, offset: float = 0.0) -> Tensor:
    """Centres in a box of the size of a hand, anywhere in the object's frame."""
    torch.manual_seed(sum(shape))
    return (0.15 * torch.rand(*shape, 3) + offset).requires_grad_()


def reach_of(*shape: int) -> Tensor:
    """Sums of radii of fingers; a third of the pairs may always touch."""
    torch.manual_seed(0)
    return (0.01 + 0.02 * torch.rand(shape)) * (torch.rand(shape) > 1 / 3)


@pytest.mark.parametrize("offset", [0.0, 0.5])
@pytest.mark.parametrize(
    ("batch", "own"), [((7,), (30, 20)), ((5, 2), (2, 30, 20)), ((1,), (30, 20))]
)
def test_it_is_the_sum_over_all_pairs_and_so_are_its_gradients(
    batch: tuple[int, ...], own: tuple[int, ...], offset: float
) -> None:
    first, second = balls(*batch, 30, offset=offset), balls(*batch, 20, offset=offset)
    reach = reach_of(*own)
    found, expected = (way(first, second, reach) for way in (summed_overlap, dense_overlap))
    assert float(expected.detach().min()) > 0
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    weights = torch.arange(1.0, 1.0 + expected.numel()).reshape(batch)
    for ours, theirs in zip(
        torch.autograd.grad((weights * found).sum(), (first, second)),
        torch.autograd.grad((weights * expected).sum(), (first, second)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_one_set_of_balls_against_itself_counts_the_pairs_that_may_not_touch() -> None:
    centres = torch.tensor([[[0.0, 0.0, 0.0], [0.01, 0.0, 0.0], [0.5, 0.0, 0.0]]])
    reach = torch.zeros(3, 3)
    reach[0, 1] = reach[0, 2] = 0.03
    torch.testing.assert_close(summed_overlap(centres, centres, reach), torch.tensor([0.02]))


def test_balls_that_are_apart_overlap_by_nothing_and_pull_nowhere() -> None:
    first, second = balls(4, 6), balls(4, 6, offset=1.0)
    found = summed_overlap(first, second, torch.full((6, 6), 0.02))
    assert torch.equal(found, torch.zeros(4))
    (gradient,) = torch.autograd.grad(found.sum(), first)
    assert torch.equal(gradient, torch.zeros_like(first))


def test_equal_centres_have_a_finite_gradient() -> None:
    centres = torch.zeros(1, 2, 3, requires_grad=True)
    found = summed_overlap(centres, centres, torch.full((2, 2), 0.02))
    torch.testing.assert_close(found, torch.tensor([0.08]), rtol=1e-3, atol=1e-4)
    (gradient,) = torch.autograd.grad(found.sum(), centres)
    assert bool(gradient.isfinite().all())


def test_pairs_that_may_not_touch_are_of_different_fingers_or_of_a_segment_and_the_palm() -> None:
    spheres = make_spheres(load_open_hand())
    pairs, bone = spheres.may_touch, spheres.bone.tolist()
    assert not bool(pairs.tril().any())
    found = {tuple(sorted((bone[i], bone[j]))) for i, j in pairs.nonzero().tolist()}
    palm, tips, bases = 0, (3, 6, 9, 12, 15), (1, 4, 7, 10, 13)
    finger = {number: (number - 1) // 3 for number in range(16)}
    assert all((a, b) in found for a in tips for b in tips if a < b)
    assert {(palm, tip) for tip in tips} <= found
    assert not any(finger[a] == finger[b] for a, b in found)
    assert not any(a in (palm, *bases) and b in bases for a, b in found)
