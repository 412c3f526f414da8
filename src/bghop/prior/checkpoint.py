"""A prior in a folder: `model.safetensors` and `config.json`. Reading one never runs code."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from bghop.errors import BghopError, CheckpointError
from bghop.hands.postures import POSTURE_SHAPES, Postures
from bghop.prior.codec import JointCodec, codec_config, codec_from_config
from bghop.prior.first_stage import BlockCodec, BlockCodecConfig, FirstStage
from bghop.prior.object_prior import ObjectPrior, ObjectPriorConfig
from bghop.prior.prior import Prior
from bghop.prior.released_denoiser import ReleasedDenoiser
from bghop.prior.schedule import CosineSchedule, Schedule, schedule_from_config
from bghop.prior.shipped import SHIPPED_PRIOR
from bghop.prior.transformer import PatchTransformer, TransformerConfig
from bghop.prior.unet import UNet3D, UNet3DConfig
from bghop.prior.vqvae import VQVAE, VQVAEConfig

FORMAT_VERSION = 1
WEIGHTS, CONFIG = "model.safetensors", "config.json"


def prior_config(prior: Prior) -> dict[str, Any]:
    """Everything of a prior that its tensors do not say."""
    objects = {} if prior.objects is None else {"objects": asdict(prior.objects.config)}
    return {
        "format_version": FORMAT_VERSION,
        **objects,
        "denoiser": _network_config(prior.denoiser),
        "first_stage": _network_config(prior.codec.first_stage),
        "codec": codec_config(prior.codec),
        "schedule": asdict(prior.schedule),
        "text": {"encoder": prior.text_encoder},
        "hand_model": prior.hand_model,
        "origin": prior.origin,
    }


def prior_tensors(prior: Prior, *, half: bool = False) -> bytes:
    """Tensors as one safetensors file: `denoiser.`, `first_stage.`, `objects.`, `postures.` each.

    Args:
        prior: the prior.
        half: store all weights but the first stage's in half precision: enough to use.
    """
    tensors: dict[str, Tensor] = {}
    for prefix, network in _networks(prior).items():
        for name, value in network.state_dict().items():
            smaller = half and prefix != "first_stage" and value.is_floating_point()
            tensors[f"{prefix}.{name}"] = (value.half() if smaller else value).cpu().contiguous()
    if isinstance(prior.codec, JointCodec) and prior.codec.postures is not None:
        for name, value in vars(prior.codec.postures).items():
            tensors[f"postures.{name}"] = value.cpu().contiguous()
    return save(tensors, metadata={"format": "pt"})


def load_prior(folder: Path | None = None, *, device: torch.device | str | None = None) -> Prior:
    """The shipped prior, or one of `bghop train` or `bghop import-checkpoint`, ready to sample.

    Args:
        folder: with `config.json` and `model.safetensors`; None for the shipped one.
        device: where the networks go; the CPU if None.

    Raises:
        CheckpointError: Something is missing, torn, of another version, or does not fit together.
    """
    folder = SHIPPED_PRIOR if folder is None else folder
    config = _read_config(folder)
    version = config.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{folder / CONFIG} has format version {version}, this bghop reads {FORMAT_VERSION}: "
            "write the checkpoint again with this version"
        )
    try:
        schedule = schedule_from_config(config["schedule"])
        first_stage = _first_stage(config["first_stage"])
        denoiser = _denoiser(config["denoiser"], schedule)
        codec = codec_from_config(config["codec"], first_stage)
        prior = Prior(
            denoiser=denoiser,
            codec=codec,
            schedule=schedule,
            text_encoder=config["text"]["encoder"],
            hand_model=config["hand_model"],
            origin=config.get("origin", {}),
            objects=_objects(config.get("objects")),
        )
    except BghopError as error:
        raise CheckpointError(f"{folder / CONFIG}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{folder / CONFIG} does not describe a prior ({error}): copy the folder again or "
            "train or import anew"
        ) from error
    postures = _load_tensors(folder / WEIGHTS, _networks(prior))
    if isinstance(codec, JointCodec):
        prior.codec = replace(codec, postures=postures)
    for network in _networks(prior).values():
        network.to(device).eval().requires_grad_(False)
    return prior


def _networks(prior: Prior) -> dict[str, nn.Module]:
    first_stage = prior.codec.first_stage
    assert isinstance(first_stage, nn.Module)
    denoiser = prior.denoiser
    inner = denoiser.unet if isinstance(denoiser, ReleasedDenoiser) else denoiser
    own: dict[str, nn.Module] = {"denoiser": inner, "first_stage": first_stage}
    return own if prior.objects is None else {**own, "objects": prior.objects}


def _objects(numbers: dict[str, Any] | None) -> ObjectPrior | None:
    if numbers is None:
        return None
    values: dict[str, Any] = {
        **numbers,
        "words": tuple(numbers.get("words", ())),
        "genus": tuple((int(low), int(high)) for low, high in numbers.get("genus", ())),
    }
    return ObjectPrior(ObjectPriorConfig(**values))


def _network_config(network: object) -> dict[str, Any]:
    if isinstance(network, ReleasedDenoiser):
        return {"type": "unet3d", **asdict(network.unet.config)}
    if isinstance(network, PatchTransformer):
        return asdict(network.config)
    if isinstance(network, BlockCodec):
        return {"type": "block", **asdict(network.config)}
    if isinstance(network, VQVAE):
        return {"type": "vqvae", **asdict(network.config)}
    raise CheckpointError(f"a {type(network).__name__} cannot be saved: use a known network")


def _first_stage(config: dict[str, Any]) -> FirstStage:
    kinds: dict[str, Callable[[dict[str, Any]], FirstStage]] = {
        "block": lambda numbers: BlockCodec(BlockCodecConfig(**numbers)),
        "vqvae": lambda numbers: VQVAE(VQVAEConfig(**numbers)),
    }
    return _of_kind(kinds, config)


def _denoiser(config: dict[str, Any], schedule: Schedule) -> ReleasedDenoiser | PatchTransformer:
    def transformer(numbers: dict[str, Any]) -> PatchTransformer:
        if not isinstance(schedule, CosineSchedule):
            raise CheckpointError("a transformer needs a cosine schedule: write the config anew")
        numbers = dict(numbers)
        if numbers.pop("mean_hand", False):  # False in what was trained without
            raise CheckpointError(
                "a network that corrects fitted mean hands, which is no more: train it again"
            )
        return PatchTransformer(TransformerConfig(**numbers), schedule)

    kinds: dict[str, Callable[[dict[str, Any]], ReleasedDenoiser | PatchTransformer]] = {
        "unet3d": lambda numbers: ReleasedDenoiser(UNet3D(UNet3DConfig(**numbers))),
        "transformer": transformer,
    }
    return _of_kind(kinds, config)


def _of_kind(kinds: dict[str, Callable[[dict[str, Any]], Any]], config: dict[str, Any]) -> Any:
    """Builds what `type` names from the other values; lists in JSON stand for tuples."""
    numbers = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k != "type"}
    kind = config["type"]
    if kind not in kinds:
        raise CheckpointError(f"unknown network '{kind}': known are {', '.join(kinds)}")
    return kinds[kind](numbers)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise CheckpointError(
            f"cannot read {path} ({reason}): name a folder that `bghop train` or `bghop "
            "import-checkpoint` has written"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a JSON file: write the checkpoint again") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} does not describe a prior: write the checkpoint again")
    return config


def _load_tensors(path: Path, networks: dict[str, nn.Module]) -> Postures | None:
    """Fill the networks; the file's postures, if it has some."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"cannot read {path} ({reason}): copy the checkpoint again"
        ) from error
    for prefix, network in networks.items():
        wanted = network.state_dict()
        found = {
            name: tensors[f"{prefix}.{name}"] for name in wanted if f"{prefix}.{name}" in tensors
        }
        missing = sorted(set(wanted) - set(found))
        if missing:
            raise CheckpointError(
                f"{path} lacks {len(missing)} tensors of the {prefix} ({missing[0]}, ...): copy "
                "the checkpoint again, config.json and model.safetensors belong together"
            )
        wrong = [name for name, value in found.items() if value.shape != wanted[name].shape]
        if wrong:
            have, want = tuple(found[wrong[0]].shape), tuple(wanted[wrong[0]].shape)
            raise CheckpointError(
                f"{path}: {prefix}.{wrong[0]} has shape {have} instead of {want}: config.json and "
                "model.safetensors do not belong together"
            )
        network.load_state_dict(
            {name: value.to(wanted[name].dtype) for name, value in found.items()}
        )
    own = {name: tensors.get(f"postures.{name}") for name in POSTURE_SHAPES}
    if all(value is None for value in own.values()):
        return None
    found: dict[str, Tensor] = {}
    for name, value in own.items():
        if value is None or value.shape != POSTURE_SHAPES[name]:
            what = "is missing" if value is None else "has a wrong shape"
            raise CheckpointError(f"{path}: postures.{name} {what}: copy the checkpoint again")
        found[name] = value.double()
    return Postures(**found)
