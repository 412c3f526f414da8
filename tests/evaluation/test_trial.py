"""Trials: the worst direction of a hold test, and the order in which trials run."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
import trimesh

from bghop.evaluation.benchmark import make_trials, run_trials
from bghop.evaluation.methods import Candidates
from bghop.evaluation.trial import worst_direction
from bghop.geometry.mesh import Mesh
from bghop.physics.hold import DIRECTION_NAMES, HoldResult


def result(moved_cm, turned_deg):
    return HoldResult(
        held=(True,) * 6, moved_cm=moved_cm, turned_deg=turned_deg, largest_force=1.0,
        closing_moved_cm=0.0, closing_turned_deg=0.0, squeeze_force=(1.0, 1.0), mass=0.1,
        seconds=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("k", range(6))
def test_the_worst_direction_is_where_it_moved_most(k):
    moved = tuple(5.0 if j == k else 1.0 for j in range(6))
    assert worst_direction(result(moved, (0.0,) * 6)) == DIRECTION_NAMES[k]


def test_rotation_counts_by_its_own_limit():
    """1.9 of 2 cm is less than 16 of 15 degrees, and more than 14."""
    moved = (1.9, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert worst_direction(result(moved, (0.0, 0.0, 16.0, 0.0, 0.0, 0.0))) == "+z"
    assert worst_direction(result(moved, (0.0, 0.0, 14.0, 0.0, 0.0, 0.0))) == "+x"
    assert worst_direction(result((0.0,) * 6, (0.0,) * 6)) == "+x"


def box():
    made = trimesh.creation.box((0.1, 0.1, 0.1))
    return Mesh(vertices=np.array(made.vertices), faces=np.array(made.faces))


@dataclass(frozen=True)
class Item:
    name: str = "box"
    family: str = "box"
    text: str = "box"
    articulated: bool = False
    mesh: Mesh = field(default_factory=box)


def test_the_quick_method_runs_last_and_keeps_its_place_in_the_tables():
    asked = []

    def method(name):
        def found(mesh, hand_model, *, num, seed, up, text=""):
            asked.append((name, seed))
            return Candidates(hands=hand_model.rest_parameters(num), energy=torch.zeros(num))

        return found

    methods = {name: method(name) for name in ("random", "optimize")}
    trials = make_trials(
        "set", [Item()], methods=("random", "optimize"), seeds=(0, 1), num=1, hold=False
    )
    found = list(run_trials(trials, workers=1, methods=methods))
    assert asked == [("optimize", 0), ("optimize", 1), ("random", 0), ("random", 1)]
    assert [each.index for each in found] == [2, 3, 0, 1]
    for each in found:
        (row,) = each.rows
        assert (row["method"], row["seed"]) == (trials[each.index].method, trials[each.index].seed)
