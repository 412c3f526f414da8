"""`bghop complete`: what is missing in an interaction."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class Complete:
    """Keep some parts of an interaction exactly as they are and draw the others.

    Writes the same files as `bghop sample`. The same command continues after an interruption.
    """

    interaction: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="INTERACTION")]]
    """Results of `bghop grasp`, `sample` or `complete`: a folder, folder#3 for the one whose GLB
    file has the number 003, or that GLB file."""
    keep: Annotated[str, tyro.conf.arg(metavar="PART[,PART]")]
    """What stays: one or two of object, left, right, separated by commas."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the results."""
    index: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Which of the results, as their GLB files are numbered; the best (0) if not said."""
    text: Annotated[str | None, tyro.conf.arg(metavar="PROMPT")] = None
    """What the object is; if not given, what the interaction says."""
    checkpoint: Annotated[Path | None, tyro.conf.arg(metavar="CKPT")] = None
    """Folder of a trained prior (`bghop train prior`) or an imported one
    (`bghop import-checkpoint`); the shipped one if not given."""
    num: Annotated[int, tyro.conf.arg(metavar="N")] = 8
    """Completions."""
    seed: Annotated[int, tyro.conf.arg(metavar="S")] = 0
    """Seed of all random choices."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Steps of the sampler. None: what suits the prior (8 for the hands of the shipped one)."""
    guidance: Annotated[float | None, tyro.conf.arg(metavar="X")] = None
    """How closely the prompt is followed; 1 is as trained. None: what suits the prior."""
    no_refine: bool = False
    """Leave sampled hands as they are, instead of bringing them into contact."""
    text_model: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Files of the text encoder: CLIP for released priors; MiniLM for words that bghop does not
    know."""
    mano: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with MANO_LEFT.pkl and MANO_RIGHT.pkl, for priors that were trained with MANO."""
    device: Annotated[str, tyro.conf.arg(metavar="auto|cpu|cuda")] = "auto"
    """Where to compute."""
    overwrite: bool = False
    """Replace the results of another command in --out, and compute finished ones again."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout at the end instead of a table."""

    def run(self) -> int:
        """Runs the job; the exit code."""
        from bghop.jobs.prior_options import CompleteJob, check_complete
        from bghop.prior.shipped import SHIPPED_PRIOR

        job = CompleteJob(
            interaction=self.interaction,
            index=self.index,
            keep=tuple(part.strip() for part in self.keep.split(",") if part.strip()),
            text=self.text,
            out=self.out,
            checkpoint=self.checkpoint or SHIPPED_PRIOR,
            num=self.num,
            seed=self.seed,
            steps=self.steps,
            guidance=self.guidance,
            refine=not self.no_refine,
            text_model=self.text_model,
            mano=self.mano,
            device=self.device,
            overwrite=self.overwrite,
        )
        check_complete(job)  # before torch is imported: a typing error is told at once
        from bghop.cli.progress import Talker
        from bghop.cli.tables import grasp_table, result_json
        from bghop.jobs.interactions import run_complete_job

        talker = Talker(quiet=self.quiet)
        try:
            result = run_complete_job(job, listener=talker)
        finally:
            talker.close()
        if self.json:
            print(json.dumps(result_json(result)))
        elif not self.quiet:
            print(grasp_table(result))
        return 0
