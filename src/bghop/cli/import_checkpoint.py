"""`bghop import-checkpoint`: a released G-HOP or BG-HOP file to safetensors and a configuration."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class ImportCheckpoint:
    """Read a released checkpoint without running what is in it, and write what bghop needs."""

    checkpoint: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="CKPT")]]
    """Lightning .ckpt file of G-HOP or BG-HOP, or a .safetensors file of the same names."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder for model.safetensors and config.json."""
    legacy_unet: bool = False
    """The checkpoint was trained with `legacy_unet: True` (neither released one was)."""
    overwrite: bool = False
    """Replace a model that is already in the folder."""
    quiet: bool = False
    """Say nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout."""

    def run(self) -> int:
        """Imports; 0 when both files are written."""
        from bghop.cli.progress import Talker
        from bghop.jobs.import_checkpoint import ImportJob, run_import_job

        job = ImportJob(
            checkpoint=self.checkpoint,
            out=self.out,
            legacy_unet=self.legacy_unet,
            overwrite=self.overwrite,
        )
        talker = Talker(quiet=self.quiet or self.json)

        def progress(done: int, total: int) -> None:
            talker.stage(self.checkpoint.name, "loading", done, total)

        try:
            result = run_import_job(job, progress=progress)
        finally:
            talker.close()
        if self.json:
            print(json.dumps(result))
        elif not self.quiet:
            for line in _words(result):
                print(line)
        return 0


def _words(result: dict) -> list[str]:
    kind = "BG-HOP, two hands" if result["hands"] == 2 else "G-HOP, one hand"
    used = ", ".join(f"{name} {count}" for name, count in result["used"].items())
    left = ", ".join(f"{name} {count}" for name, count in result["left"].items()) or "nothing"
    lines = [f"{result['file']}: {kind}", f"used tensors: {used}", f"left tensors: {left}"]
    if result["unknown"]:
        some = ", ".join(result["unknown"][:3]) + (", ..." if len(result["unknown"]) > 3 else "")
        lines.append(f"unknown tensors: {some}")
    if result["not_run"]:
        some = ", ".join(result["not_run"][:5]) + (", ..." if len(result["not_run"]) > 5 else "")
        lines.append(f"named in the file and not run: {some}")
    return [*lines, f"written: {result['out']}/{' and '.join(result['files'])}"]
