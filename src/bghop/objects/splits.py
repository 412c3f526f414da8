"""Which whole families stay out of training, and why.

`bghop.objects.seeds` keeps training from repeating MEMBERS of the benchmark; this keeps it from
seeing some KINDS of things at all, so that a prior can be tried on shapes and words that are new to
it. None of them is in the set `shapes`, whose families all are training families.
"""

from collections.abc import Mapping
from types import MappingProxyType

from bghop.objects.catalog import FAMILIES
from bghop.objects.family import Family

HELD_OUT_RELATIVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Two ears high on a cup: both hands on handles, seen in training on the pot's rim only.
        "trophy": ("goblet", "cup", "pot"),
        # Held before the eyes by two tubes: the camera's grasp on another body.
        "binoculars": ("camera",),
        # A pistol grip below a body that the other hand steadies; hammer and sprayer are near.
        "drill": ("hammer", "spray_bottle"),
        # Large, with an arch over it: as the bucket, but square and of thin hoops.
        "basket": ("bucket", "tray"),
        # A handle and a spout on opposite sides; the kettle's arch is held otherwise.
        "teapot": ("kettle", "mug", "watering_can"),
        # A smooth body with thin limbs, ears and a trunk; its word is close to the dog's.
        "toy_elephant": ("toy_dog", "teddy_bear"),
        # Small, flat and hinged: the laptop's joint in one palm.
        "phone": ("tablet", "laptop"),
        # Hinged with a handle on both halves; words are far (pan 0.39), the motion is the box's.
        "waffle_iron": ("lidded_box", "pan"),
        # A grip between two weights: all is in the middle, where the rolling pin has none.
        "dumbbell": ("rolling_pin", "hammer"),
    }
)
"""Held-out families and training families that are near in shape, in use or in words. The order
is that of the set `held-out`: append, so that its members stay what they are."""


def held_out_families() -> Mapping[str, Family]:
    """The families that no training data may be made of, by name."""
    return {name: FAMILIES[name] for name in HELD_OUT_RELATIVES}


def training_families() -> Mapping[str, Family]:
    """All other families, by name, in the order of the catalogue."""
    return {name: kind for name, kind in FAMILIES.items() if name not in HELD_OUT_RELATIVES}
