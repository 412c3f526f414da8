"""Samples of a prior in training: numbers always, a picture where the drawing packages are.

The scenes are fixed: rows spread over the validation set. `text` samples everything from the
prompt alone, `object` puts two hands on the scene's own object.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bghop.data.scene import SceneBuilder, Scenes
from bghop.errors import BghopError
from bghop.files import write_whole
from bghop.hands.model import HandModel, HandParameters
from bghop.prior.prior import Known, Prior, Sampled
from bghop.prior.sampling import SampleOptions

FOLDER = "samples"
MODES = ("text", "object")


@dataclass(frozen=True, kw_only=True)
class SheetConfig:
    """What a sample sheet shows."""

    scenes: int = 8
    steps: int = 25
    guidance: float = 2.0
    seed: int = 0
    pictures: bool = True
    """Draw them if the packages are there; the numbers are written either way."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """Samples about some scenes."""

    scenes: Scenes
    prompts: tuple[str, ...]
    sampled: Mapping[str, Sampled]
    """By mode."""


def sample_sheet(
    prior: Prior, builder: SceneBuilder, hand_model: HandModel, config: SheetConfig
) -> Sheet:
    """Sample both modes; the same noise every time."""
    num = min(config.scenes, len(builder))
    rows = torch.linspace(0, len(builder) - 1, num).round().long()
    scenes = builder.scenes(rows)
    prompts = builder.texts(rows)
    options = SampleOptions(steps=config.steps, guidance=config.guidance)
    if not prior.denoiser.level_per_part:
        options = SampleOptions(steps=config.steps, guidance=config.guidance, clip=1.0)
    condition = prior.condition(prompts, scenes.present)
    known = {"text": None, "object": Known(sdf=scenes.sdf)}
    model = hand_model.to(scenes.sdf.device)
    sampled = {
        mode: prior.sample(condition, model, seed=config.seed, known=known[mode], options=options)
        for mode in MODES
    }
    return Sheet(scenes=scenes, prompts=tuple(prompts), sampled=sampled)


def write_sheet(
    prior: Prior,
    builder: SceneBuilder,
    hand_model: HandModel,
    folder: Path,
    step: int,
    config: SheetConfig,
) -> str:
    """Sample and write `samples/step_000123.safetensors`, and a PNG beside it if possible.

    Returns:
        Why there is no picture; empty if there is one or none is wanted.

    Raises:
        ResultError: The files cannot be written.
    """
    from safetensors.torch import save

    sheet = sample_sheet(prior, builder, hand_model, config)
    (folder / FOLDER).mkdir(exist_ok=True)
    path = folder / FOLDER / f"step_{step:07d}.safetensors"
    metadata = {"prompts": json.dumps(sheet.prompts), "modes": json.dumps(list(sheet.sampled))}
    write_whole(path, save(_tensors(sheet), metadata))
    if not config.pictures:
        return ""
    try:
        picture = draw_sheet(prior, sheet, hand_model, title=f"step {step}")
    except ImportError as error:
        return f"no pictures, as {error.name or error} is not installed; the samples are in {path}"
    except BghopError as error:
        return f"no pictures ({error}); the samples are in {path}"
    write_whole(path.with_suffix(".png"), picture)
    return ""


def draw_sheet(prior: Prior, sheet: Sheet, hand_model: HandModel, *, title: str) -> bytes:
    """The samples as one PNG: sampled objects with sampled hands, then hands on given objects.

    Raises:
        ImportError: A drawing or mesh package is missing.
        DrawingError: Pictures cannot be drawn on this machine.
    """
    from bghop.drawing.contact_sheet import Cell
    from bghop.drawing.posed import posed_scene
    from bghop.drawing.worker import SheetWorker
    from bghop.prior.surface import surface_of

    stage, spec = prior.codec.first_stage, prior.codec.spec
    cells = []
    for mode, sampled in sheet.sampled.items():
        grids = prior.object_grid(sampled).float().cpu()[:, 0]
        hands = _on_cpu(sampled.hands)
        for i, grid in enumerate(grids):
            mesh = surface_of(grid, spec, truncation=stage.truncation)
            if mesh is None:
                continue
            scene = posed_scene(hand_model, hands.rows(i), mesh)
            heading = "given" if mode == "object" else "sampled"
            cells.append(Cell(scene=scene, heading=heading, caption=sheet.prompts[i]))
    worker = SheetWorker()
    try:
        worker.request(cells, title=title, subtitle="objects sampled from text, and objects given")
        return worker.answer()
    finally:
        worker.close()


def _tensors(sheet: Sheet) -> dict[str, Tensor]:
    """All that a picture or a measurement needs, on the CPU."""
    scenes = sheet.scenes
    tensors = {
        "scene.row": scenes.row,
        "scene.sdf": scenes.sdf.half(),
        "scene.joints": scenes.joints,
        "scene.present": scenes.present,
    }
    for mode, sampled in sheet.sampled.items():
        tensors |= {
            f"{mode}.latent": sampled.latent.float(),
            f"{mode}.present": sampled.hands.present,
            f"{mode}.T_frame_hand": sampled.hands.T_object_hand,
            f"{mode}.pose": sampled.hands.pose,
            f"{mode}.shape": sampled.hands.shape,
        }
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def _on_cpu(hands: HandParameters) -> HandParameters:
    return HandParameters(
        present=hands.present.cpu(),
        T_object_hand=hands.T_object_hand.float().cpu(),
        pose=hands.pose.float().cpu(),
        shape=hands.shape.float().cpu(),
    )
