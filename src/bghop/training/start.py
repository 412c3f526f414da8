"""From settings as plain values to a training run; both command lines end here."""

import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bghop.errors import OptionError
from bghop.training.config import from_json
from bghop.training.distributed import World
from bghop.training.loop import Listener, Outcome

KINDS = ("prior", "autoencoder", "objects")


def run_training(
    kind: str,
    values: Mapping[str, Any],
    out: Path,
    *,
    world: World,
    minutes: float | None,
    listener: Listener,
) -> Outcome:
    """Train a prior, its first stage or its object prior with settings from JSON.

    SIGTERM and the first Ctrl-C end it with a checkpoint; a second Ctrl-C ends it at once.

    Raises:
        BghopError: Bad settings or data.
    """
    if kind == "autoencoder":
        from bghop.training.autoencoder import TrainAutoencoder, train_autoencoder

        autoencoder = from_json(TrainAutoencoder, _any_way_up(values))
        with stop_on_signals() as stop:
            return train_autoencoder(
                autoencoder, out, world=world, minutes=minutes, listener=listener, stop=stop
            )
    if kind == "objects":
        from bghop.training.object_prior import TrainObjects, train_objects

        objects = from_json(TrainObjects, values)
        with stop_on_signals() as stop:
            return train_objects(
                objects, out, world=world, minutes=minutes, listener=listener, stop=stop
            )
    from bghop.training.prior import TrainPrior, train_prior

    prior = from_json(TrainPrior, values)
    with stop_on_signals() as stop:
        return train_prior(prior, out, world=world, minutes=minutes, listener=listener, stop=stop)


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """A function that says whether SIGTERM or Ctrl-C has come; only in a main thread."""
    came: list[int] = []

    def note(number: int, _frame: object) -> None:
        came.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        before = [(each, signal.signal(each, note)) for each in (signal.SIGTERM, signal.SIGINT)]
    except ValueError:  # not the main thread
        before = []
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before:
            signal.signal(each, handler)


def read_values(path: Path | None, changes: Sequence[str]) -> dict[str, Any]:
    """Settings of a JSON file, changed by `name.name=value` (a value is JSON, or else a word).

    Raises:
        OptionError: Not such a file, or not such a change.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OptionError(
                f"--config {path} cannot be read as JSON ({error}): correct it"
            ) from None
        if not isinstance(values, dict):
            raise OptionError(f"--config {path} is not a JSON object: write {{...}}")
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise OptionError(f"--set {change}: write it as name=value, e.g. loop.steps=1000")
        try:
            put(values, name, json.loads(text))
        except ValueError:
            put(values, name, text)
    return values


def _any_way_up(values: Mapping[str, Any]) -> dict[str, Any]:
    """First stages see objects in all rotations, if the settings say nothing else."""
    data = values.get("data", {})
    augment = data.get("augment", {}) if isinstance(data, Mapping) else None
    if not isinstance(augment, Mapping):
        return dict(values)
    return {**values, "data": {**data, "augment": {"rotation": "any", **augment}}}


def put(values: dict[str, Any], name: str, value: Any) -> None:
    """Set the value of a dotted name.

    Raises:
        OptionError: A part of the name is no object.
    """
    place = values
    *outer, last = name.split(".")
    for key in outer:
        place = place.setdefault(key, {})
        if not isinstance(place, dict):
            raise OptionError(f"{name}: '{key}' has no fields: correct the name or the config")
    place[last] = value
