"""From a released checkpoint file to a folder with safetensors and a JSON configuration."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bghop.errors import ResultError
from bghop.files import remove_leftovers, write_json, write_whole, writing
from bghop.prior.released import Progress, ReleasedModels, import_released
from bghop.version import __version__

FORMAT_VERSION = 1
WEIGHTS, CONFIG = "model.safetensors", "config.json"


@dataclass(frozen=True, kw_only=True)
class ImportJob:
    """What `bghop import-checkpoint` is told."""

    checkpoint: Path
    """The Lightning .ckpt file of G-HOP or BG-HOP (or a .safetensors file of the same names)."""
    out: Path
    """Folder for the imported model."""
    legacy_unet: bool = False
    """The checkpoint was trained with `legacy_unet: True` (neither released one was)."""
    overwrite: bool = False
    """Replace a model that is already in the folder."""


def run_import_job(job: ImportJob, *, progress: Progress | None = None) -> dict[str, Any]:
    """Imports a released checkpoint; returns what was written, used and left.

    Raises:
        CheckpointError: The file cannot be used.
        ResultError: The folder cannot be written, or already holds a model.
    """
    if not job.overwrite and any((job.out / name).exists() for name in (WEIGHTS, CONFIG)):
        msg = f"{job.out} already holds a model: choose another --out or give --overwrite"
        raise ResultError(msg)
    models = import_released(job.checkpoint, legacy_unet=job.legacy_unet, progress=progress)
    with writing(job.out):
        job.out.mkdir(parents=True, exist_ok=True)
        # The configuration comes last, so that a folder with one is complete.
        (job.out / CONFIG).unlink(missing_ok=True)
    remove_leftovers(job.out)
    write_whole(job.out / WEIGHTS, weights_of(models))
    write_json(job.out / CONFIG, config_of(models), indent=1)
    return {
        "out": str(job.out),
        "files": [WEIGHTS, CONFIG],
        "hands": models.hands,
        **models.report.to_json(),
    }


def weights_of(models: ReleasedModels) -> bytes:
    """Both networks as one safetensors file, names prefixed `denoiser.` and `first_stage.`."""
    from safetensors.torch import save

    parts = {"denoiser": models.unet, "first_stage": models.vqvae}
    tensors = {
        f"{part}.{name}": tensor.contiguous()
        for part, network in parts.items()
        for name, tensor in network.state_dict().items()
    }
    return save(tensors, metadata={"format": "pt"})


def config_of(models: ReleasedModels) -> dict[str, Any]:
    """Everything about the released models that their tensors do not say."""
    one = models.hands == 1
    return {
        "format_version": FORMAT_VERSION,
        "kind": "released",
        "hands": models.hands,
        "denoiser": {"type": "unet3d", **asdict(models.unet.config)},
        "first_stage": {"type": "vqvae", **asdict(models.vqvae.config)},
        "layout": {
            "object_channels": 3,
            "order": ["object", "right"] if one else ["object", "right", "left"],
        },
        "schedule": {
            "type": "released",
            "steps": 1000,
            "beta_first": 0.0015,
            "beta_last": 0.0195,
            "prediction": "noise",
        },
        "text": {
            "encoder": "clip",
            "model": "clip-vit-large-patch14",
            "tokens": "pooled",
            "template": ("an image of a hand grasping a {}" if one else "grasp {} with both hands"),
        },
        "source": {
            "model": "G-HOP" if one else "BG-HOP",
            "file": models.report.file,
            "sha256": models.report.sha256,
            "bghop": __version__,
        },
    }
