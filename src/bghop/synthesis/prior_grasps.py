"""A prior's grasps of a mesh: more samples than wanted, refined, the best that differ."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import torch

from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.interaction import Interaction, joined, stacked
from bghop.prior.prior import Prior
from bghop.prior.sampling import SampleOptions
from bghop.synthesis.completion import kept_hands
from bghop.synthesis.from_prior import hands_of, sample_hands
from bghop.synthesis.refine import RefineOptions, best_hands
from bghop.synthesis.rows import Progress, Say
from bghop.synthesis.synthesize import Synthesis, geometric_starts, object_load, up_axis
from bghop.threads import one_thread

SAMPLES_PER_RESULT = 3.0
"""As many as the optimiser has starts."""
LEAST_SAMPLES, MOST_PER_RESULT = 32, 6
_SAMPLING_SHARE = 0.4
"""Of the whole time, for progress bars."""


def samples_for(num: int) -> int:
    """How many samples are drawn for `num` results."""
    return max(round(SAMPLES_PER_RESULT * num), min(LEAST_SAMPLES, MOST_PER_RESULT * num))


def grasps_from_prior(
    mesh: Mesh,
    prior: Prior,
    hand_model: HandModel,
    *,
    num: int = 16,
    prompt: str = "",
    seed: int = 0,
    up: str = "z",
    known: HandParameters | None = None,
    present: tuple[bool, bool] | None = None,
    first: HandParameters | None = None,
    options: SampleOptions | None = None,
    refine: RefineOptions | None = None,
    sdf: SdfGrid | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Synthesis:
    """Draw hands for a mesh, bring them into contact, keep the best that differ.

    Args:
        mesh: the object, metres.
        prior: what is known of hands and objects.
        hand_model: on the prior's device.
        num: results wanted.
        prompt: what the object is; empty for any.
        seed: the same seed gives the same results.
        up: axis of the mesh's frame against gravity, or `none`.
        known: hands whose `present` is set are kept bit for bit (no leading batch).
        present: hands that exist; all that the prior can draw if None.
        first: samples that there are already (a batch); so many fewer are drawn.
        options: of the sampler; those of `sample_options` if None.
        refine: see `RefineOptions`.
        sdf: the object's distance grid for refinement if it exists already.
        progress: called with (steps done, steps in all).
        say: told about samples that were left out.

    Returns:
        Up to `num` grasps in the mesh's frame, best first.

    Raises:
        OptionError: The object is too long for the prior's grid, or a hand cannot be sampled.
        ResultError: Too many samples had no usable hands.
    """

    def tick(share: float) -> None:
        if progress is not None:
            progress(round(1000 * share), 1000)

    there = 0 if first is None else len(first.present)
    hands = sample_hands(
        mesh, prior, hand_model, num=samples_for(num) - there,
        prompt=prompt, seed=seed, up=up, known=known, present=present or hands_of(prior),
        options=options, say=say,
        progress=lambda done, total: tick(_SAMPLING_SHARE * done / total),
    )  # fmt: skip
    if first is not None:
        hands = joined([first, hands])
    free = hands.present if known is None else hands.present & ~known.present
    with one_thread():
        return best_hands(
            mesh, hands, hand_model, num=num, options=refine, free=free, sdf=sdf,
            progress=lambda done, total: tick(
                _SAMPLING_SHARE + (1 - _SAMPLING_SHARE) * done / total
            ),
        )  # fmt: skip


def mixed_grasps(
    mesh: Mesh,
    prior: Prior,
    hand_model: HandModel,
    *,
    num: int = 16,
    prompt: str = "",
    seed: int = 0,
    up: str = "z",
    options: SampleOptions | None = None,
    refine: RefineOptions | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Synthesis:
    """As `grasps_from_prior`, with half of the starts from the object's geometry.

    A prior knows how things are held, geometry how this one can be: the same energy decides.

    Args:
        mesh: the object, metres.
        prior: what is known of hands and objects.
        hand_model: on the prior's device.
        num: results wanted.
        prompt: what the object is; empty for any.
        seed: the same seed gives the same results.
        up: axis of the mesh's frame against gravity, or `none`.
        options: of the sampler; those of `sample_options` if None.
        refine: see `RefineOptions`.
        progress: called with (steps done, steps in all).
        say: told about samples that were left out.

    Returns:
        Up to `num` grasps in the mesh's frame, best first.

    Raises:
        OptionError: The object is too long for the prior's grid.
        ResultError: Too many samples had no usable hands.
    """
    refine = refine or RefineOptions()
    with one_thread():
        sdf = sdf_from_mesh(mesh, resolution=refine.sdf_resolution)
        sdf = sdf.to(hand_model.vertices_rest.device)
        load = object_load(sdf, friction=refine.friction, factor=refine.load_factor)
        geometric = geometric_starts(
            mesh, sdf, load, hand_model, num=samples_for(num) // 2, seed=seed, up=up_axis(up)
        )
    there = geometric.hands.present & torch.tensor(hands_of(prior)).to(prior.device)
    first = replace(geometric.hands, present=there)
    return grasps_from_prior(
        mesh, prior, hand_model, num=num, prompt=prompt, seed=seed, up=up, first=first,
        options=options, refine=refine, sdf=sdf, progress=progress, say=say,
    )  # fmt: skip


def best_of_more(
    drawn: Sequence[Interaction],
    prior: Prior,
    hand_model: HandModel,
    *,
    keep: Collection[str] = (),
    seed: int = 0,
    options: SampleOptions | None = None,
    progress: Progress | None = None,
) -> Synthesis:
    """Drawn interactions of one object, and more of it, in contact: the best, as many as drawn.

    Args:
        drawn: of one object, with the same text, hands and kept parts.
        prior: what is known of hands and objects.
        hand_model: on the prior's device.
        keep: of left and right, the hands that stay as they are, bit for bit.
        seed: another one than that of `drawn`.
        options: of the sampler; those of `sample_options` if None.
        progress: called with (steps done, steps in all).
    """
    one = drawn[0]
    known = kept_hands(one.hands, keep)
    return grasps_from_prior(
        one.mesh, prior, hand_model, num=len(drawn), prompt=one.text, seed=seed, up=one.up,
        known=known if bool(known.present.any()) else None, present=one.present,
        first=stacked([each.hands for each in drawn]), options=options, progress=progress,
    )  # fmt: skip
