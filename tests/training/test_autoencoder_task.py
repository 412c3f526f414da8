"""What training a first stage is: means are means, however the grids are batched."""

import pytest
import torch
from stand_ins import SPEC
from torch import nn

from bghop.data.augment import NO_AUGMENTATION
from bghop.data.scene import SceneBuilder
from bghop.training.autoencoder_task import AutoencoderTask
from bghop.training.loop import Task


@pytest.fixture
def scenes(records, objects, hand_model):
    return SceneBuilder(records, objects, hand_model, SPEC, augment=NO_AUGMENTATION)


def test_the_validation_loss_is_the_mean_over_grids(scenes):
    """Of one batch of eight and one of three."""
    sizes = []

    def each_grid(_stage, sdf):
        sizes.append(len(sdf))
        return sdf.flatten(1).mean(1).mean()

    task = AutoencoderTask(
        nn.Identity(), each_grid, scenes, validation=scenes, validation_scenes=11
    )
    assert isinstance(task, Task)
    found = task.validate()["loss"]
    assert sizes == [8, 3]
    rows = torch.linspace(0, len(scenes) - 1, 11).round().long()
    grids = scenes.scenes(rows).sdf / scenes.truncation
    assert found == pytest.approx(float(grids.mean()), rel=1e-5)
