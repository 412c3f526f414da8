"""What a job with a prior reads: the checkpoint, its identity, the hand model that goes with it."""

from collections.abc import Sequence
from pathlib import Path

import torch

from bghop.devices import choose_device
from bghop.errors import OptionError
from bghop.hands.mano import load_mano_files
from bghop.hands.model import HandModel
from bghop.prior.checkpoint import load_prior
from bghop.prior.prior import Prior


def open_prior(
    checkpoint: Path,
    *,
    mano: Path | None,
    device: str,
    text_model: Path | None,
    prompts: Sequence[str],
) -> Prior:
    """A prior that can do what the job asks; nothing else is loaded before this is known.

    Raises:
        CheckpointError: The checkpoint cannot be read.
        OptionError: The hand model is another one, a prompt names nothing known, or the device is
            not there.
    """
    prior = load_prior(checkpoint, device=choose_device(device))
    check_hand_model(prior, mano)
    prior.load_text(text_model)
    prior.condition(list(prompts))
    return prior


def check_hand_model(prior: Prior, mano: Path | None) -> None:
    """Refuse hands that a prior was not trained with.

    Raises:
        OptionError: Naming the option that mends it.
    """
    if prior.hand_model == "mano" and mano is None:
        raise OptionError(
            "this checkpoint was trained with MANO hands: add --mano DIR with MANO_LEFT.pkl and "
            "MANO_RIGHT.pkl"
        )
    if prior.hand_model != "mano" and mano is not None:
        raise OptionError(
            f"this checkpoint was trained with the {prior.hand_model} hand: leave out --mano"
        )


def hands_for(prior: Prior, mano: Path | None) -> HandModel:
    """The hand model of a prior, on its device.

    Raises:
        HandModelError: The MANO folder cannot be used.
    """
    device: torch.device = prior.device
    if mano is not None:
        return load_mano_files(mano, device=device)
    from bghop.hands.open_hand import load_open_hand

    return load_open_hand(device=device)
