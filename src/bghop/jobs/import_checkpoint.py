"""From a released checkpoint file to a folder with safetensors and a JSON configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bghop.errors import ResultError
from bghop.fields.grid_spec import GridSpec
from bghop.files import remove_leftovers, write_json, write_whole, writing
from bghop.prior.checkpoint import CONFIG, WEIGHTS, prior_config, prior_tensors
from bghop.prior.codec import FieldCodec
from bghop.prior.prior import Prior
from bghop.prior.released import Progress, ReleasedModels, import_released
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.schedule import ReleasedSchedule
from bghop.version import __version__


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
    prior = prior_of(models)
    write_whole(job.out / WEIGHTS, prior_tensors(prior))
    write_json(job.out / CONFIG, prior_config(prior), indent=1)
    return {
        "out": str(job.out),
        "files": [WEIGHTS, CONFIG],
        "hands": models.hands,
        **models.report.to_json(),
    }


def prior_of(models: ReleasedModels) -> Prior:
    """The released models as a prior: fields in the right wrist's frame, CLIP, MANO."""
    return Prior(
        denoiser=ReleasedDenoiser(models.unet),
        codec=FieldCodec(first_stage=models.vqvae, spec=GridSpec()),
        schedule=ReleasedSchedule(),
        text_encoder="clip",
        hand_model="mano",
        origin={
            "model": "G-HOP" if models.hands == 1 else "BG-HOP",
            "file": models.report.file,
            "sha256": models.report.sha256,
            "bghop": __version__,
        },
    )
