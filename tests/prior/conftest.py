import pytest
from formula_weights import DENOISER, FIRST_STAGE, filled

from bghop.prior.unet import UNet3D, UNet3DConfig
from bghop.prior.vqvae import VQVAE


@pytest.fixture(scope="session")
def unet43():
    """The released two-hand denoiser with formula weights; not to be changed."""
    return filled(UNet3D(), DENOISER)


@pytest.fixture(scope="session")
def unet23():
    """The released one-hand denoiser with formula weights; not to be changed."""
    return filled(UNet3D(UNet3DConfig(in_channels=23)), DENOISER)


@pytest.fixture(scope="session")
def vqvae():
    """The released first stage with formula weights; not to be changed."""
    return filled(VQVAE(), FIRST_STAGE)
