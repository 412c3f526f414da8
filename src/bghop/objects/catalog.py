"""All families, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from bghop.errors import OptionError
from bghop.geometry.mesh import Mesh
from bghop.objects.families import (  # noqa: F401
    appliances,
    articulated,
    boxes,
    containers,
    devices,
    jugs,
    round,
    tools,
    toys,
)
from bghop.objects.family import REGISTERED, Family, ShapeSample

FAMILIES: Mapping[str, Family] = MappingProxyType(REGISTERED)
"""Every parametric family; importing their files has registered them."""


def family_named(name: str) -> Family:
    """One family.

    Raises:
        OptionError: there is none of that name; the message lists all.
    """
    if name not in FAMILIES:
        raise OptionError(f"unknown object family '{name}': use one of {', '.join(FAMILIES)}")
    return FAMILIES[name]


def mesh_of(sample: ShapeSample) -> Mesh:
    """The closed mesh of a member of a family, metres, z up."""
    return family_named(sample.family).mesh(sample)
