"""`--joint revolute:0,0,1@0.1,0,0` and `--at 40deg` as numbers; needs no torch."""

import math
import re
from dataclasses import dataclass

from bghop.errors import OptionError

_KINDS = ("revolute", "prismatic")
_JOINT = re.compile(r"^(\w+):([^@]+)(?:@(.+))?$")
_REMEDY = "use KIND:X,Y,Z or KIND:X,Y,Z@X,Y,Z such as revolute:0,0,1@0.1,0,0"


@dataclass(frozen=True, kw_only=True)
class JointOption:
    """One joint in the units of the files."""

    kind: str
    axis: tuple[float, float, float]
    origin: tuple[float, float, float]


def parse_joint(words: str) -> JointOption:
    """Kind, direction and a point of the axis.

    Raises:
        OptionError: It is none.
    """
    match = _JOINT.match(words.strip())
    if match is None or match[1] not in _KINDS:
        raise OptionError(f"--joint {words or '(nothing)'} is no joint: {_REMEDY}")
    axis, origin = _three(match[2], words), _three(match[3] or "0,0,0", words)
    if not any(axis):
        raise OptionError(f"--joint {words} has no direction: {_REMEDY}")
    return JointOption(kind=match[1], axis=axis, origin=origin)


def parse_at(words: str, kind: str = "") -> float:
    """A joint value: radians, degrees (`40deg`), or a length in the unit of the files.

    Args:
        words: of the user.
        kind: of the joint, if it is known.

    Raises:
        OptionError: It is none, or none of a joint of that kind.
    """
    text = words.strip().lower()
    in_degrees = text.endswith("deg")
    try:
        value = math.radians(float(text[:-3])) if in_degrees else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise OptionError(f"--at {words} is no joint value: use radians, 40deg, or a length")
    if kind == "prismatic" and in_degrees:
        raise OptionError(f"--at {words} is an angle, and the joint slides: use a length")
    if kind == "revolute" and not in_degrees and abs(value) > 2 * math.pi:
        raise OptionError(f"--at {words} is more than a turn in radians: write {text}deg")
    return value


def _three(words: str, whole: str) -> tuple[float, float, float]:
    try:
        x, y, z = (float(word) for word in words.split(","))
    except ValueError:
        raise OptionError(f"--joint {whole} has not three numbers: {_REMEDY}") from None
    if not all(map(math.isfinite, (x, y, z))):
        raise OptionError(f"--joint {whole} is not finite: {_REMEDY}")
    return x, y, z
