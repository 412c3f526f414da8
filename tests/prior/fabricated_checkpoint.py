"""Files like the ones that Lightning wrote for the released models, without their numbers."""

import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path, PosixPath

import numpy as np
import torch
from formula_weights import formula_tensor


def class_of(module, name):
    """A class that exists only while the file is written, like those of omegaconf."""
    for depth in range(1, module.count(".") + 2):
        part = ".".join(module.split(".")[:depth])
        sys.modules.setdefault(part, types.ModuleType(part))
    kind = type(name, (), {"__module__": module})
    setattr(sys.modules[module], name, kind)
    return kind


def hyper_parameters():
    """A configuration as omegaconf pickles it: nested objects with state, and odd company."""
    config = class_of("omegaconf_like.dictconfig", "DictConfig")()
    node = class_of("omegaconf_like.nodes", "AnyNode")()
    node.__dict__.update({"_val": 43, "_parent": config, "_flags_cache": None})
    config.__dict__.update({"_content": {"legacy_unet": node}, "_parent": None})
    return {
        "cfg": config,
        "folder": PosixPath("/data/somebody"),
        "numbers": defaultdict(list, {"a": [np.float64(1.5), np.arange(3)]}),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
    }


def optimizer_states():
    moment = torch.zeros(4)
    state = {0: {"step": torch.tensor(3.0), "exp_avg": moment, "exp_avg_sq": moment}}
    return [{"state": state, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.99), "params": [0]}]}]


def lightning_content(state, **more):
    state = OrderedDict(state)
    state._metadata = OrderedDict({"": {"version": 1}})  # as torch's own state dicts have it
    callback = "ModelCheckpoint{'monitor': 'val/loss', 'mode': 'min'}"
    return {
        "epoch": 7,
        "global_step": 500_000,
        "pytorch-lightning_version": "1.7.7",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {callback: {"best_model_score": torch.tensor(0.1), "dirpath": Path("/x")}},
        "optimizer_states": optimizer_states(),
        "lr_schedulers": [],
        "hyper_parameters": hyper_parameters(),
        **more,
    }


def write_lightning(path, state, **more):
    try:
        torch.save(lightning_content(state, **more), path)
    finally:
        for module in [name for name in sys.modules if name.startswith("omegaconf_like")]:
            del sys.modules[module]
    return path


def placeholder(shape, dtype=torch.float32):
    """A tensor of any shape that takes the room of one number in a file."""
    return torch.ones((), dtype=dtype).expand(tuple(shape))


def formula_state(shapes):
    return {name: formula_tensor(name, shape) for name, shape in shapes.items()}


class Hostile:
    """Would make a file if its pickle were run."""

    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)


def rewritten(path, change):
    """The same zip file with each member's name and content passed through `change`."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members:
            changed = change(name, data)
            if changed is not None:
                archive.writestr(name, changed)
    path.write_bytes(content.getvalue())
    return path


def pickled(value):
    return pickle.dumps(value, protocol=2)
