"""`bghop grasp`: two hands on one or more meshes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bghop.errors import BghopError, OptionError


@dataclass(frozen=True, kw_only=True)
class Grasp:
    """Put two hands on a mesh.

    Writes grasps.json, one GLB scene per grasp and the contact sheet grasps.png. With several
    meshes each gets a folder of its own below --out. The same command continues after an
    interruption.
    """

    meshes: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MESH ...]")
    ] = ()
    """Mesh files (OBJ, STL, PLY, OFF, GLB, ...), URDF or MJCF files with one joint, or names of
    built-in objects."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the results."""
    parts: Annotated[tuple[str, ...], tyro.conf.arg(metavar="BASE[,BASE...] LID[,LID...]")] = ()
    """Instead of a mesh: the files of what stays and of what moves, all in one frame, as they are
    at joint value 0. Parts with frames of their own: a URDF or MJCF file says where they are."""
    joint: Annotated[str, tyro.conf.arg(metavar="KIND:X,Y,Z[@X,Y,Z]")] = ""
    """Joint between the parts: revolute or prismatic, its direction, and a point on it, in the unit
    of the files. Positive values turn right-handed about the direction (the thumb along it, the
    fingers curl the way the part turns), or slide along it."""
    at: Annotated[str, tyro.conf.arg(metavar="VALUE")] = ""
    """Joint value at which the object is held: radians, 40deg, or a length in the unit of the
    files; 0 if not given."""
    num: Annotated[int, tyro.conf.arg(metavar="N")] = 16
    """Grasps per object."""
    text: Annotated[str, tyro.conf.arg(metavar="PROMPT")] = ""
    """What the object is or what is done, which leads a prior; the optimiser only records it."""
    seed: Annotated[int, tyro.conf.arg(metavar="S")] = 0
    """Seed of all random choices."""
    scale: Annotated[float, tyro.conf.arg(metavar="X")] = 1.0
    """Factor on the mesh's size, after --unit."""
    unit: Literal["m", "dm", "cm", "mm", "in", "inch", "ft"] = "m"
    """Unit of the mesh file."""
    method: Literal["auto", "prior", "optimize", "sds"] = "auto"
    """How hands are found: as samples of a prior, refined (prior); by optimisation from geometric
    starts alone (optimize); by score distillation from the prior, as in the paper (sds). auto: half
    of the starts from the prior and half from geometry, the better ones win; geometry alone where
    the prior cannot help (objects over 50 cm, --mano)."""
    checkpoint: Annotated[Path | None, tyro.conf.arg(metavar="CKPT")] = None
    """Folder of a trained prior (`bghop train prior`) or an imported one
    (`bghop import-checkpoint`); the shipped one if not given."""
    text_model: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Files of the prior's text encoder: CLIP for released priors; MiniLM for words that bghop does
    not know."""
    no_refine: bool = False
    """Leave the hands of a prior as they are, instead of bringing them into contact."""
    progress_strip: Annotated[str, tyro.conf.arg(metavar="N[,N...]")] = ""
    """With --method sds: draw the best four grasps at these iterations (grasps_progress.png), such
    as 0,15,50."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Steps of the optimiser, the sampler or the distillation; more is better and slower. None: the
    default of the method."""
    up: Literal["auto", "x", "y", "z", "none"] = "auto"
    """Which way is up in the mesh's frame: people hold things the right way up. auto: y for glTF
    files, z for all others."""
    mano: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with MANO_LEFT.pkl and MANO_RIGHT.pkl to use instead of the open hand."""
    device: Annotated[str, tyro.conf.arg(metavar="auto|cpu|cuda")] = "auto"
    """Where to compute."""
    overwrite: bool = False
    """Replace the results of another command in --out, and compute finished objects again."""
    verify: bool = False
    """Run the hold test on every result and put what holds first. Needs bghop[physics]."""
    strips: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Draw the hold test of the first N results (grasp_000_hold.png, ...); implies --verify."""
    quiet: bool = False
    """Print nothing but errors."""
    json: bool = False
    """Print one JSON object on stdout at the end instead of tables."""

    def run(self) -> int:
        """Runs the job; the exit code."""
        from bghop.jobs.grasp_options import GraspJob, check_options

        job = GraspJob(
            meshes=self.meshes,
            out=self.out,
            parts=self.parts,
            joint=self.joint,
            at=self.at,
            num=self.num,
            text=self.text,
            seed=self.seed,
            scale=self.scale,
            unit=self.unit,
            method=self.method,
            steps=self.steps,
            checkpoint=self.checkpoint,
            text_model=self.text_model,
            refine=not self.no_refine,
            progress_strip=_iterations(self.progress_strip),
            up=self.up,
            mano=self.mano,
            device=self.device,
            overwrite=self.overwrite,
            verify=self.verify,
            strips=self.strips,
        )
        check_options(job)  # before torch is imported: a typing error is told at once
        from bghop.cli.progress import Talker
        from bghop.cli.tables import grasp_json, grasp_table
        from bghop.jobs.grasp import run_grasp_job

        talker = Talker(quiet=self.quiet)
        try:
            results = run_grasp_job(job, listener=talker)
        finally:
            talker.close()
        if self.json:
            print(json.dumps(grasp_json(results)))
        elif not self.quiet:
            for result in results:
                if result.metrics:
                    print(grasp_table(result))
        failed = [result for result in results if result.state == "failed"]
        if failed:
            words = "; ".join(f"{result.name}: {result.problem}" for result in failed)
            msg = f"{len(failed)} of {len(results)} objects failed: {words}"
            raise BghopError(msg)
        return 0


def _iterations(words: str) -> tuple[int, ...]:
    """`0,50,150` as numbers.

    Raises:
        OptionError: Something is no number.
    """
    try:
        return tuple(sorted({int(word) for word in words.split(",") if word.strip()}))
    except ValueError as error:
        msg = f"--progress-strip {words} is no list of iterations: use numbers such as 0,50,150"
        raise OptionError(msg) from error
