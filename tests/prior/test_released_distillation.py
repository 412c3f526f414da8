"""One step of score distillation with the released networks, against numbers of the released code.

The fixtures' `fixed_*` arrays are that code with its two slips mended: the noise schedule of the
training, and guidance of all channels.
"""

import numpy as np
import pytest
import torch
from formula_weights import PARITY, formula_input, sphere

from bghop.fields.grid_spec import GridSpec
from bghop.prior.codec import FieldCodec
from bghop.prior.denoiser import Condition
from bghop.prior.layout import RELEASED_ORDER, ChannelLayout
from bghop.prior.prior import Prior
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.schedule import ReleasedSchedule
from bghop.synthesis.distillation.field_pull import FieldScene, field_step
from bghop.synthesis.distillation.options import DistillOptions

LAYOUT = ChannelLayout(object_channels=3)
ORDER = LAYOUT.to_order(RELEASED_ORDER)


def fixture(name):
    if not PARITY.exists():
        pytest.skip("needs the parity fixtures beside the project")
    with np.load(PARITY / f"{name}.npz") as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file}


def placed_joints(values, spec):
    """Joints of the fixture in the grid's frame, metres; left first."""
    joints = values["joints_hand_frame"].double()
    sides = [
        joints @ S[:3, :3].T + S[:3, 3]
        for S in (values[name][0].double() for name in ("nTh_left", "nTh"))
    ]
    return (torch.stack(sides, dim=1) * spec.unit).float()


def crop(x):
    return x[..., 4:12, 4:12, 4:12]


@pytest.mark.assets
@pytest.mark.slow
def test_one_step_equals_the_released_one_in_its_fixed_form(unet43, vqvae):
    wanted = fixture("sds_onestep_43ch")
    spec = GridSpec.released(torch.zeros(3))
    codec = FieldCodec(first_stage=vqvae, spec=spec)
    denoiser = ReleasedDenoiser(unet43)
    denoiser.set_empty_text(formula_input("uncond_context", 1, 1, 768)[0])
    prior = Prior(denoiser=denoiser, codec=codec, schedule=ReleasedSchedule())
    both = torch.ones(1, 2, dtype=torch.bool)
    condition = Condition(
        tokens=formula_input("context", 1, 1, 768), text_given=both[:, 0], present=both
    )
    noise = torch.zeros(1, 43, 16, 16, 16)
    noise[:, ORDER] = wanted["noise"]
    image = sphere().requires_grad_()
    joints = placed_joints(fixture("hand_field"), spec)
    step = field_step(
        prior, codec, FieldScene(image=image, fields=codec.encode_joints(joints, both)),
        condition, wanted["t_index"].reshape(1), noise, options=DistillOptions.released(),
    )  # fmt: skip
    assert not step.clean.requires_grad
    # The released code's own float32 noise in a guided answer is about 5e-5.
    seen = step.noise[:, ORDER]
    torch.testing.assert_close(crop(seen), wanted["fixed_noise_pred_crop"], atol=5e-4, rtol=0)
    hands = LAYOUT.unpack(step.clean).hands
    torch.testing.assert_close(crop(hands[:, 1]), wanted["fixed_hand_pred_crop"], atol=5e-4, rtol=0)
    torch.testing.assert_close(
        crop(hands[:, 0]), wanted["fixed_hand_left_pred_crop"], atol=5e-4, rtol=0
    )
    coarse = step.decoded[..., ::4, ::4, ::4]
    torch.testing.assert_close(coarse, wanted["fixed_start_pred_stride4"], atol=1e-4, rtol=0)
    losses = torch.stack([step.object[0], step.hands[0, 1], step.hands[0, 0]]).double()
    total = losses.sum()[None]
    torch.testing.assert_close(
        torch.cat([losses, total]), wanted["fixed_losses"], atol=0, rtol=1e-5
    )
    (gradient,) = torch.autograd.grad(step.object.sum() + step.hands.sum(), image)
    torch.testing.assert_close(
        gradient[..., ::4, ::4, ::4], wanted["fixed_grad_image_stride4"], atol=1e-9, rtol=1e-4
    )
