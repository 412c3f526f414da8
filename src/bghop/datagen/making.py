"""One object with its grasps: from a seed and a number to records, the same on every machine."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch

from bghop.data.objects import StoredObject, stack_objects
from bghop.data.objects_from_mesh import REACH, object_from_articulated, object_from_mesh
from bghop.data.record import Records
from bghop.datagen.candidates import CandidateOptions, make_candidates
from bghop.datagen.checks import REASONS, UNBALANCED, Checked, CheckOptions, check
from bghop.datagen.played import Played, played
from bghop.datagen.roles import places_of
from bghop.evaluation.record_measures import measure_records
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.geometry.sdf import sdf_from_mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.person import draw_shape, person_model
from bghop.objects.catalog import FAMILIES, family_named
from bghop.objects.family import ShapeSample
from bghop.objects.seeds import training_rng
from bghop.physics.body import body_of
from bghop.physics.hold import hold_tests

Hands = Literal["both", "one"]
SOURCE = "synthetic"
VAL_SHARE = 0.05
"""Of the objects."""
SMALLEST, LARGEST, LARGEST_ONE_HAND = 0.055, 0.46, 0.28
"""Metres of an object's longest side; people lift larger things with both hands."""
_MOST_DRAWS = 200
_SHAPE, _GRASPS, _HOLD = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class MakeOptions:
    """Whatever decides the data besides seed and number; plain values."""

    families: tuple[str, ...]
    """In the order in which objects take turns."""
    hands: Hands = "both"
    """`one`: left and right take turns from object to object."""
    num: int = 24
    """Candidates an object."""
    sdf_resolution: int = 80
    hold_every: int = 0
    """One object in so many goes through the hold test, drawn for each object; 0 for none."""
    hold_most: int = 4
    """Accepted and unbalanced grasps of such an object that are tested, at random."""
    candidates: CandidateOptions = field(default_factory=CandidateOptions)
    checks: CheckOptions | None = None
    """Those of `checks_for` the number of hands if None."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """An object of the data: its numbers, its mesh at its joint value, its parts."""

    key: str
    sample: ShapeSample
    mesh: Mesh
    thing: ArticulatedObject | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """An object and its accepted grasps."""

    shape: Shape
    stored: StoredObject
    records: Records
    checked: Checked
    """Of the accepted rows, in the order of `records`."""
    played: Played
    held: tuple[bool | None, ...]
    """Of the hold test; None where it was not run."""
    unbalanced_held: tuple[bool, ...]
    """Of the hold test on grasps that only the static check refuses."""
    num_candidates: int
    rejected: dict[str, int]
    """By reason."""
    seconds: float


def checks_for(hands: Hands) -> CheckOptions:
    """One hand need not balance all of the weight from all sides: people turn things upright."""
    return CheckOptions() if hands == "both" else CheckOptions(unbalanced=0.6)


def family_of(options: MakeOptions, number: int) -> str:
    """Family of an object: they take turns."""
    return options.families[number % len(options.families)]


def key_of(family: str, seed: int, number: int) -> str:
    """Name of an object in the records."""
    return f"{family}_{seed}_{number:05d}"


def _one_hand(options: MakeOptions, number: int) -> tuple[bool, bool]:
    """Left and right in turn, for the members of each family, too."""
    turn, family = divmod(number, len(options.families))
    left = (turn + family) % 2 == 0
    return left, not left


def make_shape(options: MakeOptions, seed: int, number: int) -> Shape:
    """Object `number` of the data set of a seed: families take turns, members are drawn."""
    name = family_of(options, number)
    family, rng = FAMILIES[name], training_rng(seed, number, _SHAPE)
    largest = LARGEST if options.hands == "both" else LARGEST_ONE_HAND
    found: list[tuple[float, ShapeSample, Mesh]] = []
    for _ in range(_MOST_DRAWS):
        sample = family.sample(rng)
        mesh = family.mesh(sample)
        size = float(mesh.extents.max())
        found.append((size, sample, mesh))
        if SMALLEST <= size <= largest:
            break
    else:  # a family of large things only: the smallest of those drawn
        found = [min(found, key=lambda each: each[0])]
    _, sample, mesh = found[-1]
    return Shape(
        key=key_of(name, seed, number), sample=sample, mesh=mesh,
        thing=family.articulated_object(sample),
    )  # fmt: skip


def shape_of(family: str, parameters: Mapping[str, float], joint_value: float | None) -> Mesh:
    """The mesh of an object of a data set, from the numbers in its report."""
    sample = ShapeSample(family=family, parameters=parameters, joint_value=joint_value)
    return family_named(family).mesh(sample)


def make(
    options: MakeOptions, seed: int, number: int, model: HandModel, *, person_number: int = 0
) -> Made:
    """Object `number` and its grasps.

    Args:
        options: See `MakeOptions`.
        seed: Of the data set.
        number: Of the object; each has its own random streams.
        model: The hands.
        person_number: Who grasps it; data sets have the first person only.
    """
    start = time.perf_counter()
    shape = make_shape(options, seed, number)
    mesh = shape.mesh
    present = (True, True) if options.hands == "both" else _one_hand(options, number)
    others = (person_number,) if person_number else ()
    rng = training_rng(seed, number, _GRASPS, sum(present), *others)
    person_shape = draw_shape(model, torch.Generator().manual_seed(int(rng.integers(2**62))))
    person = person_model(model, person_shape)
    sdf = sdf_from_mesh(mesh, resolution=options.sdf_resolution)
    places = places_of(mesh, shape.thing, rng=rng)
    found = make_candidates(
        mesh, sdf, places, person, num=options.num, present=present, rng=rng,
        options=options.candidates,
    )  # fmt: skip
    query = MeshQuery(mesh)
    checked = check(
        found,
        sdf,
        query,
        body_of(mesh, query, samples=40_000),
        person,
        options.checks or checks_for(options.hands),
    )
    rows = checked.accepted.nonzero().squeeze(-1)
    hands = found.hands.rows(rows)
    held, unbalanced_held = _held(options, seed, number, found.hands, checked, mesh, query, person)
    stored = _stored(shape)
    records = _records(shape, hands, model, person_shape, seed)
    quality = measure_records(records, stack_objects([stored], reach=REACH), model).quality()
    return Made(
        shape=shape,
        stored=stored,
        records=replace(records, quality=quality),
        checked=_rows(checked, rows),
        played=played(hands, sdf, places, person),
        held=tuple(held.get(i) for i in rows.tolist()),
        unbalanced_held=tuple(unbalanced_held.values()),
        num_candidates=len(checked.reason),
        rejected={reason: checked.reason.count(reason) for reason in REASONS},
        seconds=time.perf_counter() - start,
    )


def _held(
    options: MakeOptions, seed: int, number: int, hands: HandParameters, checked: Checked,
    mesh: Mesh, query: MeshQuery, person: HandModel,
) -> tuple[dict[int, bool], dict[int, bool]]:  # fmt: skip
    """The hold test of some accepted and some unbalanced candidates, by number of the candidate.

    Whether an object is tested is drawn: every so many-th would meet the same few families again
    and again, for families take turns.
    """
    rng = training_rng(seed, number, _HOLD)
    if not options.hold_every or rng.random() * options.hold_every >= 1:
        return {}, {}

    def tested(reason: str) -> dict[int, bool]:
        rows = [i for i, each in enumerate(checked.reason) if each == reason]
        some = rng.permutation(rows)[: options.hold_most].tolist()
        grasps = [hands.rows(i) for i in some]
        results = hold_tests(mesh, person, grasps, query=query, threads=1) if grasps else []
        return {i: result.success for i, result in zip(some, results, strict=True)}

    return tested(""), tested(UNBALANCED)


def make_object(
    options: MakeOptions, seed: int, number: int, model: HandModel
) -> tuple[StoredObject, Records]:
    """Object `number` alone: a record without hands for each of its words."""
    shape = make_shape(options, seed, number)
    num = len(FAMILIES[shape.sample.family].texts)
    absent = HandParameters(
        present=torch.zeros(num, 2, dtype=torch.bool),
        T_object_hand=torch.eye(4).expand(num, 2, 4, 4), pose=torch.zeros(num, 2, 15, 3),
        shape=torch.zeros(num, 2, model.num_shape),
    )  # fmt: skip
    return _stored(shape), _records(shape, absent, model, torch.zeros(model.num_shape), seed)


def _rows(checked: Checked, rows: torch.Tensor) -> Checked:
    return Checked(
        reason=tuple(checked.reason[i] for i in rows.tolist()), depth_mm=checked.depth_mm[rows],
        fingers=checked.fingers[rows], residual=checked.residual[rows],
        instability=checked.instability[rows],
    )  # fmt: skip


def _stored(shape: Shape) -> StoredObject:
    # Without triangles, which would be most of the file: provenance has what they are made of.
    if shape.thing is None:
        return object_from_mesh(shape.key, shape.mesh, triangles=False)
    return object_from_articulated(shape.key, shape.thing, triangles=False)


def _records(
    shape: Shape, hands: HandParameters, model: HandModel, person: torch.Tensor, seed: int
) -> Records:
    num = len(hands.present)
    there = hands.present[..., None]
    eye = torch.eye(4).expand(num, 2, 4, 4)
    T = torch.where(there[..., None], hands.T_object_hand.detach(), eye)
    pose = torch.where(there[..., None], hands.pose.detach(), torch.zeros(1))
    both = person.expand(num, 2, -1)
    texts = FAMILIES[shape.sample.family].texts
    sides = "".join(
        letter for letter, here in zip("lr", hands.present[:1].flatten().tolist(), strict=False)
        if here
    )  # fmt: skip
    # By object, from its key alone: more objects later leave the split of these as it is.
    val = np.random.default_rng(list(shape.key.encode())).random() < VAL_SHARE
    return Records(
        id=tuple(f"{shape.key}/{sides}{i:03d}" for i in range(num)),
        object=(shape.key,) * num,
        text=tuple(texts[i % len(texts)] for i in range(num)),
        split=("val" if val else "train",) * num,
        source=(f"{SOURCE}-{seed}",) * num,
        joint_value=torch.full((num,), shape.sample.joint_value or 0.0),
        hands=replace(hands, T_object_hand=T, pose=pose, shape=torch.where(there, both, 0.0)),
        hand_model=model.name,
        shape_names=model.shape_names,
    )
