import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from bghop.errors import ResultError
from bghop.fields.grid_spec import GridSpec
from bghop.prior.block_basis import block_basis, mirror_signs
from bghop.prior.first_stage import (
    BlockCodec,
    BlockCodecConfig,
    FirstStage,
    to_distance_grid,
    training_loss,
)
from bghop.prior.first_stage_file import (
    load_block_codec,
    load_first_stage,
    save_block_codec,
    save_vqvae,
)
from bghop.prior.surface import surface_of
from bghop.prior.vqvae import VQVAE, VQVAEConfig

SPEC = GridSpec(frame="object")
AXIS = torch.linspace(-0.30, 0.30, 64)
POINTS = torch.stack(torch.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), dim=-1)


def ball(radius=0.08, middle=(0.01, -0.02, 0.03)):
    return (POINTS - torch.tensor(middle)).norm(dim=-1) - radius


def box(half=(0.09, 0.05, 0.12), middle=(-0.02, 0.01, 0.0)):
    q = (POINTS - torch.tensor(middle)).abs() - torch.tensor(half)
    return q.clamp_min(0).norm(dim=-1) + q.amax(-1).clamp_max(0)


def cup(radius=0.06, wall=0.012):
    """A hollow ball without its top."""
    shell = ball(radius, (0, 0, 0)).abs() - wall / 2
    return torch.maximum(shell, POINTS[..., 2] - 0.03)


def grids(*distances):
    return torch.stack([to_distance_grid(d, 0.04) for d in distances])[:, None]


@pytest.fixture(scope="module")
def codec():
    return load_block_codec()


@pytest.fixture(scope="module")
def linear():
    return BlockCodec.fitted(grids(ball(), box(), cup()), BlockCodecConfig(channels=10, depth=0))


def iou(first, second):
    return float(((first < 0) & (second < 0)).sum() / ((first < 0) | (second < 0)).sum())


def test_the_codec_is_a_first_stage_with_the_shapes_of_the_interface(codec):
    assert isinstance(codec, FirstStage)
    latent = codec.encode(grids(ball(), box()))
    assert latent.shape == (2, codec.latent_channels, 16, 16, 16)
    assert codec.decode(latent).shape == (2, 1, 64, 64, 64)
    assert codec.truncation == pytest.approx(0.04)


def test_the_basis_is_orthonormal_and_each_function_is_even_or_odd_along_each_axis():
    basis, values = block_basis(grids(ball(), box(), cup())[:, 0], 10)
    flat = basis.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(10), atol=1e-5, rtol=0)
    signs = mirror_signs(basis)
    for axis in range(3):
        torch.testing.assert_close(
            basis.flip(axis + 1), basis * signs[axis][:, None, None, None], atol=1e-5, rtol=0
        )
    assert (values.diff() <= 0).all()


def test_the_basis_spans_the_same_space_for_an_object_turned_by_90_degrees():
    first, _ = block_basis(grids(box(), cup())[:, 0], 4)
    second, _ = block_basis(grids(box(), cup())[:, 0].transpose(1, 3), 4)
    projections = [b.flatten(1).T @ b.flatten(1) for b in (first, second)]
    torch.testing.assert_close(*projections, atol=1e-4, rtol=0)


def test_all_64_functions_give_the_grid_back():
    truth = grids(box())
    full = BlockCodec.fitted(truth, BlockCodecConfig(channels=64, depth=0))
    torch.testing.assert_close(full.decode(full.encode(truth)), truth, atol=1e-4, rtol=0)


def test_without_a_net_decoding_is_affine(linear):
    a, b = torch.randn(2, 1, 10, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    zero = linear.decode(torch.zeros_like(a))
    sum_of_parts = linear.decode(a) + 2 * linear.decode(b) - 2 * zero
    torch.testing.assert_close(linear.decode(a + 2 * b), sum_of_parts, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirroring_a_grid_mirrors_its_latent_exactly(codec, axis):
    truth = grids(cup(), box())
    found = codec.encode(truth.flip(axis + 2))
    torch.testing.assert_close(found, codec.mirrored(codec.encode(truth), axis), atol=3e-4, rtol=0)


def test_mirroring_twice_changes_nothing(codec):
    latent = torch.randn(2, codec.latent_channels, 4, 4, 4)
    assert torch.equal(codec.mirrored(codec.mirrored(latent)), latent)


def test_decoding_a_mirrored_latent_almost_mirrors_the_surface(codec):
    latent = codec.encode(grids(box()))
    there = codec.decode(codec.mirrored(latent))[0, 0]
    assert iou(there.flip(0), codec.decode(latent)[0, 0]) > 0.97


def test_shifting_by_a_block_shifts_the_latent_by_a_cell(codec):
    latent = codec.encode(grids(ball()))
    shifted = codec.encode(grids(ball().roll(4, 0)))
    torch.testing.assert_close(shifted[..., 1:, :, :], latent[..., :-1, :, :], atol=3e-4, rtol=0)


def test_empty_space_decodes_to_empty_space(codec):
    empty = torch.ones(1, 1, 64, 64, 64)
    latent = codec.encode(empty)
    assert float((latent - latent[..., :1, :1, :1]).abs().max()) < 1e-5
    assert float(codec.decode(latent).min()) > 0.5


def test_channels_have_about_unit_variance_on_objects(codec):
    latent = codec.encode(grids(ball(), box(), cup()))
    spread = latent.square().mean(dim=(0, 2, 3, 4)).sqrt()
    assert ((spread > 0.2) & (spread < 3)).all()


# Floors for the shipped weights; new weights have to pass them too.
@pytest.mark.parametrize(("shape", "floor"), [(ball(), 0.97), (box(), 0.96), (cup(), 0.80)])
def test_shapes_survive(codec, shape, floor):
    truth = grids(shape)
    with torch.no_grad():
        found = codec.decode(codec.encode(truth))[0, 0]
    assert iou(found, truth[0, 0]) > floor


@pytest.mark.parametrize(("noise", "floor"), [(0.05, 0.95), (0.10, 0.92)])
def test_noise_on_the_latent_hardly_moves_the_surface(codec, noise, floor):
    generator = torch.Generator().manual_seed(0)
    for shape in (ball(), box()):
        latent = codec.encode(grids(shape))
        noisy = latent + noise * torch.randn(latent.shape, generator=generator)
        assert iou(codec.decode(noisy)[0, 0], shape) > floor


def test_the_surface_of_a_ball_is_where_it_was(codec):
    truth = ball()
    with torch.no_grad():
        decoded = codec.decode(codec.encode(grids(truth)))[0, 0]
    mesh = surface_of(decoded, SPEC, truncation=codec.truncation, level=0.0)
    assert mesh is not None
    assert mesh.is_watertight
    radius = np.linalg.norm(mesh.vertices - np.array([0.01, -0.02, 0.03]), axis=1)
    assert abs(radius - 0.08).mean() < 0.001
    assert abs(radius - 0.08).max() < 0.004


def test_gradients_reach_the_grid_and_the_latent(codec):
    truth = grids(cup()).requires_grad_()
    latent = codec.encode(truth)
    codec.decode(latent).square().sum().backward()
    assert truth.grad is not None
    assert truth.grad.isfinite().all()
    assert float(truth.grad.abs().sum()) > 0


def test_the_gradient_of_decoding_is_that_of_finite_differences():
    torch.manual_seed(0)
    small = BlockCodec(BlockCodecConfig(channels=2, width=3, depth=1)).double()
    for parameter in small.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    latent = torch.randn(1, 2, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(small.decode, latent)


def test_the_training_loss_falls_and_sees_only_what_counts():
    truth = grids(box())[..., 8:40, 8:40, 8:40]
    torch.manual_seed(0)
    small = BlockCodec.fitted(truth, BlockCodecConfig(channels=4, width=8, depth=1))
    optimizer = torch.optim.Adam(small.net.parameters(), lr=3e-3)
    values = []
    for _ in range(15):
        loss = training_loss(small, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    assert values[-1] < 0.8 * values[0]


class _Shifted(torch.nn.Module):
    """Adds a constant."""

    latent_channels, truncation = 1, 0.04

    def __init__(self, shift):
        super().__init__()
        self.shift = shift

    def encode(self, sdf):
        return sdf

    def decode(self, latent):
        return latent + self.shift


def test_overshoot_where_the_distance_is_cut_off_is_free():
    outside = torch.ones(1, 1, 8, 8, 8)
    assert float(training_loss(_Shifted(0.5), outside)) == 0
    assert float(training_loss(_Shifted(-0.5), outside)) == pytest.approx(0.5)


def test_a_saved_codec_comes_back(codec, tmp_path):
    path = tmp_path / "codec.safetensors"
    save_block_codec(codec, path)
    again = load_first_stage(path)
    assert again.config == codec.config
    truth = grids(cup())
    assert torch.equal(again.encode(truth), codec.encode(truth))
    assert torch.equal(again.decode(again.encode(truth)), codec.decode(codec.encode(truth)))
    assert path.stat().st_size < 500_000


def test_a_saved_vqvae_comes_back(tmp_path):
    torch.manual_seed(0)
    config = VQVAEConfig(base_channels=32, channel_mult=(1, 1), num_codes=16, truncation=0.03)
    stage = VQVAE(config).eval()
    path = tmp_path / "vq.safetensors"
    save_vqvae(stage, path)
    again = load_first_stage(path)
    assert again.config == config
    grid = torch.rand(1, 1, 8, 8, 8)
    torch.testing.assert_close(again.encode(grid), stage.encode(grid))


def test_first_stages_are_trained_in_half_precision_too():
    truth = grids(box())[..., 8:40, 8:40, 8:40]
    torch.manual_seed(0)
    stage = BlockCodec.fitted(truth, BlockCodecConfig(channels=4, width=8, depth=1))
    stage.train().requires_grad_(True)
    exact = training_loss(stage, truth)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = training_loss(stage, truth)
    half.backward()
    assert half.item() == pytest.approx(exact.item(), rel=0.1)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in stage.parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in stage.parameters())


def test_a_file_that_is_no_codec_is_refused(tmp_path):
    path = tmp_path / "codec.safetensors"
    for content in (None, b"not weights"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ResultError, match="train autoencoder"):
            load_first_stage(path)


def test_parities_of_the_shipped_channels_are_signs(codec):
    assert set(codec.signs.unique().tolist()) <= {-1.0, 1.0}
    assert list(codec.signs.shape) == [3, codec.latent_channels]


def test_the_encoder_is_a_convolution_of_its_features():
    torch.manual_seed(0)
    codec = BlockCodec(BlockCodecConfig(channels=5))
    kernel = torch.randn(5, 3, 8, 8, 8)
    with torch.no_grad():
        codec.analysis.copy_(kernel)
        codec.shift.copy_(torch.randn(5))
        codec.signs.copy_(torch.randint(0, 2, (3, 5)) * 2.0 - 1.0)
    sdf = torch.rand(2, 1, 12, 16, 20) * 2 - 1
    sdf[0, :, :8] = 1.0  # empty
    soft_sign = torch.tanh(8 * sdf) - math.tanh(8.0)
    nearness = torch.exp(-25 * sdf**2) - math.exp(-25.0)
    features = torch.cat([sdf - 1, soft_sign, nearness], dim=1)
    for axis in range(3):
        kernel = (kernel + kernel.flip(axis + 2) * codec.signs[axis][:, None, None, None, None]) / 2
    wanted = functional.conv3d(features, kernel, stride=4, padding=2)
    wanted = wanted - codec.shift[:, None, None, None]
    found = codec.encode(sdf)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    empty = codec.encode(torch.ones(1, 1, 8, 8, 8))
    assert torch.equal(empty, -codec.shift[None, :, None, None, None].expand_as(empty))
