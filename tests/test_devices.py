"""One rule for the device of every command."""

import pytest
import torch

from bghop.devices import choose_device
from bghop.errors import OptionError
from bghop.training.distributed import joined_world


def test_auto_is_a_gpu_where_there_is_one(monkeypatch):
    for there, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert choose_device("auto").type == kind


def test_devices_that_are_not_there_are_refused_by_training_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    for name, words in (("cuda:2", r"2 CUDA devices found"), ("quantum", "use auto, cpu, cuda")):
        with pytest.raises(OptionError, match=words):
            choose_device(name)
        with pytest.raises(OptionError, match=words), joined_world(name):
            pass
