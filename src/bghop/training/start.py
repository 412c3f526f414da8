"""From settings as plain values to a training run; both command lines end here."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bghop.errors import OptionError
from bghop.training.config import from_json
from bghop.training.distributed import World
from bghop.training.loop import Listener, Outcome

KINDS = ("prior", "autoencoder")


def run_training(
    kind: str,
    values: Mapping[str, Any],
    out: Path,
    *,
    world: World,
    minutes: float | None,
    listener: Listener,
) -> Outcome:
    """Train a prior or an autoencoder with settings from JSON.

    Raises:
        BghopError: Bad settings or data.
    """
    if kind == "autoencoder":
        from bghop.training.autoencoder import TrainAutoencoder, train_autoencoder

        config = from_json(TrainAutoencoder, values)
        return train_autoencoder(config, out, world=world, minutes=minutes, listener=listener)
    from bghop.training.prior import TrainPrior, train_prior

    return train_prior(
        from_json(TrainPrior, values), out, world=world, minutes=minutes, listener=listener
    )


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
        place = values
        *outer, last = name.split(".")
        for key in outer:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise OptionError(f"--set {change}: '{key}' has no fields: correct the name")
        try:
            place[last] = json.loads(text)
        except ValueError:
            place[last] = text
    return values
