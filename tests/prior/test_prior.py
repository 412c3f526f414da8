import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from bghop.errors import CheckpointError, OptionError
from bghop.hands.open_hand import load_open_hand
from bghop.hands.postures import Postures
from bghop.prior.checkpoint import CONFIG, WEIGHTS, load_prior, prior_config, prior_tensors
from bghop.prior.codec import JointCodec, codec_config, codec_from_config
from bghop.prior.prior import Known
from bghop.prior.sampling import SampleOptions
from small_prior import small_prior, write_small_prior

FAST = SampleOptions(steps=3)


@pytest.fixture(scope="module")
def prior():
    return small_prior()


@pytest.fixture(scope="module")
def hands():
    return load_open_hand()


@pytest.fixture
def folder(tmp_path, prior):
    return write_small_prior(tmp_path / "prior", prior=prior)


def some_hands(model, num=4):
    generator = torch.Generator().manual_seed(2)
    pose = model.random_poses(num, generator=generator) * 0.5
    still = model.rest_parameters(num)
    T = still.T_object_hand.clone()
    T[..., :3, 3] = 0.1 * torch.randn(num, 2, 3, generator=generator)
    return type(still)(present=still.present, T_object_hand=T, pose=pose, shape=still.shape.clone())


def test_hands_survive_the_codec(prior, hands):
    posed = hands.joints(some_hands(hands))
    present = torch.ones(4, 2, dtype=torch.bool)
    latent = prior.codec.encode(torch.ones(4, 1, 64, 64, 64), posed, present)
    back = prior.codec.decode_hands(latent, hands, present)
    error = (hands.joints(back) - posed).norm(dim=-1)
    assert error.max() < 1e-3  # metres; random poses may be a little outside the limits


def test_absent_hands_stay_absent(prior, hands):
    present = torch.tensor([[True, False]] * 4)
    joints = hands.joints(some_hands(hands))
    latent = prior.codec.encode(torch.ones(4, 1, 64, 64, 64), joints, present)
    assert (prior.codec.layout.unpack(latent).hands[:, 1] == 0).all()
    back = prior.codec.decode_hands(latent, hands, present)
    assert torch.equal(back.present, present)
    assert torch.equal(back.T_object_hand[:, 1], torch.eye(4).expand(4, 4, 4))


def test_codec_configs_are_plain_values_and_come_back(prior):
    config = json.loads(json.dumps(codec_config(prior.codec)))
    again = codec_from_config(config, prior.codec.first_stage)
    assert isinstance(again, JointCodec)
    assert again.spec == prior.codec.spec
    with pytest.raises(OptionError, match="unknown codec 'mesh'"):
        codec_from_config({**config, "type": "mesh"}, prior.codec.first_stage)


def test_samples_keep_what_is_known(prior, hands):
    joints = hands.joints(some_hands(hands))
    known = Known(joints=joints, hands=torch.tensor([[True, False]]).expand(4, 2))
    sampled = prior.sample(prior.condition(["mug"] * 4), hands, known=known, options=FAST)
    left = prior.codec.layout.unpack(sampled.latent).hands[:, 0] * prior.codec.joint_scale
    torch.testing.assert_close(left, joints[:, 0])


def test_a_row_is_the_same_in_every_batch(prior, hands):
    whole = prior.sample(prior.condition(["mug"] * 4), hands, seed=5, options=FAST)
    last = prior.sample(prior.condition(["mug"] * 2), hands, seed=5, first=2, options=FAST)
    torch.testing.assert_close(whole.latent[2:], last.latent, atol=1e-4, rtol=1e-4)


def test_an_empty_prompt_is_unconditional(prior):
    condition = prior.condition(["", "mug"])
    assert condition.text_given.tolist() == [False, True]


def test_a_hand_cannot_be_known_and_absent(prior, hands):
    condition = prior.condition(["mug"], torch.tensor([[False, True]]))
    known = Known(joints=torch.zeros(1, 2, 21, 3), hands=torch.tensor([[True, False]]))
    with pytest.raises(OptionError, match="keep hands that exist"):
        prior.sample(condition, hands, known=known, options=FAST)


def test_a_checkpoint_comes_back(prior, folder):
    again = load_prior(folder)
    assert json.loads(json.dumps(prior_config(again))) == json.loads((folder / CONFIG).read_text())
    for name, value in prior.denoiser.state_dict().items():
        assert torch.equal(value, again.denoiser.state_dict()[name])


def test_half_precision_halves_the_denoiser_and_changes_little(prior, folder):
    half = prior_tensors(prior, half=True)
    assert len(half) < 0.75 * len((folder / WEIGHTS).read_bytes())
    (folder / WEIGHTS).write_bytes(half)
    again = load_prior(folder)
    for name, value in prior.denoiser.state_dict().items():
        torch.testing.assert_close(value, again.denoiser.state_dict()[name], atol=2e-3, rtol=1e-3)


def test_postures_come_back_with_the_checkpoint(prior, folder):
    angles = torch.randn(50, 15, 3, generator=torch.Generator().manual_seed(0))
    postures = Postures.of(angles)
    known = replace(prior.codec, postures=postures)
    assert "postures" not in codec_config(known)
    (folder / WEIGHTS).write_bytes(prior_tensors(replace(prior, codec=known), half=True))
    codec = load_prior(folder).codec
    assert isinstance(codec, JointCodec)
    assert codec.postures is not None
    assert torch.equal(codec.postures.mean, postures.mean)
    assert torch.equal(codec.postures.precision, postures.precision)
    tensors = load_file(folder / WEIGHTS)
    save_file({**tensors, "postures.mean": torch.zeros(3, 3)}, folder / WEIGHTS)
    with pytest.raises(CheckpointError, match=r"postures.mean has a wrong shape"):
        load_prior(folder)
    del tensors["postures.precision"]
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(CheckpointError, match=r"postures.precision is missing"):
        load_prior(folder)


def test_samples_are_bent_as_the_data_are(prior, hands):
    """Joints that are off by 5 mm give angles within what the data's hands do."""
    generator = torch.Generator().manual_seed(1)
    data = hands.angles_from_pose(hands.random_poses(1, generator=generator))[0, :1]
    data = data + 0.05 * torch.randn(200, 15, 3, generator=generator)
    posed = hands.pose_from_angles(data[:8].reshape(4, 2, 15, 3))
    joints = hands.joints(replace(some_hands(hands), pose=hands.clamp(posed)))
    joints = joints + 0.005 * torch.randn(joints.shape, generator=generator)
    present = torch.ones(4, 2, dtype=torch.bool)
    latent = prior.codec.encode(torch.ones(4, 1, 64, 64, 64), joints, present)
    known = replace(prior.codec, postures=Postures.of(data))
    plain, near = (
        hands.angles_from_pose(codec.decode_hands(latent, hands, present).pose) - data.mean(0)
        for codec in (prior.codec, known)
    )
    assert near.square().mean() < 0.3 * plain.square().mean()


def edit(folder, change):
    config = json.loads((folder / CONFIG).read_text())
    change(config)
    (folder / CONFIG).write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda f: (f / CONFIG).unlink(), "name a folder that `bghop train`"),
        (lambda f: (f / WEIGHTS).unlink(), "copy the checkpoint again"),
        (lambda f: (f / CONFIG).write_text("{"), "is not a JSON file"),
        (lambda f: (f / CONFIG).write_text("[]"), "does not describe a prior"),
        (lambda f: (f / WEIGHTS).write_bytes(b"\x08"), "copy the checkpoint again"),
        (lambda f: edit(f, lambda c: c.update(format_version=9)), "format version 9"),
        (lambda f: edit(f, lambda c: c["denoiser"].update(type="gan")), "unknown network 'gan'"),
        (lambda f: edit(f, lambda c: c["denoiser"].update(depth=3)), "lacks 10 tensors"),
        (lambda f: edit(f, lambda c: c["denoiser"].update(width=32)), "instead of"),
        (lambda f: edit(f, lambda c: c.pop("schedule")), "does not describe a prior"),
        (lambda f: edit(f, lambda c: c["schedule"].update(type="x")), "unknown noise schedule"),
    ],
)
def test_checkpoints_that_cannot_be_used_are_refused(folder, break_it, words):
    break_it(folder)
    with pytest.raises(CheckpointError, match=words):
        load_prior(folder)
