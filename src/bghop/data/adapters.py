"""All foreign data sets that can be read, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from bghop.data.adapter import Adapter
from bghop.data.arctic import ARCTIC
from bghop.data.contactpose import CONTACTPOSE
from bghop.data.dexycb import DEXYCB
from bghop.data.gigahands import GIGAHANDS
from bghop.data.grab import GRAB
from bghop.data.h2o import H2O
from bghop.data.ho3d import H2O3D, HO3D
from bghop.data.hoi4d import HOI4D
from bghop.data.hot3d import HOT3D
from bghop.data.oakink2 import OAKINK2
from bghop.data.taco import TACO
from bghop.errors import OptionError

ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        each.name: each
        for each in (
            ARCTIC, GRAB, DEXYCB, HO3D, H2O3D, H2O, TACO, HOT3D, CONTACTPOSE, OAKINK2, HOI4D,
            GIGAHANDS,
        )
    }
)  # fmt: skip


def adapter_named(name: str) -> Adapter:
    """One data set.

    Raises:
        OptionError: There is none of that name; the message lists all.
    """
    if name not in ADAPTERS:
        raise OptionError(f"unknown data set '{name}': use one of {', '.join(ADAPTERS)}")
    return ADAPTERS[name]
