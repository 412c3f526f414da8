"""From a config to scenes: records, objects and hand model of a data set, on a device."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from bghop.data.augment import NO_AUGMENTATION, AugmentOptions
from bghop.data.objects_file import read_objects
from bghop.data.record import Records
from bghop.data.record_file import read_records
from bghop.data.scene import SceneBuilder
from bghop.fields.grid_spec import GridSpec
from bghop.hands.model import HandModel
from bghop.hands.open_hand import load_open_hand


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """What is trained on."""

    records: Path
    """Parquet file (or folder of files) of records, see docs/records.md."""
    objects: Path
    """Parquet file of their objects."""
    mano: Path | None = None
    """Folder with the official MANO files, for records of that hand; None: the open hand."""
    train_split: str = "train"
    validation_split: str = "val"
    """Empty: no validation."""
    most_rows: int = 0
    """Train on so many rows only, spread over the split; 0: all. For overfit tests."""
    leave_out: str | None = None
    """Quality flags (docs/records.md), comma between; rows that have one are not trained on."""
    skip_broken: bool | None = None
    """Leave out damaged files of records in many files, with a warning, instead of stopping."""
    augment: AugmentOptions = field(default_factory=AugmentOptions)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sources:
    """Scenes to train and to validate on."""

    train: SceneBuilder
    validation: SceneBuilder | None
    hand_model: HandModel

    @property
    def texts(self) -> tuple[str, ...]:
        """Prompts of all rows."""
        more = () if self.validation is None else self.validation.records.text
        return self.train.records.text + more


def load_sources(
    config: SourceConfig, spec: GridSpec, device: torch.device, *, truncation: float
) -> Sources:
    """Read the files; object distances go to the device.

    Raises:
        DataError: A file, split or object is missing, or is of another hand model.
        HandModelError: The hand model cannot be read.
    """
    hand_model = load_hand_model(config.mano)
    records = read_records(config.records, skip_broken=bool(config.skip_broken))
    if config.leave_out:
        records = records.without([flag.strip() for flag in config.leave_out.split(",")])
    objects = read_objects(config.objects).to(device)

    def builder(rows: Records, augment: AugmentOptions) -> SceneBuilder:
        return SceneBuilder(rows, objects, hand_model, spec, augment=augment, truncation=truncation)

    rows = records.of_split(config.train_split)
    if 0 < config.most_rows < len(rows):
        rows = rows.rows(torch.linspace(0, len(rows) - 1, config.most_rows).round().long())
    validation = None
    if config.validation_split and config.validation_split in records.split:
        validation = builder(records.of_split(config.validation_split), NO_AUGMENTATION)
    return Sources(
        train=builder(rows, config.augment), validation=validation, hand_model=hand_model
    )


def load_hand_model(mano: Path | None) -> HandModel:
    """The open hand, or the official MANO files in a folder."""
    if mano is None:
        return load_open_hand()
    from bghop.hands.mano import load_mano_files

    return load_mano_files(mano)
