"""Weights by formula: the fill rule of the parity fixtures, so that no trained file is needed."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

PARITY = Path(__file__).resolve().parents[3] / "shared" / "parity"
DENOISER, FIRST_STAGE = "glide_model.", "ae.model."


def generator(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode("utf-8"))))


def formula_tensor(name, shape):
    values = generator(name).standard_normal(size=tuple(shape))
    if name.endswith("quantize.embedding.weight"):
        values = 0.05 * values
    elif name.endswith(".weight") and len(shape) == 1:
        values = 1.0 + 0.02 * values
    else:
        values = 0.02 * values
    return torch.from_numpy(values.astype(np.float32))


def formula_input(name, *shape):
    return torch.from_numpy(generator(f"input:{name}").standard_normal(shape).astype(np.float32))


def filled(module, prefix):
    """The module in evaluation mode with formula weights, loaded strictly."""
    state = {
        name: formula_tensor(prefix + name, tensor.shape)
        for name, tensor in module.state_dict().items()
    }
    module.load_state_dict(state)
    return module.eval()


def released_tensors(tree):
    """Name -> (shape, dtype) of the whole released state dict, from the fixtures."""
    content = json.loads((PARITY / f"state_dict_{tree}.json").read_text())
    return {
        entry["name"]: (tuple(entry["shape"]), getattr(torch, entry["dtype"]))
        for entry in content["tensors"]
    }


def sphere(resolution=64):
    """The sphere of the fixtures as the first stage sees it."""
    axis = torch.linspace(-1.5, 1.5, resolution, dtype=torch.float64)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    centre = torch.tensor([0.1, -0.2, 0.05], dtype=torch.float64)
    distance = (points - centre).norm(dim=-1) - 0.6
    return (distance.clamp(-0.2, 0.2) / 0.2).float()[None, None]
