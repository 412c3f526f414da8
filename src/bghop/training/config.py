"""What a training run is told: plain values, saved with the run."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from bghop.errors import OptionError

DECAYS = ("cosine", "constant")
OPTIMIZERS = ("adamw", "muon")
PRECISIONS = ("auto", "float32", "bf16")

_Config = TypeVar("_Config")


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How to optimise, whatever is optimised."""

    steps: int = 100_000
    batch: int = 64
    """Samples per step, all processes together."""
    micro: int = 64
    """Samples at once; `batch` is a multiple. All randomness is a function of the seed, the step
    and the number of the micro-batch, so that this number belongs to the curve and the number of
    processes does not."""
    optimizer: str = "adamw"
    """`adamw`, or `muon` for the matrices inside a transformer's blocks: better per step."""
    learning_rate: float = 3e-4
    warmup: int = 500
    """Steps in which the learning rate rises from 0."""
    decay: str = "cosine"
    """`cosine` to a hundredth at the last step, or `constant`."""
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.9995
    """Decay of the averaged weights, which validation, samples and exports use."""
    precision: str = "auto"
    """`bf16` computes in half precision, `float32` does not, `auto` does if the device is fast at
    it."""
    compile: bool = False
    """Whether torch compiles the network; worth it on GPUs."""
    seed: int = 0
    save_every: int = 2000
    save_minutes: float = 5.0
    """A checkpoint is written after this many steps or minutes, whatever comes first."""
    validate_every: int = 1000
    sample_every: int = 5000
    """Steps between sample sheets; 0: none."""

    def __post_init__(self) -> None:
        """Refuse what no loop does.

        Raises:
            OptionError: Naming the option, its value and what is allowed.
        """
        demands = (
            (self.steps >= 1, f"steps {self.steps}: use 1 or more"),
            (self.micro >= 1, f"micro {self.micro}: use 1 or more"),
            (
                self.batch >= self.micro and self.batch % self.micro == 0,
                f"batch {self.batch} is not a multiple of micro {self.micro}: make it one",
            ),
            (self.learning_rate > 0, f"learning_rate {self.learning_rate}: use more than 0"),
            (self.decay in DECAYS, f"unknown decay '{self.decay}': use one of {', '.join(DECAYS)}"),
            (
                self.precision in PRECISIONS,
                f"unknown precision '{self.precision}': use one of {', '.join(PRECISIONS)}",
            ),
            (
                self.optimizer in OPTIMIZERS,
                f"unknown optimizer '{self.optimizer}': use one of {', '.join(OPTIMIZERS)}",
            ),
            (self.clip > 0, f"clip {self.clip}: use more than 0"),
            (0 <= self.ema < 1, f"ema {self.ema}: use 0 to below 1"),
            (self.warmup >= 0, f"warmup {self.warmup}: use 0 or more"),
            (0 <= self.seed < 2**63, f"seed {self.seed}: use 0 to 2^63 - 1"),
            (
                min(self.save_every, self.validate_every) >= 1 and self.sample_every >= 0,
                "save_every and validate_every: use 1 or more; sample_every: 0 or more",
            ),
        )
        for holds, message in demands:
            if not holds:
                raise OptionError(message)


UNBOUND = ("save_every", "save_minutes", "validate_every", "sample_every", "compile")
"""Fields of `LoopConfig` that may change when a run goes on: they do not change its curve."""


def to_json(config: Any) -> dict[str, Any]:
    """Plain values of a (nested) config."""
    return json.loads(json.dumps(asdict(config), default=str))


def from_json(kind: type[_Config], values: Mapping[str, Any], *, where: str = "config") -> _Config:
    """A (nested) config from plain values; missing fields take their defaults.

    Raises:
        OptionError: A field is unknown, missing without a default, or of another type.
    """
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    unknown = sorted(set(values) - set(known))
    if unknown:
        names = ", ".join(known)
        raise OptionError(f"{where}: unknown field '{unknown[0]}': use one of {names}")
    missing = [
        name
        for name, field in known.items()
        if name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise OptionError(f"{where}: '{missing[0]}' is missing: add it")
    given = {name: _value(hints[name], value, f"{where}.{name}") for name, value in values.items()}
    return kind(**given)


def _value(hint: Any, value: Any, where: str) -> Any:
    """A JSON value as what a field's annotation says."""
    options = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    for option in options:
        if value is None and option is type(None):
            return None
        if get_origin(option) is Literal and value in get_args(option):
            return value
        if dataclasses.is_dataclass(option) and isinstance(value, Mapping):
            return from_json(option, value, where=where)  # pyright: ignore[reportArgumentType]
        reader = _READERS.get(get_origin(option) or option)
        if reader is not None and reader[0](value):
            return reader[1](value)
    wanted = " or ".join(getattr(option, "__name__", str(option)) for option in options)
    raise OptionError(f"{where}: {value!r} is not {wanted}: correct it")


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds


_READERS: dict[Any, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    int: (_is(int), int),
    float: (_is(int, float), float),
    str: (_is(str), str),
    bool: (_is(bool), bool),
    Path: (_is(str), Path),
    tuple: (_is(list), tuple),
    dict: (_is(dict), dict),
}
"""How a JSON value becomes one of a kind: whether it can, and the way."""
