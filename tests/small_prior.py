"""A prior of few numbers that knows one box by heart and nothing of hands.

Its object is exact: patches are told apart by their place alone, and the output layer is solved for
the box's latent. Its hands are unit noise, which is what an answer of zero means. So every part of
the way from a checkpoint to files can be tested in seconds, with an object to look at.
"""

import json
from dataclasses import replace
from pathlib import Path

import torch

from bghop.fields.grid_spec import GridSpec
from bghop.geometry.grid import CubeGrid
from bghop.geometry.sdf import sdf_on_cube
from bghop.geometry.shapes import box
from bghop.prior.checkpoint import CONFIG, WEIGHTS, prior_config, prior_tensors
from bghop.prior.codec import JointCodec
from bghop.prior.first_stage import to_distance_grid
from bghop.prior.first_stage_file import load_block_codec
from bghop.prior.prior import Prior
from bghop.prior.schedule import CosineSchedule
from bghop.prior.transformer import SIZES, PatchTransformer, TransformerConfig

BOX = (0.20, 0.10, 0.14)


def small_prior(hand_model: str = "open") -> Prior:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        spec = GridSpec(frame="object", unit=0.30)
        stage = load_block_codec()
        schedule = CosineSchedule()
        network = PatchTransformer(replace(TransformerConfig(), **SIZES["tiny"]), schedule)
    cube = CubeGrid(resolution=64, half_extent=0.30)
    sdf = sdf_on_cube(box(BOX), cube).values[None, None]
    with torch.no_grad():
        latent = stage.encode(to_distance_grid(sdf, stage.truncation)).asinh()
        for layer in (network.object_in, network.field_in):
            layer.weight.zero_()
            layer.bias.zero_()
        network.object_place.normal_(generator=torch.Generator().manual_seed(0))
        place = torch.nn.functional.layer_norm(network.object_place, (network.config.width,))
        told = torch.cat([place, torch.ones(len(place), 1)], dim=1).double()
        weights = torch.linalg.lstsq(told, network._patched(latent)[0].double()).solution.float()
        network.object_out.weight.copy_(weights[:-1].T)
        network.object_out.bias.copy_(weights[-1])
    return Prior(
        denoiser=network.eval(),
        codec=JointCodec(first_stage=stage, spec=spec),
        schedule=schedule,
        hand_model=hand_model,
        origin={"recipe": "one box"},
    )


def write_small_prior(folder: Path, hand_model: str = "open", prior: Prior | None = None) -> Path:
    """A checkpoint folder, of a given prior if it is to be compared with.

    Two small priors differ in their last bits: least squares depend on where memory lies.
    """
    prior = prior or small_prior(hand_model)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(prior_tensors(prior))
    (folder / CONFIG).write_text(json.dumps(prior_config(prior)))
    return folder
