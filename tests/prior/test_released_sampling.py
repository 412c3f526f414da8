"""The released pipeline's steps, against numbers of the released code."""

import dataclasses

import numpy as np
import pytest
import torch
from formula_weights import PARITY

from bghop.fields.grid_spec import GridSpec
from bghop.prior.codec import FieldCodec
from bghop.prior.denoiser import Condition
from bghop.prior.layout import RELEASED_ORDER, ChannelLayout
from bghop.prior.released_denoiser import ONE_HAND_ORDER, ReleasedDenoiser
from bghop.prior.sampling import SampleOptions, sample_latents
from bghop.prior.schedule import ReleasedSchedule

pytestmark = pytest.mark.assets
LAYOUT = ChannelLayout(object_channels=3)


def fixture(name):
    if not PARITY.exists():
        pytest.skip("needs the parity fixtures beside the project")
    with np.load(PARITY / f"{name}.npz") as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file}


def to_ours(theirs, channels):
    """A latent in the released order to ours; a missing left hand is zeros."""
    order = LAYOUT.to_order(RELEASED_ORDER if channels == 43 else ONE_HAND_ORDER)
    ours = torch.zeros(len(theirs), 43, *theirs.shape[2:])
    ours[:, order] = theirs
    return ours


def to_theirs(ours, channels):
    return ours[:, LAYOUT.to_order(RELEASED_ORDER if channels == 43 else ONE_HAND_ORDER)]


def crop(x):
    return x[..., 4:12, 4:12, 4:12]


class TwoLevels:
    """Only one step of a path."""

    def __init__(self, num, index):
        whole = ReleasedSchedule().path(num)
        rows = slice(num - 1 - index, num + 1 - index)
        self._path = dataclasses.replace(
            whole, level=whole.level[rows], alpha=whole.alpha[rows], sigma=whole.sigma[rows]
        )

    def path(self, num):
        return self._path


def run(unet, values, x, channels, schedule, steps):
    denoiser = ReleasedDenoiser(unet)
    denoiser.set_empty_text(values["uncond_context"][0])
    condition = Condition(
        tokens=values["context"],
        text_given=torch.ones(1, dtype=torch.bool),
        present=torch.tensor([[channels == 43, True]]),
    )
    seen = []
    options = SampleOptions(method="ddim", steps=steps, guidance=4.0, clip=1.0)
    final = sample_latents(
        denoiser, schedule, LAYOUT, condition, to_ours(x, channels), options=options,
        watch=lambda step, clean, after: seen.append((clean, after)),
    )  # fmt: skip
    return to_theirs(final, channels), [[to_theirs(v, channels) for v in pair] for pair in seen]


@pytest.mark.slow
@pytest.mark.parametrize("channels", [43, 23])
def test_ten_guided_steps_follow_the_released_chain(request, channels):
    values = fixture(f"ddim10_{channels}ch")
    unet = request.getfixturevalue(f"unet{channels}")
    final, seen = run(unet, values, values["noise"], channels, ReleasedSchedule(), 10)
    # The released code's own float32 noise grows to 1.4e-3 over the chain.
    torch.testing.assert_close(seen[0][1], values["after_step1"], atol=2e-4, rtol=0)
    torch.testing.assert_close(crop(seen[4][1]), values["after_step5_crop"], atol=5e-3, rtol=0)
    torch.testing.assert_close(final, values["final"], atol=5e-3, rtol=0)


@pytest.mark.parametrize("channels", [43, 23])
@pytest.mark.parametrize("index", [3, 20, 50])
def test_single_guided_steps_equal_the_released_ones(request, channels, index):
    values = fixture(f"ddim_single_{channels}ch")
    unet = request.getfixturevalue(f"unet{channels}")
    _, seen = run(unet, values, values["x"], channels, TwoLevels(100, index), 2)
    clean, after = seen[0]
    torch.testing.assert_close(crop(clean), values[f"pred_xstart_idx{index}"], atol=5e-4, rtol=1e-4)
    torch.testing.assert_close(crop(after), values[f"sample_idx{index}"], atol=1e-4, rtol=1e-4)


def test_hands_enter_as_the_released_fields(vqvae):
    values = fixture("hand_field")
    spec = GridSpec.released(torch.zeros(3))
    codec = FieldCodec(first_stage=vqvae, spec=spec)
    S_grid_hand = values["nTh"][0].double()
    S_grid_left = values["nTh_left"][0].double()
    joints = values["joints_hand_frame"].double()
    placed = torch.stack(
        [joints @ S[:3, :3].T + S[:3, 3] for S in (S_grid_left, S_grid_hand)], dim=1
    )
    fields = codec.encode_joints(placed.float() * spec.unit, torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(fields[:, 0], values["field_left_traingrid"], atol=2e-6, rtol=0)
    torch.testing.assert_close(fields[:, 1], values["field_right_traingrid"], atol=2e-6, rtol=0)
