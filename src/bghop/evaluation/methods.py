"""The methods that the benchmark compares: a mesh in, candidate grasps out.

Candidates come in the order of the method's own score, best first. The benchmark then orders all
methods' candidates by the same rule (faults, energy, given order; `evaluation.ranking`).
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bghop.errors import OptionError
from bghop.evaluation.method_names import NUMBERED_WORDS, numbered_method
from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.fields.recover import recover_hands
from bghop.fields.released_recovery import recover_hands_released
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.rotations import random_rotations
from bghop.geometry.sampling import points_on_triangles
from bghop.geometry.transforms import invert_rigid, rigid, transform_points
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis.optimize import OptimizeOptions
from bghop.synthesis.prior_grasps import samples_for
from bghop.synthesis.refine import RefineOptions, best_hands
from bghop.synthesis.synthesize import Synthesis, SynthesizeOptions, synthesize

Up = tuple[float, float, float]
_TOUCH = 1e-4
"""Metres between skin and surface that count as touching."""
_MARGIN = 0.005
"""Metres; skin this much farther than the nearest skin is looked at again, too."""
_ARM = 0.25
"""Metres from the middle of the palm that no fingertip and no wrist is beyond."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """What a method found, in the order of its own score, best first; batch `n`."""

    hands: HandParameters
    energy: Float[Tensor, "n"] | None
    """Lower is better; None if the method has no score."""

    @staticmethod
    def of(found: Synthesis) -> "Candidates":
        """What a synthesis found."""
        return Candidates(hands=found.hands, energy=found.energy)


@runtime_checkable
class Method(Protocol):
    """One way to put hands on an object."""

    def __call__(
        self, mesh: Mesh, hand_model: HandModel, *, num: int, seed: int, up: Up | None, text: str
    ) -> Candidates:
        """Up to `num` grasps; the same arguments give the same grasps on the same machine.

        `text` is what a person would call the object, for methods that listen.
        """
        ...


def optimized(
    mesh: Mesh, hand_model: HandModel, *, num: int, seed: int, up: Up | None, text: str = "",
    steps: int | None = None,
) -> Candidates:  # fmt: skip
    """The optimiser with its defaults, or with another number of steps."""
    del text
    optimize = OptimizeOptions() if steps is None else OptimizeOptions(steps=steps)
    options = SynthesizeOptions(optimize=optimize, up=up)
    found = synthesize(mesh, hand_model=hand_model, num=num, seed=seed, options=options)
    return Candidates.of(found)


def random_touch(
    mesh: Mesh, hand_model: HandModel, *, num: int, seed: int, up: Up | None, text: str = ""
) -> Candidates:
    """The floor: random hands slid in from random sides until they touch, and nothing more.

    For each hand: fingers uniform inside the joint limits, wrist rotation uniform, a uniform point
    of the surface, a uniform direction. The middle of the palm comes along the direction towards
    the point until the first skin vertex is within 0.1 mm of the mesh. Left and right know nothing
    of each other and may overlap; `up` and `text` are not used.
    """
    del up, text
    # Objects of one run get hands of their own.
    rng = np.random.default_rng([seed, zlib.crc32(mesh.vertices.tobytes())])
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    R = random_rotations(2 * num, generator=generator).unflatten(0, (num, 2))
    way = torch.nn.functional.normalize(torch.randn(num, 2, 3, generator=generator), dim=-1)
    rest = hand_model.rest_parameters(num)
    pose = hand_model.random_poses(num, generator=generator)
    turned = replace(rest, pose=pose, T_object_hand=rigid(R, torch.zeros(num, 2, 3)))
    with torch.no_grad():
        posed = hand_model.pose_hands(turned)
    skin = posed.vertices_object.double().numpy()
    # Between wrist and base of the middle finger: a point inside the flesh of every hand.
    palm = posed.joints_object[..., [0, 9], :].double().mean(-2).numpy()
    goal = points_on_triangles(mesh.vertices, mesh.faces, 2 * num, rng).reshape(num, 2, 3)
    start = mesh.diagonal + 2 * _ARM
    query = MeshQuery(mesh)
    t = np.empty((num, 2, 3))
    for index in np.ndindex(num, 2):
        direction = -way[index].double().numpy()
        origin = goal[index] - start * direction
        gone = slide_until_touch(query, skin[index] - palm[index] + origin, direction, start)
        t[index] = origin + gone * direction - palm[index]
    T = rigid(R, torch.from_numpy(t).to(R))
    return Candidates(hands=replace(turned, T_object_hand=T), energy=None)


def slide_until_touch(
    query: MeshQuery,
    points: Float[np.ndarray, "n 3"],
    direction: Float[np.ndarray, "3"],
    longest: float,
) -> float:
    """How far points outside a surface may go along a unit vector until one touches, metres.

    No step is longer than the nearest point's distance, so nothing is passed through; points keep
    a lower bound of their distance and are measured again only when it runs out.
    """
    bound = query.signed_distances(points)
    gone = 0.0
    while gone < longest:
        nearest = float(bound.min())
        if nearest > _TOUCH:
            step = min(nearest, longest - gone)
            gone += step
            bound -= step
        look = np.flatnonzero(bound <= max(float(bound.min()), 0.0) + _MARGIN)
        bound[look] = query.signed_distances(points[look] + gone * direction)
        if bound.min() <= _TOUCH:
            break
    return min(gone, longest)


def as_released(
    mesh: Mesh, hand_model: HandModel, *, num: int, seed: int, up: Up | None, text: str = ""
) -> Candidates:
    """The optimiser's grasps after a way through the released grid and the released recovery."""
    found = optimized(mesh, hand_model, num=num, seed=seed, up=up, text=text)
    return Candidates(hands=through_released(found.hands, hand_model), energy=None)


def as_recovered(
    mesh: Mesh, hand_model: HandModel, *, num: int, seed: int, up: Up | None, text: str = ""
) -> Candidates:
    """The optimiser's grasps after a way through the released grid and our recovery."""

    def recover(field: Tensor, spec: GridSpec, model: HandModel) -> HandParameters:
        return recover_hands(field, spec, model).hands

    found = optimized(mesh, hand_model, num=num, seed=seed, up=up, text=text)
    return Candidates(hands=through_released(found.hands, hand_model, recover), energy=None)


def through_released(
    found: HandParameters,
    hand_model: HandModel,
    recover: Callable[[Tensor, GridSpec, HandModel], HandParameters] = recover_hands_released,
) -> HandParameters:
    """Grasps to released grids and back; the object and the right wrist's frame are known."""
    spec = GridSpec.released(hand_model.joints_rest[1, 5])
    T_object_right = found.T_object_hand[:, 1:].expand(-1, 2, 4, 4)
    with torch.no_grad():
        joints_object = hand_model.joints(found)
        joints_right = transform_points(invert_rigid(T_object_right), joints_object)
        field = hand_field(joints_right, spec, present=found.present)
    read = recover(field, spec, hand_model)
    return replace(read, T_object_hand=T_object_right @ read.T_object_hand)


def random_refined(
    mesh: Mesh, hand_model: HandModel, *, num: int, seed: int, up: Up | None, text: str = "",
    times: int = 1,
) -> Candidates:  # fmt: skip
    """What `prior` does, without a prior: as many random hands instead of samples, then refined.

    Nothing holds them where they start, so that they may go to wherever holds. `times` as many
    hands cost as much time as samples do.
    """
    count = times * samples_for(num)
    hands = random_touch(mesh, hand_model, num=count, seed=seed, up=up, text=text).hands
    refined = RefineOptions()
    free = replace(refined.optimize.weights, closeness=0.0)
    options = replace(refined, optimize=replace(refined.optimize, weights=free))
    return Candidates.of(best_hands(mesh, hands, hand_model, num=num, options=options))


METHODS: dict[str, Method] = {
    "optimize": optimized,
    "random": random_touch,
    "random-refined": random_refined,
    "reference": as_released,
    "recovered": as_recovered,
}


def find_method(name: str, methods: dict[str, Method] | None = None) -> Method:
    """The method of a name.

    `optimize@N` is the optimiser with N steps, `random-refined@N` that with N times as many hands.

    Raises:
        OptionError: There is no such method; the message lists those that there are.
    """
    known = METHODS if methods is None else methods
    if name in known:
        return known[name]
    numbered = numbered_method(name)
    if numbered is None or numbered[1] < 1:
        raise OptionError(f"method {name} is unknown: use {', '.join(known)}, {NUMBERED_WORDS}")
    kind, count = numbered
    if kind == "optimize":
        return partial(optimized, steps=count)
    return partial(random_refined, times=count)
