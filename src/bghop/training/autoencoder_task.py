"""What training a first stage is: distance grids of objects in random poses, reconstructed."""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bghop.data.scene import SceneBuilder
from bghop.training.seeds import generator_of

StageLosses = Callable[[nn.Module, Tensor], Tensor]
"""`(first_stage, sdf) -> mean loss of the grids`, which are distances over the truncation."""
_VALIDATION_SEED = 0x5EED


class AutoencoderTask:
    """A `Task`: a first stage on the objects of a data set."""

    def __init__(
        self,
        first_stage: nn.Module,
        losses: StageLosses,
        scenes: SceneBuilder,
        *,
        validation: SceneBuilder | None = None,
        validation_scenes: int = 64,
        export: Callable[[Path, int], None] | None = None,
    ) -> None:
        """Put the parts together; grids come in the truncation that the builders have."""
        self.network = first_stage
        self.scenes = scenes
        self.num_rows = len(scenes)
        self.row_weights = scenes.records.weight
        self.validation = validation
        self._num = validation_scenes
        self._losses, self._export = losses, export

    def inputs(self, rows: Tensor, generator: torch.Generator) -> Float[Tensor, "b 1 n n n"]:
        """Grids in [-1, 1] of the rows' objects after random motions."""
        return self._grids(self.scenes, rows, generator)

    def losses(
        self, network: nn.Module, inputs: Float[Tensor, "b 1 n n n"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """The mean reconstruction loss of the grids."""
        del generator  # reconstruction is not random
        return self._losses(network, inputs)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean loss on fixed scenes, moved as the validation builder moves them."""
        if self.validation is None:
            return {}
        num = min(self._num, len(self.validation))
        rows = torch.linspace(0, len(self.validation) - 1, num).round().long()
        total = 0.0
        for number, chunk in enumerate(rows.split(8)):
            grids = self._grids(self.validation, chunk, generator_of(_VALIDATION_SEED, number))
            total += len(chunk) * float(self._losses(self.network, grids))
        return {"loss": total / num}

    def show(self, folder: Path, step: int) -> None:
        """Reconstructions are judged by numbers."""

    def export(self, folder: Path, step: int) -> None:
        """The first stage as others load it."""
        if self._export is not None:
            self._export(folder, step)

    def _grids(self, scenes: SceneBuilder, rows: Tensor, generator: torch.Generator) -> Tensor:
        return scenes.scenes(rows, generator=generator).sdf / scenes.truncation
