"""Training a prior from files to files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from bghop.data.scene import SceneBuilder
from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.files import write_json, write_whole
from bghop.hands.postures import Postures
from bghop.prior.checkpoint import CONFIG, WEIGHTS, load_prior, prior_config, prior_tensors
from bghop.prior.codec import JointCodec
from bghop.prior.first_stage import FirstStage
from bghop.prior.first_stage_file import load_block_codec, load_first_stage
from bghop.prior.loss import denoising_loss
from bghop.prior.prior import Prior
from bghop.prior.released import expand_to_two_hands
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.schedule import CosineSchedule
from bghop.prior.transformer import SIZES, PatchTransformer, TransformerConfig
from bghop.training.config import LoopConfig, to_json
from bghop.training.distributed import World
from bghop.training.loop import Listener, Outcome, train
from bghop.training.prior_task import PriorParts, PriorTask, PriorTaskConfig, TokenTable
from bghop.training.run import begin_run, commit_of, sha256
from bghop.training.sheets import SheetConfig, write_sheet
from bghop.training.sources import SourceConfig, Sources, load_sources

INITS = ("scratch", "semi-frozen", "full")
TEXT_DIMS = {"minilm": 384, "clip": 768}
"""Numbers per token of the text encoders that a new prior can have."""
PRIOR_FOLDER = "prior"


@dataclass(frozen=True, kw_only=True)
class TrainPrior:
    """What `bghop train prior` is told."""

    data: SourceConfig
    preset: str = "small"
    """Size of the network: `tiny`, `small` (for CPUs) or `base` (about the released one's)."""
    network: dict[str, Any] = field(default_factory=dict)
    """Fields of `TransformerConfig` that differ from the preset."""
    schedule: CosineSchedule = field(default_factory=CosineSchedule)
    first_stage: Path | None = None
    """File of `bghop train autoencoder`; None: the shipped one."""
    half_extent: float = 0.30
    """Metres; half the side of the grid about the object."""
    joint_scale: float = 0.12
    """Metres per unit of a joint's coordinates in the latent."""
    text: str = "minilm"
    text_folder: Path | None = None
    """Files of the text model, where it needs some."""
    init: str = "scratch"
    """`scratch`; `semi-frozen`: the weights of `source`, of which only the input and output layers
    are trained; `full`: the weights of `source`, all trained."""
    source: Path | None = None
    """Folder of a one-hand prior to start from. Codec, schedule and network are then its own."""
    task: PriorTaskConfig = field(default_factory=PriorTaskConfig)
    sheet: SheetConfig = field(default_factory=SheetConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot be built.

        Raises:
            OptionError: Naming the option and what it may be.
        """
        demands = (
            (self.preset in SIZES, f"unknown preset '{self.preset}': use one of {_words(SIZES)}"),
            (self.init in INITS, f"unknown init '{self.init}': use one of {_words(INITS)}"),
            (
                self.text in TEXT_DIMS,
                f"text '{self.text}' cannot be trained with: use one of {_words(TEXT_DIMS)}",
            ),
            (
                self.init == "scratch" or self.source is not None,
                f"init '{self.init}' starts from a one-hand prior: give its folder (--from)",
            ),
        )
        for holds, message in demands:
            if not holds:
                raise OptionError(message)


def train_prior(
    config: TrainPrior,
    folder: Path,
    *,
    world: World | None = None,
    minutes: float | None = None,
    listener: Listener | None = None,
    stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Train a prior; goes on where the folder's run stopped.

    Writes the prior with averaged weights to `prior/`, `train.csv`, `validation.csv`, sample
    sheets, `run.json` and the state to go on from.

    Raises:
        BghopError: Bad options or data, or a folder of another run.
    """
    world, listener = world or World(), listener or Listener()
    prior = begin_prior(config)
    prior.to(world.device)
    stage = prior.codec.first_stage
    sources = load_sources(config.data, prior.codec.spec, world.device, truncation=stage.truncation)
    if config.init != "scratch" and prior.hand_model != sources.hand_model.name:
        raise OptionError(
            f"{config.source} is of the hand model '{prior.hand_model}', the records are of "
            f"'{sources.hand_model.name}': start from a prior of the records' model"
        )
    prior.hand_model = sources.hand_model.name
    if isinstance(prior.codec, JointCodec):
        prior.codec = replace(prior.codec, postures=postures_of(sources.train))
    task = prior_task(prior, sources, config, listener, world.device)
    if world.first:  # everything could be read: the folder may be made
        begin_run(folder, "prior", to_json(config), _files(config))
        prior.origin = _origin(config, folder)
    return train(
        task, config.loop, folder, world=world, minutes=minutes, listener=listener, stop=stop
    )


def begin_prior(config: TrainPrior) -> Prior:
    """The prior before the first step; the same on every process.

    Raises:
        CheckpointError: `source` cannot be read.
        ResultError: The first stage cannot be read.
        OptionError: The network's changes are none.
    """
    torch.manual_seed(config.loop.seed)
    if config.init == "scratch" or config.source is None:
        return _new_prior(config)
    prior = load_prior(config.source)
    if isinstance(prior.denoiser, ReleasedDenoiser) and prior.denoiser.hands == 1:
        prior.denoiser = ReleasedDenoiser(expand_to_two_hands(prior.denoiser.unet))
    prior.denoiser.requires_grad_(config.init == "full")
    if config.init == "semi-frozen":
        for parameter in prior.denoiser.transfer_parameters():
            parameter.requires_grad_(True)
    return prior


def prior_task(
    prior: Prior,
    sources: Sources,
    config: TrainPrior,
    listener: Listener,
    device: torch.device,
) -> PriorTask:
    """What the loop trains: the denoiser of a prior on scenes."""
    encoder = prior.load_text(config.text_folder)
    tokens = TokenTable.of(
        sources.texts, lambda words: encoder.encode([prior.worded(w) for w in words]).tokens, device
    )
    parts = PriorParts(
        denoiser=prior.denoiser,
        schedule=prior.schedule,
        layout=prior.codec.layout,
        encode=prior.codec.encode,
        losses=denoising_loss,
        tokens=tokens,
    )

    def show(folder: Path, step: int) -> None:
        scenes = sources.validation or sources.train
        note = write_sheet(prior, scenes, sources.hand_model, folder, step, config.sheet)
        if note:
            listener.said(note)

    return PriorTask(
        parts,
        sources.train,
        config=config.task,
        validation=sources.validation,
        show=show,
        export=lambda folder, step: save_prior(prior, folder / PRIOR_FOLDER, step=step),
    )


def postures_of(scenes: SceneBuilder) -> Postures:
    """How the hands of some scenes are bent."""
    hands = scenes.records.hands
    angles = scenes.hand_model.angles_from_pose(hands.pose)
    return Postures.of(angles[hands.present])


def save_prior(prior: Prior, folder: Path, *, step: int | None = None) -> None:
    """Write a prior's folder; `load_prior` reads it.

    Raises:
        ResultError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = prior_config(prior)
    if step is not None:
        config["origin"] = {**config["origin"], "step": step}
    write_whole(folder / WEIGHTS, prior_tensors(prior))
    write_json(folder / CONFIG, config, indent=1)


def _new_prior(config: TrainPrior) -> Prior:
    path = config.first_stage
    stage: FirstStage = load_block_codec() if path is None else load_first_stage(path)
    spec = GridSpec(frame="object", half_extent=config.half_extent, unit=config.half_extent)
    codec = JointCodec(first_stage=stage, spec=spec, joint_scale=config.joint_scale)
    numbers: Mapping[str, Any] = {
        **SIZES[config.preset],
        "object_channels": stage.latent_channels,
        "resolution": spec.resolution,
        "half_extent": spec.half_extent,
        "cell_extent": float(spec.axis()[-1]) * spec.unit,
        "joint_scale": config.joint_scale,
        "text_dim": TEXT_DIMS[config.text],
        **config.network,
    }
    try:
        network = PatchTransformer(TransformerConfig(**numbers), config.schedule)
    except TypeError as error:
        raise OptionError(f"network: {error}: use fields of TransformerConfig") from error
    return Prior(denoiser=network, codec=codec, schedule=config.schedule, text_encoder=config.text)


def _files(config: TrainPrior) -> dict[str, Path]:
    files = {"records": config.data.records, "objects": config.data.objects}
    if config.first_stage is not None:
        files["first_stage"] = config.first_stage
    if config.source is not None and config.init != "scratch":
        files["source"] = config.source / WEIGHTS
    return files


def _origin(config: TrainPrior, folder: Path) -> dict[str, Any]:
    return {
        "run": folder.name,
        "config": to_json(config),
        "data": {name: sha256(path) for name, path in _files(config).items()},
        "commit": commit_of(Path(__file__).parent),
    }


def _words(names: Any) -> str:
    return ", ".join(names)
