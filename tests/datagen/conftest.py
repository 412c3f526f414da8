import pytest
import torch

from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def hand_model() -> HandModel:
    return load_open_hand()
