import pytest

from arctic_like import write_mano_files
from bghop.data.mano_numbers import ManoHands
from small_scenes import entries, hand_model, lidded, objects, records

__all__ = ["entries", "hand_model", "lidded", "objects", "records"]


@pytest.fixture(scope="session")
def flat_mano(tmp_path_factory):
    """MANO as data sets use it that count from the flat hand and leave the left file as it is."""
    folder = write_mano_files(tmp_path_factory.mktemp("mano"))
    return ManoHands.of(folder, flat_hand_mean=True, fix_left_shapedirs=False)
