"""Training a first stage from files to files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.prior.first_stage import BlockCodec, BlockCodecConfig, training_loss
from bghop.prior.first_stage_file import save_block_codec, save_vqvae
from bghop.prior.vqvae import VQVAE, VQVAEConfig
from bghop.training.autoencoder_task import AutoencoderTask, StageLosses
from bghop.training.config import LoopConfig, to_json
from bghop.training.distributed import World
from bghop.training.loop import Listener, Outcome, train
from bghop.training.run import begin_run
from bghop.training.seeds import generator_of
from bghop.training.sources import SourceConfig, Sources, load_sources

STAGES = ("block", "vq")
EXPORT_FILE = "first_stage.safetensors"
_FIT_SEED = 0xF17


@dataclass(frozen=True, kw_only=True)
class TrainAutoencoder:
    """What `bghop train autoencoder` is told."""

    data: SourceConfig
    """Only the objects and joint values of its records are used."""
    stage: str = "block"
    """`block`: the cheap codec of ours; `vq`: the released models' VQ-VAE."""
    block: BlockCodecConfig = field(default_factory=BlockCodecConfig)
    vq: VQVAEConfig = field(default_factory=VQVAEConfig)
    half_extent: float = 0.30
    """Metres; half the side of the cube that grids cover."""
    latent_noise: float = 0.0
    """Noise on the latent of the block codec in training, so that it forgives a denoiser."""
    fit_scenes: int = 128
    """Grids that the block codec's linear start is computed from."""
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=20_000, batch=8, micro=8, sample_every=0)
    )

    def __post_init__(self) -> None:
        """Refuse an unknown stage.

        Raises:
            OptionError: Naming those that there are.
        """
        if self.stage not in STAGES:
            raise OptionError(f"unknown stage '{self.stage}': use one of {', '.join(STAGES)}")


def train_autoencoder(
    config: TrainAutoencoder,
    folder: Path,
    *,
    world: World | None = None,
    minutes: float | None = None,
    listener: Listener | None = None,
    stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Train a first stage; goes on where the folder's run stopped.

    Writes `first_stage.safetensors` (averaged weights), `train.csv`, `validation.csv`, `run.json`
    and the state to go on from.

    Raises:
        BghopError: Bad options or data, or a folder of another run.
    """
    world = world or World()
    spec = GridSpec(frame="object", half_extent=config.half_extent, unit=config.half_extent)
    stage = config.block if config.stage == "block" else config.vq
    sources = load_sources(config.data, spec, world.device, truncation=stage.truncation)
    stage = _stage(config, sources).to(world.device)
    if world.first:  # everything could be read: the folder may be made
        files = {"records": config.data.records, "objects": config.data.objects}
        begin_run(folder, "autoencoder", to_json(config), files)
    task = AutoencoderTask(
        stage,
        _losses(config),
        sources.train,
        validation=sources.validation,
        export=lambda where, _: _export(stage, where),
    )
    return train(
        task, config.loop, folder, world=world, minutes=minutes, listener=listener, stop=stop
    )


def _stage(config: TrainAutoencoder, sources: Sources) -> nn.Module:
    """A new network; the same on every process."""
    torch.manual_seed(config.loop.seed)
    if config.stage == "vq":
        return VQVAE(config.vq)
    scenes = sources.train
    generator = generator_of(config.loop.seed, _FIT_SEED)
    rows = torch.randint(len(scenes), (config.fit_scenes,), generator=generator)
    grids = scenes.scenes(rows, generator=generator).sdf.cpu() / scenes.truncation
    return BlockCodec.fitted(grids, config.block)


def _losses(config: TrainAutoencoder) -> StageLosses:
    if config.stage == "block":
        return lambda stage, sdf: training_loss(
            stage,  # pyright: ignore[reportArgumentType]
            sdf,
            latent_noise=config.latent_noise if stage.training else 0.0,
        )

    def vq(stage: nn.Module, sdf: Tensor) -> Tensor:
        # As the released first stage was trained: mean absolute error and the codebook's loss.
        found = stage(sdf)
        return (found.reconstruction - sdf).abs().mean() + found.codebook_loss

    return vq


def _export(stage: nn.Module, folder: Path) -> None:
    if isinstance(stage, BlockCodec):
        save_block_codec(stage, folder / EXPORT_FILE)
    elif isinstance(stage, VQVAE):
        save_vqvae(stage, folder / EXPORT_FILE)
