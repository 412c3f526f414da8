"""One trial of the benchmark: one object x one method x one seed, as flat rows of plain values."""

import hashlib
import time
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
import torch

from bghop.errors import BghopError, ResultError
from bghop.evaluation.measure import Published, measure_all, solid_of_mesh
from bghop.evaluation.methods import Candidates, Method, Up
from bghop.evaluation.metrics import GraspMetrics
from bghop.evaluation.ranking import faults, rank, score
from bghop.evaluation.records import HOLD_COLUMNS, Row
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.hands.joints import SIDES
from bghop.hands.model import HandModel, HandParameters
from bghop.physics.body import Body, body_of
from bghop.physics.hold import DIRECTION_NAMES, HoldResult, hold_test
from bghop.physics.pieces import pieces_of
from bghop.physics.settings import HoldSettings
from bghop.physics.static_check import StaticResult, static_check

UP: Up = (0.0, 0.0, 1.0)
"""Objects of the benchmark stand with +z up; only start poses use it."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one trial is told; picklable."""

    index: int
    """Its place in the tables."""
    object_set: str
    item: Any
    """An object of the set: `name`, `family`, `text`, `articulated`, and `mesh`, made when asked
    for."""
    method: str
    seed: int
    num: int
    hold: bool

    @property
    def label(self) -> str:
        """For people: object, method, seed."""
        return f"{self.item.name}, {self.method}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """Rows of `RESULT_COLUMNS`, best first, one of `TIME_COLUMNS`; or a problem in words."""

    index: int
    rows: list[Row]
    times: Row
    problem: str = ""


def mesh_digest(mesh: Mesh) -> str:
    """Hash of vertices and faces: whether two runs had the same object."""
    digest = hashlib.sha256()
    for values in (mesh.vertices, mesh.faces):
        digest.update(str(values.shape).encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:32]


def run_trial(trial: Trial, method: Method, hand_model: HandModel) -> TrialResult:
    """Loads the object, asks the method, measures and orders its grasps, tests whether they hold.

    A `BghopError` (say, no grasp was found) becomes the result's `problem`.
    """
    try:
        return _run(trial, method, hand_model)
    except BghopError as error:
        return TrialResult(index=trial.index, rows=[], times={}, problem=str(error))


def _run(trial: Trial, method: Method, hand_model: HandModel) -> TrialResult:
    clock = _Clock()
    mesh = trial.item.mesh
    load_s = clock.lap()
    found = method(mesh, hand_model, num=trial.num, seed=trial.seed, up=UP, text=trial.item.text)
    synthesis_s = clock.lap()
    num = len(found.hands.present)
    if num == 0 or not bool(torch.isfinite(found.hands.T_object_hand).all()):
        msg = f"{trial.method} found no grasp for {trial.item.name}: leave it out with --only"
        raise ResultError(msg)
    target = solid_of_mesh(mesh)
    grasps = [found.hands.rows(k) for k in range(num)]
    both_kinds = [measure_all(target, hand_model, each, time_s=0.0) for each in grasps]
    measured = [ours for ours, _ in both_kinds]
    metrics_s = clock.lap() / num
    query = target.query
    body = _body(mesh, query)
    checks = [static_check(query, body, hand_model, each) for each in grasps]
    order = _order(measured, checks, found)
    pieces = pieces_of(mesh) if trial.hold else None
    with torch.no_grad():
        joints = hand_model.joints(found.hands)
    rows, hold_s = [], []
    for place, k in enumerate(order):
        if pieces is None:
            held: Row = dict.fromkeys(HOLD_COLUMNS)
        else:
            held, seconds = _hold(mesh, query, hand_model, grasps[k])
            hold_s.append(seconds)
        energy = float("nan") if found.energy is None else float(found.energy[k])
        rows.append(
            {
                "object_set": trial.object_set,
                "object": trial.item.name,
                "family": trial.item.family,
                "articulated": trial.item.articulated,
                "size_cm": 100 * float(mesh.extents.max()),
                "mass_kg": body.mass,
                "method": trial.method,
                "seed": trial.seed,
                "rank": place,
                "energy": energy,
                "instability": checks[k].instability,
                "static": checks[k].success,
                "static_directions": sum(checks[k].held),
                **_metric_values(measured[k]),
                **_published_values(both_kinds[k][1]),
                **held,
                **_hand_values(grasps[k], joints[k]),
            }
        )
    times: Row = {
        "object": trial.item.name,
        "method": trial.method,
        "seed": trial.seed,
        "load_s": load_s,
        "synthesis_s": synthesis_s,
        "metrics_s": metrics_s,
        "pieces_s": None if pieces is None else pieces.seconds,
        "hold_s": mean(hold_s) if hold_s else None,
        "static_ms": 1e3 * mean(check.seconds for check in checks),
    }
    return TrialResult(index=trial.index, rows=rows, times=times)


_BODIES: dict[str, Body] = {}


def _body(mesh: Mesh, query: MeshQuery) -> Body:
    """Kept by what the mesh is: a process meets an object again with other methods and seeds."""
    key = mesh_digest(mesh)
    if key not in _BODIES:
        _BODIES[key] = body_of(mesh, query)
    return _BODIES[key]


def _order(
    measured: list[GraspMetrics], checks: list[StaticResult], found: Candidates
) -> list[int]:
    """The order of `bghop grasp`, the same rule for all methods."""
    energies = [None] * len(checks) if found.energy is None else found.energy.tolist()
    pairs = zip(checks, energies, strict=True)
    return rank(measured, [score(check.instability, energy) for check, energy in pairs])


def _metric_values(metrics: GraspMetrics) -> Row:
    pairs = {
        "depth_{}_mm": metrics.penetration_depth_mm,
        "volume_{}_cm3": metrics.intersection_volume_cm3,
        "contact_ratio_{}": metrics.contact_ratio,
        "fingers_{}": metrics.fingers_in_contact,
        "limit_{}_deg": metrics.limit_violation_deg,
    }
    broken = faults(metrics)
    return {
        **{name.format(side): pair[k] for k, side in enumerate(SIDES)
           for name, pair in pairs.items()},
        "depth_mm": max((v for v in metrics.penetration_depth_mm if v is not None), default=0.0),
        "volume_cm3": sum(v for v in metrics.intersection_volume_cm3 if v is not None),
        "hand_hand_depth_mm": metrics.hand_hand_depth_mm,
        "hand_hand_volume_cm3": metrics.hand_hand_volume_cm3,
        "both_in_contact": metrics.both_hands_in_contact,
        "good": not broken,
        "faults": "; ".join(broken),
    }  # fmt: skip


def _published_values(published: Published) -> Row:
    """By the definitions of GraspTTA and HALO; null for an absent hand."""
    row: Row = {}
    for side, found in zip(SIDES, published, strict=True):
        row |= {
            f"grasptta_volume_{side}_cm3": None if found is None else found.grasptta_volume_cm3,
            f"grasptta_depth_{side}_cm": None if found is None else found.grasptta_depth_cm,
            f"grasptta_contact_{side}": None if found is None else found.grasptta_contact,
            f"halo_volume_{side}_cm3": None if found is None else found.halo_volume_cm3,
            f"halo_distance_{side}_cm": None if found is None else found.halo_distance_cm,
        }
    return row


def _hold(
    mesh: Mesh, query: MeshQuery, hand_model: HandModel, hands: HandParameters
) -> tuple[Row, float]:
    """Hold columns, and seconds of the hold test with both hands."""
    both = hold_test(mesh, hand_model, hands, query=query)
    without_left = hold_test(mesh, hand_model, hands, present=(False, True), query=query)
    without_right = hold_test(mesh, hand_model, hands, present=(True, False), query=query)
    row: Row = {
        "hold": bool(both.success),
        "hold_directions": int(sum(both.held)),
        "hold_worst_direction": worst_direction(both),
        "hold_moved_cm": float(max(both.moved_cm)),
        "hold_turned_deg": float(max(both.turned_deg)),
        "hold_force_n": float(both.largest_force),
        "hold_closing_cm": float(both.closing_moved_cm),
        "squeeze_left_n": float(both.squeeze_force[0]),
        "squeeze_right_n": float(both.squeeze_force[1]),
        "hold_without_left": bool(without_left.success),
        "hold_without_right": bool(without_right.success),
        "hold_without_left_directions": int(sum(without_left.held)),
        "hold_without_right_directions": int(sum(without_right.held)),
    }
    return row, both.seconds


def worst_direction(result: HoldResult, settings: HoldSettings | None = None) -> str:
    """Name of the direction of gravity in which a grasp fares worst.

    The larger of displacement and rotation counts, each as a part of what is allowed.
    """
    settings = settings or HoldSettings()
    parts = [
        max(moved / (100 * settings.max_moved), turned / float(np.degrees(settings.max_turned)))
        for moved, turned in zip(result.moved_cm, result.turned_deg, strict=True)
    ]
    return DIRECTION_NAMES[parts.index(max(parts))]


def _hand_values(hands: HandParameters, joints: torch.Tensor) -> Row:
    """Parameters and joints as lists; null for an absent hand."""
    row: Row = {}
    values = {
        "T_object": hands.T_object_hand,
        "pose": hands.pose,
        "shape": hands.shape,
        "joints": joints,
    }
    for k, side in enumerate(SIDES):
        here = bool(hands.present[k])
        for name, value in values.items():
            row[f"{name}_{side}"] = value[k].detach().cpu().flatten().tolist() if here else None
    return row


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds
