"""A parametric family: a function from metres to a closed solid, and the ranges to draw from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.mesh import Mesh

Range = tuple[float, float]
RigidBuilder = Callable[..., Mesh]
ArticulatedBuilder = Callable[..., ArticulatedObject]
Builder = TypeVar("Builder", RigidBuilder, ArticulatedBuilder)

REGISTERED: "dict[str, Family]" = {}
"""Families by name, in the order of their definition; read `bghop.objects.catalog.FAMILIES`."""


@dataclass(frozen=True, kw_only=True)
class ShapeSample:
    """One member of a family: numbers only, so it can be stored, sent and built anywhere."""

    family: str
    parameters: Mapping[str, float]
    """Keyword arguments of the family's function: metres, or ratios where the name says so."""
    joint_value: float | None = None
    """Of an articulated object, radians or metres; None for a rigid one."""

    def __reduce__(self) -> tuple:
        """Pickles as plain values: a read-only mapping has no pickle of its own."""
        return _sample, (self.family, dict(self.parameters), self.joint_value)


@dataclass(frozen=True, kw_only=True)
class Family:
    """Objects of one kind."""

    name: str
    texts: tuple[str, ...]
    """What people call it, the usual name first."""
    ranges: Mapping[str, Range]
    """Smallest and largest value of each argument of `build`, drawn uniformly."""
    build: RigidBuilder | ArticulatedBuilder
    joint_range: Range | None = None
    """Joint values to draw from, radians or metres; None for rigid objects."""

    @property
    def articulated(self) -> bool:
        """Whether its objects have a joint."""
        return self.joint_range is not None

    def sample(self, rng: np.random.Generator) -> ShapeSample:
        """Draw one member; equal generators give equal members."""
        drawn = {key: float(rng.uniform(*span)) for key, span in self.ranges.items()}
        joint = None if self.joint_range is None else float(rng.uniform(*self.joint_range))
        return _sample(self.name, drawn, joint)

    def mesh(self, sample: ShapeSample) -> Mesh:
        """The closed mesh of a member, metres, z up; articulated ones at their joint value."""
        built = self.build(**sample.parameters)
        if isinstance(built, ArticulatedObject):
            built = built.mesh(sample.joint_value or 0.0)
        return replace(built, name=self.name)

    def articulated_object(self, sample: ShapeSample) -> ArticulatedObject | None:
        """The parts and the joint of a member; None for a rigid family."""
        built = self.build(**sample.parameters)
        return replace(built, name=self.name) if isinstance(built, ArticulatedObject) else None


def family(
    *texts: str, joint_range: Range | None = None, **ranges: Range
) -> Callable[[Builder], Builder]:
    """Register the function below as the family of its name.

    Args:
        texts: what people call such an object, the usual name first.
        joint_range: for a function that makes an `ArticulatedObject`: joint values to draw from.
        ranges: smallest and largest value of each keyword argument of the function.
    """

    def register(build: Builder) -> Builder:
        name = build.__name__
        if name in REGISTERED:
            raise ValueError(f"two families are called {name}: rename one of the functions")
        REGISTERED[name] = Family(
            name=name,
            texts=texts,
            ranges=MappingProxyType(ranges),
            build=build,
            joint_range=joint_range,
        )
        return build

    return register


def _sample(family: str, parameters: Mapping[str, float], joint: float | None) -> ShapeSample:
    return ShapeSample(
        family=family, parameters=MappingProxyType(dict(parameters)), joint_value=joint
    )
