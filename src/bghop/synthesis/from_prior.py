"""What a prior says, as hands on meshes: samples for a given mesh, and whole interactions.

Samples come in batches; row `i` of a seed is the same whatever the batch. A row that is no use (no
object in it, or a hand that its channels do not show) is left out and the next row takes its place.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.errors import OptionError
from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandModel, HandParameters
from bghop.interaction import Interaction, stacked
from bghop.prior.prior import Known, Prior, Sampled
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.sampling import SampleOptions
from bghop.synthesis.objects_from_prior import (
    centred_distances,
    drawn_meshes,
    object_meshes,
)
from bghop.synthesis.placement import grid_distances, place
from bghop.synthesis.refine import kept_where
from bghop.synthesis.rows import Progress, Rows, Say
from bghop.threads import network_threads

RESAMPLE = 4
"""Times that each step is taken with given parts where the network has one level for all."""


def hands_of(prior: Prior) -> tuple[bool, bool]:
    """The (left, right) hands that a prior can sample."""
    denoiser = prior.denoiser
    return not (isinstance(denoiser, ReleasedDenoiser) and denoiser.hands == 1), True


def sample_options(
    prior: Prior,
    *,
    steps: int | None = None,
    guidance: float | None = None,
    given: bool = False,
) -> SampleOptions:
    """The sampler's settings for this kind of prior.

    Where the object is known, by the user or by the object prior, hands take few steps and no
    guidance: what they lack to contact is for refinement (docs/decisions.md has the comparison).

    Args:
        prior: the prior.
        steps: of the sampler; 8 if only hands are drawn, else 25, if None.
        guidance: 1 is none; 1 if only hands are drawn, else 2, if None.
        given: whether a part is given.
    """
    only_hands = prior.denoiser.level_per_part and (given or prior.objects is not None)
    steps = steps if steps is not None else 8 if only_hands else 25
    guidance = guidance if guidance is not None else 1.0 if only_hands else 2.0
    if prior.denoiser.level_per_part:
        return SampleOptions(steps=steps, guidance=guidance)
    times = RESAMPLE if given else 1
    return SampleOptions(steps=steps, guidance=guidance, clip=1.0, resample=times)


def sample_hands(
    mesh: Mesh,
    prior: Prior,
    hand_model: HandModel,
    *,
    num: int = 16,
    prompt: str = "",
    seed: int = 0,
    up: str = "z",
    known: HandParameters | None = None,
    present: tuple[bool, bool] = (True, True),
    options: SampleOptions | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> HandParameters:
    """Draw hands for a mesh, and for one known hand if there is one.

    Args:
        mesh: the object, metres.
        prior: what is known of hands and objects.
        hand_model: on the prior's device.
        num: samples.
        prompt: what the object is; empty for any.
        seed: the same seed gives the same samples.
        up: axis of the mesh's frame against gravity, or `none`.
        known: hands whose `present` is set are kept bit for bit (no leading batch).
        present: hands that exist.
        options: of the sampler; those of `sample_options` if None.
        progress: called with (steps done, steps in all).
        say: told about rows that were left out.

    Returns:
        Batch `num`, in the mesh's own frame; hands of the known hand's person, else average.

    Raises:
        OptionError: The object is too long for the prior's grid, or a hand cannot be sampled.
        ResultError: Too many rows had no usable hands.
    """
    spec = prior.codec.spec
    _check_hands(prior, present)
    options = options or sample_options(prior, given=True)
    right = None
    if known is not None and bool(known.present[1]):
        right = (hand_model, known)

    def draw(first: int, count: int, tick: Progress) -> list[HandParameters | None]:
        placement = place(
            mesh, spec, num=count, seed=seed, first=first, up=up, right_joints=right
        )  # fmt: skip
        sampled = _sampled(
            prior, hand_model, prompt, count, seed, first, present, options, tick,
            known=Known(
                sdf=grid_distances(mesh, spec, placement).to(prior.device),
                joints=None
                if known is None
                else placement.points_to_grid(_joints(hand_model, known)),
                hands=None if known is None else known.present.expand(count, 2),
            ),
            shape=_person(known, hand_model, count),
        )  # fmt: skip
        hands = placement.to_object(sampled.hands, slice(None))
        if known is not None:
            hands = kept_where(_repeated(known, count), hands, known.present.expand(count, 2))
        return [hands.rows(i) if whole else None for i, whole in enumerate(_whole(hands, present))]

    rows = Rows(num=num, steps=options.steps, progress=progress)
    return stacked(rows.collect(draw, "had no whole hands", say))


def sample_interactions(
    prior: Prior,
    hand_model: HandModel,
    *,
    prompt: str = "",
    num: int = 8,
    seed: int = 0,
    present: tuple[bool, bool] = (True, True),
    options: SampleOptions | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> list[Interaction]:
    """Draw objects with hands from words alone.

    Args:
        prior: what is known of hands and objects.
        hand_model: on the prior's device.
        prompt: what the object is; empty for any.
        num: samples.
        seed: the same seed gives the same samples.
        present: hands that exist.
        options: of the sampler; those of `sample_options` if None.
        progress: called with (steps done, steps in all).
        say: told about rows that were left out because they had no object.

    Raises:
        OptionError: The prompt names no object that the prior's text encoder knows, or a hand
            cannot be sampled.
        ResultError: Too many rows had no whole object.
    """
    _check_hands(prior, present)
    likely = prior.drawn_after(prompt)
    if likely and say is not None:
        words = ", ".join(f"{word} ({100 * share:.0f} %)" for word, share in likely.items())
        say(f"the prior was not trained with '{prompt}': objects are drawn after {words}")
    options = options or sample_options(prior)
    up = "z" if prior.codec.spec.frame == "object" else "none"

    name = prompt.strip() or "object"

    def draw(first: int, count: int, tick: Progress) -> list[Interaction | None]:
        meshes = known = None
        if prior.objects is not None:
            meshes = drawn_meshes(prior, prompt, count, name=name, seed=seed, first=first)
            known = Known(sdf=centred_distances(meshes, prior).to(prior.device))
        sampled = _sampled(
            prior, hand_model, prompt, count, seed, first, present, options, tick, known=known
        )
        meshes = meshes or object_meshes(prior, sampled, name=name)
        whole = _whole(sampled.hands, present)
        return [
            Interaction(
                mesh=mesh,
                hands=sampled.hands.rows(i),
                text=prompt,
                up=up,
                hand_model=hand_model.name,
            )
            if mesh is not None and whole[i]
            else None
            for i, mesh in enumerate(meshes)
        ]

    rows = Rows(num=num, steps=options.steps, progress=progress)
    return rows.collect(draw, "had no whole object", say)


def sample_object(
    interaction: Interaction,
    known: HandParameters,
    prior: Prior,
    hand_model: HandModel,
    *,
    num: int,
    seed: int,
    present: tuple[bool, bool],
    options: SampleOptions | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> list[Interaction]:
    """Draw objects, and the other hand if it is not known, for known hands.

    Args:
        interaction: its object is not kept, but says where the middle of the new one should be.
        known: hands whose `present` is set are kept bit for bit.
        prior: what is known of hands and objects.
        hand_model: on the prior's device.
        num: samples.
        seed: the same seed gives the same samples.
        present: hands that exist.
        options: of the sampler.
        progress: called with (steps done, steps in all).
        say: told about rows that were left out.
    """
    _check_hands(prior, present)
    options = options or sample_options(prior, given=True)
    spec, old = prior.codec.spec, interaction.mesh
    right = (hand_model, known) if bool(known.present[1]) else None

    def draw(first: int, count: int, tick: Progress) -> list[Interaction | None]:
        placement = place(
            old, spec, num=count, seed=seed, first=first, up=interaction.up, right_joints=right
        )  # fmt: skip
        mask = known.present.expand(count, 2)
        sampled = _sampled(
            prior, hand_model, interaction.text, count, seed, first, present, options, tick,
            known=Known(
                joints=placement.points_to_grid(_joints(hand_model, known)), hands=mask
            ),
            shape=_person(known, hand_model, count),
        )  # fmt: skip
        hands = placement.to_object(sampled.hands, slice(None))
        hands = kept_where(_repeated(known, count), hands, mask)
        meshes = object_meshes(prior, sampled, name=interaction.text.strip() or "object")
        back = torch.linalg.inv(placement.T_grid_object).numpy()
        whole = _whole(hands, present)
        return [
            replace(interaction, mesh=mesh.transformed(back[i]), hands=hands.rows(i))
            if mesh is not None and whole[i]
            else None
            for i, mesh in enumerate(meshes)
        ]

    rows = Rows(num=num, steps=options.steps, progress=progress)
    return rows.collect(draw, "had no whole object", say)


def _sampled(
    prior: Prior,
    hand_model: HandModel,
    prompt: str,
    count: int,
    seed: int,
    first: int,
    present: tuple[bool, bool],
    options: SampleOptions,
    progress: Progress,
    *,
    known: Known | None,
    shape: Tensor | None = None,
) -> Sampled:
    there = torch.tensor(present).expand(count, 2)
    with network_threads():
        return prior.sample(
            prior.condition([prompt] * count, there),
            hand_model,
            seed=seed,
            first=first,
            known=known,
            shape=shape,
            options=options,
            progress=progress,
        )


def _person(known: HandParameters | None, hand_model: HandModel, num: int) -> Tensor:
    """Shape of the hands that are drawn: of the known hand's person, average if there is none."""
    if known is None or not bool(known.present.any()):
        shape = torch.zeros(hand_model.num_shape)
    else:
        shape = known.shape[known.present].mean(0)
    return shape.to(hand_model.vertices_rest).expand(num, 2, -1)


def _check_hands(prior: Prior, present: Sequence[bool]) -> None:
    for side, wanted, can in zip(("left", "right"), present, hands_of(prior), strict=True):
        if wanted and not can:
            other = "right" if side == "left" else "left"
            raise OptionError(
                f"this checkpoint has no {side} hand: ask for the {other} hand only (--hands "
                f"{other}), or use a checkpoint of both hands"
            )


def _whole(hands: HandParameters, present: tuple[bool, bool]) -> list[bool]:
    """Whether each sample has the hands that were asked for, with finite numbers."""
    there: Bool[Tensor, "n"] = (hands.present.cpu() == torch.tensor(present)).all(-1)
    finite = torch.isfinite(hands.T_object_hand).all(-1).all(-1) & torch.isfinite(hands.pose).all(
        -1
    ).all(-1)
    return (there & finite.all(-1).cpu()).tolist()


def _joints(hand_model: HandModel, hands: HandParameters) -> Float[Tensor, "hand=2 joint=21 3"]:
    with torch.no_grad():
        return hand_model.joints(hands)


def _repeated(hands: HandParameters, num: int) -> HandParameters:
    return stacked([hands] * num)
