"""Which device tensors are on: one rule for all commands."""

import torch

from bghop.errors import OptionError


def choose_device(name: str) -> torch.device:
    """The device of an option: `auto` takes CUDA where there is one.

    Raises:
        OptionError: The device is unknown or not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise OptionError(f"--device {name} is unknown: use auto, cpu, cuda or cuda:0") from None
    num = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= num:
        msg = f"--device {name} is not there ({num} CUDA devices found): use --device cpu"
        raise OptionError(msg)
    return device
