"""From candidate hands to results in order: metrics on the meshes themselves, then ranking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import ResultError
from bghop.evaluation.measure import Solid, measure_grasp, solid_of_mesh
from bghop.evaluation.ranking import object_faults, rank, score
from bghop.evaluation.validity import ObjectValidity, object_validity
from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.jobs.grasps_file import Grasps
from bghop.jobs.result_folder import ResultKind
from bghop.physics.body import Body, body_of
from bghop.physics.static_check import static_check

Progress = Callable[[str, int, int], None]

_RANKING_SAMPLES = 30_000  # of the lattice that weighs the object; enough to compare grasps


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """What a method found; batch `n`."""

    meshes: tuple[Mesh, ...]
    """One for all, or one for each."""
    hands: HandParameters
    energy: Float[Tensor, "n"]
    terms: dict[str, Float[Tensor, "n"]]
    seconds: float
    """Wall-clock time that all of them took."""
    sampled_objects: bool = False
    """Whether the objects are results too, to be measured and judged as such."""

    def mesh(self, index: int) -> Mesh:
        """Of one candidate."""
        return self.meshes[index if len(self.meshes) > 1 else 0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranked:
    """Results, best first, and what is theirs."""

    grasps: Grasps
    meshes: tuple[Mesh, ...]
    """One for all, or one for each in the order of the results."""
    order: tuple[int, ...]
    """Which candidate each result was."""

    def mesh(self, index: int) -> Mesh:
        """Of one result."""
        return self.meshes[index if len(self.meshes) > 1 else 0]

    def reordered(self, grasps: Grasps, order: Sequence[int]) -> "Ranked":
        """The same with its grasps in another order, which `grasps` has already."""
        meshes = self.meshes if len(self.meshes) == 1 else tuple(self.meshes[k] for k in order)
        return replace(
            self, grasps=grasps, meshes=meshes, order=tuple(self.order[k] for k in order)
        )


def ranked(
    found: Candidates,
    hand_model: HandModel,
    kind: ResultKind,
    *,
    target: Solid | None = None,
    progress: Progress,
) -> Ranked:
    """Measure all candidates and put them in order: fewer faults first, then the lower score.

    Args:
        found: the candidates.
        hand_model: the hands.
        kind: of the results.
        target: the object, if there is one for all.
        progress: called with (stage, done, total).

    Raises:
        ResultError: There is no candidate, or its numbers are broken.
    """
    num = len(found.energy)
    if num == 0 or not bool(torch.isfinite(found.hands.T_object_hand).all()):
        name = found.meshes[0].name if found.meshes else kind.noun
        msg = f"no {kind.noun} was found for {name}: try another --seed or a larger --num"
        raise ResultError(msg)
    body: Body | None = None
    measured, instability, objects = [], [], []
    for index in range(num):
        progress("measuring", index, num)
        mesh = found.mesh(index)
        if target is None or (index > 0 and len(found.meshes) > 1):
            target, body = solid_of_mesh(mesh), None
        body = body or body_of(mesh, target.query, samples=_RANKING_SAMPLES)
        one = found.hands.rows(index)
        measured.append(measure_grasp(target, hand_model, one, time_s=found.seconds / num))
        instability.append(static_check(target.query, body, hand_model, one).instability)
        if found.sampled_objects:
            objects.append(object_validity(mesh))
    scores = [score(*each) for each in zip(instability, found.energy.tolist(), strict=True)]
    more = [len(object_faults(each)) for each in objects] or None
    order = rank(measured, scores, more_faults=more)
    rows = torch.tensor(order, device=found.energy.device)
    hands = found.hands.rows(rows)
    with torch.no_grad():
        joints = hand_model.pose_hands(hands).joints_object
    joints = torch.where(hands.present[..., None, None], joints, torch.nan)
    grasps = Grasps(
        hands=hands,
        joints_object=joints,
        metrics=tuple(measured[k] for k in order),
        scores={
            "instability": torch.tensor(instability).to(found.energy)[rows],
            "energy": found.energy[rows],
            **{k: v[rows] for k, v in found.terms.items()},
        },
        header={},
        objects=_in_order(objects, order),
        kind=kind,
    )
    return Ranked(
        grasps=grasps,
        meshes=found.meshes[:1] if len(found.meshes) == 1 else tuple(map(found.mesh, order)),
        order=tuple(order),
    )


def _in_order(objects: list[ObjectValidity], order: list[int]) -> tuple[ObjectValidity, ...] | None:
    return tuple(objects[k] for k in order) if objects else None
