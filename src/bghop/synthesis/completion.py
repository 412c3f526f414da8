"""`complete`: keep some parts of an interaction exactly as they are, draw the others."""

from collections.abc import Collection
from dataclasses import replace

import torch

from bghop.errors import HandModelError
from bghop.hands.joints import SIDES
from bghop.hands.model import HandModel, HandParameters
from bghop.interaction import Interaction
from bghop.prior.prior import Prior
from bghop.prior.sampling import SampleOptions
from bghop.synthesis.from_prior import hands_of, sample_hands, sample_object
from bghop.synthesis.keep import check_keep
from bghop.synthesis.rows import Progress, Say


def complete(
    interaction: Interaction,
    keep: Collection[str],
    prior: Prior,
    hand_model: HandModel,
    *,
    num: int = 8,
    seed: int = 0,
    options: SampleOptions | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> list[Interaction]:
    """Draw what is not kept, `num` times. Both hands are there afterwards.

    Args:
        interaction: what there is; its text is the prompt.
        keep: some of object, left, right; the same values, bit for bit, are in every result.
        prior: what is known of hands and objects.
        hand_model: on the prior's device.
        num: results.
        seed: the same seed gives the same results.
        options: of the sampler.
        progress: called with (steps done, steps in all).
        say: told about samples that were left out.

    Raises:
        OptionError: Nothing is kept, or everything, or a hand that is not there.
        HandModelError: The hands are of another model.
    """
    check_keep(keep, interaction.present)
    if interaction.hand_model != hand_model.name:
        raise HandModelError(
            f"the interaction has hands of the model '{interaction.hand_model}', not "
            f"'{hand_model.name}': complete it with the model that it was made with"
        )
    known = kept_hands(interaction.hands, keep).to(prior.device)
    present = tuple(a or b for a, b in zip(known.present.tolist(), hands_of(prior), strict=True))
    present = (present[0], present[1])
    if "object" not in keep:
        return sample_object(
            interaction, known, prior, hand_model, num=num, seed=seed, present=present,
            options=options, progress=progress, say=say,
        )  # fmt: skip
    hands = sample_hands(
        interaction.mesh, prior, hand_model, num=num, prompt=interaction.text, seed=seed,
        up=interaction.up, known=known if bool(known.present.any()) else None, present=present,
        options=options, progress=progress, say=say,
    )  # fmt: skip
    return [interaction.with_hands(hands.rows(i)) for i in range(num)]


def kept_hands(hands: HandParameters, keep: Collection[str]) -> HandParameters:
    """The hands with only the kept ones present."""
    kept = torch.tensor([side in keep for side in SIDES], device=hands.present.device)
    return replace(hands, present=hands.present & kept)
