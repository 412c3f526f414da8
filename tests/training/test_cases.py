import pytest
import torch

from bghop.errors import OptionError
from bghop.training.cases import CASES, CaseWeights, cases_of, draw_cases, draw_kinds

BOTH = torch.ones(1, 2, dtype=torch.bool)
LEFT_ONLY = torch.tensor([[True, False]])
YES, NO = torch.tensor([True]), torch.tensor([False])


def case(name, present=BOTH, *, side=YES, with_object=NO):
    cases = cases_of(present, torch.tensor([CASES.index(name)]), side, with_object)
    return cases.given[0].tolist(), cases.present[0].tolist()


def test_each_case_by_its_masks():
    """Given (object, left, right) and present (left, right)."""
    assert case("joint") == ([False, False, False], [True, True])
    assert case("object") == ([True, False, False], [True, True])
    assert case("object_and_hand", side=YES) == ([True, False, True], [True, True])
    assert case("object_and_hand", side=NO) == ([True, True, False], [True, True])
    assert case("hands") == ([False, True, True], [True, True])
    assert case("single_hand", side=YES) == ([False, False, False], [False, True])
    assert case("single_hand", side=NO, with_object=YES) == ([True, False, False], [True, False])


def test_scenes_of_one_hand_keep_it_and_always_leave_something_to_learn():
    for name in CASES:
        given, present = case(name, LEFT_ONLY, side=YES, with_object=YES)
        assert present == [True, False]
        parts = [True, *present]
        assert any(there and not known for there, known in zip(parts, given, strict=True))


def test_cases_come_as_often_as_their_weights_say():
    weights = CaseWeights(joint=3.0, object=1.0, object_and_hand=0.0, hands=0.0, single_hand=0.0)
    cases = draw_cases(BOTH.expand(4000, 2), weights, torch.Generator().manual_seed(0))
    assert cases.given[:, 0].float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert not cases.given[:, 1:].any()


def test_weights_that_give_no_case_are_refused():
    with pytest.raises(OptionError, match="use numbers >= 0, one of them > 0"):
        CaseWeights(joint=0.0, object=0.0, object_and_hand=0.0, hands=0.0, single_hand=0.0)


def test_an_object_is_drawn_freely_where_it_and_no_whole_scene_is_given():
    kinds = draw_kinds(4000, CaseWeights(), torch.Generator().manual_seed(0))
    cases = cases_of(BOTH.expand(4000, 2), *kinds)
    nothing_given = ~cases.given.any(-1)
    assert torch.equal(kinds.draws_object, nothing_given)
    assert 0.3 < nothing_given.float().mean() < 0.6
